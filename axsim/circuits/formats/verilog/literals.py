"""Literals of Verilog to values."""

from __future__ import annotations

import re

from axsim.circuits.formats.verilog.ast import Number

MAX_WIDTH = 65_536
"""Widest vector, in bits."""
_MAX_DIGITS = 4_000  # of a decimal number

_BASED = re.compile(r"(?:([0-9_]+)\s*)?'([sS]?)([bodhBODH])\s*([0-9a-fA-FxXzZ?_]+)", re.ASCII)
_BITS = {"b": 1, "o": 3, "h": 4}


def number(text: str, pos: int) -> Number:
    """Return the value of a literal: ``12``, ``8'hFF``, ``4'sb1x0z``, ``'0``.

    Raises:
        ValueError: for digits that are not of the base, a width of 0 or over ``MAX_WIDTH``.

    >>> number("4'b10?1", 0)
    Number(pos=0, value=9, width=4, signed=False, unknown=0, high_z=2, fill=False)
    """
    if text[0] == "'" and len(text) == 2 and text[1] in "01xXzZ":
        digit = text[1].lower()
        return Number(pos, int(digit == "1"), 1, False, int(digit == "x"), int(digit == "z"), fill=True)
    based = _BASED.fullmatch(text)
    if based is None:
        return Number(pos, _unsized(_decimal(text), text), None, True)
    width_text, sign, base, digits = based.groups()
    width = None if width_text is None else _decimal(width_text)
    if width is not None and not 1 <= width <= MAX_WIDTH:
        raise ValueError(f"the literal {text[:40]!r} has {width_text} bits; 1 to {MAX_WIDTH} are expected")
    digits = digits.lower().replace("_", "").replace("?", "z")
    base = base.lower()
    if base == "d":
        value, unknown, high_z = _decimal_digits(digits, width or 32, text)
    else:
        value, unknown, high_z = (_binary(digits, base, mask, text) for mask in ("", "x", "z"))
    n_bits = width or max(32, len(digits) * _BITS.get(base, 1))
    if width is None:
        _unsized(value | unknown | high_z, text)
        n_bits = 32
    if n_bits > MAX_WIDTH:
        raise ValueError(f"a literal of {len(digits)} digits is too long; {MAX_WIDTH} bits are the limit")
    if base != "d" and digits[:1] in ("x", "z"):  # the first digit fills the bits above it
        above = (1 << n_bits) - (1 << min(n_bits, len(digits) * _BITS[base]))
        unknown, high_z = (unknown | above, high_z) if digits[0] == "x" else (unknown, high_z | above)
    full = (1 << n_bits) - 1
    return Number(pos, value & full, width, bool(sign), unknown & full, high_z & full)


def _unsized(value: int, text: str) -> int:
    if value >> 32:
        raise ValueError(f"{text[:40]!r} needs more than 32 bits; write its width, as in 40'd{text[:20]}")
    return value


def _decimal(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"a decimal number of {len(digits)} digits; at most {_MAX_DIGITS} are read")
    return int(digits.replace("_", ""))


def _decimal_digits(digits: str, width: int, text: str) -> tuple[int, int, int]:
    if digits in ("x", "z"):
        full = (1 << width) - 1
        return 0, full * (digits == "x"), full * (digits == "z")
    if not digits or digits.strip("0123456789"):
        raise ValueError(f"{text[:40]!r} has digits that are not decimal")
    return _decimal(digits), 0, 0


def _binary(digits: str, base: str, marked: str, text: str) -> int:
    """The value of digits of a base; with ``marked``, the mask of the digits that are that letter."""
    if not digits:
        raise ValueError(f"{text[:40]!r} has no digits")
    every = {"b": "1", "o": "7", "h": "f"}[base]
    if marked:
        plain = "".join(every if digit == marked else "0" for digit in digits)
    else:
        plain = digits.replace("x", "0").replace("z", "0")
    try:
        return int(plain, 1 << _BITS[base])
    except ValueError:
        raise ValueError(f"{text[:40]!r} has digits that are not of its base") from None
