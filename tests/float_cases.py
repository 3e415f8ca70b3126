"""For tests of several folders: float multipliers of every kind, and numbers all over a format's range."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from axsim.multipliers import get as resolve
from axsim.multipliers.float_formats import BFLOAT16, FLOAT16, FLOAT32, FloatFormat
from axsim.multipliers.float_multiplier import FloatMultiplier, SpecialValues
from axsim.multipliers.floating import float_names
from axsim.multipliers.significand import MaskedForm, Segmented, Term, ax_fpm, exact
from axsim.tables.product import ProductTable

E4M3 = FloatFormat(4, 3)
SPARSE = ProductTable.from_function(lambda a, b: np.where((a ^ b) % 3 == 0, (a * b) >> 3, a * b + 7), 8, 8)
"""A table whose products differ widely from the exact ones: small ones among them, and T[0, b] is not 0."""

VANISHING = ProductTable.from_function(lambda a, b: np.where((a ^ b) % 4 == 0, 0, a * b >> 5), 8, 8)
"""A table many of whose products are 0."""


@cache
def multipliers() -> dict[str, FloatMultiplier]:
    """Named ones, and every combination of format, kind, rounding and underflow rule, both normalisers."""
    made = {name: resolve(name) for name in (*float_names(), "e5m23")}
    assert None not in made.values()
    for fmt in (FLOAT32, BFLOAT16, FLOAT16, E4M3):
        w = fmt.significand_bits
        # A masked form whose products can be small or 0, so that the leading 1 must be looked for.
        low = (1 << (w - 1)) - 1
        kinds = {
            "exact": exact(w),
            "vanishing": MaskedForm(w, (Term(1, low, low), Term(3, 5, 2))),
            "segments": Segmented(w, SPARSE),
            "vanishing segments": Segmented(w, VANISHING),
        }
        for kind, significand in kinds.items():
            for rounding in ("nearest-even", "truncate"):
                for underflow in ("gradual", "flush", "fraction"):
                    name = f"{fmt.name} {kind} {rounding} {underflow}"
                    special = SpecialValues(underflow=underflow)
                    made[name] = FloatMultiplier(name, significand, fmt, "leading-one", rounding, special)
    ax_fpm_table = ProductTable.from_function(lambda a, b: ax_fpm(8)(a.astype("u8"), b.astype("u8")), 8, 8)
    positive = SpecialValues(2.0**-20, "positive", "gradual")
    for fmt, published in (
        (FLOAT32, Segmented(24, ax_fpm_table)),
        (BFLOAT16, Segmented(8, ax_fpm_table)),
        (BFLOAT16, ax_fpm(8)),
        (FloatFormat(6, 15), ax_fpm(16)),
    ):
        name = f"{fmt.name} published {type(published).__name__}"
        made[name] = FloatMultiplier(name, published, fmt, "published", "truncate", positive)
    # Operands that are cut off, as in axbf16, through each kind of significand multiplier and normaliser.
    small = SpecialValues(1e-36, "all-positive", "flush", 2.0**-125)
    for fmt, cut in (
        (BFLOAT16, Segmented(8, ax_fpm_table)),
        (BFLOAT16, exact(8)),
        (FloatFormat(8, 15), ax_fpm(16)),
    ):
        for normaliser, special in (
            ("published", small),
            ("leading-one", small),
            ("leading-one", SpecialValues()),
        ):
            if normaliser == "published" and cut.bounds[0] < 1 << (2 * cut.bits - 1):
                continue
            name = f"{fmt.name} cut off {type(cut).__name__} {cut.bounds[1]} {normaliser} {special.underflow}"
            made[name] = FloatMultiplier(
                name, cut, fmt, normaliser, "truncate", special, operand_rounding="truncate"
            )
    return made


def numbers_of(fmt: FloatFormat) -> np.ndarray:
    """Numbers all over the range of a format: limits, special values, and random ones near and far from 1."""
    rng = np.random.default_rng(5)
    m, e = fmt.fraction_bits, fmt.largest_exponent
    tiny = fmt.smallest_normal * 2.0**-m
    edges = [0.0, tiny, 3 * tiny, fmt.smallest_normal - tiny, fmt.smallest_normal, 1.0, 2 - 2.0**-m]
    edges += [fmt.largest, math.inf, math.nan, 2.0 ** (e // 2), 2.0 ** (-e // 2), 1e-36, 1.5]
    fractions = 1 + rng.integers(0, 1 << m, 24) / (1 << m)
    wide = np.ldexp(fractions[:12], rng.integers(-e - m // 2, e + 1, 12))
    near = np.ldexp(fractions[12:16], rng.integers(-2, 2, 4))
    halfway = np.ldexp(fractions[16:], rng.integers(-e // 2 - 2, -e // 2 + 2, 8))
    x = fmt.round(np.concatenate([edges, wide, near, halfway]))
    return (x * rng.choice([-1.0, 1.0], x.shape)).astype(np.float32)


def bits(x: object) -> np.ndarray:
    """Bit patterns of float32 numbers, every NaN as the same pattern."""
    array = np.asarray(x, np.float32)
    return np.where(np.isnan(array), np.uint32(0x7FC00000), array.view(np.uint32))


def same(x: np.ndarray, y: np.ndarray) -> bool:
    """Equal bits, whatever the NaN."""
    if x.dtype != y.dtype or x.shape != y.shape:
        return False
    unsigned = np.dtype(f"u{x.itemsize}")
    return bool(np.where(np.isnan(x) & np.isnan(y), True, x.view(unsigned) == y.view(unsigned)).all())


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    """Ordinary numbers of both signs, float32."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def drawn(multiplier: FloatMultiplier, shape: tuple[int, ...], kind: str, seed: int) -> np.ndarray:
    """Kinds: "ordinary" numbers and zeros; "wide": finite ones of the whole range; "special": any numbers."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape).astype(np.float32)
    if kind == "ordinary":
        return np.where(rng.random(shape) < 0.2, np.float32(0), x)
    numbers = numbers_of(multiplier.format)
    if kind == "wide":
        numbers = numbers[np.isfinite(numbers)]
    return np.where(rng.random(shape) < 0.3, x, rng.choice(numbers, shape))
