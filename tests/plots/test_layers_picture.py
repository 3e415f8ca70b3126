"""The picture of a network's layers."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("torch")

from axsim.nn import Comparison, LayerComparison
from axsim.plots import layers_picture


def test_ratios_of_layers_are_drawn_in_order_infinite_ones_at_100() -> None:
    rows = (LayerComparison("conv1", "L40", 20.0, 30.0, 1.0), LayerComparison("fc", "L40", -3.0, np.inf, 1.0))
    axis = layers_picture(Comparison(rows), "a network").axes[0]
    assert [bar.get_height() for bar in axis.patches] == [30.0, 100.0]
    assert list(axis.lines[0].get_ydata()) == [20.0, -3.0]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["conv1", "fc"]
    assert axis.get_title() == "a network"
