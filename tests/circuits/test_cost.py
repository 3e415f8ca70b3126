"""Estimates of cost: gates counted by hand, and ratios."""

from __future__ import annotations

import math

import pytest

from axsim.circuits import (
    Netlist,
    Samples,
    array_multiplier,
    baugh_wooley,
    cost,
    exact,
    exact_like,
    transistor_count,
    truncated,
)
from axsim.circuits.activity import SAMPLES
from axsim.circuits.cost import TRANSISTORS, UNIT_GATES
from axsim.circuits.netlist import GATE_NAMES


def test_every_kind_of_gate_has_a_count():
    assert TRANSISTORS.keys() == UNIT_GATES.keys() == set(GATE_NAMES)


def test_counts():
    assert transistor_count(exact(1)) == TRANSISTORS["and"] == 6
    full, half, partial = 2 * 12 + 2 * 6 + 6, 12 + 6, 6
    assert transistor_count(exact(8)) == 64 * partial + 48 * full + 8 * half
    assert transistor_count(array_multiplier(8, cell="ama5")) == 15 * partial


def test_unit_gates_of_the_exact_array():
    full, half, partial = 2 * 2 + 3, 2 + 1, 1
    assert cost(exact(8)).area == 64 * partial + 48 * full + 8 * half
    # AND, then the half adder of each row's first cell and a carry chain: 2x2 is AND, AND, XOR.
    assert cost(exact(2)).delay == 1 + 1 + 2


def test_inverters_are_gates_but_no_unit_gates():
    inverter = Netlist("n", {"a": 1, "b": 1}, {"p": (5,)}, [3, 6], [(2, 0), (4, 3)])
    found = cost(inverter)
    assert (found.gates, found.area, found.delay, found.depth) == (2, 2, 2, 2)
    assert (found.toggles, found.switched) == (1.0, 1.0)  # each half of the time; XOR counts twice


def test_a_circuit_without_gates_costs_nothing():
    wires = Netlist("w", {"a": 1, "b": 1}, {"p": (2, 3)}, [], [])
    found = cost(wires)
    assert (found.gates, found.area, found.delay, found.toggles) == (0, 0, 0, 0)
    assert math.isnan(cost(exact(2)).relative_to(found)["area"])


def test_fractions_of_the_exact_one():
    ratios = cost(truncated(8, 8)).relative_to(cost(exact(8)))
    assert set(ratios) == {"gates", "area", "delay", "depth", "transistors", "toggles", "switched"}
    assert all(0 < ratio < 1 for ratio in ratios.values())
    assert set(cost(exact(8)).relative_to(cost(exact(8))).values()) == {1.0}


@pytest.mark.parametrize("netlist", [truncated(5, 2), baugh_wooley(4, 3), exact(2, 6)])
def test_the_exact_one_is_of_the_same_kind(netlist):
    like = exact_like(netlist)
    assert (like.a_bits, like.b_bits, like.signed) == (netlist.a_bits, netlist.b_bits, netlist.signed)
    a, b = (-3, 2) if netlist.signed else (3, 2)
    assert like(a, b) == a * b


def test_statistics_decide_switching_alone():
    still = cost(exact(4), Samples([7], [9]))
    assert (still.area, still.toggles, still.switched) == (cost(exact(4)).area, 0, 0)


def test_a_sample_is_said():
    assert cost(exact(8)).samples == 0
    assert cost(exact(16)).samples == SAMPLES
