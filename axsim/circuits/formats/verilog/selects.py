"""Parts of signals: bits, words and slices, at constant places or at places that the circuit computes."""

from __future__ import annotations

from collections.abc import Callable

from axsim.circuits.formats.verilog.ast import Name, Number, Select
from axsim.circuits.formats.verilog.graph import Bits
from axsim.circuits.formats.verilog.literals import MAX_WIDTH
from axsim.circuits.formats.verilog.scope import Shared, Signal, constant_value
from axsim.circuits.formats.verilog.tree import MeaningError

_MAX_CHOICES = 1 << 16

Index = Callable[[Select], tuple[Bits, bool]]
"""Evaluates the place of a select: bits, and whether they are signed."""


PARTLY = -1
"""The start of a slice that lies partly outside."""


class Place:
    """A part of a signal: for each value that its computed indices may have, its first bit.

    Attributes:
        width: its bits.
        choices: (first bit, or None outside the signal; literals that must all be 1).
    """

    def __init__(self, width: int, choices: list[tuple[int | None, tuple[int, ...]]]) -> None:
        self.width, self.choices = width, choices

    def all_bits(self, bits: Bits) -> Bits:
        """The bits of a signal that may be at the place, whatever its indices are."""
        if len(self.choices) == 1:
            start = self.choices[0][0]
            return [] if start is None else bits[start : start + self.width]
        starts = {start for start, _ in self.choices if start is not None and start != PARTLY}
        return [bits[k] for k in sorted({k for start in starts for k in range(start, start + self.width)})]


def offset_of(index: int, bounds: tuple[int, int]) -> int | None:
    """Where an index lies in a range, from its right end; None outside.

    >>> offset_of(3, (7, 0)), offset_of(1, (1, 4)), offset_of(8, (7, 0))
    (3, 3, None)
    """
    left, right = bounds
    offset = index - right if left >= right else right - index
    return offset if 0 <= offset <= abs(left - right) else None


def find_place(signal: Signal, name: Name, index: Index, shared: Shared) -> Place:
    """Return which bits of a signal a name means. MeaningError for selects that do not fit its dimensions."""
    if len(name.selects) == 1 == len(signal.ranges):  # a bit at a place that is written down: most selects
        select, place = name.selects[0], name.selects[0].left
        if not select.kind and isinstance(place, Number) and place.width is None and place.signed:
            offset = offset_of(place.value, signal.ranges[0])
            if offset is not None:
                return Place(1, [(offset, ())])
    width = signal.width
    ranges = list(signal.ranges)
    choices: list[tuple[int | None, tuple[int, ...]]] = [(0, ())]
    for number, select in enumerate(name.selects):
        if not ranges:
            raise MeaningError(f"{name.name!r} has no bits of bits to select from", select.pos)
        bounds = ranges.pop(0)
        stride = width // (abs(bounds[0] - bounds[1]) + 1)
        last = number == len(name.selects) - 1
        if select.kind and (not last or number < signal.unpacked):
            raise MeaningError(f"a slice of {name.name!r} must be of bits, and come last", select.pos)
        count, starts = _starts(signal, name, select, bounds, index, shared)
        width = stride * count
        shared.charge(len(choices) * len(starts), select.pos)
        if len(choices) * len(starts) > _MAX_CHOICES:
            raise MeaningError(f"the places in {name.name!r} that are computed are too many", select.pos)
        choices = [
            (_combined(base, start, stride), (*before, *literals))
            for base, before in choices
            for start, literals in starts
        ]
    if len(name.selects) < signal.unpacked:
        raise MeaningError(f"the array {name.name!r} can only be used word by word", name.pos)
    return Place(width, choices)


def _starts(
    signal: Signal,
    name: Name,
    select: Select,
    bounds: tuple[int, int],
    index: Index,
    shared: Shared,
) -> tuple[int, list[tuple[int | None, tuple[int, ...]]]]:
    """Elements that a select takes, and the offsets of the lowest for each value of its index."""
    if select.kind == ":":
        low = offset_of(_fixed("right", select, index), bounds)
        high = offset_of(_fixed("left", select, index), bounds)
        if low is None or high is None:
            raise MeaningError(f"a slice outside {name.name}[{bounds[0]}:{bounds[1]}]", select.pos)
        if low > high:
            raise MeaningError(
                f"a slice of {name.name}[{bounds[0]}:{bounds[1]}] the wrong way round", select.pos
            )
        return high - low + 1, [(low, ())]
    count = 1
    if select.kind:
        count = _fixed("right", select, index)
        if not 1 <= count <= MAX_WIDTH:
            raise MeaningError(f"a slice of {count} bits", select.pos)
    bits, signed = index(select)
    starts: list[tuple[int | None, tuple[int, ...]]] = []
    for place, literals in possible_values(bits, signed, shared, select.pos):
        ends = (place, place + count - 1) if select.kind != "-:" else (place - count + 1, place)
        offsets = [offset_of(end, bounds) for end in ends]
        inside = [offset for offset in offsets if offset is not None]
        partly = len(inside) != len(offsets) and _meets(ends, bounds)
        starts.append((PARTLY if partly else min(inside, default=None), literals))
    if len(starts) == 1 and starts[0][0] in (None, PARTLY):
        value = constant_value(bits, signed)
        raise MeaningError(
            f"{name.name}[{value}] is outside {name.name}[{bounds[0]}:{bounds[1]}]", select.pos
        )
    return count, starts


