"""Circuits whose left operand is the first input bus, whatever was chosen: so that files tell it."""

from __future__ import annotations

import numpy as np

from axsim.circuits.netlist import Netlist


def ordered(netlist: Netlist, operands: tuple[str, str] | None = None) -> Netlist:
    """The same circuit with its left operand's bus first, and called ``a`` if the two are a and b.

    Written to a file and read again it has the same operands: readers take the first bus for the left
    operand, and ``a`` where there are an ``a`` and a ``b``.

    Args:
        netlist: a circuit of two operands.
        operands: its left and right operand; ``netlist.operands`` unless given.

    Raises:
        NetlistError: the circuit has not two input buses.

    >>> from axsim.circuits import exact
    >>> exchanged = ordered(exact(2, 3), ("b", "a"))
    >>> exchanged, exchanged.operands
    (<Netlist exact2x3: a[3], b[2] -> p[5], unsigned, 15 gates>, ('a', 'b'))
    """
    left, right = operands or netlist.operands
    widths = (netlist.inputs[left], netlist.inputs[right])
    names = ("a", "b") if {left, right} == {"a", "b"} else (left, right)
    start, first = {}, 2
    for bus, width in netlist.inputs.items():
        start[bus], first = first, first + width
    number = np.arange(netlist.first_gate + netlist.n_gates)
    at = 2
    for bus, width in zip((left, right), widths, strict=True):
        number[start[bus] : start[bus] + width] = np.arange(at, at + width)
        at += width
    outputs = {bus: tuple(number[list(nets)].tolist()) for bus, nets in netlist.outputs.items()}
    inputs = dict(zip(names, widths, strict=True))
    return Netlist(
        netlist.name, inputs, outputs, netlist.ops, number[netlist.sources].astype(np.int32), netlist.signed
    )
