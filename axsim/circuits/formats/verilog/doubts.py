"""Bits that are x for some operands only, as after a division by 0: where they are, and who sees it.

Beside the net of such a bit stands another, its doubt, that is 1 where the bit is x. A gate hands doubts
on as simulators do: its value is x unless it is the same whatever the x are.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from axsim.circuits.builder import Builder
from axsim.circuits.netlist import Netlist
from axsim.circuits.operands import decode

MAX_BITS = 20
"""Most bits of operands that a doubt may depend on: all their values are tried."""


class TooManyBitsError(ValueError):
    """So many that their values cannot all be tried."""


def of_gate(builder: Builder, op: int, x: int, y: int, x_doubt: int, y_doubt: int) -> int:
    """Return the doubt of a gate from its sources and theirs."""
    t = [op >> k & 1 for k in range(4)]  # by 2x + y
    by_x, by_y = (t[0] ^ t[2]) * 5 + (t[1] ^ t[3]) * 10, (t[0] ^ t[1]) * 3 + (t[2] ^ t[3]) * 12
    by_both = (t[0] ^ t[3]) * 9 + (t[1] ^ t[2]) * 6
    changes = [
        builder.and_(x_doubt, builder.gate(by_x, x, y)),
        builder.and_(y_doubt, builder.gate(by_y, x, y)),
        builder.and_(builder.and_(x_doubt, y_doubt), builder.gate(by_both, x, y)),
    ]
    return builder.or_(builder.or_(changes[0], changes[1]), changes[2])


def operands_where(doubt: Netlist) -> dict[str, int] | None:
    """Return operands for which the output ``p`` of a circuit is 1; None if there are none.

    All values of the bits that it depends on are tried.

    Raises:
        TooManyBitsError: it depends on more than ``MAX_BITS`` bits.
    """
    unsigned = replace(doubt, signed=False)
    used = sorted({net for net in doubt.sources.reshape(-1).tolist() if 2 <= net < doubt.first_gate})
    used = sorted({*used, *(net for net in doubt.outputs["p"] if 2 <= net < doubt.first_gate)})
    if len(used) > MAX_BITS:
        raise TooManyBitsError(f"{len(used)} bits")
    patterns = np.arange(1 << len(used), dtype=np.uint64)
    operands, first = {}, 2
    for bus, width in doubt.inputs.items():
        values = np.zeros(patterns.shape, np.uint64)
        for place, net in enumerate(used):
            if first <= net < first + width:
                values |= (patterns >> np.uint64(place) & np.uint64(1)) << np.uint64(net - first)
        operands[bus] = values
        first += width
    found = np.flatnonzero(unsigned.simulate(**operands)["p"])
    if not found.size:
        return None
    return {
        bus: int(decode(values[found[:1]], doubt.inputs[bus], doubt.signed)[0])
        for bus, values in operands.items()
    }
