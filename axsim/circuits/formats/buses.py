"""Buses from the names of single bits, and operands from buses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, pairwise

import numpy as np

from axsim.circuits.netlist import Netlist
from axsim.circuits.operands import MAX_WIDTH
from axsim.errors import NetlistError

_STYLES = tuple(
    re.compile(pattern, re.ASCII | re.DOTALL)
    for pattern in (
        *(r"(.+)\[(\d+)\]", r"(.+)<(\d+)>", r"(.+)\((\d+)\)"),
        *(r"(.+)~(\d+)", r"(.*[^\d_])_(\d+)", r"(.*\D)(\d+)"),
    )
)
_PREFIX = re.compile(r"[^\s^]+\^")
_NOT_IN_NAMES = re.compile(r"[\s#\\=\[\]]")
_SLICE = re.compile(r"(.+?)(?:\[(\d{1,3}):(\d{1,3})\])?", re.ASCII | re.DOTALL)


# Nor can their order be guessed: of ISCAS-85's multiplier c6288 the highest output is 6287, below it is 6288.
_NET_NUMBERS = (
    ". These look like numbers of nets, whose order tells no order of bits: add a model or module around it "
    "whose bits are called a0, a1, ..., b0, b1, ..., p0, p1, ... and which connects each to its net"
)


class BusError(NetlistError):
    """Names of bits that make no buses. ``bit`` is the name that is at fault, or None."""

    def __init__(self, what: str, bit: str | None = None) -> None:
        super().__init__(what)
        self.bit = bit


def bit_of(name: str) -> tuple[str, int | None]:
    """Return the bus and the index that a bit's name tells; None for a name without an index.

    Known are ``a[0]``, ``a<0>``, ``a(0)``, ``a~0``, ``a_0``, ``a0`` and ``a00``, looked for in this order.
    Only 0 to 9 are digits. BusError for an index of more than nine digits.

    >>> bit_of("IN1[3]"), bit_of("x_10"), bit_of("cin")
    (('IN1', 3), ('x', 10), ('cin', None))
    """
    for style in _STYLES:
        if match := style.fullmatch(name):
            if len(match[2].lstrip("0")) > 9:
                raise BusError(f"{shorten(name)!r} has an index of {len(match[2])} digits", name)
            return match[1], int(match[2])
    return name, None


def group_bits(
    inputs: Sequence[str], outputs: Sequence[str]
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Group the names of a circuit's input and output bits into buses, in order of first appearance.

    Returns:
        Input buses and output buses: for each name its bits, least significant (least index) first. A name
        without an index is a bus of one bit. Where all names of a kind start with one ``NAME^`` (as in
        ``top^a~0``), that is left off. An output bus that has an input bus's name gets ``_out`` at its end.

    Raises:
        BusError: for no inputs or outputs, a bit that is there twice, a gap, more than 64 bits, and for a bus
            that does not start at 0 although another does: a file that leaves a lowest bit out would be read
            with all others shifted. All input buses start at one index, which is 0 or anything else; output
            buses start at 0, or at that index, or anywhere if inputs and outputs are numbered as one.

    >>> group_bits(["a[1]", "a[0]", "b"], ["p1", "p2"])
    Traceback (most recent call last):
        ...
    axsim.circuits.formats.buses.BusError: output bus 'p' lacks bit 0; its bits are 1 to 2
    >>> group_bits(["a[2]", "a[1]", "b"], ["p1", "p2"])
    ({'a': ['a[1]', 'a[2]'], 'b': ['b']}, {'p': ['p1', 'p2']})
    """
    in_buses, out_buses = _collect(inputs, "input"), _collect(outputs, "output")
    starts = {min(bus.bits) for bus in in_buses.values() if bus.indexed}
    for name, bus in in_buses.items():
        _check_indices("input", name, bus, {min(starts, default=0)})
    for name, bus in out_buses.items():
        _check_indices("output", name, bus, {min(bus.bits)} if name in in_buses else {0, *starts})
    clean_inputs = _clean(in_buses, (), "_")
    return clean_inputs, _clean(out_buses, clean_inputs, "_out")


@dataclass
class _Bus:
    indexed: bool
    bits: dict[int, str] = field(default_factory=dict)


