"""Where in a model a call is made: the names of the modules that are at work, thread by thread."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.nn.modules import module as hooks


class Place:
    """The modules at work in one thread, since a ``with`` was entered.

    Args:
        model: gives names to modules that are called by themselves; else the one that is called first is "".
    """

    def __init__(self, model: nn.Module | None = None) -> None:
        self._names = {} if model is None else _names(model)
        self._kept: list[nn.Module] = []  # so that no other module gets their ids
        self._at: list[tuple[str, Counter[str]]] = [("", Counter())]

    def enter(self, module: nn.Module) -> None:
        """A module is called."""
        if id(module) not in self._names:
            self._kept.append(module)
            path, _ = self._at[-1]
            if len(self._at) == 1:
                self._names |= _names(module)
            else:  # made by its caller, and in no module's list
                self._names[id(module)] = f"{path}.{type(module).__name__}".lstrip(".")
        self._at.append((self._names[id(module)], Counter()))

    def leave(self) -> None:
        """The module that was called last returns or fails."""
        if len(self._at) > 1:
            self._at.pop()

    def name(self, function: str) -> str:
        """The next call of that function by the module that is at work, as in "fc:linear#1"."""
        path, counts = self._at[-1]
        counts[function] += 1
        number = counts[function] - 1
        return f"{path}:{function}#{number}" if number else f"{path}:{function}"


def _names(model: nn.Module) -> dict[int, str]:
    compiled = "_orig_mod"  # what torch.compile calls the model in its own
    return {
        id(module): name.removeprefix(compiled).removeprefix(".") for name, module in model.named_modules()
    }


_here = threading.local()
_lock = threading.Lock()
_users: int = 0
_handles: list[Any] = []


@contextmanager
def followed(place: Place) -> Iterator[None]:
    """Within it ``place`` knows the modules at work in this thread.

    torch's hooks for all modules are there as long as any thread is within; in other threads they do nothing.
    """
    global _users
    with _lock:
        if not _users:
            _handles.append(hooks.register_module_forward_pre_hook(_before))
            _handles.append(hooks.register_module_forward_hook(_after, always_call=True))
        _users += 1
    places = _here.__dict__.setdefault("places", [])
    places.append(place)
    try:
        yield
    finally:
        places.remove(place)
        with _lock:
            _users -= 1
            while not _users and _handles:
                _handles.pop().remove()


def _before(module: nn.Module, arguments: Any) -> None:
    for place in _here.__dict__.get("places", ()):
        place.enter(module)


def _after(module: nn.Module, arguments: Any, result: Any) -> None:
    for place in _here.__dict__.get("places", ()):
        place.leave()
