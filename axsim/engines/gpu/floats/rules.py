"""What float kernels are told of a multiplier: ``Rules`` in ``sources/float_rules.cuh``, masks, tables."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.multipliers.float_formats import FLOAT32
from axsim.multipliers.float_multiplier import FloatMultiplier, least_bits
from axsim.multipliers.significand import MaskedForm, Segmented, Term

PUBLISHED, TRUNCATED, NEAREST = range(3)  # kinds of products, as in float_rules.cuh

MOST_TERMS = 3
_FRACTION_BITS = FLOAT32.fraction_bits
_BIAS = FLOAT32.largest_exponent
_ROUNDS_OPERANDS, _POSITIVE_ZERO, _GRADUAL, _FLUSHES = 1, 2, 4, 8


def supports(multiplier: FloatMultiplier) -> bool:
    """Whether there are kernels for it: masked forms of up to three terms, and segment tables."""
    significand = multiplier.significand
    return isinstance(significand, Segmented) or (
        isinstance(significand, MaskedForm) and len(significand.terms) <= MOST_TERMS
    )


def check(multiplier: FloatMultiplier) -> None:
    """ValueError unless the multiplier is supported."""
    if not supports(multiplier):
        raise ValueError(
            f"{multiplier.name}: the GPU engine has no kernel for {type(multiplier.significand).__name__} "
            f"significands, or for more than {MOST_TERMS} terms; move the operands to the CPU and use "
            'engine="reference"'
        )


def rounds_operands(multiplier: FloatMultiplier) -> bool:
    """Whether kernels make operands what the multiplier sees; else they come in so."""
    return multiplier.operand_rounding == "nearest-even"


def kind(multiplier: FloatMultiplier) -> int:
    """How products are normalised and rounded."""
    if multiplier.normaliser == "published":
        return PUBLISHED
    return TRUNCATED if multiplier.rounding == "truncate" else NEAREST


@lru_cache(maxsize=64)
def rules(multiplier: FloatMultiplier) -> tuple[Any, ...]:
    """The kernels' arguments of ``AXSIM_RULES_PARAMETERS``."""
    fmt, special = multiplier.format, multiplier.special
    low, high = ordinary_exponents(multiplier)
    behaviour = (
        _ROUNDS_OPERANDS * (fmt != FLOAT32)
        | _POSITIVE_ZERO * (special.zero_sign != "ieee")
        | _GRADUAL * (special.underflow == "gradual")
        | _FLUSHES * (special.underflow == "flush")
    )
    return (
        # Operands that are truncated come in with their zeros.
        max(least_bits(special.zero_below), np.uint32(1)) if rounds_operands(multiplier) else np.uint32(1),
        np.uint32((low + _BIAS) << _FRACTION_BITS),
        np.uint32((max(high, low) + _BIAS) << _FRACTION_BITS),
        _bits(multiplier.smallest_result),
        _bits(fmt.largest),
        np.int32(fmt.fraction_bits),
        np.uint32(behaviour),
    )


def ordinary_exponents(multiplier: FloatMultiplier) -> tuple[int, int]:
    """Operands from 2**low on and below 2**high have products that are surely in the range of normal numbers.

    Or in that of all finite numbers, where the kernel's fast way holds for subnormal ones too: products
    rounded to nearest with gradual underflow.
    """
    fmt = multiplier.format
    smallest, largest = math.frexp(multiplier.smallest_result)[1] - 1, fmt.largest_exponent
    # With weights 2**x and 2**y, a product that is not 0 is in [2**(x + y + least), 2**(x + y + most)].
    least, most = 0.0, 1.0
    if multiplier.normaliser != "published":
        bounds = (max(bound, 1) for bound in multiplier.significand.bounds)
        least, most = (math.log2(bound) - 2 * fmt.fraction_bits for bound in bounds)
    low = math.ceil((smallest - math.floor(least)) / 2)
    if kind(multiplier) == NEAREST and multiplier.special.underflow == "gradual":
        low = FLOAT32.smallest_exponent
    high = math.floor((largest - math.ceil(most)) / 2) + 1
    return max(low, FLOAT32.smallest_exponent), high


def masks(form: MaskedForm, *, left: bool) -> tuple[np.uint32, ...]:
    """One side's masks of ``MOST_TERMS`` terms, the leading 1 at bit 23, where a float32's would be."""
    shift = _FRACTION_BITS + 1 - form.bits
    return tuple(np.uint32((term.mask_a if left else term.mask_b) << shift) for term in padded(form))


def padded(form: MaskedForm) -> tuple[Term, ...]:
    """The form's terms, and more of value 0 to make ``MOST_TERMS``."""
    return form.terms + (Term(0, 0, 0),) * (MOST_TERMS - len(form.terms))


def is_wide(significand: Segmented) -> bool:
    """Whether cells of the table need uint32, or their sums over the segments of an operand uint64."""
    largest = int(significand.table.values.max())
    total = largest * sum(256**i for i in range(significand.segments))
    return largest >= 2**16 or total >= 2**32


def cells(significand: Segmented, *, left_rows: bool) -> NDArray[Any]:
    """The table, its rows those of the left operand's segments or of the right one's."""
    values = significand.table.values
    return (values if left_rows else values.T).astype(np.uint32 if is_wide(significand) else np.uint16)


def _bits(x: float) -> np.uint32:
    return np.float32(x).view(np.uint32)
