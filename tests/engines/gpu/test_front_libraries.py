"""CuPy and torch themselves, as far as they go without a GPU (axsim/engines/gpu/arrays.py)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import axsim
from axsim.engines.gpu import arrays


@pytest.fixture
def cupy() -> Any:
    return pytest.importorskip("cupy")


def cupy_array(cupy: Any, shape: tuple[int, ...]) -> Any:
    """An array at an address that nothing lies at; enough for what is refused before it is read."""
    memory = cupy.cuda.UnownedMemory(1 << 20, int(np.prod(shape)), None, 0)
    return cupy.ndarray(shape, cupy.uint8, cupy.cuda.MemoryPointer(memory, 0))


def test_cupy_and_numpy_arrays_do_not_mix(cupy: Any) -> None:
    on_gpu, on_host = cupy_array(cupy, (2, 2)), np.ones((2, 2), np.uint8)
    with pytest.raises(
        TypeError,
        match=r"a is a cupy.ndarray on GPU 0, but b is a numpy.ndarray in main memory.*cupy.asarray\(b\)",
    ):
        axsim.matmul(on_gpu, on_host)
    with pytest.raises(
        TypeError, match=r"b is a cupy.ndarray on GPU 0, but a is a numpy.ndarray in main memory"
    ):
        axsim.matmul(on_host, on_gpu)


def test_cupy_arrays_and_tensors_do_not_mix(cupy: Any) -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(
        TypeError, match=r"b is a cupy.ndarray on GPU 0, but a is a torch.Tensor in main memory"
    ):
        axsim.matmul(torch.ones(2, 2), cupy_array(cupy, (2, 2)))


def test_tensors_in_main_memory_are_not_taken_for_a_gpus() -> None:
    torch = pytest.importorskip("torch")
    assert arrays.accept(a=torch.ones(2), b=torch.ones(2)) is None
    assert arrays.accept(a=torch.ones(2, device="meta"), b=np.ones(2)) is None


def test_streams_that_cupy_did_not_make(cupy: Any) -> None:
    assert arrays._cupy_stream(0) is cupy.cuda.Stream.null
    assert arrays._cupy_stream(4242).ptr == 4242
