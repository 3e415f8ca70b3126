"""An integer multiplier: its name, its table, and what is known about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from axsim.circuits.operands import as_integers
from axsim.circuits.ordered import ordered
from axsim.entrance import entrance
from axsim.once import cached_property
from axsim.tables.metrics import Figure, Metrics, compute
from axsim.tables.product import MAX_INPUT_BITS, MAX_OUT_BITS, ProductTable
from axsim.tables.streamed import MAX_EXHAUSTIVE_BITS, SampledMetrics, sample, stream
from axsim.tables.tiles import greatest_product, tiled_products

if TYPE_CHECKING:
    from axsim.circuits import Netlist
    from axsim.circuits.cost import Cost
    from axsim.multipliers.reading import Reading


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
        reading: what was concluded when it was read from a file; None for one that was not.
        operand_order: which operand is the left one in the files that it was published in, or "".
        block: the narrow multiplier that a wide one is tiled from (``axsim.circuits.tiled``), or None.
        stored_cost: of a circuit that was read once and of which only the table is left; None for others.

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
    reading: Reading | None = None
    operand_order: str = ""
    block: Multiplier | None = None
    stored_cost: Cost | None = None

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
        """Error figures over all operand pairs, with the conventions of ``axsim.tables.metrics``.

        A circuit of 17 to 24 input bits is simulated for them, which takes seconds; a wider one is refused
        (ValueError): see :meth:`sampled_metrics`.
        """
        if not self.is_wide:
            return compute(self.table)
        if self.a_bits + self.b_bits > MAX_EXHAUSTIVE_BITS:
            raise ValueError(
                f"{self.name}: {self.a_bits + self.b_bits} input bits are too many to try all operands; "
                "sampled_metrics() estimates the figures"
            )
        return stream(self._simulated, self.a_bits, self.b_bits, self.out_bits, self.signed)

    @entrance
    def sampled_metrics(self, samples: int = 1 << 20, seed: int = 0) -> SampledMetrics:
        """Error figures estimated on random operand pairs, each with a 95 % interval; for any width."""
        return sample(self, self.a_bits, self.b_bits, self.signed, samples, seed)

    @entrance
    def __call__(self, a: ArrayLike, b: ArrayLike) -> NDArray[Any]:
        """The products of integer operands ``a`` (left) and ``b``, broadcast together.

        They are int32; int64 for a wide circuit of more than 31 output bits (uint64 for 64 unsigned).

        Raises:
            TypeError: an operand is not of integers.
            ValueError: an operand is out of the range of its width, or the shapes do not broadcast.
        """
        if self.is_wide:
            return self._simulated(a, b)
        left = as_integers("a", a, self.a_bits, self.signed).astype(np.intp)
        right = as_integers("b", b, self.b_bits, self.signed).astype(np.intp)
        # The mask turns a negative operand into its two's-complement bit pattern, the table's index.
        rows, columns = np.broadcast_arrays(left & ((1 << self.a_bits) - 1), right & ((1 << self.b_bits) - 1))
        return np.asarray(self.table.values[rows, columns], np.int32)

    @property
    def is_wide(self) -> bool:
        """Whether operands are too wide for a table of all products: products then come from the netlist, or
        from the tiles that a circuit is made of."""
        return self.a_bits + self.b_bits > MAX_INPUT_BITS

    @property
    def out_bits(self) -> int:
        """Width of the product."""
        if not self.is_wide:
            return self.table.out_bits
        if self.block is not None:
            return max(
                self.a_bits + self.b_bits, greatest_product(self.block.table, self.a_bits).bit_length()
            )
        return self._gates.out_bits

    @property
    def _gates(self) -> Netlist:
        if self.netlist is None:
            raise ValueError(
                f"{self.name} has no netlist, and {self.a_bits}x{self.b_bits} bits are too many to list"
            )
        return self.netlist

    def _simulated(self, a: ArrayLike, b: ArrayLike) -> NDArray[Any]:
        if self.block is None:
            products = self._gates(a, b)
        else:
            left = as_integers("a", a, self.a_bits).astype(np.int64)
            right = as_integers("b", b, self.b_bits).astype(np.int64)
            products = tiled_products(self.block.table, self.a_bits, left, right)
        return products.astype(np.int32) if self.out_bits <= MAX_OUT_BITS else products

    def swapped(self) -> Multiplier:
        """The multiplier with its operands exchanged: ``m.swapped()(a, b)`` is ``m(b, a)``.

        Its name is this one's with ``~`` at the end, which ``axsim.get`` understands, too.

        >>> import axsim
        >>> l40 = axsim.get("L40")
        >>> l40.swapped(), int(l40(13, 200)), int(axsim.get("L40~")(200, 13))
        (Multiplier('mul8u_L40~', 8x8 bits, unsigned), 2856, 2856)
        """
        return replace(
            self,
            name=self.name.removesuffix("~") if self.name.endswith("~") else f"{self.name}~",
            a_bits=self.b_bits,
            b_bits=self.a_bits,
            simulate=partial(_transposed, self),
            make_netlist=partial(_exchanged, self.make_netlist) if self.make_netlist else None,
            aliases=(),
            block=self.block and self.block.swapped(),
            source=f"{self.source}; operands exchanged",
            reading=None,
            stored_cost=None,
            operand_order=f"The operands are exchanged: b here is the left operand of {self.name}.",
        )

    def __repr__(self) -> str:
        kind = "signed" if self.signed else "unsigned"
        return f"Multiplier({self.name!r}, {self.a_bits}x{self.b_bits} bits, {kind})"


def _transposed(multiplier: Multiplier) -> ProductTable:
    table = multiplier.table
    return ProductTable(table.values.T, table.b_bits, table.a_bits, table.out_bits, table.signed)


def _exchanged(make_netlist: Callable[[], Netlist]) -> Netlist:
    netlist = make_netlist()
    left, right = netlist.operands
    return ordered(netlist, (right, left))
