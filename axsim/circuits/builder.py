"""Building netlists gate by gate, with constant folding and sharing of identical gates."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import numpy as np

from axsim.circuits.cells import CELLS, FullAdder
from axsim.circuits.netlist import CONST0, CONST1, Netlist
from axsim.errors import NetlistError

_NOT = 3  # of the gate's first input; the second is constant 0
_AND, _OR, _XOR = 8, 14, 6
_NOT_X_AND_Y = 2


class Builder:
    """Builds a :class:`Netlist`; nets are integers, numbered as in the netlist.

    Every gate asked for is simplified first: constants are folded, inverters are absorbed by the gates that
    read them, and a gate (or its complement) that exists already is used again. :meth:`build` drops the gates
    that no output needs. So gate counts mean something, whatever way a circuit was written down.

    >>> builder = Builder("mux")
    >>> (select,), (x, y) = builder.input("s", 1), builder.input("x", 2)
    >>> builder.output("p", [builder.lut3("00110101", select, x, y)])
    >>> builder.build().gate_counts()
    {'and': 1, 'andnot': 1, 'or': 1}
    """

    const0 = CONST0
    const1 = CONST1

    def __init__(self, name: str, signed: bool = False) -> None:
        self._name = name
        self._signed = signed
        self._inputs: dict[str, int] = {}
        self._outputs: dict[str, tuple[int, ...]] = {}
        self._first_gate = 2
        self._gates: list[tuple[int, int, int]] = []  # (op, x, y)
        self._known: dict[tuple[int, int, int], int] = {}  # gate -> the first net that computes it
        self._luts: dict[tuple[tuple[int, ...], int, int, int], int] = {}  # truth table and nets -> net

    @property
    def n_gates(self) -> int:
        """Number of gates so far, those included that no output will depend on."""
        return len(self._gates)

    def input(self, name: str, width: int) -> list[int]:
        """Declare an input bus and return its nets, least significant bit first.

        All inputs come before the first gate; NetlistError otherwise, or if the name is taken.
        """
        if self._gates:
            raise NetlistError(f"{self._name}: input {name!r} must be declared before the first gate")
        if name in self._inputs:
            raise NetlistError(f"{self._name}: there is an input {name!r} already")
        self._inputs[name] = width
        self._first_gate += width
        return list(range(self._first_gate - width, self._first_gate))

    def output(self, name: str, nets: Iterable[int]) -> None:
        """Declare an output bus, least significant bit first; NetlistError if the name is taken."""
        if name in self._outputs:
            raise NetlistError(f"{self._name}: there is an output {name!r} already")
        self._outputs[name] = tuple(nets)

    def build(self) -> Netlist:
        """Return the circuit, without gates that no output depends on."""
        gates = np.array(self._gates, np.int32).reshape(-1, 3)
        ops, sources = gates[:, 0].astype(np.uint8), gates[:, 1:]
        return Netlist(self._name, self._inputs, self._outputs, ops, sources, self._signed).prune()

    def part(self, net: int) -> Netlist:
        """Return the circuit of one net alone, as its output ``p``, of all inputs."""
        gates = np.array(self._gates, np.int32).reshape(-1, 3)
        ops, sources = gates[:, 0].astype(np.uint8), gates[:, 1:]
        return Netlist(self._name, self._inputs, {"p": (net,)}, ops, sources, self._signed).prune()

    def raw_gate(self, op: int, x: int, y: int) -> int:
        """Add a gate exactly as given, without simplification, and return its net."""
        net = self._first_gate + len(self._gates)
        self._gates.append((op, x, y))
        self._known.setdefault((op, x, y), net)
        return net

    def gate(self, op: int, x: int, y: int) -> int:
        """Return a net that carries the two-input function ``op`` of x and y (see :class:`Netlist`)."""
        if (inverted := self._inverter_source(x)) is not None:
            op, x = _complement_x(op), inverted
        if (inverted := self._inverter_source(y)) is not None:
            op, y = _swapped(_complement_x(_swapped(op))), inverted
        if y < x:
            op, x, y = _swapped(op), y, x
        if x == y:
            return self._unary(op & 1, op >> 3, y)
        if x in (CONST0, CONST1):
            return self._unary(op >> (2 * x) & 1, op >> (2 * x + 1) & 1, y)
        if op & 3 == op >> 2:  # does not depend on x
            return self._unary(op & 1, op >> 1 & 1, y)
        if op & 5 == op >> 1 & 5:  # does not depend on y
            return self._unary(op & 1, op >> 2 & 1, x)
        if (known := self._known.get((op, x, y))) is not None:
            return known
        if (known := self._known.get((15 - op, x, y))) is not None:
            return self.not_(known)
        return self.raw_gate(op, x, y)

    def _unary(self, at_0: int, at_1: int, x: int) -> int:
        if at_0 == at_1:
            return at_0
        return x if at_1 else self.not_(x)

    def _inverter_source(self, net: int) -> int | None:
        """Return what a net is the complement of, if an inverter drives it; NetlistError for no net."""
        if not 0 <= net < self._first_gate + len(self._gates):
            raise NetlistError(f"{self._name}: there is no net {net} yet")
        op, x, y = self._gates[net - self._first_gate] if net >= self._first_gate else (0, 0, 0)
        return x if (op, y) == (_NOT, CONST0) else None

    def not_(self, x: int) -> int:
        """Return NOT x."""
        if x in (CONST0, CONST1):
            return 1 - x
        if (inverted := self._inverter_source(x)) is not None:
            return inverted
        known = self._known.get((_NOT, x, CONST0))
        return self.raw_gate(_NOT, x, CONST0) if known is None else known

    def and_(self, x: int, y: int) -> int:
        """Return x AND y."""
        return self.gate(_AND, x, y)

    def or_(self, x: int, y: int) -> int:
        """Return x OR y."""
        return self.gate(_OR, x, y)

    def xor(self, x: int, y: int) -> int:
        """Return x XOR y."""
        return self.gate(_XOR, x, y)

    def nand(self, x: int, y: int) -> int:
        """Return NOT (x AND y)."""
        return self.gate(15 - _AND, x, y)

    def nor(self, x: int, y: int) -> int:
        """Return NOT (x OR y)."""
        return self.gate(15 - _OR, x, y)

    def xnor(self, x: int, y: int) -> int:
        """Return NOT (x XOR y)."""
        return self.gate(15 - _XOR, x, y)

    def lut3(self, truth: str | Iterable[int], a: int, b: int, c: int) -> int:
        """Return a net that carries a function of three nets, made of as few gates as a short search finds.

        Args:
            truth: eight bits; bit number 4a + 2b + c is the output for (a, b, c).
            a, b, c: nets.

        Raises:
            ValueError: for a truth table that is not eight bits.

        Shannon's expansion about each variable v in turn, with cofactors f0 (v = 0) and f1 (v = 1), in three
        forms: f0 XOR (v AND (f0 XOR f1)); f1 XOR (NOT v AND (f0 XOR f1)); (v AND f1) OR (NOT v AND f0).
        The form that adds fewest gates to those already there is taken. Of several it is the first, and c is
        the first v: the late input of a ripple-carry chain. Asked again for the same function of the same
        nets, or for its complement, it returns what is there.
        """
        bits = tuple(int(bit) for bit in truth)
        if len(bits) != 8 or set(bits) - {0, 1}:
            raise ValueError(f"truth must be eight bits, not {truth!r}")
        complement = tuple(1 - bit for bit in bits)
        if (complement, a, b, c) in self._luts:
            return self.not_(self._luts[complement, a, b, c])
        if (bits, a, b, c) not in self._luts:
            self._luts[bits, a, b, c] = self._smallest_expansion(bits, a, b, c)
        return self._luts[bits, a, b, c]

    def _smallest_expansion(self, bits: Sequence[int], a: int, b: int, c: int) -> int:
        choices = []
        for v, y, z in ((2, 0, 1), (1, 0, 2), (0, 1, 2)):
            nets = (a, b, c)[v], (a, b, c)[y], (a, b, c)[z]
            at_0, at_1 = (_cofactor(bits, value, v, y, z) for value in (0, 1))
            choices += [partial(expand, at_0=at_0, at_1=at_1, nets=nets) for expand in _EXPANSIONS]
        costs = [self._cost(choice) for choice in choices]
        return choices[costs.index(min(costs))](self)

    def _cost(self, make: Callable[[Builder], int]) -> int:
        """Return how many gates ``make`` adds, by trying; what it added is taken away again."""
        before = len(self._gates)
        make(self)
        added = self._gates[before:]
        for net, gate in enumerate(added, self._first_gate + before):
            if self._known[gate] == net:
                del self._known[gate]
        del self._gates[before:]
        return len(added)

    def half_adder(self, a: int, b: int) -> tuple[int, int]:
        """Return the sum and carry nets of a + b."""
        return self.xor(a, b), self.and_(a, b)

    def full_adder(self, a: int, b: int, c: int, cell: FullAdder = CELLS["exact"]) -> tuple[int, int]:
        """Return the sum and carry nets of a full-adder cell, exact by default, with carry-in c."""
        return self.lut3(cell.sum, a, b, c), self.lut3(cell.carry, a, b, c)

    def add_columns(self, columns: Sequence[Iterable[int]]) -> list[int]:
        """Return the nets of the exact sum of bits, modulo ``2**len(columns)``, one net a column.

        ``columns[w]`` holds the nets of weight ``2**w``. Each column is reduced three nets at a time (oldest
        first, as in a Wallace tree); carries go to the next column, those of the last one are dropped.
        """
        total = []
        carried: list[int] = []
        for column in columns:
            queue = deque(net for net in (*column, *carried) if net != CONST0)
            carried = []
            while len(queue) > 1:
                a, b = queue.popleft(), queue.popleft()
                c = queue.popleft() if queue else CONST0
                one, two = self.full_adder(a, b, c)
                queue.append(one)
                carried.append(two)
            total.append(queue[0] if queue else CONST0)
        return total

    def instance(self, netlist: Netlist, inputs: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
        """Add a copy of a circuit and return the nets of its output buses.

        ``inputs`` maps each of its input buses to nets of this builder; NetlistError if a width differs.
        """
        widths = {name: len(nets) for name, nets in inputs.items()}
        if widths != dict(netlist.inputs):
            raise NetlistError(f"{netlist.name}: inputs {widths} given, {dict(netlist.inputs)} expected")
        nets = [CONST0, CONST1, *(net for name in netlist.inputs for net in inputs[name])]
        for op, (x, y) in zip(netlist.ops.tolist(), netlist.sources.tolist(), strict=True):
            nets.append(self.gate(op, nets[x], nets[y]))
        return {name: [nets[net] for net in bits] for name, bits in netlist.outputs.items()}


def _expand_from_0(builder: Builder, at_0: int, at_1: int, nets: tuple[int, int, int]) -> int:
    """f0 XOR (v AND (f0 XOR f1)); OR will do for the first XOR where the two never meet."""
    v, y, z = nets
    change = at_0 ^ at_1
    combine = builder.xor if at_0 & change else builder.or_
    return combine(builder.gate(at_0, y, z), builder.and_(v, builder.gate(change, y, z)))


def _expand_from_1(builder: Builder, at_0: int, at_1: int, nets: tuple[int, int, int]) -> int:
    """f1 XOR (NOT v AND (f0 XOR f1))."""
    v, y, z = nets
    change = builder.gate(_NOT_X_AND_Y, v, builder.gate(at_0 ^ at_1, y, z))
    return builder.xor(builder.gate(at_1, y, z), change)


def _expand_both(builder: Builder, at_0: int, at_1: int, nets: tuple[int, int, int]) -> int:
    """(v AND f1) OR (NOT v AND f0); without the v where that cofactor implies the other."""
    v, y, z = nets
    low, high = builder.gate(at_0, y, z), builder.gate(at_1, y, z)
    return builder.or_(
        high if at_1 & ~at_0 == 0 else builder.and_(v, high),
        low if at_0 & ~at_1 == 0 else builder.gate(_NOT_X_AND_Y, v, low),
    )


_EXPANSIONS = (_expand_from_0, _expand_from_1, _expand_both)


def _cofactor(bits: Sequence[int], value: int, v: int, y: int, z: int) -> int:
    """Two-input truth table, in y and z, of a three-input function whose variable v has a value.

    v, y and z are positions: 0 is the variable of weight 4 in the index of ``bits``, 2 that of weight 1.
    """
    rows = [(value * 4 >> v) + (one * 4 >> y) + (two * 4 >> z) for one in (0, 1) for two in (0, 1)]
    return sum(bits[row] << index for index, row in enumerate(rows))


def _swapped(op: int) -> int:
    """Truth table of f(y, x), from that of f(x, y)."""
    return op & 9 | (op & 2) << 1 | (op & 4) >> 1


def _complement_x(op: int) -> int:
    """Truth table of f(NOT x, y), from that of f(x, y)."""
    return op >> 2 | (op & 3) << 2
