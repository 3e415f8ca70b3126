"""Estimates and published figures of multipliers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import axsim
from axsim.circuits import Histograms, Samples, cost
from axsim.multipliers import registry
from axsim.multipliers.costs import estimate, published_costs_of
from axsim.multipliers.libraries import load_library, record
from axsim.tables import write_tables


def test_relative_to_the_exact_one_of_the_same_kind() -> None:
    assert set(estimate(axsim.get("exact8s")).relative.values()) == {1.0}
    found = estimate(axsim.get("trunc8_6"))
    assert found.exact_name == "exact8"
    assert found.own == cost(axsim.get("trunc8_6").netlist)
    assert found.relative["area"] == found.own.area / cost(axsim.get("exact8").netlist).area


def test_both_are_driven_by_the_same_operands() -> None:
    samples = Samples(np.full(3, 7), np.full(3, 9))
    found = estimate(axsim.get("trunc8_6"), samples)
    assert (found.own.toggles, found.exact.toggles) == (0, 0)
    narrow = Histograms(np.arange(256) < 4, np.ones(256))
    assert estimate(axsim.get("exact8"), narrow).relative["switched"] == 1


def test_the_published_circuit_is_not_ours() -> None:
    assert "not of the published circuit" in estimate(axsim.get("L40")).note
    assert "not of the published circuit" in estimate(axsim.get("L40~")).note
    assert estimate(axsim.get("trunc8_6")).note == ""


def test_a_table_has_no_gates_to_count() -> None:
    assert estimate(axsim.get("2AC")) is None
    assert published_costs_of(axsim.get("2AC"))["published_power"] == "0.311"
    assert published_costs_of(axsim.get("drum8_4")) == {}


def test_a_library_keeps_what_its_circuits_cost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})
    path = tmp_path / "library.h5"
    write_tables(path, [record(axsim.get("trunc8_6")), record(axsim.get("drum8_4"))])
    load_library(path, prefix="my.")
    mine = axsim.get("my.trunc8_6")
    assert mine.netlist is None
    assert estimate(mine) == estimate(axsim.get("trunc8_6"))
    assert estimate(mine, Samples([1, 2], [3, 4])) is None
    assert estimate(mine.swapped()) is None
    assert estimate(axsim.get("my.drum8_4")) is None
