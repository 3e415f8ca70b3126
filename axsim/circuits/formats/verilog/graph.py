"""A circuit in the making: gates, nets whose drivers are found later, and arithmetic on vectors of them."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence

from axsim.circuits.builder import Builder
from axsim.circuits.formats.verilog.doubts import MAX_BITS, TooManyBitsError, of_gate, operands_where
from axsim.circuits.formats.verilog.tree import MeaningError

MAX_NODES = 2_000_000
"""Most gates and nets of a circuit before it is simplified."""

_NET, _INPUT, _UNLESS, _UNKNOWN, _UNDRIVEN = 16, 17, 18, 19, 20
_NOT, _AND, _OR, _XOR = 3, 8, 14, 6
_UNSEEN, _ACTIVE = -1, -2

Bits = list[int]
"""Nodes, least significant first."""
Doubts = dict[int, tuple[int, int]]
"""Of nodes that may be x: the builder's net that is 1 where they are, and the number of the reason."""


class Graph:
    """Nodes are numbered: 0 and 1 are the constants, then come gates, nets, inputs, and bits that are x.

    A bit that is x (unknown) may be there as long as no output depends on it.
    """

    def __init__(self) -> None:
        self._ops = array("B", (_INPUT, _INPUT))
        self._x = array("q", (0, 0))
        self._y = array("q", (0, 0))
        self._reasons: list[tuple[str, int]] = []
        self._labels: list[tuple[int, Callable[[int], str]]] = []
        self._doubtful: dict[int, int] = {}  # bits that are x under a condition, and the number of the reason

    def _add(self, op: int, x: int, y: int) -> int:
        if len(self._ops) >= MAX_NODES:
            raise MeaningError(f"the circuit has more than {MAX_NODES:,} gates and nets", -1)
        self._ops.append(op)
        self._x.append(x)
        self._y.append(y)
        return len(self._ops) - 1

    def net_bits(self, width: int, pos: int, label: Callable[[int], str]) -> Bits:
        """Return new nets without drivers; ``label`` names the k-th of them in messages."""
        self._labels.append((len(self._ops), label))
        return [self._add(_UNDRIVEN, pos, 0) for _ in range(width)]

    def input_bits(self, width: int, label: Callable[[int], str]) -> Bits:
        """Return new inputs; ``label`` as for nets."""
        self._labels.append((len(self._ops), label))
        return [self._add(_INPUT, 0, 0) for _ in range(width)]

    def unknown(self, reason: str, pos: int) -> int:
        """Return a bit that is x; ``reason`` and ``pos`` are told if an output depends on it."""
        return self._add(_UNKNOWN, self.reason(reason, pos), 0)

    def reason(self, reason: str, pos: int) -> int:
        """Enter why bits may be x, for ``unless``."""
        self._reasons.append((reason, pos))
        return len(self._reasons) - 1

    def unless(self, condition: int, bit: int, reason: int) -> int:
        """Return a bit that is x where a condition is 1, for a reason that was entered."""
        node = self._add(_UNLESS, bit, condition)
        self._doubtful[node] = reason
        return node

    def is_unknown(self, node: int) -> bool:
        """Whether a bit is x by itself."""
        return self._ops[node] == _UNKNOWN

    def first_unknown(self, *vectors: Bits) -> int | None:
        """A bit of vectors that is x by itself: it makes what numbers are computed of them x, every bit."""
        ops = self._ops
        return next((bit for bits in vectors for bit in bits if ops[bit] == _UNKNOWN), None)

    def name(self, net: int) -> str:
        """What messages call a net."""
        index = bisect_right(self._labels, net, key=lambda entry: entry[0]) - 1
        first, label = self._labels[index]
        return label(net - first)

    def drive(self, net: int, node: int, pos: int) -> None:
        """Connect a net to what drives it."""
        if self._ops[net] != _UNDRIVEN:
            what = "is an input" if self._ops[net] == _INPUT else "is driven already"
            raise MeaningError(f"{self.name(net)} {what}; every net has one driver", pos)
        self._ops[net], self._x[net], self._y[net] = _NET, node, pos

    def is_net(self, node: int) -> bool:
        """Whether a node is a net: not x, no gate, no input."""
        return self._ops[node] in (_NET, _UNDRIVEN)

    def is_driven(self, net: int) -> bool:
        """Whether a net has a driver."""
        return self._ops[net] != _UNDRIVEN

    def spoil(self, net: int, reason: str, pos: int) -> None:
        """Make a driven net x, for a reason that is told if an output depends on it."""
        self._reasons.append((reason, pos))
        self._ops[net], self._x[net] = _UNKNOWN, len(self._reasons) - 1

    # ----- gates

    def gate(self, op: int, x: int, y: int) -> int:
        """Return a node that is a two-input function of two others; constants are folded."""
        if x <= 1:
            return self._unary(op >> (2 * x) & 1, op >> (2 * x + 1) & 1, y)
        if y <= 1:
            return self._unary(op >> y & 1, op >> (2 + y) & 1, x)
        if x == y:
            return self._unary(op & 1, op >> 3, x)
        return self._add(op, x, y)

    def _unary(self, at_0: int, at_1: int, x: int) -> int:
        if at_0 == at_1:
            return at_0
        return x if at_1 else self.not_(x)

    def not_(self, x: int) -> int:
        """Return NOT x."""
        if x <= 1:
            return 1 - x
        if self._ops[x] == _NOT and self._y[x] == 0:
            return self._x[x]
        return self._add(_NOT, x, 0)

    def and_(self, x: int, y: int) -> int:
        """Return x AND y."""
        return self.gate(_AND, x, y)

    def or_(self, x: int, y: int) -> int:
        """Return x OR y."""
        return self.gate(_OR, x, y)

    def xor(self, x: int, y: int) -> int:
        """Return x XOR y."""
        return self.gate(_XOR, x, y)

    def mux(self, select: int, at_1: int, at_0: int) -> int:
        """Return at_1 where select is 1, else at_0."""
        if select <= 1:
            return at_1 if select else at_0
        if at_1 == at_0:
            return at_1
        if at_1 <= 1 or at_0 <= 1:
            if at_1 <= 1 and at_0 <= 1:
                return select if at_1 else self.not_(select)
            if at_1 <= 1:
                return self.or_(select, at_0) if at_1 else self.gate(2, select, at_0)
            return self.gate(11, select, at_1) if at_0 else self.and_(select, at_1)
        return self.or_(self.and_(select, at_1), self.gate(2, select, at_0))

    def tree(self, op: int, bits: Sequence[int], neutral: int) -> int:
        """Combine bits by AND, OR or XOR, pairwise."""
        bits = list(bits) if op == _XOR else list(dict.fromkeys(bits))  # a sign that was extended counts once
        while len(bits) > 1:
            odd = bits[len(bits) & ~1 :]
            bits = [self.gate(op, x, y) for x, y in zip(bits[::2], bits[1::2], strict=False)] + odd
        return bits[0] if bits else neutral

    # ----- the finished circuit

    def build(self, builder: Builder, inputs: dict[int, int], outputs: Sequence[int], pos: int) -> Bits:
        """Add all that the outputs need to a builder and return its nets for them.

        Args:
            builder: takes the gates.
            inputs: the builder's net for each input.
            outputs: nodes.
            pos: where the circuit begins, for messages.

        Raises:
            MeaningError: for a cycle, and for an output that depends on a bit that is x or that nothing
            drives.
        """
        done = array("q", (_UNSEEN,)) * len(
            self._ops
        )  # a net of the builder, or -3 - node for a bit that is x
        done[0], done[1] = 0, 1
        for node, net in inputs.items():
            done[node] = net
        doubts: Doubts = {}
        for output in outputs:
            self._settle(output, done, doubts, builder)
        for output in outputs:
            if done[output] < 0:
                raise self._undefined(output, -3 - done[output], pos)
            if output in doubts:
                self._exclude(output, *doubts[output], builder)
        return [done[output] for output in outputs]

    def _settle(self, root: int, done: array[int], doubts: Doubts, builder: Builder) -> None:
        ops, xs, ys = self._ops, self._x, self._y
        stack = [root]
        while stack:
            node = stack[-1]
            if done[node] not in (_UNSEEN, _ACTIVE):
                stack.pop()
                continue
            op = ops[node]
            if op >= _UNKNOWN:
                done[node] = -3 - node
                continue
            x = xs[node]
            y = 0 if op == _NET else ys[node]
            if done[x] == _UNSEEN or done[y] == _UNSEEN:
                done[node] = _ACTIVE
                stack += [source for source in (y, x) if done[source] == _UNSEEN]
                continue
            if done[x] == _ACTIVE or done[y] == _ACTIVE:
                raise self._cycle(stack, done, x if done[x] == _ACTIVE else y)
            if x in doubts or y in doubts or op == _UNLESS:
                condition = self._doubt(node, done, doubts, builder)
                if condition is not None:
                    doubts[node] = condition
            if op in (_NET, _UNLESS):
                done[node] = done[x] if op == _NET or done[y] >= 0 else done[y]
            elif done[x] >= 0 and done[y] >= 0:
                done[node] = builder.gate(op, done[x], done[y])
            else:
                done[node] = self._with_unknown(op, done[x], done[y], builder)

    def _doubt(self, node: int, done: array[int], doubts: Doubts, builder: Builder) -> tuple[int, int] | None:
        """The doubt of a node whose sources are settled, and the reason for it; None if there is none."""
        op, x, y = self._ops[node], self._x[node], self._y[node]
        if op == _NET:
            return doubts[x]
        (x_doubt, x_reason), (y_doubt, y_reason) = (doubts.get(source, (0, -1)) for source in (x, y))
        reason = max(x_reason, y_reason)
        if op == _UNLESS:
            doubt, reason = builder.or_(builder.or_(x_doubt, y_doubt), max(done[y], 0)), self._doubtful[node]
        elif done[x] < 0 or done[y] < 0:
            doubt = builder.or_(x_doubt, y_doubt)
        else:
            doubt = of_gate(builder, op, done[x], done[y], x_doubt, y_doubt)
        return (doubt, reason) if doubt else None

    def _exclude(self, output: int, doubt: int, number: int, builder: Builder) -> None:
        """Raise MeaningError if there are operands for which a doubt is 1."""
        reason, pos = self._reasons[number]
        depends = f"{reason}, and the circuit's output {self.name(output)} depends on it"
        hint = "write what is to come out instead, as in b == 0 ? 0 : a / b"
        try:
            found = operands_where(builder.part(doubt))
        except TooManyBitsError as many:
            more = f"whether it happens is found out for at most {MAX_BITS} bits of operands, {many} came"
            raise MeaningError(f"{depends}; {more}: make the divisor odd, as in b | 1", pos) from None
        if found is not None:
            listed = ", ".join(f"{bus} = {value}" for bus, value in found.items())
            raise MeaningError(f"{depends}, for example where {listed}: {hint}", pos)

    def _with_unknown(self, op: int, x: int, y: int, builder: Builder) -> int:
        """A gate of which one source at least is x: its value where that does not matter, else x."""
        if y >= 0:
            op, x, y = op & 9 | (op & 2) << 1 | (op & 4) >> 1, y, x
        if x < 0:
            return op & 1 if op in (0, 15) else min(x, y)
        for value in (0, 1):
            if x == value:
                at_0, at_1 = op >> 2 * value & 1, op >> (2 * value + 1) & 1
                return at_0 if at_0 == at_1 else y
        if op & 5 == op >> 1 & 5:  # does not depend on y
            return builder.gate(op, x, 0)
        return y

    def _undefined(self, output: int, cause: int, pos: int) -> MeaningError:
        if self._ops[cause] == _UNKNOWN:
            reason, where = self._reasons[self._x[cause]]
        else:
            reason, where = f"nothing drives {self.name(cause)}", self._x[cause]
        if output == cause:
            return MeaningError(reason, where)
        return MeaningError(f"{reason}, and the circuit's output {self.name(output)} depends on it", where)

    def _cycle(self, stack: list[int], done: array[int], start: int) -> MeaningError:
        # The stack holds the path from the root, and beside it sources that still wait their turn (unseen).
        path = [node for node in stack if done[node] == _ACTIVE]
        nets = [node for node in path[path.index(start) :] if self._ops[node] == _NET]
        names = [self.name(node) for node in reversed(nets[:8])]
        more = ["..."] if len(nets) > 8 else []
        listed = " -> ".join([*names, *more, *names[:1]])
        pos = self._y[nets[0]] if nets else -1
        return MeaningError(
            f"the circuit has a cycle, or keeps a value (a latch: not every case assigns one): {listed}", pos
        )


