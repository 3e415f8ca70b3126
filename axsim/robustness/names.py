"""Names that are not known: what to say of them in an experiment file."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any


class PlaceError(ValueError):
    """Something wrong at a place of a file; the message starts with the key."""

    def __init__(self, place: str, message: object) -> None:
        super().__init__(f"{place}: {message}" if place else str(message))


def near(name: str, known: Iterable[str], limit: int = 12) -> str:
    """What was meant by a name that is not known, for the end of a message.

    >>> near("fsgm", ["fgsm", "pgd"])
    'did you mean fgsm?'
    >>> near("xyz", ["fgsm", "pgd"])
    'there are fgsm, pgd'
    """
    names = sorted(known)
    folded = {n.casefold(): n for n in names}
    if found := [folded[n] for n in difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.6)]:
        return f"did you mean {' or '.join(found)}?"
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return f"there are {', '.join(names[:limit])}{more}" if names else "there are none"


def only(table: Any, known: Iterable[str], place: str) -> Mapping[str, Any]:
    """The table itself; PlaceError where it is none, or has a key that is not known.

    >>> only({"budgte": 1}, ["budget", "seed"], "settings")
    Traceback (most recent call last):
        ...
    axsim.robustness.names.PlaceError: settings.budgte: not known here: did you mean budget?
    """
    if not isinstance(table, Mapping):
        raise PlaceError(place, f"{table!r} came, a table was expected")
    known = tuple(known)
    for name in table:
        if name not in known:
            raise PlaceError(f"{place}.{name}" if place else name, f"not known here: {near(name, known)}")
    return table


def take(table: Mapping[str, Any], key: str, default: Any, kind: type, place: str) -> Any:
    """The value of a key, or its default (``...``: it must be there); PlaceError unless of that kind."""
    value = table.get(key, default)
    at = f"{place}.{key}" if place else key
    if value is ...:
        raise PlaceError(at, "it is not there")
    if not isinstance(value, kind):
        name = "a text" if kind is str else "a list" if kind is list else "a table"
        raise PlaceError(at, f"{value!r} came, {name} was expected")
    return value
