"""Wide multipliers by name that are tiled from narrow ones: ``tiled16[L40]``."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from axsim.circuits import Netlist, tiled
from axsim.errors import UnknownMultiplierError
from axsim.multipliers.integer import Multiplier
from axsim.tables.product import MAX_INPUT_BITS, ProductTable
from axsim.tables.tiles import greatest_product, tiled_products

_NAME = re.compile(r"tiled([1-9][0-9]?)\[(.+)\]", re.ASCII | re.IGNORECASE)
_MOST = 1 << 62


def resolve(name: str, get: Callable[[str], Any]) -> Multiplier | None:
    """The multiplier of that many bits whose operands are cut into digits that another one multiplies.

    Args:
        name: ``tiled{bits}[{multiplier}]``.
        get: finds the multiplier in brackets.

    Returns:
        None for a name of another form.

    Raises:
        UnknownMultiplierError: nothing has the name in brackets, or the bits are no multiple of its widths.
        ValueError: it is signed, wide itself or a float multiplier, or products would be beyond int64.

    >>> from axsim.multipliers import get
    >>> resolve("tiled16[L40]", get)
    Multiplier('tiled16[L40]', 16x16 bits, unsigned)
    """
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    return make(get(found[2]), int(found[1]), name)


def make(block: Any, bits: int, name: str) -> Multiplier:
    """As :func:`resolve`, of the block itself."""
    if not isinstance(block, Multiplier) or block.signed or block.is_wide:
        raise ValueError(f"{name}: expected an unsigned multiplier of at most 16 input bits in brackets")
    if bits % block.a_bits or bits % block.b_bits or bits > 32:
        raise UnknownMultiplierError(
            f"{name}: the width is {bits}, expected a multiple, up to 32, of the widths of "
            f"{block.name}, {block.a_bits} and {block.b_bits}"
        )
    if greatest_product(block.table, bits) >= _MOST:
        raise ValueError(f"{name}: its products could be beyond 64 bits; choose fewer bits")
    return Multiplier(
        name=name,
        a_bits=bits,
        b_bits=bits,
        signed=False,
        simulate=partial(_table, block, bits),
        make_netlist=partial(_netlist, block, bits) if block.make_netlist else None,
        source=f"tiles of {block.name}, added exactly; {block.source}",
        citation=block.citation,
        block=block,
    )


def _table(block: Multiplier, bits: int) -> ProductTable:
    if 2 * bits > MAX_INPUT_BITS:
        raise ValueError(f"{bits} x {bits} bits are too many for a table, which holds every product")
    return ProductTable.from_function(partial(tiled_products, block.table, bits), bits, bits)


def _netlist(block: Multiplier, bits: int) -> Netlist:
    netlist = block.netlist
    assert netlist is not None
    return tiled(netlist, bits)
