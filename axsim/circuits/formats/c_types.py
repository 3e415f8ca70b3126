"""The integer types of C by name, and the types of its constants."""

from __future__ import annotations

import re

from axsim.circuits.formats.c_tokens import Source, Token
from axsim.circuits.formats.c_tree import BOOL, VOID, CType, Number

NAMED_TYPES = {
    **{
        f"{u}int{kind}{n}_t": CType(n, not u)
        for n in (8, 16, 32, 64)
        for u in ("", "u")
        for kind in ("", "_least")
    },
    **{f"{u}int_fast{n}_t": CType(8 if n == 8 else 64, not u) for n in (8, 16, 32, 64) for u in ("", "u")},
    "size_t": CType(64, False),
    "uintmax_t": CType(64, False),
    "intmax_t": CType(64, True),
    "bool": BOOL,
    "_Bool": BOOL,
    "void": VOID,
}
WORDS_OF_TYPES = frozenset(("unsigned", "signed", "char", "short", "int", "long"))


def number(source: Source, token: Token) -> Number:
    """An integer constant and its type: the first of int, unsigned, long ... that holds it (C17 6.4.4.1)."""
    found = re.fullmatch(r"(0[xX][0-9a-fA-F]+|0[bB][01]+|\d+)([uUlL]*)", token.text)
    digits, suffix = (found[1].lower(), found[2].lower()) if found else ("", "")
    is_octal = re.fullmatch("0[0-9]+", digits) is not None
    if suffix not in ("", "u", "l", "ul", "lu", "ll", "ull", "llu") or not 0 < len(digits) <= 80:
        source.fail(token.at, f"{token.text[:40]!r} is no integer of C")
    if is_octal and set(digits) & {"8", "9"}:
        source.fail(token.at, f"{token.text!r} is no number to base 8, which a leading 0 means in C")
    value = int(digits, 8 if is_octal else 0)
    may_be_unsigned = "u" in suffix or digits[0] == "0"
    for bits in (64,) if "l" in suffix else (32, 64):
        if "u" not in suffix and value < 1 << (bits - 1):
            return Number(value, CType(bits, True), token.at)
        if may_be_unsigned and value < 1 << bits:
            return Number(value, CType(bits, False), token.at)
    if value >> 64:
        source.fail(token.at, f"{token.text[:40]!r} does not fit 64 bits")
    return Number(value, CType(64, False), token.at)
