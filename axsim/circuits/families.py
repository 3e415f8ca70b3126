"""Families of multipliers: as gates (truncated, broken-array, Kulkarni), as functions (DRUM, Mitchell)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from axsim.circuits.arrays import sum_array
from axsim.circuits.builder import Builder
from axsim.circuits.cells import CELLS
from axsim.circuits.netlist import Netlist
from axsim.circuits.operands import as_integers, check_int
from axsim.circuits.tiling import tiled

MultiplierFunction = Callable[[ArrayLike, ArrayLike], NDArray[np.int64]]

_MAX_GATE_BITS = 32
_MAX_FUNCTION_BITS = 31  # products fit int64


def truncated(bits: int, k: int) -> Netlist:
    """Return the multiplier that drops all partial products of weight less than ``2**k``, without correction.

    For 4 bits and k = 3 the dots are left out::

        weight   6    5    4    3    2    1    0
                               a0b3  .    .    .
                          a1b3 a1b2  .    .
                     a2b3 a2b2 a2b1  .
                a3b3 a3b2 a3b1 a3b0

    Source: M. J. Schulte, E. E. Swartzlander, Truncated multiplication with correction constant, VLSI Signal
    Processing VI, 1993, doi 10.1109/VLSISP.1993.404467; here the correction constant is 0.

    ``bits`` is 1 to 32, ``k`` 0 (exact) to ``2 * bits - 1`` (always 0); ValueError otherwise.

    >>> truncated(4, 3)(15, 15)  # 225 less 1 + 2*2 + 3*4
    array(208)
    """
    bits = check_int("bits", bits, 1, _MAX_GATE_BITS)
    k = check_int("k", k, 0, 2 * bits - 1)
    return _cut(f"trunc{bits}_{k}", bits, lambda row, column: row + column >= k)


def broken_array(bits: int, h: int, v: int) -> Netlist:
    """Return the broken-array multiplier: rows less than ``h`` and weights less than ``2**v`` are left out.

    For 4 bits, h = 1 and v = 3 (row r is bit r of a; the dots are left out)::

        weight   6    5    4    3    2    1    0
                                .    .    .    .     row 0: above the horizontal cut
                          a1b3 a1b2  .    .
                     a2b3 a2b2 a2b1  .
                a3b3 a3b2 a3b1 a3b0
                                  |  right of the vertical cut

    Source: H. R. Mahdiani, A. Ahmadi, S. M. Fakhraie, C. Lucas, Bio-inspired imprecise computational blocks
    for efficient VLSI implementation of soft-computing applications, IEEE TCAS-I 57(4), 2010,
    doi 10.1109/TCSI.2009.2027626.

    Which operand has the rows is a convention: ariths-gen's broken array multiplier (horizontal cut h,
    vertical cut v) has bits of b there, and is this one with operands exchanged, ``bam8_h2_v4~`` by name.

    ``bits`` is 1 to 32, ``h`` 0 to ``bits``, ``v`` 0 to ``2 * bits - 1``; ValueError otherwise.

    >>> broken_array(4, 1, 3)(15, 15)  # 208, less a0b3
    array(200)
    """
    bits = check_int("bits", bits, 1, _MAX_GATE_BITS)
    h = check_int("h", h, 0, bits)
    v = check_int("v", v, 0, 2 * bits - 1)
    return _cut(f"bam{bits}_h{h}_v{v}", bits, lambda row, column: row >= h and row + column >= v)


def _cut(name: str, bits: int, keep: Callable[[int, int], bool]) -> Netlist:
    return sum_array(name, bits, bits, keep, lambda row, column: CELLS["exact"])


def kulkarni(bits: int) -> Netlist:
    """Return the multiplier made of 2x2 blocks that are right but for 3 * 3 = 7, added exactly.

    The block takes three AND gates and one OR::

        p2 = a1 b1      p1 = a1 b0 OR a0 b1      p0 = a0 b0

    Source: P. Kulkarni, P. Gupta, M. Ercegovac, Trading accuracy for power with an underdesigned multiplier
    architecture, VLSI Design 2011, doi 10.1109/VLSID.2011.51.

    ``bits`` is even, 2 to 32; ValueError otherwise.

    >>> kulkarni(8)(3, [3, 4])
    array([ 7, 12])
    """
    bits = check_int("bits", bits, 2, _MAX_GATE_BITS)
    if bits % 2:
        raise ValueError(f"bits must be even (the blocks are 2x2), not {bits}")
    builder = Builder("kulkarni2")
    (a0, a1), (b0, b1) = builder.input("a", 2), builder.input("b", 2)
    middle = builder.or_(builder.and_(a1, b0), builder.and_(a0, b1))
    builder.output("p", [builder.and_(a0, b0), middle, builder.and_(a1, b1)])
    return tiled(builder.build(), bits, name=f"kulkarni{bits}")


def drum(bits: int, k: int) -> MultiplierFunction:
    """Return the function of DRUM(k), the dynamic range unbiased multiplier.

    An operand of more than k significant bits is cut to its k leading ones, from the leading 1 on, and the
    last bit kept is set to 1, which stands for the mean of what was cut off. The two k-bit numbers are
    multiplied exactly and shifted back. Operands below ``2**k`` are taken as they are. For k = 3::

        0 0 1 0 1 1 0 1   ->   0 0 1 0 1 0 0 0      (bits kept: 1 0 and a 1 put in place of the third)
            `---'

    Source: S. Hashemi, R. I. Bahar, S. Reda, DRUM: A dynamic range unbiased multiplier for approximate
    applications, ICCAD 2015, doi 10.1109/ICCAD.2015.7372600.

    Args:
        bits: width of both unsigned operands, 1 to 31.
        k: bits kept, 2 to ``bits`` (then it is exact), or 1 for one-bit operands.

    Returns:
        ``f(a, b)``: arrays of integers, broadcast together, to their int64 products. Raises TypeError or
        ValueError for operands that are no integers or out of range.

    >>> drum(8, 3)([0b00101101, 5], 3)
    array([120,  15])
    """
    bits = check_int("bits", bits, 1, _MAX_FUNCTION_BITS)
    k = check_int("k", k, min(2, bits), bits)

    def reduce(x: NDArray[np.int64]) -> NDArray[np.int64]:
        cut = np.maximum(_leading_one(x) - (k - 1), 0)
        return np.where(cut > 0, (x >> cut | 1) << cut, x)

    return _named(f"drum{bits}_{k}", bits, lambda a, b: reduce(a) * reduce(b))


def mitchell(bits: int) -> MultiplierFunction:
    """Return the function of Mitchell's multiplier, which adds piecewise linear logarithms.

    With a = 2**i (1 + x), b = 2**j (1 + y), 0 <= x, y < 1, the logarithm of a is taken as i + x, and so

        a * b  ~  2**(i + j) (1 + x + y)        if x + y < 1,
                  2**(i + j + 1) (x + y)        otherwise; and 0 if a or b is 0.

    Computed in integers: x * 2**(i + j) = (a - 2**i) 2**j is one, and likewise y * 2**(i + j). So no
    fractional bits are cut off anywhere, as in a circuit whose logarithms have ``bits - 1`` of them.

    Source: J. N. Mitchell, Computer multiplication and division using binary logarithms, IRE Transactions on
    Electronic Computers EC-11(4), 1962, doi 10.1109/TEC.1962.5219391.

    ``bits`` is the width of both unsigned operands, 1 to 31; the function is as that of :func:`drum`.

    >>> mitchell(8)([3, 4], [3, 5])
    array([ 8, 20])
    """
    bits = check_int("bits", bits, 1, _MAX_FUNCTION_BITS)

    def multiply(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
        i, j = _leading_one(a), _leading_one(b)
        power = np.int64(1) << (i + j)
        fractions = ((a - (np.int64(1) << i)) << j) + ((b - (np.int64(1) << j)) << i)
        product = np.where(fractions < power, power + fractions, 2 * fractions)
        return np.where((a == 0) | (b == 0), 0, product)

    return _named(f"mitchell{bits}", bits, multiply)


def _leading_one(x: NDArray[np.int64]) -> NDArray[np.int64]:
    """Position of the highest 1 of numbers below 2**32, by bisection; 0 for 0."""
    position = np.zeros_like(x)
    for step in (16, 8, 4, 2, 1):
        position += step * ((x >> (position + step)) > 0)
    return position


def _named(
    name: str, bits: int, multiply: Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.int64]]
) -> MultiplierFunction:
    """Give a function of int64 arrays its name and the check of its operands."""

    def checked(a: ArrayLike, b: ArrayLike) -> NDArray[np.int64]:
        left, right = (
            as_integers(operand, values, bits).astype(np.int64) for operand, values in (("a", a), ("b", b))
        )
        return np.asarray(multiply(left, right))

    checked.__name__ = checked.__qualname__ = name
    return checked
