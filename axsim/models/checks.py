"""Arguments that several networks check."""

from __future__ import annotations


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
