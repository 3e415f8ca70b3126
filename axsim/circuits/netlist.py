"""Combinational circuits of two-input gates, simulated 64 operand vectors to a machine word."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from axsim.arrays import as_array
from axsim.circuits.operands import MAX_WIDTH, decode, encode, operand_range
from axsim.errors import NetlistError

Words = NDArray[np.uint64]

CONST0 = 0
CONST1 = 1

GATE_NAMES = (
    *("const", "nor", "andnot", "not", "andnot", "not", "xor", "nand"),
    *("and", "xnor", "buf", "ornot", "buf", "ornot", "or", "const"),
)
"""Name of each of the 16 two-input functions, indexed by ``op``. andnot: x and not y; ornot: x or not y."""

_MAX_EXHAUSTIVE_BITS = 24
_CHUNK_WORDS = 1024  # 65,536 vectors at a time: a net's words stay in the cache, and memory stays bounded
_NAME = re.compile(r"[^\s#\\=\[\]]+")


def _andnot(x: Words, y: Words, out: Words) -> None:
    np.bitwise_and(x, np.bitwise_not(y, out=out), out=out)


def _ornot(x: Words, y: Words, out: Words) -> None:
    np.bitwise_or(x, np.bitwise_not(y, out=out), out=out)


def _inverted(function: Callable[..., Any]) -> Callable[[Words, Words, Words], Any]:
    return lambda x, y, out: np.bitwise_not(function(x, y, out), out=out)


_EVALUATE: tuple[Callable[[Words, Words, Words], Any], ...] = (
    lambda x, y, out: out.fill(0),
    _inverted(np.bitwise_or),
    lambda x, y, out: _andnot(y, x, out),
    lambda x, y, out: np.bitwise_not(x, out=out),
    _andnot,
    lambda x, y, out: np.bitwise_not(y, out=out),
    np.bitwise_xor,
    _inverted(np.bitwise_and),
    np.bitwise_and,
    _inverted(np.bitwise_xor),
    lambda x, y, out: np.copyto(out, y),
    lambda x, y, out: _ornot(y, x, out),
    lambda x, y, out: np.copyto(out, x),
    _ornot,
    np.bitwise_or,
    lambda x, y, out: out.fill(np.iinfo(np.uint64).max),
)
"""``_EVALUATE[op](x, y, out)`` writes the gate's output for 64 vectors a word."""


