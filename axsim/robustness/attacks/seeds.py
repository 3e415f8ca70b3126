"""Random numbers: all from one generator, and the same on every device."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor


def seed_from(generator: torch.Generator) -> int:
    """A seed of 31 bits, drawn from the generator."""
    return int(torch.randint(2**31 - 1, (1,), generator=generator))


@contextmanager
def global_state(generator: torch.Generator) -> Iterator[None]:
    """torch's, NumPy's and Python's own generators, seeded from ``generator``; afterwards they are as they
    were.

    >>> import torch
    >>> torch.manual_seed(3)
    <torch._C.Generator object at ...>
    >>> before = torch.get_rng_state()
    >>> with global_state(torch.Generator().manual_seed(1)):
    ...     first = torch.rand(1)
    >>> with global_state(torch.Generator().manual_seed(1)):
    ...     print(bool(torch.rand(1) == first))
    True
    >>> bool((torch.get_rng_state() == before).all())
    True
    """
    seed = seed_from(generator)
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002 - others' code reads it
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002
            random.setstate(python_state)


def uniform(shape: tuple[int, ...], generator: torch.Generator, device: Any) -> Tensor:
    """Numbers uniform on [-1, 1), float32, drawn on the CPU."""
    return (2 * torch.rand(shape, generator=generator) - 1).to(device)


def normal(shape: tuple[int, ...], generator: torch.Generator, device: Any) -> Tensor:
    """Normal numbers, float32, drawn on the CPU."""
    return torch.randn(shape, generator=generator).to(device)


def signs(shape: tuple[int, ...], generator: torch.Generator, device: Any) -> Tensor:
    """-1 or 1, each half of the time, float32, drawn on the CPU."""
    return (2 * torch.randint(2, shape, generator=generator) - 1).to(torch.float32).to(device)
