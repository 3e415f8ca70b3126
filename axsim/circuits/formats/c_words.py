"""Integers of C as nets: each bit a net of a builder, with C's rules of width and sign.

A value keeps the bits that differ from those above them, and one net, ``fill``, that all higher bits up to
the width of its type carry: 0 after a mask, 1 after ``~`` of a bit, the sign of a negative number. So a
circuit of 64-bit words whose bits are masked one by one costs no more than the bits that it uses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import zip_longest
from typing import NamedTuple

from axsim.circuits.builder import Builder
from axsim.circuits.formats.c_tree import INT, CType
from axsim.circuits.formats.division import divide, negated
from axsim.circuits.netlist import CONST0, CONST1


class Word(NamedTuple):
    """A value: bit i is ``bits[i]``, or ``fill`` where there is no such bit, for i below ``type.bits``."""

    bits: tuple[int, ...]
    fill: int
    type: CType


def word(bits: Sequence[int], fill: int, type_: CType) -> Word:
    """A value in its shortest form; bits beyond the type's width are cut off."""
    if len(bits) >= type_.bits:
        bits = bits[: type_.bits]
        fill = bits[-1] if type_.signed else CONST0
    end = len(bits)
    while end and bits[end - 1] == fill:
        end -= 1
    return Word(tuple(bits[:end]), fill, type_)


@lru_cache(maxsize=4096)  # programs have few, and loops come back to them
def constant(value: int, type_: CType) -> Word:
    """The value of an integer in a type, modulo its range."""
    value &= (1 << type_.bits) - 1
    fill = value >> (type_.bits - 1) if type_.signed else CONST0
    return word([value >> i & 1 for i in range(type_.bits)], fill, type_)


def value_of(x: Word) -> int | None:
    """The integer that a value is, or None where it depends on the operands."""
    if x.fill > CONST1 or any(bit > CONST1 for bit in x.bits):
        return None
    low = sum(bit << i for i, bit in enumerate(x.bits))
    if x.fill == CONST0:
        return low
    return low - (1 << len(x.bits)) + (0 if x.type.signed else 1 << x.type.bits)


def common_type(x: CType, y: CType) -> CType:
    """The type that an operator makes of two operands: C17 6.3.1.8, for the sizes of int 32, long 64."""
    x, y = promoted(x), promoted(y)
    if x.bits != y.bits:
        return x if x.bits > y.bits else y
    return x if not x.signed else y


def promoted(x: CType) -> CType:
    """``int`` for what is narrower than it, else the type itself."""
    return INT if x.bits < INT.bits or x.boolean else x


