"""Array multipliers: ripple-carry arrays with a full adder chosen for each position, and Baugh-Wooley."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from axsim.circuits.builder import Builder
from axsim.circuits.cells import FullAdder, get_cell
from axsim.circuits.netlist import CONST0, CONST1, Netlist
from axsim.circuits.operands import MAX_WIDTH, check_int

Cell = str | FullAdder
CellChoice = Cell | Callable[[int, int], Cell] | Sequence[Sequence[Cell]]
Wiring = Literal["pp-sum", "sum-pp"]


def array_multiplier(
    a_bits: int,
    b_bits: int | None = None,
    cell: CellChoice = "exact",
    wiring: Wiring = "pp-sum",
    *,
    name: str | None = None,
) -> Netlist:
    """Return an unsigned ripple-carry array multiplier, each of its full-adder cells chosen freely.

    Row r belongs to bit r of a, column c to bit c of b; ``ab(r,c)`` is the partial product a_r AND b_c. Row 0
    is partial products alone. For 3 by 3 bits::

                              ab(0,2)  ab(0,1)  ab(0,0)
                         0       |        |        |
                         |       |        |        p0
                     [1,2] <-- [1,1] <-- [1,0] <-- 0
                   /   |         |         |
          carry  /     |         |         p1
                |      |         |
              [2,2] <-- [2,1] <-- [2,0] <-- 0
             /  |         |         |
           p5   p4        p3        p2

    Cell (r, c) adds ab(r,c) to the sum of cell (r-1, c+1) above it, with the carry of cell (r, c-1) as
    carry-in. The last cell of a row takes the carry out of the row above instead of a sum (row 1: 0).

    Args:
        a_bits, b_bits: widths of the operands, together at most 64; ``b_bits`` is ``a_bits`` by default.
        cell: one cell for all positions (a name of ``CELLS`` or a :class:`FullAdder`), or ``cell(row,
            column)``, or ``cell[row][column]`` with ``a_bits`` rows of ``b_bits`` entries, of which row 0 is
            not used.
        wiring: what a cell's inputs A and B are: "pp-sum": A the partial product, B
            the sum from above (as in Ax-FPM, A. Guesmi et al., ASPLOS 2021, doi 10.1145/3445814.3446747);
            "sum-pp": the reverse. It matters for cells that are not symmetric in A and B. The carry is always
            Cin.
        name: name of the netlist; made from the arguments by default.

    Returns:
        Inputs a and b, output p of ``a_bits + b_bits`` bits.

    Raises:
        ValueError: for a width, wiring, cell name or nested sequence that does not fit.

    >>> array_multiplier(4)(13, 11)
    array(143)
    >>> ax = array_multiplier(4, cell="ama5")  # (a & 1) * b + 32 * (b >> 3) * (a >> 1)
    >>> ax(13, 11), ax.gate_counts()
    (array(203), {'and': 7})
    >>> array_multiplier(8, cell=lambda row, column: "ama2" if row + column < 4 else "exact")
    <Netlist array8_mixed: a[8], b[8] -> p[16], unsigned, ... gates>
    """
    a_bits, b_bits = _widths(a_bits, b_bits)
    if wiring not in ("pp-sum", "sum-pp"):
        raise ValueError(f"wiring must be 'pp-sum' or 'sum-pp', not {wiring!r}")
    cell_at = _cell_chooser(cell, a_bits, b_bits)
    if name is None:
        kind = get_cell(cell).name if isinstance(cell, str | FullAdder) else "mixed"
        name = f"array{size_name(a_bits, b_bits)}_{kind}" + ("_sum-pp" if wiring == "sum-pp" else "")
    return sum_array(name, a_bits, b_bits, lambda row, column: True, cell_at, wiring)


def exact(a_bits: int, b_bits: int | None = None) -> Netlist:
    """Return the exact unsigned array multiplier (:func:`array_multiplier` with exact cells).

    >>> exact(8, 4)(255, 15)
    array(3825)
    """
    a_bits, b_bits = _widths(a_bits, b_bits)
    return array_multiplier(a_bits, b_bits, name=f"exact{size_name(a_bits, b_bits)}")


def baugh_wooley(a_bits: int, b_bits: int | None = None) -> Netlist:
    """Return the exact signed (two's complement) multiplier of Baugh and Wooley, in its modified form.

    The partial products that hold one sign bit count negatively. They are complemented instead, and ones
    added to make up for it, in columns a_bits - 1, b_bits - 1 and a_bits + b_bits - 1. For 4 by 4 bits, ~
    marking the complemented ones::

        weight   7    6    5    4    3    2    1    0
                                   ~a0b3 a0b2 a0b1 a0b0
                             ~a1b3  a1b2 a1b1 a1b0
                       ~a2b3  a2b2  a2b1 a2b0
                  a3b3 ~a3b2 ~a3b1 ~a3b0
                 1                1
                                  1

    Source: C. R. Baugh, B. A. Wooley, A two's complement parallel array multiplication algorithm, IEEE
    Transactions on Computers C-22(12), 1973, doi 10.1109/T-C.1973.223648. The columns are summed as in
    :meth:`Builder.add_columns`.

    Widths as in :func:`array_multiplier`. All buses of the netlist are signed; p has ``a_bits + b_bits``
    bits.

    >>> baugh_wooley(8)(-128, [-128, 127])
    array([ 16384, -16256])
    """
    a_bits, b_bits = _widths(a_bits, b_bits)
    builder = Builder(f"exact{size_name(a_bits, b_bits)}s", signed=True)
    a, b = builder.input("a", a_bits), builder.input("b", b_bits)
    columns: list[list[int]] = [[] for _ in range(a_bits + b_bits)]
    for row in range(a_bits):
        for column in range(b_bits):
            negative = (row == a_bits - 1) != (column == b_bits - 1)
            bit = builder.nand(a[row], b[column]) if negative else builder.and_(a[row], b[column])
            columns[row + column].append(bit)
    for weight in (a_bits - 1, b_bits - 1, a_bits + b_bits - 1):
        columns[weight].append(CONST1)
    builder.output("p", builder.add_columns(columns))
    return builder.build()


def sum_array(
    name: str,
    a_bits: int,
    b_bits: int,
    keep: Callable[[int, int], bool],
    cell_at: Callable[[int, int], FullAdder],
    wiring: Wiring = "pp-sum",
) -> Netlist:
    """Return the array of :func:`array_multiplier`, with partial product (row, column) 0 where not kept.

    Cells with constant inputs shrink or vanish by constant folding.
    """
    builder = Builder(name)
    a, b = builder.input("a", a_bits), builder.input("b", b_bits)
    partial = [
        [builder.and_(a[row], b[column]) if keep(row, column) else CONST0 for column in range(b_bits)]
        for row in range(a_bits)
    ]
    above, carry_out = partial[0], CONST0
    product = []
    for row in range(1, a_bits):
        product.append(above[0])
        sums, carry = [], CONST0
        for column, (bit, sum_in) in enumerate(zip(partial[row], [*above[1:], carry_out], strict=True)):
            left, right = (bit, sum_in) if wiring == "pp-sum" else (sum_in, bit)
            total, carry = builder.full_adder(left, right, carry, cell_at(row, column))
            sums.append(total)
        above, carry_out = sums, carry
    builder.output("p", [*product, *above, carry_out])
    return builder.build()


def size_name(a_bits: int, b_bits: int) -> str:
    """Return the size as names of circuits spell it: "8" for 8 by 8 bits, "8x4" for 8 by 4.

    >>> size_name(8, 8), size_name(8, 4)
    ('8', '8x4')
    """
    return f"{a_bits}" if a_bits == b_bits else f"{a_bits}x{b_bits}"


def _widths(a_bits: int, b_bits: int | None) -> tuple[int, int]:
    a_bits = check_int("a_bits", a_bits, 1, MAX_WIDTH - 1)
    b_bits = a_bits if b_bits is None else b_bits
    return a_bits, check_int("b_bits", b_bits, 1, MAX_WIDTH - a_bits)


def _cell_chooser(cell: CellChoice, a_bits: int, b_bits: int) -> Callable[[int, int], FullAdder]:
    if isinstance(cell, str | FullAdder):
        one = get_cell(cell)
        return lambda row, column: one
    if callable(cell):
        choose = cell
        return lambda row, column: get_cell(choose(row, column))
    rows = cell
    if len(rows) != a_bits or any(len(row) != b_bits for row in rows):
        widths = [len(row) for row in rows]
        raise ValueError(f"cell must have {a_bits} rows of {b_bits} cells; its rows have {widths}")
    return lambda row, column: get_cell(rows[row][column])