def extend(bits: Bits, width: int, signed: bool) -> Bits:
    """Return bits cut, or extended by zeros or the sign, to a width."""
    return bits[:width] + [bits[-1] if signed else 0] * (width - len(bits))


def add(graph: Graph, x: Bits, y: Bits, carry: int = 0) -> Bits:
    """Return x + y + carry, as wide as they are."""
    total = []
    for a, b in zip(x, y, strict=True):
        differs = graph.xor(a, b)
        total.append(graph.xor(differs, carry))
        carry = graph.or_(graph.and_(a, b), graph.and_(differs, carry))
    return total


def subtract(graph: Graph, x: Bits, y: Bits) -> Bits:
    """Return x - y, as wide as they are."""
    return add(graph, x, [graph.not_(bit) for bit in y], 1)


def multiply(graph: Graph, x: Bits, y: Bits) -> Bits:
    """Return x * y, as wide as they are (both are).

    Rows of partial products are added one after another. Where the upper bits of y are all one bit (y is a
    narrower number, its sign extended) one row is subtracted in their place.
    """
    width = len(x)
    if len(set(x)) > len(set(y)):  # fewer rows if the narrower one chooses them
        x, y = y, x
    significant = width
    while significant > 1 and y[significant - 1] == y[significant - 2]:
        significant -= 1
    negative = significant < width and y[-1] != 0
    total: Bits = [0] * width
    for shift in range(significant):
        row = [0] * shift + [graph.and_(bit, y[shift]) for bit in x[: width - shift]]
        if negative and shift == significant - 1:
            total = subtract(graph, total, row)
        elif any(row):
            total = add(graph, total, row)
    return total


def less(graph: Graph, x: Bits, y: Bits, signed: bool) -> int:
    """Return x < y for numbers of one width."""
    if signed:
        x, y = [*x[:-1], graph.not_(x[-1])], [*y[:-1], graph.not_(y[-1])]
    result = 0
    for a, b in zip(x, y, strict=True):
        differs = graph.xor(a, b)
        result = graph.mux(differs, b, result)
    return result


def equal(graph: Graph, x: Bits, y: Bits) -> int:
    """Return whether x == y, for numbers of one width."""
    return graph.tree(_AND, [graph.not_(graph.xor(a, b)) for a, b in zip(x, y, strict=True)], 1)


def shift(graph: Graph, bits: Bits, amount: Bits, left: bool, fill: int) -> Bits:
    """Return bits shifted by an amount, ``fill`` coming in: a constant amount costs nothing."""
    width = len(bits)
    for power, select in enumerate(amount):
        if select == 0:
            continue
        distance = min(1 << min(power, 30), width)
        vacated = [fill] * distance
        moved = vacated + bits[: width - distance] if left else bits[distance:] + vacated
        bits = [graph.mux(select, at_1, at_0) for at_1, at_0 in zip(moved, bits, strict=True)]
    return bits