@dataclass(frozen=True, eq=False)
class Netlist:
    """A combinational circuit of two-input gates, in topological order.

    Nets are numbered: 0 is constant 0, 1 is constant 1, then come all input bits (bus by bus, least
    significant bit first), then the output of each gate in turn.

    Args:
        name: what the circuit is called.
        inputs: width in bits of each input bus (1 to 64); the left operand first.
        outputs: nets of each output bus (1 to 64 bits), least significant bit first.
        ops: (G,) integers 0 to 15, truth tables: gate g's output for its inputs (x, y) is ``(ops[g] >> (2
            * x + y)) & 1``. An inverter is op 3, with constant 0 as its second input.
        sources: (G, 2) integers, the nets x and y of each gate; each less than the gate's own net number.
        signed: all buses hold two's complement numbers. Default: unsigned.
        chosen_operands: names of the left and the right operand, where they are not those that
            :attr:`operands` finds.

    Raises:
        NetlistError: if a part has the wrong shape or range, or a gate reads a net that comes after it.

    >>> half_adder = Netlist("ha", {"a": 1, "b": 1}, {"s": (4, 5)}, [6, 8], [(2, 3), (2, 3)])
    >>> half_adder([0, 0, 1, 1], [0, 1, 0, 1])
    array([0, 1, 1, 2])
    """

    name: str
    inputs: Mapping[str, int]
    outputs: Mapping[str, tuple[int, ...]]
    ops: NDArray[np.uint8]
    sources: NDArray[np.int32]
    signed: bool = False
    chosen_operands: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        _check_names(self.name, [*self.inputs, *self.outputs])
        inputs = {
            name: int(_integers(f"{self.name}: the width of {name!r}", width, (), 1, MAX_WIDTH))
            for name, width in self.inputs.items()
        }
        first_gate = 2 + sum(inputs.values())
        ops = _integers(f"{self.name}: ops", self.ops, (-1,), 0, 15).astype(np.uint8)
        n_nets = first_gate + ops.size
        sources = _integers(f"{self.name}: sources", self.sources, (ops.size, 2), 0, n_nets).astype(np.int32)
        late = np.flatnonzero(sources.max(axis=1, initial=0) >= np.arange(first_gate, n_nets))
        if late.size:
            raise NetlistError(
                f"{self.name}: gate {late[0]}, net {first_gate + late[0]}, "
                f"reads nets {sources[late[0]].tolist()}; it may only read nets with smaller numbers"
            )
        outputs = {
            name: tuple(_integers(f"{self.name}: nets of {name!r}", nets, (-1,), 0, n_nets - 1).tolist())
            for name, nets in self.outputs.items()
        }
        for name, nets in outputs.items():
            if not 1 <= len(nets) <= MAX_WIDTH:
                raise NetlistError(f"{self.name}: {name!r} has {len(nets)} bits; expected 1 to {MAX_WIDTH}")
        if self.chosen_operands is not None and sorted(self.chosen_operands) != sorted(inputs):
            raise NetlistError(
                f"{self.name}: operands {self.chosen_operands} chosen; the input buses are {list(inputs)}"
            )
        for array in (ops, sources):
            array.setflags(write=False)
        for field, value in [
            ("inputs", MappingProxyType(inputs)),
            ("outputs", MappingProxyType(outputs)),
            ("ops", ops),
            ("sources", sources),
        ]:
            object.__setattr__(self, field, value)

    def __reduce__(self) -> tuple[Any, ...]:
        # Mapping proxies cannot be pickled, and NumPy forgets the read-only flag: build it anew.
        inputs, outputs = dict(self.inputs), dict(self.outputs)
        fields = (self.name, inputs, outputs, self.ops, self.sources, self.signed, self.chosen_operands)
        return Netlist, fields

    @property
    def n_gates(self) -> int:
        """Number of gates."""
        return int(self.ops.size)

    @property
    def first_gate(self) -> int:
        """Net number of the first gate's output."""
        return 2 + sum(self.inputs.values())

    @property
    def operands(self) -> tuple[str, str]:
        """Names of the left and right operand of a two-operand circuit.

        They are those that were chosen, else a and b if the input buses bear those names, else the input
        buses in order. NetlistError if the circuit has not exactly two input buses.
        """
        if len(self.inputs) != 2:
            raise NetlistError(f"{self.name}: two input buses are needed, there are {list(self.inputs)}")
        if self.chosen_operands is not None:
            return self.chosen_operands
        left, right = self.inputs
        return ("a", "b") if {left, right} == {"a", "b"} else (left, right)

    @property
    def product(self) -> str:
        """Name of the only output bus; NetlistError if there are several."""
        if len(self.outputs) != 1:
            raise NetlistError(f"{self.name}: one output bus is needed, there are {list(self.outputs)}")
        return next(iter(self.outputs))

    @property
    def a_bits(self) -> int:
        """Width in bits of the left operand."""
        return self.inputs[self.operands[0]]

    @property
    def b_bits(self) -> int:
        """Width in bits of the right operand."""
        return self.inputs[self.operands[1]]

    @property
    def out_bits(self) -> int:
        """Width in bits of the only output bus."""
        return len(self.outputs[self.product])

    @property
    def depth(self) -> int:
        """Most gates, inverters included, on any path from an input to an output."""
        level = [0] * (self.first_gate + self.n_gates)
        for net, (x, y) in enumerate(self.sources.tolist(), self.first_gate):
            level[net] = 1 + max(level[x], level[y])
        return max((level[net] for nets in self.outputs.values() for net in nets), default=0)

    def gate_counts(self) -> dict[str, int]:
        """Return the number of gates of each kind (a name of ``GATE_NAMES``), in alphabetical order."""
        counts = Counter(GATE_NAMES[op] for op in self.ops.tolist())
        return dict(sorted(counts.items()))

    def __repr__(self) -> str:
        buses = ", ".join(f"{name}[{width}]" for name, width in self.inputs.items())
        results = ", ".join(f"{name}[{len(nets)}]" for name, nets in self.outputs.items())
        kind = "signed" if self.signed else "unsigned"
        return f"<Netlist {self.name}: {buses} -> {results}, {kind}, {self.n_gates} gates>"

    def simulate(self, /, **operands: ArrayLike) -> dict[str, NDArray[Any]]:
        """Return the value of every output bus for arrays of input values.

        Args:
            **operands: one for each input bus, by name; they are broadcast together.

        Returns:
            For each output bus an int64 array of the broadcast shape (uint64 if the bus is unsigned and
            has 64 bits).

        Raises:
            TypeError: if an operand is missing, unknown or not of integers.
            ValueError: if a value does not fit its bus.

        >>> from axsim.circuits import exact
        >>> exact(4).simulate(a=[3, 15], b=5)
        {'p': array([15, 75])}
        """
        flat, shape = self._encoded(operands)
        patterns = {name: np.zeros(math.prod(shape), "<u8") for name in self.outputs}
        for chunk, nets in self._chunks(flat):
            for name, bits in self.outputs.items():
                _gather(nets, bits, patterns[name][chunk])
        return {
            name: decode(patterns[name].astype(np.uint64, copy=False), len(bits), self.signed).reshape(shape)
            for name, bits in self.outputs.items()
        }

    def each_net(self, /, **operands: ArrayLike) -> Iterator[tuple[slice, Words]]:
        """Yield the values of all nets, at most 65,536 operand vectors at a time.

        Args:
            **operands: one for each input bus, by name; they are broadcast together.

        Yields:
            Which of the vectors, counted in C order, and uint64 (nets, words): bit i of word j is vector
            ``64 * j + i`` of these. What lies beyond the last vector has no meaning, and the array is
            overwritten when the next one is asked for.

        Raises as :meth:`simulate`.

        >>> from axsim.circuits import exact
        >>> [(chunk, nets.shape) for chunk, nets in exact(2).each_net(a=[1, 2, 3], b=3)]
        [(slice(0, 3, None), (14, 1))]
        """
        return self._chunks(self._encoded(operands)[0])

    def _encoded(self, operands: Mapping[str, ArrayLike]) -> tuple[list[NDArray[Any]], tuple[int, ...]]:
        """The operands' bit patterns, bus by bus in one row each, and the shape they broadcast to."""
        if operands.keys() != self.inputs.keys():
            raise TypeError(f"{self.name}: operands {sorted(operands)} given, {sorted(self.inputs)} expected")
        encoded = [encode(name, operands[name], width, self.signed) for name, width in self.inputs.items()]
        shape = np.broadcast_shapes(*(array.shape for array in encoded))
        return [np.broadcast_to(array, shape).reshape(-1) for array in encoded], shape

    def _chunks(self, flat: list[NDArray[Any]]) -> Iterator[tuple[slice, Words]]:
        n_vectors = flat[0].size if flat else 1
        nets = np.empty((self.first_gate + self.n_gates, min(_CHUNK_WORDS, -(-n_vectors // 64))), np.uint64)
        for start in range(0, n_vectors, 64 * _CHUNK_WORDS):
            chunk = slice(start, min(start + 64 * _CHUNK_WORDS, n_vectors))
            self._load(nets, [operand[chunk] for operand in flat])
            self._evaluate(nets)
            yield chunk, nets

    def _load(self, nets: Words, operands: list[NDArray[Any]]) -> None:
        nets[CONST0] = 0
        nets[CONST1] = np.iinfo(np.uint64).max
        net = 2
        for operand, width in zip(operands, self.inputs.values(), strict=True):
            _scatter(operand, nets[net : net + width])
            net += width

    def _evaluate(self, nets: Words) -> None:
        rows = list(nets)
        gates = zip(self.ops.tolist(), self.sources.tolist(), rows[self.first_gate :], strict=True)
        for op, (x, y), out in gates:
            _EVALUATE[op](rows[x], rows[y], out)

    def __call__(self, a: ArrayLike, b: ArrayLike) -> NDArray[Any]:
        """Return the products of two operands of a two-operand, one-output circuit.

        Args:
            a, b: left and right operands, broadcast together.

        Returns:
            int64 (uint64 if the product is unsigned and has 64 bits), of the broadcast shape. Raises as
            :meth:`simulate`, and NetlistError for a circuit of another form.
        """
        left, right = self.operands
        return self.simulate(**{left: a, right: b})[self.product]

    def exhaustive(self) -> NDArray[Any]:
        """Return the products of all operands, shape ``(2**a_bits, 2**b_bits)``, dtype as from a call.

        The indices are the operands' bit patterns (two's complement for a signed circuit), the entries are
        values. Raises NetlistError for more than 24 input bits.

        >>> from axsim.circuits import kulkarni
        >>> kulkarni(2).exhaustive()
        array([[0, 0, 0, 0],
               [0, 1, 2, 3],
               [0, 2, 4, 6],
               [0, 3, 6, 7]])
        """
        if self.a_bits + self.b_bits > _MAX_EXHAUSTIVE_BITS:
            raise NetlistError(
                f"{self.name}: all products of {self.a_bits} by {self.b_bits} bits are too many to list "
                f"(at most {_MAX_EXHAUSTIVE_BITS} input bits); simulate a sample instead"
            )
        a, b = (_all_values(bits, self.signed) for bits in (self.a_bits, self.b_bits))
        return self(a[:, np.newaxis], b)

    def prune(self) -> Netlist:
        """Return the circuit without the gates that no output depends on; the order of the rest is kept."""
        first = self.first_gate
        sources = self.sources.tolist()
        alive = np.zeros(first + self.n_gates, bool)
        alive[:first] = True
        alive[[net for nets in self.outputs.values() for net in nets]] = True
        for net in range(first + self.n_gates - 1, first - 1, -1):
            if alive[net]:
                alive[sources[net - first]] = True
        number = np.cumsum(alive) - 1
        kept = alive[first:]
        outputs = {name: tuple(number[list(nets)].tolist()) for name, nets in self.outputs.items()}
        sources_kept = number[self.sources[kept]]
        return replace(self, outputs=outputs, ops=self.ops[kept], sources=sources_kept)


def _check_names(name: str, buses: list[str]) -> None:
    for text in [name, *buses]:
        if not isinstance(text, str) or not _NAME.fullmatch(text):
            raise NetlistError(
                f"{text!r} is no name: one or more characters are needed, no space, #, \\, =, [ or ]"
            )
    twice = [bus for bus, count in Counter(buses).items() if count > 1]
    if twice:
        raise NetlistError(f"{name}: bus {twice[0]!r} is both an input and an output")


def _integers(what: str, values: ArrayLike, shape: tuple[int, ...], low: int, high: int) -> NDArray[Any]:
    """``values`` as an array of integers from low to high; a length of -1 in ``shape`` is any."""
    array = as_array(what, values)
    if array.size == 0:
        array = np.zeros((0, *shape[1:]), np.int64)  # an empty list has no integer dtype of its own
    if array.dtype.kind not in "iu":
        raise NetlistError(f"{what} must be integers, not {array.dtype}")
    if array.ndim != len(shape) or any(n not in (-1, got) for n, got in zip(shape, array.shape, strict=True)):
        raise NetlistError(f"{what} must have shape {shape}, not {array.shape}")
    if array.size and (array.min() < low or array.max() > high):
        raise NetlistError(f"{what} must be {low} to {high}; they are {array.min()} to {array.max()}")
    return array


def _all_values(bits: int, signed: bool) -> NDArray[np.int64]:
    values = np.arange(1 << bits)
    greatest = operand_range(bits, signed)[1]
    return np.where(values > greatest, values - (1 << bits), values)


def _scatter(operand: NDArray[Any], rows: Words) -> None:
    """Write bit k of every operand into row k of ``rows``; what lies beyond the last operand is left."""
    raw = np.ascontiguousarray(operand).view(np.uint8).reshape(operand.size, operand.itemsize)
    n_bytes = -(-operand.size // 8)
    packed = rows.view(np.uint8)
    for first in range(0, len(rows), 8):
        column = np.ascontiguousarray(raw[:, first // 8])
        for k in range(first, min(first + 8, len(rows))):
            packed[k, :n_bytes] = np.packbits(column & np.uint8(1 << (k - first)), bitorder="little")


def _gather(nets: Words, bits: tuple[int, ...], patterns: NDArray[np.uint64]) -> None:
    """Write the values that the nets ``bits`` (bit 0 first) spell into ``patterns``, little-endian."""
    raw = patterns.view(np.uint8).reshape(patterns.size, 8)
    n_words = -(-patterns.size // 64)
    for first in range(0, len(bits), 8):
        column = np.zeros(patterns.size, np.uint8)
        for k, net in enumerate(bits[first : first + 8]):
            vector = np.unpackbits(nets[net, :n_words].view(np.uint8), count=patterns.size, bitorder="little")
            column |= np.left_shift(vector, k, out=vector)
        raw[:, first // 8] = column
