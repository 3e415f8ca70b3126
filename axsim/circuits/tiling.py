"""Wide multipliers from narrow ones, the partial results added exactly."""

from __future__ import annotations

from axsim.circuits.builder import Builder
from axsim.circuits.netlist import Netlist
from axsim.circuits.operands import check_int

_MAX_TABLE_BITS = 16


def tiled(block: Netlist, bits: int, *, name: str | None = None) -> Netlist:
    """Return a wide multiplier that splits its operands into digits and multiplies those by ``block``.

    With a 4x4 block T and 8 bits (a = 16 aH + aL, b = 16 bH + bL)::

        weight    2**12    2**8     2**4     2**0
                                    [ T(aL, bL) ]
                           [ T(aL, bH) ]
                           [ T(aH, bL) ]
                  [ T(aH, bH) ]
                  -----------------------------   exact sum
                                            p

    Args:
        block: unsigned, two operands. It need not be square, nor fit its own output into a_bits + b_bits
            bits.
        bits: width of the result's operands, at most 32: a multiple of both widths of the block.
        name: name of the netlist; made from the arguments by default.

    Returns:
        Inputs a and b. The output p has ``2 * bits`` bits, or as many as the greatest sum takes if those
        are more: 49 for 24 bits from 4x4 arrays of AMA5 cells. (A block of more than 16 input bits counts
        with all its output bits at 1.)

    Raises:
        ValueError: for a signed block or a width that does not divide.

    >>> from axsim.circuits import array_multiplier
    >>> tiled(array_multiplier(4, cell="ama5"), 8)(255, 255)
    array(69071)
    """
    bits = check_int("bits", bits, 1, 32)
    if block.signed:
        raise ValueError(f"block {block.name} is signed; only unsigned multipliers can be tiled")
    if bits % block.a_bits or bits % block.b_bits:
        raise ValueError(
            f"bits must be a multiple of {block.a_bits} and {block.b_bits}, the block's widths, not {bits}"
        )
    shifts = [
        (row, column) for row in range(0, bits, block.a_bits) for column in range(0, bits, block.b_bits)
    ]
    greatest = _greatest(block) * sum(1 << (row + column) for row, column in shifts)
    columns: list[list[int]] = [[] for _ in range(max(2 * bits, greatest.bit_length()))]
    builder = Builder(name or f"{block.name}_tiled{bits}")
    a, b = builder.input("a", bits), builder.input("b", bits)
    left, right = block.operands
    for row, column in shifts:
        digits = {left: a[row : row + block.a_bits], right: b[column : column + block.b_bits]}
        for weight, net in enumerate(builder.instance(block, digits)[block.product], row + column):
            if net != builder.const0:
                columns[weight].append(net)
    builder.output("p", builder.add_columns(columns))
    return builder.build()


def _greatest(block: Netlist) -> int:
    """The block's greatest output; an upper bound if it has too many inputs to try them all."""
    if block.a_bits + block.b_bits > _MAX_TABLE_BITS:
        return (1 << block.out_bits) - 1
    return int(block.exhaustive().max())
