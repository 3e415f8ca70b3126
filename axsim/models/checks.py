"""Arguments that several networks check."""

from __future__ import annotations

from typing import Any


def at_least_one(name: str, given: int, side: int) -> int:
    """``side`` pixels are left of an image of which ``given`` said the size: at least one, or ValueError.

    >>> at_least_one("size", 2, 0)
    Traceback (most recent call last):
        ...
    ValueError: size is 2: nothing is left of so small an image behind the pools; give a larger one
    """
    if side < 1:
        raise ValueError(
            f"{name} is {given}: nothing is left of so small an image behind the pools; give a larger one"
        )
    return side


def numbers(name: str, given: Any, count: int) -> tuple[int, ...]:
    """An argument that is one number for each of several layers, or TypeError.

    >>> numbers("channels", 3, 2)
    Traceback (most recent call last):
        ...
    TypeError: channels is 3, expected 2 numbers, one for each convolution (an image's are in_channels)
    """
    if not isinstance(given, tuple | list) or len(given) != count:
        hint = " (an image's are in_channels)" if name == "channels" else ""
        raise TypeError(f"{name} is {given!r}, expected {count} numbers, one for each convolution{hint}")
    return tuple(given)
