"""An integer multiplier: its name, its table, and what is known about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from axsim.circuits.operands import as_integers
from axsim.entrance import entrance
from axsim.once import cached_property
from axsim.tables.metrics import Figure, Metrics, compute
from axsim.tables.product import ProductTable

if TYPE_CHECKING:
    from axsim.circuits import Netlist


@dataclass(frozen=True, eq=False, repr=False)
class Multiplier:
    """A named integer multiplier. ``axsim.get`` makes them; calling one multiplies arrays.

    Attributes:
        name: the name it is listed under.
        a_bits, b_bits: operand widths; ``a`` is the left operand.
        signed: whether operands are two's complement.
        simulate: makes the product table.
        make_netlist: makes the gate-level circuit, if there is one.
        aliases: other names for it.
        source, citation: where it comes from, and the paper to cite.
        published: figures that the circuit's authors print, by their labels (``"MAE"``, ``"WCE%"``,
            ``"PDK45_PWR"`` ...), each with ``"text"``, ``"value"`` and ``"unit"``; None if they print none.

    >>> import axsim.multipliers
    >>> l40 = axsim.multipliers.get("L40")
    >>> l40
    Multiplier('mul8u_L40', 8x8 bits, unsigned)
    >>> l40([13, 200], [200, 13])  # 2600 would be right
    array([2856, 2024], dtype=int32)
    """

    name: str
    a_bits: int
    b_bits: int
    signed: bool
    simulate: Callable[[], ProductTable]
    make_netlist: Callable[[], Netlist] | None = None
    aliases: tuple[str, ...] = ()
    source: str = ""
    citation: str = ""
    published: Mapping[str, Figure] | None = None

    @cached_property
    def table(self) -> ProductTable:
        """All products; simulated on first use."""
        return self.simulate()

    @property
    def error_table(self) -> NDArray[np.int32]:
        """``table.values - a*b``: int32, shape ``(2**a_bits, 2**b_bits)``, read-only."""
        return self.table.error

    @property
    def symmetric(self) -> bool:
        """Whether the operands can be exchanged without changing any product."""
        return self.table.symmetric

    @cached_property
    def netlist(self) -> Netlist | None:
        """The gate-level circuit; None for a multiplier defined by a function or a table."""
        return self.make_netlist() if self.make_netlist else None

    @entrance
    def metrics(self) -> Metrics:
        """Error figures, with the conventions of ``axsim.tables.metrics``."""
        return compute(self.table)

    @entrance
    def __call__(self, a: ArrayLike, b: ArrayLike) -> NDArray[np.int32]:
        """The products of integer operands ``a`` (left) and ``b``, broadcast together: int32.

        Raises:
            TypeError: an operand is not of integers.
            ValueError: an operand is out of the range of its width, or the shapes do not broadcast.
        """
        left = as_integers("a", a, self.a_bits, self.signed).astype(np.intp)
        right = as_integers("b", b, self.b_bits, self.signed).astype(np.intp)
        # The mask turns a negative operand into its two's-complement bit pattern, the table's index.
        rows, columns = np.broadcast_arrays(left & ((1 << self.a_bits) - 1), right & ((1 << self.b_bits) - 1))
        return np.asarray(self.table.values[rows, columns], np.int32)

    def __repr__(self) -> str:
        kind = "signed" if self.signed else "unsigned"
        return f"Multiplier({self.name!r}, {self.a_bits}x{self.b_bits} bits, {kind})"
