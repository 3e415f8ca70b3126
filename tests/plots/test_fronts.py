"""The picture of a Pareto front."""

from __future__ import annotations

import numpy as np
import pytest

from axsim.multipliers.figures import figure_kind
from axsim.plots import pareto_picture

pytest.importorskip("matplotlib")

KINDS = figure_kind("energy"), figure_kind("mre")


def test_points_and_names_of_the_front() -> None:
    on_front = np.array([True, False, True, True])
    figure = pareto_picture(["p", "q", "r", "s"], [1, 5, 9, 3], [9, 8, 1, 4], on_front, KINDS)
    (axis,) = figure.axes
    others, best = (c.get_offsets().tolist() for c in axis.collections)
    assert others == [[5, 8]]
    assert best == [[1, 9], [3, 4], [9, 1]]
    assert sorted(text.get_text() for text in axis.texts) == ["p", "r", "s"]
    assert axis.get_xlabel() == "switched (unit gates), estimated by axsim"
    assert axis.get_ylabel() == "mean relative error (%)"


def test_equal_points_have_one_label() -> None:
    figure = pareto_picture(["p", "q", "r"], [1, 1, 2], [3, 3, 1], np.ones(3, bool), KINDS)
    assert sorted(text.get_text() for text in figure.axes[0].texts) == ["p and 1 more", "r"]


def test_labels_do_not_cover_each_other() -> None:
    rng = np.random.default_rng(0)
    x = np.sort(rng.random(60))
    figure = pareto_picture([f"mul8u_{i}" for i in range(60)], x, x[::-1], np.ones(60, bool), KINDS)
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert 5 < len(boxes) < 60
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


@pytest.mark.parametrize(
    ("values", "scale"),
    [([1, 2, 3], "linear"), ([1, 60, 3], "log"), ([0, 60, 1], "symlog"), ([0, 0, 0], "linear")],
)
def test_scales_of_values_that_are_far_apart(values: list[float], scale: str) -> None:
    figure = pareto_picture(list("pqr"), values, [1, 1, 1], np.ones(3, bool), KINDS)
    assert figure.axes[0].get_xscale() == scale
