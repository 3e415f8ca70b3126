"""When constants on a GPU are made, kept and freed."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

from axsim.engines.gpu.runtime.constants import Constants


class Owner:
    """What a constant is kept with."""


class Array:
    """On the GPU."""

    def __init__(self, host: Any) -> None:
        self.host = host


class Gpu:
    """Counts waits; notes who was alive at each."""

    def __init__(self) -> None:
        self.capturing, self.waits = False, 0
        self.arrays: list[weakref.ref[Array]] = []
        self.alive: list[list[bool]] = []
        self.constants = Constants(self.place, lambda: self.capturing, self.wait)

    def place(self, host: Any) -> Array:
        if self.capturing:
            raise RuntimeError("captured")
        array = Array(host)
        self.arrays.append(weakref.ref(array))
        return array

    def wait(self) -> None:
        self.waits += 1
        self.alive.append([array() is not None for array in self.arrays])

    def living(self) -> list[bool]:
        gc.collect()
        return [array() is not None for array in self.arrays]


def test_made_once_for_an_owner_and_a_key() -> None:
    gpu, owner, other = Gpu(), Owner(), Owner()
    first = gpu.constants.get(np.arange(3), owner, "key")
    assert gpu.constants.get(np.arange(3), owner, "key") is first
    assert gpu.constants.get(np.arange(3), owner, "other") is not first
    assert gpu.constants.get(np.arange(3), other, "key") is not first
    assert (len(gpu.arrays), gpu.waits) == (3, 0)


def test_freed_after_all_streams_that_may_read_it() -> None:
    gpu, owner, other = Gpu(), Owner(), Owner()
    gpu.constants.get(np.arange(3), owner, "key")
    del owner
    assert gpu.living() == [True]  # whatever reads it on another stream may still run
    kept = gpu.constants.get(np.arange(3), other, "key")
    assert gpu.alive == [[True, True]]
    assert gpu.living() == [False, True]
    assert gpu.constants.get(np.arange(3), other, "key") is kept
    gpu.constants.get(np.arange(3), other, "third")
    assert gpu.waits == 1  # nobody died since


def test_kept_for_good_once_captured() -> None:
    gpu, owner, other = Gpu(), Owner(), Owner()
    for key in ("captured", "not"):
        gpu.constants.get(np.arange(3), owner, key)
    gpu.capturing = True
    seen = weakref.ref(gpu.constants.get(np.arange(3), owner, "captured"))
    with pytest.raises(RuntimeError, match="captured"):
        gpu.constants.get(np.arange(3), owner, "new")
    gpu.capturing = False
    del owner
    gpu.constants.get(np.arange(3), other, "key")
    assert gpu.living() == [True, False, True]
    assert seen() is not None


def test_an_owner_that_dies_during_a_capture_frees_nothing_then() -> None:
    gpu, owner, other = Gpu(), Owner(), Owner()
    gpu.constants.get(np.arange(3), owner, "key")
    gpu.constants.get(np.arange(3), other, "key")
    gpu.capturing = True
    del owner
    gpu.constants.get(np.arange(3), other, "key")
    assert gpu.living() == [True, True]
    assert gpu.waits == 0