class Arithmetic:
    """The operators of C on values, as gates of ``builder``."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder

    def convert(self, x: Word, type_: CType) -> Word:
        """The value in another type: cut, or widened by its sign or by zeros; 0 or 1 for ``bool``."""
        if type_ == x.type:
            return x
        if type_.boolean:
            return (
                Word((), CONST0, type_) if (net := self.truth(x)) == CONST0 else Word((net,), CONST0, type_)
            )
        if type_.bits > x.type.bits and not x.type.signed and x.fill != CONST0:
            x = Word((*x.bits, *[x.fill] * (x.type.bits - len(x.bits))), CONST0, x.type)
        return word(x.bits, x.fill, type_)

    def truth(self, x: Word) -> int:
        """A net that says whether the value is not 0."""
        net = x.fill
        for bit in x.bits:
            net = self._builder.or_(net, bit)
        return net

    def choose(self, condition: int, x: Word, y: Word) -> Word:
        """x where the condition holds, else y; both of one type."""
        if condition <= CONST1 or x == y:
            return x if condition else y
        nets = [self.mux(condition, p, q) for p, q in _pairs(x, y)]
        return word(nets, self.mux(condition, x.fill, y.fill), x.type)

    def mux(self, condition: int, x: int, y: int) -> int:
        """The net x where the condition holds, else y."""
        builder = self._builder
        if condition <= CONST1 or x == y:
            return x if condition else y
        return builder.or_(builder.and_(condition, x), builder.and_(builder.not_(condition), y))

    def bitwise(self, op: str, x: Word, y: Word) -> Word:
        """``&``, ``|`` or ``^`` of two values of one type."""
        gate = {"&": self._and, "|": self._or, "^": self._builder.xor}[op]
        return word([gate(p, q) for p, q in _pairs(x, y)], gate(x.fill, y.fill), x.type)

    def _and(self, x: int, y: int) -> int:
        # Most of a masked word is known: this is what the reading of a file spends its time on.
        if x <= CONST1:
            return y if x else CONST0
        if y <= CONST1:
            return x if y else CONST0
        return self._builder.and_(x, y)

    def _or(self, x: int, y: int) -> int:
        if x <= CONST1:
            return CONST1 if x else y
        if y <= CONST1:
            return CONST1 if y else x
        return self._builder.or_(x, y)

    def invert(self, x: Word) -> Word:
        """``~x``."""
        invert = self._builder.not_
        return word([invert(bit) for bit in x.bits], invert(x.fill), x.type)

    def add(self, x: Word, y: Word) -> Word:
        """``x + y``, modulo the range of their type."""
        return self._sum(x, y, CONST0)

    def subtract(self, x: Word, y: Word) -> Word:
        """``x - y``, modulo the range of their type."""
        return self._sum(x, self.invert(y), CONST1)

    def _sum(self, x: Word, y: Word, carry: int) -> Word:
        # Both are numbers with a sign, fill, above their bits; two more places hold any sum of theirs.
        nets = []
        for p, q in [*_pairs(x, y), (x.fill, y.fill), (x.fill, y.fill)]:
            total, carry = self._full_adder(p, q, carry)
            nets.append(total)
        return word(nets, nets[-1], x.type)

    def _full_adder(self, x: int, y: int, carry: int) -> tuple[int, int]:
        builder = self._builder
        half = builder.xor(x, y)
        return builder.xor(half, carry), self._or(self._and(x, y), self._and(half, carry))

    def multiply(self, x: Word, y: Word) -> Word:
        """``x * y``, modulo the range of their type: an array of full adders, a row for each bit of y."""
        places = min(x.type.bits, len(x.bits) + len(y.bits) + (2 if x.fill or y.fill else 0))
        left, right = (_extended(w, places) for w in (x, y))
        total = [CONST0] * places
        for shift, bit in enumerate(right):
            if bit == CONST0:
                continue
            carry = CONST0
            for place in range(shift, places):
                total[place], carry = self._full_adder(
                    total[place], self._and(left[place - shift], bit), carry
                )
        fill = total[-1] if places and (x.fill or y.fill) else CONST0
        return word(total, fill, x.type)

    def divide(self, x: Word, y: Word) -> tuple[Word, Word]:
        """``x / y``, rounded towards 0, and ``x % y``, which has the sign of x; anything where y is 0."""
        builder, type_ = self._builder, x.type
        if not type_.signed:
            left, right = (_extended(w, type_.bits) if w.fill else w.bits for w in (x, y))
            quotient, remainder = divide(builder, left, right)
            return word(quotient, CONST0, type_), word(remainder, CONST0, type_)
        places = max(len(x.bits), len(y.bits)) + 1
        magnitudes = [negated(builder, _extended(w, places), w.fill) for w in (x, y)]
        quotient, remainder = divide(builder, *magnitudes)
        # A place more: the least number divided by -1 is a number larger than the largest.
        quotient = negated(builder, [*quotient, CONST0], builder.xor(x.fill, y.fill))
        remainder = negated(builder, [*remainder, CONST0], x.fill)
        return word(quotient, quotient[-1], type_), word(remainder, remainder[-1], type_)

    def less(self, x: Word, y: Word) -> int:
        """A net that says whether x < y, for values of one type."""
        if not x.type.signed:
            x, y = (word(_extended(w, w.type.bits) if w.fill else w.bits, CONST0, w.type) for w in (x, y))
        carry, sign = CONST1, CONST0
        for p, q in [*_pairs(x, y), (x.fill, y.fill), (x.fill, y.fill)]:
            sign, carry = self._full_adder(p, self._builder.not_(q), carry)
        return sign

    def equal(self, x: Word, y: Word) -> int:
        """A net that says whether x == y, for values of one type."""
        return self._builder.not_(self.truth(self.bitwise("^", x, y)))

    def shift_left(self, x: Word, count: int) -> Word:
        """``x << count``; what leaves the type at its top is lost."""
        return word((*[CONST0] * count, *x.bits), x.fill, x.type)

    def shift_right(self, x: Word, count: int) -> Word:
        """``x >> count``; signed values keep their sign."""
        if x.fill != CONST0 and not x.type.signed:
            return word(_extended(x, x.type.bits)[count:], CONST0, x.type)
        return word(x.bits[count:], x.fill, x.type)

    def shift(self, shifted: Callable[[Word, int], Word], x: Word, count: Word) -> tuple[Word, int]:
        """``x`` shifted by a value, and a net that says whether that is out of C's range for it."""
        stages = x.type.bits.bit_length() - 1
        amount = _extended(count, stages)
        for stage, bit in enumerate(amount):
            if bit != CONST0:
                x = self.choose(bit, shifted(x, 1 << stage), x)
        beyond = count.fill
        for bit in count.bits[stages:]:
            beyond = self._or(beyond, bit)
        return x, beyond


def _pairs(x: Word, y: Word) -> list[tuple[int, int]]:
    """Bits of both from the lowest to the highest that differs from the fill."""
    if len(x.bits) == len(y.bits):
        return list(zip(x.bits, y.bits, strict=True))
    if len(x.bits) < len(y.bits):
        return list(zip_longest(x.bits, y.bits, fillvalue=x.fill))
    return list(zip_longest(x.bits, y.bits, fillvalue=y.fill))


def _extended(x: Word, places: int) -> tuple[int, ...]:
    """The lowest ``places`` bits."""
    return (*x.bits[:places], *[x.fill] * (places - len(x.bits)))
