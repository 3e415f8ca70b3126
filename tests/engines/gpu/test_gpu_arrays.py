"""Results as torch's own tensors (axsim/engines/gpu/arrays.py): torch in main memory, CuPy or a stand-in."""

from __future__ import annotations

import gc
import math
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from axsim.engines.gpu import arrays


class Memory:
    """CuPy's ``UnownedMemory``."""

    def __init__(self, ptr: int, size: int, owner: object, device_id: int) -> None:
        self.ptr, self.size, self.device_id = ptr, size, device_id


class Pointer:
    """CuPy's ``MemoryPointer``."""

    def __init__(self, mem: Any, offset: int) -> None:
        self.mem, self.ptr = mem, mem.ptr + offset


def stand_in() -> ModuleType:
    """As much of CuPy as results need."""

    def ndarray(shape: tuple[int, ...], dtype: Any, memptr: Any, strides: Any = None) -> Any:
        dtype = np.dtype(dtype)
        strides = np.empty(shape, dtype).strides if strides is None else strides
        return SimpleNamespace(
            shape=shape,
            dtype=dtype,
            strides=strides,
            size=math.prod(shape),
            itemsize=dtype.itemsize,
            data=memptr,
        )

    cupy = ModuleType("cupy")
    cupy.cuda = SimpleNamespace(UnownedMemory=Memory, MemoryPointer=Pointer)  # type: ignore[attr-defined]
    cupy.ndarray = ndarray  # type: ignore[attr-defined]
    return cupy


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> Any:
    """torch, whose GPU is main memory."""
    found = pytest.importorskip("torch")
    empty = found.empty
    monkeypatch.setattr(found, "empty", lambda *args, device, **kwargs: empty(*args, **kwargs))
    monkeypatch.setattr(found.cuda, "current_device", lambda: 0)
    return found


@pytest.fixture(params=["stand-in", "CuPy"])
def cupy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    if request.param == "CuPy":
        if find_spec("cupy") is None:
            pytest.skip("CuPy is not installed")
    else:
        monkeypatch.setitem(sys.modules, "cupy", stand_in())
    arrays._torch_memory.cache_clear()
    yield __import__("cupy")
    arrays._torch_memory.cache_clear()


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32", "float64", "uint8", "int16"])
def test_a_result_is_memory_of_torchs_own(torch: Any, cupy: Any, dtype: str) -> None:
    """What torch made with ``empty``: it keeps no record of streams for what others lend it."""
    memory = arrays._torch_memory()(6 * np.dtype(dtype).itemsize + 3)
    array = cupy.ndarray((2, 3), dtype, memory)
    result = arrays.Torch().returned(array)
    made = memory.mem.tensor
    assert result.untyped_storage().data_ptr() == made.untyped_storage().data_ptr()
    assert result.data_ptr() == array.data.ptr
    assert (tuple(result.shape), str(result.dtype)) == ((2, 3), f"torch.{dtype}")
    assert result.is_contiguous()
    made[: 6 * array.itemsize] = torch.arange(6, dtype=getattr(torch, dtype)).view(torch.uint8)
    assert result.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_part_of_the_memory_is_that_part(torch: Any, cupy: Any) -> None:
    memory = arrays._torch_memory()(48)
    memory.mem.tensor[:] = torch.arange(12, dtype=torch.int32).view(torch.uint8)
    column = cupy.ndarray((3,), "int32", cupy.cuda.MemoryPointer(memory.mem, 8), strides=(16,))
    assert arrays.Torch().returned(column).tolist() == [2, 6, 10]


def test_an_operand_that_comes_back_is_copied(torch: Any, cupy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = torch.arange(4, dtype=torch.int32)
    pointer = cupy.cuda.MemoryPointer(cupy.cuda.UnownedMemory(theirs.data_ptr(), 16, theirs, 0), 0)
    copy = cupy.ndarray((4,), "int32", arrays._torch_memory()(16))
    monkeypatch.setattr(cupy, "array", lambda array: copy, raising=False)
    result = arrays.Torch().returned(cupy.ndarray((4,), "int32", pointer))
    assert result.data_ptr() == copy.data.ptr != theirs.data_ptr()


def test_memory_is_of_the_size_asked_for(torch: Any, cupy: Any) -> None:
    for size in (0, 1, 77):
        pointer = arrays._torch_memory()(size)
        assert pointer.mem.size == pointer.mem.tensor.numel() == size
        assert pointer.mem.device_id == 0


class Pool:
    """CuPy's ``MemoryPool``: memory of one size that nobody holds any more is given again."""

    def __init__(self, allocator: Any) -> None:
        self.allocator = allocator
        self.free: dict[int, list[Any]] = {}

    def malloc(self, size: int) -> Pointer:
        free = self.free.setdefault(size, [])
        memory = free.pop() if free else self.allocator(size).mem
        pooled = Memory(memory.ptr, size, memory, 0)
        weakref.finalize(pooled, free.append, memory)
        return Pointer(pooled, 0)

    def free_all_blocks(self) -> None:
        for free in self.free.values():
            free.clear()


@pytest.fixture
def capturing(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[Any]]:
    """A stand-in for CuPy whose stream is captured, and the memory that its allocator has given."""
    given: list[Any] = []
    current: list[Any] = []

    def allocate(size: int) -> Pointer:
        memory = Memory(4096 * (len(given) + 1), size, None, 0)
        given.append(weakref.ref(memory))
        return Pointer(memory, 0)

    @contextmanager
    def using_allocator(allocator: Any) -> Iterator[None]:
        current.append(allocator)
        yield
        current.pop()

    cupy = stand_in()
    cupy.cuda.Device = lambda device: nullcontext()
    cupy.cuda.MemoryPool = Pool
    cupy.cuda.using_allocator = using_allocator
    cupy.cuda.get_allocator = lambda: current[-1]
    current.append(allocate)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setattr(arrays, "current", lambda: SimpleNamespace(capturing=lambda: True))
    monkeypatch.setattr(arrays, "_kept", [])
    return cupy, given


def test_a_captured_call_uses_its_memory_again_and_nobody_else_ever(capturing: Any) -> None:
    """A product's workspace is that of the products before it; a replay finds all memory as it left it."""
    cupy, given = capturing
    with arrays.CuPy().context(0):
        malloc = cupy.cuda.get_allocator()
        for _ in range(5):
            malloc(1 << 25)
        held = malloc(1 << 25)
        malloc(512)
        malloc.__self__.free_all_blocks()  # as CuPy does where memory is short
    assert len(given) == 2
    del held, malloc
    with arrays.CuPy().context(0):
        cupy.cuda.get_allocator()(1 << 25)
    cupy.cuda.get_allocator()(1 << 25)
    gc.collect()
    assert [memory() is not None for memory in given] == [True, True, True, False]
