"""Folded tables in the form in which the look-up kernels read them: entries above an offset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from axsim.engines.forms.folded import FoldedTable
from axsim.engines.gpu.runtime.interface import Runtime

_MOST_SUM = 2**32 - 1


@dataclass(frozen=True)
class Entries:
    """How a table's products are kept: ``T[a, b] = entry + offset``, the least entry being 0.

    Attributes:
        offset: the least product.
        entry_bytes: 2 for uint16, or 4 for uint32 where the products' range asks for it.
        safe_depth: so many entries can be added in 32 bits.
    """

    offset: int
    entry_bytes: int
    safe_depth: int


_known: WeakKeyDictionary[FoldedTable, Entries] = WeakKeyDictionary()


def entries(table: FoldedTable) -> Entries:
    """How ``table`` is kept; worked out once.

    >>> values = np.full((256, 256), 7, np.int32)
    >>> values[0, 0] = -3
    >>> entries(FoldedTable(values, 7, (0, 255), (0, 255)))
    Entries(offset=-3, entry_bytes=2, safe_depth=429496729)
    """
    known = _known.get(table)
    if known is None:
        least, most = int(table.values.min()), int(table.values.max())
        span = most - least
        known = _known[table] = Entries(least, 2 if span < 2**16 else 4, _MOST_SUM // max(span, 1))
    return known


def on_device(runtime: Runtime, table: FoldedTable, fixed_left: bool) -> Any:
    """The entries on the device, ``[fixed operand][other operand]``; copied there once."""

    def made() -> NDArray[Any]:
        kept = entries(table)
        values = table.values if fixed_left else table.values.T
        above = values.astype(np.int64) - kept.offset
        return np.ascontiguousarray(above.astype(np.uint16 if kept.entry_bytes == 2 else np.uint32))

    return runtime.constant(made, table, ("entries", fixed_left))
