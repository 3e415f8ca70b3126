"""Things that are made once and kept, without locks.

``functools.cached_property`` takes a lock up to Python 3.11: a child that was forked while another thread
held it would wait for ever, and so would whoever asks after that thread was ended together with the
interpreter. Here two threads may make the same thing at the same time; both get the one that was kept.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")
_MISSING = object()


class cached_property(Generic[T]):  # noqa: N801 - it stands where functools.cached_property would
    """A property that is computed on first use and then kept in the instance's ``__dict__``.

    >>> class Circle:
    ...     @cached_property
    ...     def area(self):
    ...         print("computed")
    ...         return 3
    >>> circle = Circle()
    >>> circle.area, circle.area
    computed
    (3, 3)
    """

    def __init__(self, function: Callable[[Any], T]) -> None:
        self._function = function
        self._name = function.__name__
        self.__doc__ = function.__doc__

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> cached_property[T]: ...
    @overload
    def __get__(self, instance: object, owner: type[Any]) -> T: ...
    def __get__(self, instance: object | None, owner: type[Any]) -> cached_property[T] | T:
        if instance is None:
            return self
        kept: T = instance.__dict__.setdefault(self._name, self._function(instance))
        return kept


def once(function: Callable[[], T]) -> Callable[[], T]:
    """The function, computed on first use; all callers get one and the same result.

    >>> @once
    ... def numbers():
    ...     return [1, 2]
    >>> numbers() is numbers()
    True
    """
    results: dict[None, T] = {}

    @functools.wraps(function)
    def kept() -> T:
        found = results.get(None, _MISSING)
        if found is _MISSING:
            return results.setdefault(None, function())
        return found  # type: ignore[return-value]

    return kept


class Kept(Generic[T]):
    """What was made for up to ``most`` keys, the last ones to come; callers of one key get the same thing."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._things: dict[Any, T] = {}

    def get(self, key: Any, make: Callable[[], T]) -> T:
        """What is kept for ``key``, or else what ``make`` makes.

        >>> kept = Kept(2)
        >>> [kept.get(key, lambda: print("made") or key) for key in "aab"]
        made
        made
        ['a', 'a', 'b']
        """
        found = self._things.get(key, _MISSING)
        if found is not _MISSING:
            return found  # type: ignore[return-value]
        made = self._things.setdefault(key, make())
        for old in list(self._things)[: -self._most]:
            self._things.pop(old, None)
        return made
