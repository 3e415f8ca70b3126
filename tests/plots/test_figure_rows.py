"""Rows of figures for terminals and pages."""

from __future__ import annotations

import axsim
from axsim.circuits.formats.options import ReadOptions
from axsim.multipliers import Multiplier
from axsim.multipliers.circuit_files import from_text
from axsim.multipliers.costs import estimate
from axsim.plots import tables


def from_blif(netlist: axsim.circuits.Netlist) -> Multiplier:
    return from_text(axsim.circuits.write_blif(netlist).encode(), "blif", ReadOptions(), netlist.name)


def test_error_rows_with_and_without_published_figures() -> None:
    headings, rows = tables.error_rows(axsim.get("L40"))
    assert headings == ("figure", "computed", "published", "agrees")
    assert rows[0] == ("MAE", "1011.25", "1011", "yes")
    assert ("bias", "-970.195", "", "") in rows
    headings, rows = tables.error_rows(axsim.get("trunc8_3"))
    assert headings == ("figure", "computed")
    assert ("WCE", "17") in rows


def test_a_figure_that_disagrees_is_marked() -> None:
    assert any(row[3] == "NO" for row in tables.error_rows(axsim.get("1KVA"))[1])


def test_a_circuit_too_wide_to_try_all_operands_is_sampled() -> None:
    wide = from_blif(axsim.circuits.truncated(13, 6))
    headings, rows = tables.error_rows(wide)
    assert headings[1].startswith("estimated on 1048576 random operand pairs")
    assert all("±" in cell for _, cell in rows[:-1])
    compared = {row[0]: row[1:] for row in tables.compared_errors([wide, axsim.get("exact8")])}
    assert compared["WCE"][0].startswith("at least ")
    assert compared["NMED"] == ("", "0")
    assert "±" in compared["MAE"][0]


def test_costs_are_fractions_of_ones_own_exact_multiplier() -> None:
    mults = [axsim.get(name) for name in ("trunc8_6", "exact4", "drum8_4")]
    rows = {row[0]: row[1:] for row in tables.compared_costs(mults)}
    own = estimate(mults[0])
    assert rows["area (unit gates)"][0] == f"{own.own.area} ({own.relative['area']:.3f})"
    assert rows["area (unit gates)"][1].endswith("(1.000)")
    assert rows["delay (unit gates)"][2] == "no gates"
    assert list(rows) == [
        *("gates", "area (unit gates)", "delay (unit gates)"),
        *("transistors", "switched (unit gates)"),
    ]
    assert [row[0] for row in tables.cost_rows(own)] == list(tables.COST_LABELS)


def test_published_figures_stand_apart() -> None:
    mults = [axsim.get("L40"), axsim.get("trunc8_6")]
    assert tables.compared_published(mults)[0] == ("power (mW)", "0.189", "")
    assert tables.compared_published(mults[1:]) == []
    assert tables.published_rows(mults[0])[2] == ("delay (ns)", "1.48")
    assert len(tables.cost_notes(mults)) == 1
    assert tables.cost_notes(mults[1:]) == ()
