"""Transistor counts."""

from __future__ import annotations

from axsim.circuits import array_multiplier, exact, transistor_count
from axsim.circuits.cost import TRANSISTORS
from axsim.circuits.netlist import GATE_NAMES


def test_every_kind_of_gate_has_a_count():
    assert TRANSISTORS.keys() == set(GATE_NAMES)


def test_counts():
    assert transistor_count(exact(1)) == TRANSISTORS["and"] == 6
    full, half, partial = 2 * 12 + 2 * 6 + 6, 12 + 6, 6
    assert transistor_count(exact(8)) == 64 * partial + 48 * full + 8 * half
    assert transistor_count(array_multiplier(8, cell="ama5")) == 15 * partial
