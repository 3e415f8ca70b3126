"""Floating-point multipliers by name.

Named ones are listed by ``float_names()``. Beyond them, a format's name alone is its exact multiplier rounded
to nearest even (``e5m2``), and ``format[multiplier]`` drives significands of that format through an 8x8
integer multiplier of the registry, segment by segment: ``float32[L40]``, ``bfloat16[L40]``,
``float16[drum8_4]``, ``e4m3[trunc8_3]``. Those round to nearest even: ``float32[exact8]`` equals ``float32``.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from axsim.multipliers import significand as sig
from axsim.multipliers.float_formats import BFLOAT16, FLOAT16, FLOAT32, FloatFormat
from axsim.multipliers.float_multiplier import IEEE_754, FloatMultiplier, Normaliser, SpecialValues
from axsim.multipliers.integer import Multiplier
from axsim.once import Kept, once

__all__ = [
    "BFLOAT16",
    "FLOAT16",
    "FLOAT32",
    "IEEE_754",
    "FloatFormat",
    "FloatMultiplier",
    "SpecialValues",
    "axbf16",
    "axbf16_normalized",
    "axfpm",
    "axfpm_mono",
    "axfpm_normalized",
    "float_names",
    "heap_like",
    "resolve",
]

_GUESMI = 'Guesmi et al., "Defensive Approximation", ASPLOS 2021, doi 10.1145/3445814.3446747'
_SMALLEST = 1e-36  # the authors' code takes smaller operands for zeros
_BRACKETS = re.compile(r"(\w+)\[([^\[\]]+)\]")
_kept: Kept[FloatMultiplier] = Kept(64)


@once
def axfpm() -> FloatMultiplier:
    """Ax-FPM as its authors' code computes it, bit for bit wherever that code gives a number.

    It differs from the code only where the code fails or wraps around. With the exponent field f that the
    product would have (the sum of the operands' fields - 126):

    =====================  ====================================  =========================
    case                   authors' code                         here
    =====================  ====================================  =========================
    an operand < 1e-36     +0                                    the same
    f = 1 to 254           the product                           the same
    f = 0                  the fraction field, as a subnormal    the same
    f < 0                  raises                                zero, signed
    f = 255                NaN (infinity where the fraction      infinity, signed
                           field is 0)
    f > 255                raises where the sign is negative,    infinity, signed
                           else wraps to a negative subnormal
    operand infinite, NaN  read as a number of exponent 128      IEEE 754 (a tiny operand
                                                                 counts as zero here too)
    =====================  ====================================  =========================
    """
    special = SpecialValues(_SMALLEST, "positive", "fraction")
    return FloatMultiplier("axfpm", sig.ax_fpm(24), FLOAT32, "published", "truncate", special, _GUESMI)


@once
def axfpm_normalized() -> FloatMultiplier:
    """Ax-FPM with a normaliser that adds 2 to the exponent of a 49-bit product."""
    return _flushing("axfpm_normalized", sig.ax_fpm(24))


@once
def axfpm_mono() -> FloatMultiplier:
    """One monolithic 24x24 AMA5 array, whose error figures the paper prints as Ax-FPM's."""
    return _flushing("axfpm_mono", sig.monolithic(24))


@once
def axbf16() -> FloatMultiplier:
    """The bfloat16 multiplier of Ax-FPM's authors (their ImageNet tutorial), bit for bit.

    Significands are the upper 8 bits of a float32 number's, the rest cut off; their product is that of the
    8x8 array of AMA5 cells, ``S = (a & 0x11) b + 2 (a & 0xEE) (b & 0x88)``, cut off to 8 bits. Where S has 17
    bits, the value comes out halved, as in ``axfpm``. With the exponent field f that the product would have
    (the sum of the operands' fields - 126):

    =====================  ====================================  =========================
    case                   authors' code                         here
    =====================  ====================================  =========================
    an operand < 1e-36     +0                                    the same
    f = 2 to 254           the product                           the same
    f < 2                  +0                                    the same
    f > 254                not known                             infinity, signed
    operand infinite, NaN  not known                             IEEE 754 (a tiny operand
                                                                 counts as zero here too)
    =====================  ====================================  =========================
    """
    return _bfloat16("axbf16", "published")


@once
def axbf16_normalized() -> FloatMultiplier:
    """``axbf16`` with a normaliser that adds 2 to the exponent of a 17-bit product."""
    return _bfloat16("axbf16_normalized", "leading-one")


def _bfloat16(name: str, normaliser: Normaliser) -> FloatMultiplier:
    special = SpecialValues(_SMALLEST, "all-positive", "flush", 2 * BFLOAT16.smallest_normal)
    return FloatMultiplier(
        name, sig.ax_fpm(8), BFLOAT16, normaliser, "truncate", special, _GUESMI, operand_rounding="truncate"
    )


@once
def heap_like() -> FloatMultiplier:
    """See ``significand.heap_like``; truncated, with small operands treated as in Ax-FPM."""
    return _flushing("heap_like", sig.heap_like(24))


def _flushing(name: str, significand: sig.SignificandMultiplier) -> FloatMultiplier:
    special = SpecialValues(_SMALLEST, "positive", "flush")
    return FloatMultiplier(name, significand, FLOAT32, "leading-one", "truncate", special, _GUESMI)


def _exact(fmt: FloatFormat) -> FloatMultiplier:
    """The exact product, rounded to nearest even: the format's own multiplication."""
    return _kept.get(
        fmt, lambda: FloatMultiplier(fmt.name, sig.exact(fmt.significand_bits), fmt, source="IEEE 754-2019")
    )


_NAMED: dict[str, Callable[[], FloatMultiplier]] = {
    "axfpm": axfpm,
    "axfpm_normalized": axfpm_normalized,
    "axfpm_mono": axfpm_mono,
    "axbf16": axbf16,
    "axbf16_normalized": axbf16_normalized,
    "heap_like": heap_like,
    "float32": lambda: _exact(FLOAT32),
    "bfloat16": lambda: _exact(BFLOAT16),
    "float16": lambda: _exact(FLOAT16),
}


def float_names() -> tuple[str, ...]:
    """The names of the float multipliers that have one of their own.

    >>> float_names()
    ('axfpm', 'axfpm_normalized', 'axfpm_mono', 'axbf16', 'axbf16_normalized', 'heap_like', 'float32',
    'bfloat16', 'float16')
    """
    return tuple(_NAMED)


def resolve(name: str, get: Callable[[str], Multiplier | FloatMultiplier]) -> FloatMultiplier | None:
    """The float multiplier called ``name``, or None if it is not the name of one.

    Names are case-insensitive. In ``format[multiplier]`` the multiplier in brackets is what ``get`` makes of
    its name.

    Raises:
        UnknownMultiplierError: the multiplier in brackets is unknown.
        ValueError: the multiplier in brackets is not unsigned 8x8.

    >>> from axsim.multipliers import get
    >>> resolve("axfpm", get)(1.5, 1.5), resolve("float32[exact8]", get)(1.5, 1.5), resolve("L40", get)
    (np.float32(3.0), np.float32(2.25), None)
    >>> resolve("axfpm", get)(2.0, 3.0), resolve("axfpm", get)(3.0, 2.0)  # operands do not commute
    (np.float32(8.0), np.float32(12.0))
    """
    lowered = name.strip().lower()
    if lowered in _NAMED:
        return _NAMED[lowered]()
    brackets = _BRACKETS.fullmatch(name.strip())
    fmt = FloatFormat.parse(brackets[1].lower() if brackets else lowered)
    if fmt is None:
        return None
    if brackets is None:
        return _exact(fmt)
    integer = get(brackets[2])
    if isinstance(integer, FloatMultiplier):
        raise ValueError(
            f"{name}: {integer.name} is a float multiplier, expected an integer one in the brackets"
        )
    if integer.signed or (integer.a_bits, integer.b_bits) != (8, 8):
        raise ValueError(f"{name}: {integer} stands in the brackets, expected an unsigned 8x8 multiplier")
    return _segmented(fmt, integer)


def _segmented(fmt: FloatFormat, integer: Multiplier) -> FloatMultiplier:
    return _kept.get(
        (fmt, integer),
        lambda: FloatMultiplier(
            f"{fmt.name}[{integer.name}]",
            sig.Segmented(fmt.significand_bits, integer.table),
            fmt,
            source=f"8-bit segments through {integer.name}",
        ),
    )
