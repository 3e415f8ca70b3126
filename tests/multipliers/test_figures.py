"""Figures that multipliers are compared by, and the Pareto front."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import axsim
from axsim.circuits import cost
from axsim.circuits.formats.options import ReadOptions
from axsim.multipliers.circuit_files import from_text
from axsim.multipliers.figures import COMPUTED, ESTIMATED, FIGURES, PRINTED, figure_kind, front

points = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=25)


@given(points)
def test_the_front_is_what_nothing_beats(found: list[tuple[int, int]]) -> None:
    def beaten(p: tuple[int, int]) -> bool:
        return any(q[0] <= p[0] and q[1] <= p[1] and q != p for q in found)

    on_front = front([p[0] for p in found], [p[1] for p in found])
    assert on_front.tolist() == [not beaten(p) for p in found]


def test_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        front([1, np.nan], [1, 2])


def test_every_figure_of_a_circuit_with_all_of_them() -> None:
    values = {name: kind.of(axsim.get("L40")) for name, kind in FIGURES.items()}
    found = cost(axsim.get("L40").netlist)
    metrics = axsim.get("L40").metrics()
    assert values["mre"] == metrics.mre_percent
    assert values["bias"] == -metrics.bias > 0
    assert (values["energy"], values["area"]) == (found.switched, found.area)
    assert (values["published_power"], values["published_delay"]) == (0.189, 1.48)
    assert {kind.kind for kind in FIGURES.values()} == {COMPUTED, ESTIMATED, PRINTED}


def test_what_is_not_known() -> None:
    assert figure_kind("energy").of(axsim.get("drum8_4")) is None
    assert figure_kind("published_area").of(axsim.get("trunc8_3")) is None
    text = axsim.circuits.write_blif(axsim.circuits.exact(13)).encode()
    wide = from_text(text, "blif", ReadOptions(), "wide")
    assert figure_kind("wce").of(wide) is None
    assert figure_kind("mae").of(wide) == 0


def test_headings_say_what_is_not_computed() -> None:
    assert figure_kind("mae").heading == "mean absolute error"
    assert figure_kind("energy").heading == "switched (unit gates), estimated by axsim"
    assert figure_kind("published_power").heading == "power (mW, 45 nm), published by its authors"


def test_an_unknown_figure() -> None:
    with pytest.raises(ValueError, match="no figure is called 'power', expected one of mae, "):
        figure_kind("power")