def _combined(base: int | None, start: int | None, stride: int) -> int | None:
    if base is None or start is None:
        return None
    return PARTLY if PARTLY in (base, start) else base + start * stride


def _meets(ends: tuple[int, int], bounds: tuple[int, int]) -> bool:
    """Whether a slice has some of its ends or all its bounds within."""
    return ends[0] <= max(bounds) and ends[1] >= min(bounds)


def _fixed(side: str, select: Select, index: Index) -> int:
    expression = select.left if side == "left" else select.right
    assert expression is not None
    bits, signed = index(Select(select.pos, "", expression, None))
    value = constant_value(bits, signed)
    if value is None:
        raise MeaningError(
            "the bounds of a slice must be constant; [start +: width] may start anywhere", select.pos
        )
    return value


def possible_values(bits: Bits, signed: bool, shared: Shared, pos: int) -> list[tuple[int, tuple[int, ...]]]:
    """Return the values that bits may have, and for each the literals (nodes) that are all 1 then."""
    free = [k for k, bit in enumerate(bits) if bit > 1]
    if 1 << len(free) > _MAX_CHOICES:
        raise MeaningError(f"an index of {len(free)} computed bits; at most 16 can be", pos)
    shared.charge(1 << len(free), pos)
    base = sum(1 << k for k, bit in enumerate(bits) if bit == 1)
    inverted = [shared.graph.not_(bits[k]) for k in free]
    values = []
    for choice in range(1 << len(free)):
        literals = []
        value = base
        for number, k in enumerate(free):
            if choice >> number & 1:
                value |= 1 << k
                literals.append(bits[k])
            else:
                literals.append(inverted[number])
        if signed and value >> (len(bits) - 1):
            value -= 1 << len(bits)
        values.append((value, tuple(literals)))
    return values


def read_place(bits: Bits, place: Place, shared: Shared, name: Name) -> Bits:
    """Return the bits at a place."""
    if len(place.choices) == 1:
        start = place.choices[0][0]
        assert start is not None
        return bits[start : start + place.width]
    graph = shared.graph
    if any(start is None or start == PARTLY for start, _ in place.choices):
        outside = f"the index of {name.name!r} may lie outside it, where its bits are x"
        return [graph.unknown(outside, name.pos)] * place.width
    # The literals of the choices count up, the first index's lowest bit fastest: a tree of multiplexers.
    words = [bits[start : start + place.width] for start, _ in place.choices if start is not None]
    shared.charge(len(words) * place.width, name.pos)
    return _choose(words, [literals for _, literals in place.choices], shared)


def _choose(words: list[Bits], literals: list[tuple[int, ...]], shared: Shared) -> Bits:
    graph = shared.graph
    n_literals = len(literals[0])
    for position in range(n_literals - 1, -1, -1):
        groups: dict[tuple[int, ...], dict[bool, tuple[Bits, int]]] = {}
        ones = literals[-1][position]
        for word, own in zip(words, literals, strict=True):
            groups.setdefault(own[:position], {})[own[position] == ones] = (word, own[position])
        words, literals = [], []
        for key, pair in groups.items():
            word = [
                graph.mux(ones, at_1, at_0) for at_1, at_0 in zip(pair[True][0], pair[False][0], strict=True)
            ]
            words.append(word)
            literals.append(key)
    return words[0]


def write_place(bits: Bits, place: Place, value: Bits, shared: Shared, pos: int) -> Bits:
    """Return the bits with those at a place replaced; what would lie outside is dropped."""
    graph = shared.graph
    written = list(bits)
    for start, literals in place.choices:
        if start is None:
            continue
        if start == PARTLY:
            raise MeaningError("a slice that may lie partly outside its vector cannot be assigned", pos)
        shared.charge(place.width, pos)
        here = graph.tree(8, literals, 1)
        for k, bit in enumerate(value):
            written[start + k] = graph.mux(here, bit, written[start + k])
    return written
