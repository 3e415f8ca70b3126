"""Layers by name: glob patterns, the longest match."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import TypeVar

T = TypeVar("T")


def matched(patterns: Mapping[str, T], names: Iterable[str], argument: str) -> dict[str, T]:
    """For each name that a pattern matches what the longest such pattern stands for; names are longest.

    Args:
        patterns: glob patterns, as in ``{"conv1": 1, "features.*": 2}``; ``*`` matches dots, too.
        names: the names of layers.
        argument: what messages call the patterns.

    Raises:
        TypeError: a pattern is no string.
        ValueError: a pattern matches no name, or two patterns of one length match one and stand for different
            things.

    >>> matched({"a.*": 1, "a.fc": 2}, ["a.conv", "a.fc", "b"], "per_layer")
    {'a.conv': 1, 'a.fc': 2}
    """
    names = list(names)
    found: dict[str, tuple[str, T]] = {}
    for pattern, thing in patterns.items():
        if not isinstance(pattern, str):
            raise TypeError(f"{argument} holds {pattern!r}, expected names of layers or glob patterns")
        hits = [name for name in names if name == pattern or fnmatchcase(name, pattern)]
        if not hits:
            raise ValueError(f"{argument} holds {pattern!r}, which matches no layer; {_layers(names)}")
        for name in hits:
            other = found.get(name)
            if other is not None and _rank(name, other[0]) == _rank(name, pattern) and other[1] != thing:
                raise ValueError(
                    f"{argument} holds {other[0]!r} and {pattern!r}, which match {name!r} alike, and want "
                    "different things"
                )
            if other is None or _rank(name, other[0]) <= _rank(name, pattern):
                found[name] = pattern, thing
    return {name: found[name][1] for name in names if name in found}


def _rank(name: str, pattern: str) -> tuple[bool, int]:
    return name == pattern, len(pattern)


def _layers(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:8]))
    return (
        f"the model's layers are {shown}{', ...' if len(names) > 8 else ''}" if names else "it has no layers"
    )
