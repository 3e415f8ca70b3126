"""Pictures: what they show, and that files are whole or not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import axsim
from axsim.plots import comparison_picture, error_picture, new_figure, save_figure

pytest.importorskip("matplotlib")


def test_heat_map_has_a_across_and_b_upwards() -> None:
    table = axsim.get("JQQ").table
    heat = error_picture(axsim.get("JQQ")).axes[0]
    np.testing.assert_array_equal(heat.images[0].get_array(), table.error.T)
    assert heat.images[0].get_extent() == [-0.5, 255.5, -0.5, 255.5]


def test_heat_map_of_a_signed_circuit_runs_from_the_least_operand() -> None:
    def wrong_below_minus_100(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.where(a < -100, a * b + 7, a * b)

    name = "wrong_below_minus_100"
    mult = axsim.register(name, wrong_below_minus_100, signed=True, overwrite=True)
    image = error_picture(mult).axes[0].images[0]
    assert image.get_extent() == [-128.5, 127.5, -128.5, 127.5]
    expected = np.zeros((256, 256))
    expected[:, :28] = 7
    np.testing.assert_array_equal(image.get_array(), expected)


def test_a_picture_that_fails_leaves_nothing(tmp_path: Path) -> None:
    figure = new_figure(1, 1)
    figure.savefig = lambda file, **_: (file.write(b"half"), 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save_figure(figure, tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"path must end in one of .*\.png"):
        save_figure(new_figure(1, 1), tmp_path / "x.xyz")


def test_ratios_of_layers_are_drawn_in_order_infinite_ones_at_100() -> None:
    pytest.importorskip("torch")
    from axsim.nn import Comparison, LayerComparison

    rows = (LayerComparison("conv1", "L40", 20.0, 30.0, 1.0), LayerComparison("fc", "L40", -3.0, np.inf, 1.0))
    axis = comparison_picture(Comparison(rows), "a network").axes[0]
    assert [bar.get_height() for bar in axis.patches] == [30.0, 100.0]
    assert list(axis.lines[0].get_ydata()) == [20.0, -3.0]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["conv1", "fc"]
    assert axis.get_title() == "a network"
