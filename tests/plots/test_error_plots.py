"""Pictures of errors: what they show, and that several have one scale."""

from __future__ import annotations

import numpy as np
import pytest

import axsim
from axsim.circuits.formats.options import ReadOptions
from axsim.multipliers import Multiplier
from axsim.multipliers.circuit_files import from_text
from axsim.plots import ErrorScale, comparison_picture, error_panel, error_picture
from axsim.plots.errors import MOST_COMPARED, bin_edges, error_grid, error_pictures

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


def wide_multiplier() -> Multiplier:
    """A 9 by 12 bits circuit as it comes from a file."""
    text = axsim.circuits.write_blif(axsim.circuits.exact(9, 12))
    return from_text(text.encode(), "blif", ReadOptions(), "wide")


def test_all_operands_of_a_table_are_there() -> None:
    mult = axsim.get("exact4x2")
    grid = error_grid(mult)
    assert (grid.a.tolist(), grid.b.tolist(), grid.step) == (list(range(16)), list(range(4)), (1, 1))
    np.testing.assert_array_equal(error_grid(axsim.get("L40")).error, axsim.get("L40").error_table)


def test_a_wide_circuit_is_drawn_on_a_grid() -> None:
    mult = wide_multiplier()
    grid = error_grid(mult)
    assert grid.error.shape == (256, 256)
    assert grid.step == (2, 16)
    assert (grid.a[1], grid.b[-1]) == (2, 4080)
    heat = error_picture(mult).axes[0]
    assert heat.get_xlabel() == "a (left operand, in steps of 2)"


def test_one_scale_for_all() -> None:
    mults = [axsim.get(name) for name in ("KEM", "L40", "trunc8_6")]
    figure = comparison_picture(mults)
    heats = [axis for axis in figure.axes if axis.images]
    assert [axis.get_title() for axis in heats] == ["mul8u_KEM", "mul8u_L40", "trunc8_6"]
    norms = [axis.images[0].norm for axis in heats]
    assert {(norm.vmin, norm.vmax, norm.linthresh) for norm in norms} == {(-9124, 9124, norms[0].linthresh)}
    means = sorted(mult.metrics().mae for mult in mults)
    assert norms[0].linthresh == means[0]
    for axis, mult in zip(heats, mults, strict=True):
        np.testing.assert_array_equal(axis.images[0].get_array(), mult.error_table.T)
    spans = {axis.get_xlim() for axis in figure.axes if axis.get_xlabel() == "error"}
    assert len(spans) == 1


def test_a_bar_of_few_pairs_is_seen() -> None:
    """On a logarithmic axis that began with the least bar, that bar would have no height."""
    for mult in (axsim.get("L40"), axsim.get("exact4")):
        histogram = error_picture(mult).axes[1]
        assert histogram.get_ylim()[0] < 1
        assert f"WCE {mult.metrics().wce} " in histogram.get_title()


def test_exact_multipliers_have_a_scale() -> None:
    scale = ErrorScale.of([error_grid(axsim.get("exact4"))])
    assert (scale.largest, scale.linear) == (1, 1.0)
    comparison_picture([axsim.get("exact4")])


def test_every_error_falls_into_one_bin() -> None:
    for largest in (1, 2, 7, 8, 300, 9124, 2**31):
        edges = bin_edges(largest)
        assert (np.diff(edges) >= 1).all()
        assert edges[-1] > largest
        assert (edges == -edges[::-1]).all()
        assert (edges % 1 == 0.5).all()


def test_distributions_count_every_pair() -> None:
    grid = error_grid(axsim.get("KEM"))
    figure = error_panel(axsim.get("KEM"), grid, ErrorScale.of([grid]))
    (stairs,) = (patch for axis in figure.axes for patch in axis.patches if hasattr(patch, "get_data"))
    assert stairs.get_data().values.sum() == 65536
    heat, histogram = error_pictures(axsim.get("KEM"))
    assert sum(bar.get_height() for bar in histogram.axes[0].patches) == 65536
    assert len(heat.axes) == 2


@pytest.mark.parametrize("count", [0, MOST_COMPARED + 1])
def test_too_few_or_too_many(count: int) -> None:
    with pytest.raises(ValueError, match=f"{count} multipliers are given, expected 1 to"):
        comparison_picture([axsim.get("exact2")] * count)