def _collect(bits: Sequence[str], kind: str) -> dict[str, _Bus]:
    if not bits:
        raise BusError(f"there is no {kind}; at least one is needed")
    prefix = _PREFIX.match(bits[0])
    cut = len(prefix[0]) if prefix and all(bit.startswith(prefix[0]) for bit in bits) else 0
    buses: dict[str, _Bus] = {}
    for bit in bits:
        name, index = bit_of(bit[cut:])
        bus = buses.setdefault(name, _Bus(indexed=index is not None))
        if (index or 0) in bus.bits:
            raise BusError(
                f"{kind} {shorten(bit)!r} is bit {index or 0} of bus {shorten(name)!r}, "
                "which is there already",
                bit,
            )
        bus.bits[index or 0] = bit
    return buses


def _check_indices(kind: str, name: str, bus: _Bus, starts: set[int]) -> None:
    numbers = sorted(bus.bits)
    lacking = min(starts) if bus.indexed and numbers[0] not in starts else None
    for low, high in pairwise(numbers):
        if lacking is None and high != low + 1:
            lacking = low + 1
    if lacking is not None:
        sparse = numbers[-1] - numbers[0] >= 2 * len(numbers)
        raise BusError(
            f"{kind} bus {shorten(name)!r} lacks bit {lacking}; its bits are {numbers[0]} to {numbers[-1]}"
            + (_NET_NUMBERS if sparse else "")
        )
    if len(numbers) > MAX_WIDTH:
        raise BusError(
            f"{kind} bus {shorten(name)!r} has {len(numbers)} bits; buses have at most {MAX_WIDTH} bits"
        )


def _clean(buses: dict[str, _Bus], taken: Iterable[str], ending: str) -> dict[str, list[str]]:
    """The bits of each bus, least significant first; with names that a netlist takes and that are free."""
    clean: dict[str, list[str]] = {}
    for bus, found in buses.items():
        name = clean_name(bus)
        while name in taken or name in clean:
            name += ending
        clean[name] = [found.bits[index] for index in sorted(found.bits)]
    return clean


def clean_name(name: str) -> str:
    """Return a name with an underscore for each character that a netlist's names cannot have.

    >>> clean_name("$paramod\\\\\\\\mul=8")
    '$paramod__mul_8'
    """
    return _NOT_IN_NAMES.sub("_", name) or "circuit"


def shorten(name: str, limit: int = 60) -> str:
    """Return a name as messages show it: cut in the middle where it is longer than ``limit``."""
    return name if len(name) <= limit else f"{name[: limit // 2]}...{name[-limit // 3 :]}"


def with_operands(netlist: Netlist, operands: tuple[str, str] | None) -> Netlist:
    """Return the circuit with its left and right operand chosen.

    Args:
        netlist: any circuit.
        operands: two input buses, or two slices ``x[7:0]`` of one (bits counted from 0, whatever the file
            calls them), which become buses ``a`` and ``b``. None leaves the circuit as it is.

    Raises:
        NetlistError: for a bus or bits that are not there, and for inputs that neither operand has.

    >>> from axsim.circuits import exact
    >>> with_operands(exact(4, 2), ("b", "a")).operands
    ('b', 'a')
    """
    if operands is None:
        return netlist
    first, net = {}, 2
    for bus, width in netlist.inputs.items():
        first[bus], net = net, net + width
    chosen: list[list[int]] = []
    sliced = False
    for text in operands:
        match = _SLICE.fullmatch(text)
        if match is None or match[1] not in first:
            raise NetlistError(f"{netlist.name}: no input bus {text!r}; there are {', '.join(first)}")
        width = netlist.inputs[match[1]]
        high, low = (int(match[2]), int(match[3])) if match[2] else (width - 1, 0)
        sliced |= match[2] is not None
        if not 0 <= low <= high < width:
            raise NetlistError(f"{netlist.name}: no bits {text!r}; {match[1]!r} has {width - 1} down to 0")
        chosen.append([first[match[1]] + bit for bit in range(low, high + 1)])
    nets = list(chain(*chosen))
    if sorted(nets) != list(range(2, net)):
        raise NetlistError(
            f"{netlist.name}: operands {operands[0]!r} and {operands[1]!r} must be all inputs, each once; "
            f"there are {', '.join(f'{bus}[{width - 1}:0]' for bus, width in netlist.inputs.items())}"
        )
    if not sliced:
        return replace(netlist, chosen_operands=operands)
    number = np.arange(netlist.first_gate + netlist.n_gates, dtype=np.int32)
    number[nets] = np.arange(2, net, dtype=np.int32)
    outputs = {bus: tuple(number[list(bits)].tolist()) for bus, bits in netlist.outputs.items()}
    widths = {"a": len(chosen[0]), "b": len(chosen[1])}
    return replace(netlist, inputs=widths, outputs=outputs, sources=number[netlist.sources])
