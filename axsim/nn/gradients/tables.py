"""Gradients from tables of one's own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from axsim.arrays import as_array
from axsim.nn.gradients.entries import Gradients, coded, refuse_second, table_gradients
from axsim.nn.gradients.rule import Product
from axsim.once import cached_property
from axsim.tables import ProductTable
from axsim.tables.differences import folded_derivatives

Doubles = NDArray[np.float64]
Range = tuple[int, int]


@dataclass(frozen=True, eq=False, repr=False)
class Tables:
    """Tables of one's own in the place of the product's two derivatives.

    Attributes:
        da, db: what stands for the derivative by the left operand (activations) and by the right one
            (weights): indexed by operands' bit patterns, as the multiplier's ``table.values`` is. Where an
            unsigned circuit multiplies magnitudes, the operands' signs are applied as the chain rule has it
            (``axsim.tables.differences.folded_derivatives``).
        clip: as for ``STE``.

    Raises:
        ValueError: a table has not two axes or holds NaN or infinity, or the two have different shapes. When
            it is used: they have not the shape of the multiplier's table.

    >>> b, a = np.meshgrid(np.arange(256.0), np.arange(256.0))
    >>> exact = Tables(da=b, db=a)
    >>> exact == Tables(b, a), exact == Tables(b, a + 1), exact.name
    (True, False, 'tables(09ebf6bf3f94)')
    """

    da: Doubles
    db: Doubles
    clip: bool = True

    def __init__(self, da: ArrayLike, db: ArrayLike, *, clip: bool = True) -> None:
        if not isinstance(clip, bool):
            raise ValueError(f"clip is {clip!r}, expected True or False")
        for name, given in (("da", da), ("db", db)):
            table = np.array(as_array(name, given), np.float64, order="C")
            if table.ndim != 2 or not np.isfinite(table).all():
                raise ValueError(
                    f"{name} has shape {table.shape}, expected two axes of finite numbers, shaped like the "
                    "multiplier's table"
                )
            table.flags.writeable = False
            object.__setattr__(self, name, table)
        if self.da.shape != self.db.shape:
            raise ValueError(f"da has shape {self.da.shape} and db {self.db.shape}, expected one shape")
        object.__setattr__(self, "clip", clip)

    @cached_property
    def name(self) -> str:
        """With the beginning of a SHA-256 of both tables: rules of other tables have other names."""
        digest = hashlib.sha256(f"{self.da.shape}".encode() + self.da.tobytes() + self.db.tobytes())
        return f"tables({digest.hexdigest()[:12]}{'' if self.clip else ',clip=False'})"

    def gradients(self, upstream: Tensor, product: Product, wanted: tuple[bool, bool]) -> Gradients:
        """As ``GradientRule.gradients``; they cannot be differentiated again."""
        multiplier, left, right = coded(self.name, product)
        refuse_second(self.name, upstream, product.x, product.w)
        ranges = (left.qmin, left.qmax), (right.qmin, right.qmax)
        folded, key = _folded.setdefault(self, {}), (multiplier.table, *ranges)
        if key not in folded:
            folded[key] = folded_derivatives(multiplier.table, self.da, self.db, *ranges)
        return table_gradients(upstream, product, wanted, folded[key], self.clip)

    def __eq__(self, other: object) -> bool:
        return self.name == other.name if isinstance(other, Tables) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"Tables({self.da.shape[0]} x {self.da.shape[1]}, {self.name!r})"

    def __reduce__(self) -> tuple[Callable[..., Tables], tuple[Doubles, Doubles]]:
        # Through the constructor: arrays lose their read-only flag when they are pickled.
        return partial(Tables, clip=self.clip), (self.da, self.db)


_Folded = dict[tuple[ProductTable, Range, Range], tuple[Doubles, Doubles]]
_folded: WeakKeyDictionary[Tables, _Folded] = WeakKeyDictionary()
