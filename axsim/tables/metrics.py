"""Error figures of a product table, with the conventions of EvoApproxLib.

Write ``e = T[a, b] - a*b`` for the error of an operand pair, ``N = 2**(a_bits + b_bits)`` for the number of
pairs, and ``R = 2**out_bits`` for the base of percentages: 65536 for an 8x8 multiplier, signed or not, since
signed products of the same width span the same number of values.

Figures over all pairs count a pair with a zero operand like any other. Relative figures (MRE, WCRE, MRED) are
over the pairs whose exact product is not 0 and say nothing about errors at exact product 0. With these
conventions all eight error figures of all sixteen EvoApprox8b circuits come out to the digits that the
library prints (V. Mrazek et al., "EvoApprox8b", DATE 2017, doi 10.23919/DATE.2017.7926993).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, TypedDict

import numpy as np

if TYPE_CHECKING:
    from axsim.tables.product import ProductTable


class Figure(TypedDict):
    """A published figure: the digits as printed, their value, and the unit ("1" for a plain number)."""

    text: str
    value: float
    unit: str


@dataclass(frozen=True)
class Metrics:
    """Error figures of a multiplier; see the module's docstring for ``e``, ``N`` and ``R``.

    Attributes:
        mae: mean absolute error, ``sum |e| / N``, in units of the product.
        mae_percent: ``100 * mae / R``.
        wce: worst-case error, ``max |e|``, in units of the product.
        wce_percent: ``100 * wce / R``.
        ep_percent: error probability, ``100 * (number of pairs with e != 0) / N``.
        mre_percent: mean relative error, ``100 * mean |e| / |a*b|`` over the pairs with ``a*b != 0``.
        wcre_percent: worst-case relative error, ``100 * max |e| / |a*b|`` over the same pairs.
        mse: mean squared error, ``sum e**2 / N``, in squared units of the product.
        bias: mean signed error, ``sum e / N``; positive where products come out too large.
        error_variance: ``mse - bias**2``, the variance of ``e`` over all pairs.
        nmed: normalised mean error distance, ``mae / D``, where D is the largest exact magnitude:
            ``(2**a_bits - 1) * (2**b_bits - 1)`` unsigned, ``2**(a_bits - 1) * 2**(b_bits - 1)`` signed.
        mred: mean relative error distance, ``mre_percent / 100``. NMED and MRED are defined by J. Liang,
            J. Han and F. Lombardi, "New metrics for the reliability of approximate and probabilistic adders",
            IEEE Trans. Computers 62(9), 2013, doi 10.1109/TC.2012.146.
    """

    mae: float
    mae_percent: float
    wce: int
    wce_percent: float
    ep_percent: float
    mre_percent: float
    wcre_percent: float
    mse: float
    bias: float
    error_variance: float
    nmed: float
    mred: float


def compute(table: ProductTable) -> Metrics:
    """The error figures of a table, in double precision.

    >>> from axsim.tables import ProductTable
    >>> metrics = compute(ProductTable.from_function(lambda a, b: a * b & ~1, 4, 4))
    >>> metrics.mae, metrics.wce, metrics.ep_percent, metrics.bias
    (0.25, 1, 25.0, -0.25)
    """
    error = table.error.astype(np.int64)
    distance = np.abs(error)
    exact = np.abs(table.exact)
    nonzero = exact != 0
    relative = distance[nonzero] / exact[nonzero]
    full_scale = 2.0**table.out_bits
    mae, bias, wce = float(distance.mean()), float(error.mean()), int(distance.max())
    mred = float(relative.mean())
    return Metrics(
        mae=mae,
        mae_percent=100 * mae / full_scale,
        wce=wce,
        wce_percent=100 * wce / full_scale,
        ep_percent=100 * float((error != 0).mean()),
        mre_percent=100 * mred,
        wcre_percent=100 * float(relative.max()),
        mse=float(np.square(error, dtype=np.float64).mean()),
        bias=bias,
        error_variance=float(np.square(error - bias).mean()),
        nmed=mae / int(exact.max()),
        mred=mred,
    )


# The labels that EvoApproxLib prints in each circuit's source, and the attribute that holds the figure here.
PUBLISHED_LABELS: Mapping[str, str] = {
    "MAE": "mae",
    "MAE%": "mae_percent",
    "WCE": "wce",
    "WCE%": "wce_percent",
    "EP%": "ep_percent",
    "MRE%": "mre_percent",
    "WCRE%": "wcre_percent",
    "MSE": "mse",
}


_WAYS = (ROUND_HALF_EVEN, ROUND_HALF_UP)


def round_like(value: float, text: str) -> Decimal:
    """``value`` rounded (half to even) to the last digit of ``text``, which may carry an exponent.

    >>> round_like(233.98, "234"), round_like(0.00152587890625, "0.0015")
    (Decimal('234'), Decimal('0.0015'))
    >>> round_like(3689282.484375, "36892.825e2")
    Decimal('3689282.5')
    """
    return Decimal(value).quantize(Decimal(text), rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True)
class Comparison:
    """One error figure beside the published one; ``agrees`` if it rounds to the printed digits.

    A figure that lies midway between two numbers of as many digits agrees with both: authors' programs round
    the one way or the other, by how they scaled it.
    """

    label: str
    computed: float
    published: Figure

    @property
    def agrees(self) -> bool:
        text = self.published["text"]
        rounded = {Decimal(self.computed).quantize(Decimal(text), rounding=way) for way in _WAYS}
        return Decimal(text) in rounded


def compare(metrics: Metrics, published: Mapping[str, Figure]) -> tuple[Comparison, ...]:
    """The error figures that were published, each beside the computed one, in the order of PUBLISHED_LABELS.

    >>> import axsim.multipliers
    >>> l40 = axsim.multipliers.get("L40")
    >>> comparison = compare(l40.metrics(), l40.published)[0]
    >>> comparison.label, comparison.computed, comparison.published["text"], comparison.agrees
    ('MAE', 1011.25341796875, '1011', True)
    """
    return tuple(
        Comparison(label, getattr(metrics, attribute), published[label])
        for label, attribute in PUBLISHED_LABELS.items()
        if label in published
    )
