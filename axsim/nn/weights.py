"""Weights made ready for multipliers: once, and again when they change.

What was made of a tensor is kept beside it for as long as it lives, and found again by what tells that its
numbers are still the same:

- its memory, type, shape and device: ``.to()``, ``.data = other`` and ``load_state_dict(assign=True)`` change
  one of them. (What was kept holds on to the memory, so that another tensor cannot come to lie there.)
- its version, which every operation in place counts up: optimisers, ``load_state_dict``, ``copy_``.
- a fingerprint of its numbers in main memory, because operations through ``.data`` count nothing: of all of
  them up to ``WHOLE`` numbers, else of ``SAMPLE`` ones, evenly spaced. An optimiser's step through ``.data``
  changes nearly all numbers and is seen; where a few of many are changed so, ``forget`` says it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
import xxhash
from torch import Tensor

T = TypeVar("T")

WHOLE = 1 << 16  # numbers; hashing them takes about 5 us
SAMPLE = 256
KEPT = 4  # things that are kept for one tensor

_found: dict[int, _Kept] = {}


@dataclass(eq=False)
class _Kept:
    """What was made of a tensor, and when it holds.

    Attributes:
        tensor: the tensor, weakly.
        state: its memory, version and so on.
        numbers: a view of its memory; it keeps that from being used again.
        fingerprint: of its numbers; 0 where they are not in main memory.
        things: what was made.
    """

    tensor: weakref.ref[Tensor]
    state: tuple[Hashable, ...]
    numbers: Any
    fingerprint: int
    things: dict[Hashable, Any] = field(default_factory=dict)

    def holds(self, w: Tensor) -> bool:
        """Whether the tensor is the one, with the same numbers."""
        return (
            self.tensor() is w and self.state == _state(w) and self.fingerprint == _fingerprint(self.numbers)
        )


def made_of(w: Tensor, key: Hashable, make: Callable[[Tensor], T]) -> T:
    """What ``make`` makes of the tensor; made once for ``key`` as long as the tensor's numbers stay.

    >>> w, made = torch.ones(3), []
    >>> for step in (0.0, 0.0, 2.0):
    ...     w.data += step
    ...     total = made_of(w, "total", lambda w: made.append(step) or float(w.sum()))
    >>> made, total
    ([0.0, 2.0], 9.0)
    """
    kept = _found.get(id(w))
    if kept is None or not kept.holds(w):
        kept = _keep(w)
    thing = kept.things.get(key)
    if thing is None:
        with torch.no_grad():
            thing = kept.things.setdefault(key, make(w.detach()))
        for old in list(kept.things)[:-KEPT]:
            kept.things.pop(old, None)
    return thing  # type: ignore[no-any-return]


def forget(w: Tensor) -> None:
    """Make everything of the tensor anew at the next call: a few of its many numbers were changed unseen."""
    _found.pop(id(w), None)


def _keep(w: Tensor) -> _Kept:
    numbers = _numbers(w.detach())
    place = id(w)

    def gone(tensor: weakref.ref[Tensor]) -> None:
        kept = _found.get(place)
        if kept is not None and kept.tensor is tensor:
            _found.pop(place, None)

    kept = _Kept(weakref.ref(w, gone), _state(w), numbers, _fingerprint(numbers))
    _found[place] = kept
    return kept


def _state(w: Tensor) -> tuple[Hashable, ...]:
    version = None if w.is_inference() else w._version
    return w.data_ptr(), version, w.dtype, w.shape, w.stride(), w.device


def _numbers(w: Tensor) -> Any:
    """The numbers that fingerprints are taken of, as a view of the tensor's memory; for other devices itself.

    Those of an inference tensor all: operations in place on it count nothing.
    """
    if w.device.type != "cpu":
        return w
    memory = w.view(torch.int16) if w.dtype == torch.bfloat16 else w
    # Numbers without gaps between them, in whatever order, are one run of memory.
    order = sorted(range(memory.ndim), key=lambda axis: -memory.stride(axis))
    run = memory.permute(order)
    if run.is_contiguous():
        run = run.reshape(-1)
        if len(run) > WHOLE and not w.is_inference():
            run = run[:: len(run) // SAMPLE]
    return run.numpy()


def _fingerprint(numbers: Any) -> int:
    if isinstance(numbers, Tensor):
        return 0
    return int(xxhash.xxh3_64_intdigest(numbers if numbers.flags.c_contiguous else numbers.tobytes()))
