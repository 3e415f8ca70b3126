"""Netlists to BLIF text."""

from __future__ import annotations

from collections.abc import Iterator

from axsim.circuits.formats.buses import bit_of
from axsim.circuits.netlist import CONST0, CONST1, Netlist

_UNARY = (0, 3, 12, 15)  # truth tables of gates that do not depend on their second source


def write(netlist: Netlist) -> str:
    """Return a circuit as flat BLIF text: one ``.names`` a gate.

    Bits are named ``a0``, ``a1`` ..., or ``x2[0]`` ... where the former would be taken for another bus. What
    is read back is the same circuit, except for ``signed`` and the choice of operands, for which the format
    has no place.

    >>> from axsim.circuits import exact
    >>> print(write(exact(1)))
    .model exact1
    .inputs a0 b0
    .outputs p0 p1
    .names $false
    .names a0 b0 n0
    11 1
    .names n0 p0
    1 1
    .names $false p1
    1 1
    .end
    """
    return "".join(f"{line}\n" for line in [*_lines(netlist), ".end"])


def _lines(netlist: Netlist) -> Iterator[str]:
    buses = list(netlist.inputs.items())
    results = [(name, len(nets)) for name, nets in netlist.outputs.items()]
    prefix = "n"
    while prefix in netlist.inputs or prefix in netlist.outputs:
        prefix += "_"
    names = ["$false", "$true", *_bit_names(buses), *(f"{prefix}{gate}" for gate in range(netlist.n_gates))]
    gates = [
        (op, sources[:1] if op in _UNARY else sources)
        for op, sources in zip(netlist.ops.tolist(), netlist.sources.tolist(), strict=True)
    ]
    result_nets = [net for nets in netlist.outputs.values() for net in nets]
    read = {*result_nets, *(net for _, sources in gates for net in sources)}
    yield f".model {netlist.name}"
    yield " ".join([".inputs", *_bit_names(buses)])
    yield " ".join([".outputs", *_bit_names(results)])
    if CONST0 in read:
        yield ".names $false"
    if CONST1 in read:
        yield ".names $true"
        yield "1"
    for gate, (op, sources) in enumerate(gates, netlist.first_gate):
        yield " ".join([".names", *(names[net] for net in sources), names[gate]])
        yield from (f"{pattern} 1" for pattern in _on_set(op))
    for net, name in zip(result_nets, _bit_names(results), strict=True):
        yield f".names {names[net]} {name}"
        yield "1 1"


def _on_set(op: int) -> list[str]:
    """Inputs for which a gate's output is 1, as rows of a cover; one character a row for op in _UNARY."""
    if op in _UNARY:
        return [f"{x}" for x in (0, 1) if op >> 2 * x & 1]
    return [f"{x}{y}" for x in (0, 1) for y in (0, 1) if op >> (2 * x + y) & 1]


def _bit_names(buses: list[tuple[str, int]]) -> list[str]:
    return [
        f"{name}{bit}" if bit_of(f"{name}{bit}") == (name, bit) else f"{name}[{bit}]"
        for name, width in buses
        for bit in range(width)
    ]
