"""What stands in ``axfpm.h5``: Ax-FPM's blocks as product and error tables, and how to put them together.

``axfpm_block4x4`` is the 4x4 ripple-carry array of AMA5 cells, ``axfpm_segment8x8`` the 8x8 segment
multiplier tiled from it, both simulated from gates. The attributes of the latter say all that is needed to
multiply floats with it: format, normaliser, rounding, special values, and for segments i of a and j of b the
shift and weight (2**shift) of their partial product (``pair_<i>_<j>_shift``, ``pair_<i>_<j>_weight``). A
significand product is the sum of weighted segment products; or the exact product plus the sum of weighted
segment errors.
"""

from __future__ import annotations

from axsim.circuits import Netlist, array_multiplier, tiled
from axsim.multipliers.float_multiplier import FloatMultiplier
from axsim.multipliers.floating import axfpm
from axsim.multipliers.significand import Segmented
from axsim.tables.build import Plan
from axsim.tables.product import ProductTable
from axsim.tables.store import Attribute, TableRecord

FILE = "axfpm.h5"


def float_plan() -> Plan:
    """The plan of ``axsim.tables.build`` for ``axfpm.h5``.

    >>> {file: list(tables) for file, tables in float_plan().items()}
    {'axfpm.h5': ['axfpm_block4x4', 'axfpm_segment8x8']}
    """
    return {FILE: {"axfpm_block4x4": block_record, "axfpm_segment8x8": segment_record}}


def axfpm_block() -> Netlist:
    """Ax-FPM's 4x4 array: all full adders AMA5, A the partial product, B the sum from the row above."""
    return array_multiplier(4, cell="ama5", wiring="pp-sum")


def block_record() -> TableRecord:
    """The 4x4 block's table, simulated from gates."""
    attributes = {"source": "4x4 ripple-carry array of AMA5 cells", "citation": axfpm().source}
    return TableRecord("axfpm_block4x4", ProductTable.from_netlist(axfpm_block()), attributes)


def segment_record() -> TableRecord:
    """The 8x8 segment multiplier's table, simulated from gates, with the rules of ``axfpm``."""
    table = ProductTable.from_netlist(tiled(axfpm_block(), 8))
    attributes = {
        "source": "four 4x4 ripple-carry arrays of AMA5 cells, partial products added exactly",
        **float_attributes(axfpm(), table),
    }
    return TableRecord("axfpm_segment8x8", table, attributes)


def float_attributes(multiplier: FloatMultiplier, table: ProductTable) -> dict[str, Attribute]:
    """Format and rules of a float multiplier whose significands go through ``table`` in 8-bit segments."""
    fmt, special = multiplier.format, multiplier.special
    attributes: dict[str, Attribute] = {
        "citation": multiplier.source,
        "multiplier": multiplier.name,
        "format": fmt.name,
        "exponent_bits": fmt.exponent_bits,
        "fraction_bits": fmt.fraction_bits,
        "normaliser": multiplier.normaliser,
        "rounding": multiplier.rounding,
        "zero_below": special.zero_below,
        "zero_sign": special.zero_sign,
        "underflow": special.underflow,
    }
    for pair in Segmented(multiplier.bits, table).pairs:
        attributes[f"pair_{pair.i}_{pair.j}_shift"] = pair.shift
        attributes[f"pair_{pair.i}_{pair.j}_weight"] = pair.weight
    return attributes
