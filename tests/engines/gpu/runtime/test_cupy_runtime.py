"""The runtime of CuPy with something that answers in CuPy's place: no GPU is needed, and none is tested."""

from __future__ import annotations

import ctypes
import gc
import sys
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from axsim.engines.gpu.runtime.cupy_runtime import CupyRuntime
from tests.cuda_emulator.device_arrays import EmulatedCupy, on_device
from tests.cuda_emulator.emulated_cublas import EmulatedCublas

KIB = 1 << 10


class Owner:
    """What a constant is kept with."""


class RefusedError(RuntimeError):
    """CuPy's ``CUDADriverError``."""


class Stream:
    capturing = False
    waits = ptr = 0

    def is_capturing(self) -> bool:
        return self.capturing

    def synchronize(self) -> None:
        assert not self.capturing
        self.waits += 1


class Function:
    """A ``RawKernel``: takes launches with no more shared memory than it was told of."""

    def __init__(self) -> None:
        self._most_shared = 0
        self.once_told: Callable[[], None] | None = None
        self.launches: list[tuple[Any, ...]] = []
        self.carveouts: list[int] = []

    @property
    def max_dynamic_shared_size_bytes(self) -> int:
        return self._most_shared

    @max_dynamic_shared_size_bytes.setter
    def max_dynamic_shared_size_bytes(self, size: int) -> None:
        self._most_shared = size
        if self.once_told:
            self.once_told()

    @property
    def preferred_shared_memory_carveout(self) -> int:
        return self.carveouts[-1]

    @preferred_shared_memory_carveout.setter
    def preferred_shared_memory_carveout(self, percent: int) -> None:
        self.carveouts.append(percent)

    def __call__(self, grid: Any, block: Any, args: Any, shared_mem: int) -> None:
        assert shared_mem <= self.max_dynamic_shared_size_bytes
        self.launches.append((grid, block, args, shared_mem))


class Cupy:
    """As much of CuPy as the runtime asks for outside of products."""

    __version__ = "14.0.0"

    def __init__(self) -> None:
        self.stream, self.function, self.compiled = Stream(), Function(), 0
        self.paths: list[str] = []
        self.device_waits = 0
        attributes = {
            "MultiProcessorCount": 132,
            "MaxSharedMemoryPerBlockOptin": 227 * KIB,
            "MaxSharedMemoryPerMultiprocessor": 228 * KIB,
            "L2CacheSize": 50 << 20,
            "ClockRate": 1_980_000,
        }
        calls = SimpleNamespace(
            **{f"cudaDevAttr{name}": value for name, value in attributes.items()},
            deviceGetAttribute=lambda attribute, index: attribute,
            getDeviceProperties=lambda index: {"name": b"NVIDIA H100", "major": 9, "minor": 0},
            runtimeGetVersion=lambda: 13000,
            driverGetVersion=lambda: 13010,
        )
        self.cuda = SimpleNamespace(
            runtime=calls,
            get_current_stream=lambda: self.stream,
            Device=lambda: SimpleNamespace(synchronize=self._wait),
            compiler=SimpleNamespace(compile_using_nvrtc=self._compile),
            nvrtc=SimpleNamespace(getVersion=lambda: (13, 0)),
            driver=SimpleNamespace(CUDADriverError=RefusedError),
        )

    def _compile(self, text: str, options: Any, **_: Any) -> tuple[bytes, None]:
        self.compiled += 1
        return text.encode(), None

    def _wait(self) -> None:
        self.device_waits += 1

    def RawModule(self, path: str) -> Any:  # noqa: N802, CuPy's name
        self.paths.append(path)

        def get_function(name: str) -> Function:
            if Path(path).read_bytes().startswith(b"damaged"):
                raise RefusedError("CUDA_ERROR_INVALID_IMAGE: device kernel image is invalid")
            return self.function

        return SimpleNamespace(get_function=get_function)

    def asarray(self, array: Any, order: str) -> Any:
        return np.array(array, order=order)  # type: ignore[call-overload]


@pytest.fixture
def cupy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cupy:
    monkeypatch.setenv("AXSIM_CACHE_DIR", str(tmp_path))
    return Cupy()


@pytest.fixture
def runtime(cupy: Cupy) -> CupyRuntime:
    return CupyRuntime(cupy, 0)


def test_device(runtime: CupyRuntime) -> None:
    device = runtime.device
    assert (device.name, device.capability, device.multiprocessors) == ("NVIDIA H100", (9, 0), 132)
    assert (device.shared_per_block, device.shared_per_multiprocessor) == (227 * KIB, 228 * KIB)
    assert (device.l2_bytes, device.clock_hz) == (50 << 20, 1.98e9)
    assert runtime.versions() == "14.0.0, CUDA 13.0; the driver is for CUDA 13.1"


def test_a_kernel_is_compiled_and_loaded_once(cupy: Cupy, runtime: CupyRuntime) -> None:
    first = runtime.kernel("quantize.cu", "quantise", {"FLOAT": "float"})
    assert runtime.kernel("quantize.cu", "quantise", {"FLOAT": "float"}) is first
    runtime.kernel("quantize.cu", "extremes", {"FLOAT": "float"})
    assert (cupy.compiled, len(cupy.paths)) == (1, 1)
    assert "#include" not in Path(cupy.paths[0]).read_text(encoding="utf-8")
    runtime.kernel("quantize.cu", "quantise", {"FLOAT": "double"})
    assert (cupy.compiled, len(cupy.paths)) == (2, 2)


def test_a_file_that_does_not_load_is_made_again_once(
    cupy: Cupy, runtime: CupyRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime.kernel("quantize.cu", "parameters")
    Path(cupy.paths[0]).write_bytes(b"damaged")
    again = CupyRuntime(cupy, 0)  # as in another process
    again.kernel("quantize.cu", "parameters")
    assert cupy.compiled == 2
    assert cupy.paths == [cupy.paths[0]] * 3
    CupyRuntime(cupy, 0).kernel("quantize.cu", "parameters")
    assert cupy.compiled == 2  # what was made again is kept
    Path(cupy.paths[0]).write_bytes(b"damaged")
    monkeypatch.setattr(cupy.cuda.compiler, "compile_using_nvrtc", lambda *_, **__: (b"damaged too", None))
    with pytest.raises(RefusedError, match="INVALID_IMAGE"):
        CupyRuntime(cupy, 0).kernel("quantize.cu", "parameters")
    assert cupy.paths == [cupy.paths[0]] * 6


def test_shared_memory_is_opted_in_for(cupy: Cupy, runtime: CupyRuntime) -> None:
    kernel = runtime.kernel("gather_lookup.cu", "gather_lookup", {"ENTRY_BYTES": 2, "TABLE_SHARED": 1})
    one, threads, args = (1, 1, 1), (256, 1, 1), (np.int32(3),)
    for shared in (0, 40 * KIB, 200 * KIB, 60 * KIB):
        kernel(one, threads, args, shared=shared)
    assert cupy.function.max_dynamic_shared_size_bytes == 200 * KIB
    assert [launch[3] for launch in cupy.function.launches] == [0, 40 * KIB, 200 * KIB, 60 * KIB]
    assert cupy.function.launches[0] == (one, threads, args, 0)


def test_shared_memory_that_one_thread_asks_for_is_not_taken_away_by_another(
    cupy: Cupy, runtime: CupyRuntime
) -> None:
    kernel = runtime.kernel("gather_lookup.cu", "gather_lookup", {"ENTRY_BYTES": 2, "TABLE_SHARED": 1})
    one, threads, args = (1, 1, 1), (256, 1, 1), (np.int32(3),)
    with ThreadPoolExecutor(1) as pool:
        others: list[Any] = []

        def meanwhile() -> None:
            cupy.function.once_told = None
            others.append(pool.submit(kernel, one, threads, args, shared=40 * KIB))
            wait(others, timeout=0.2)

        cupy.function.once_told = meanwhile
        kernel(one, threads, args, shared=200 * KIB)
        others[0].result()
    assert {launch[3] for launch in cupy.function.launches} == {40 * KIB, 200 * KIB}


def test_a_carveout_is_asked_for_once(cupy: Cupy, runtime: CupyRuntime) -> None:
    kernel = runtime.kernel("quantize.cu", "parameters")
    one, threads, args = (1, 1, 1), (256, 1, 1), (np.int32(3),)
    kernel(one, threads, args)
    assert cupy.function.carveouts == []
    for _ in range(2):
        kernel(one, threads, args, carveout=100)
    assert cupy.function.carveouts == [100]


def test_constants_are_there_for_all_streams(cupy: Cupy, runtime: CupyRuntime) -> None:
    owner, made = Owner(), []

    def table() -> Any:
        made.append(1)
        return np.arange(6).reshape(2, 3).T

    first = runtime.constant(table, owner, "key")
    assert first.flags.c_contiguous
    assert cupy.stream.waits == 1
    assert runtime.constant(table, owner, "key") is first
    assert (len(made), cupy.stream.waits) == (1, 1)
    runtime.constant(np.arange(3), owner, "other")
    assert cupy.stream.waits == 2
    assert cupy.device_waits == 0


def test_a_dead_owners_constants_are_freed_after_all_streams(cupy: Cupy, runtime: CupyRuntime) -> None:
    owner, other = Owner(), Owner()
    first = weakref.ref(runtime.constant(np.arange(3), owner, "key"))
    del owner
    gc.collect()
    assert first() is not None
    runtime.constant(np.arange(3), other, "key")
    assert cupy.device_waits == 1
    gc.collect()
    assert first() is None


def test_a_capture_before_the_first_call_is_refused(cupy: Cupy, runtime: CupyRuntime) -> None:
    owner = Owner()
    there = runtime.constant(np.arange(3), owner, "there")
    kernel = runtime.kernel("quantize.cu", "parameters")
    cupy.stream.capturing = True
    assert runtime.capturing()
    assert runtime.constant(np.arange(3), owner, "there") is there
    assert runtime.kernel("quantize.cu", "parameters") is kernel
    with pytest.raises(RuntimeError, match=r"a table must be copied .* make the call once before"):
        runtime.constant(np.arange(3), owner, "new")
    with pytest.raises(RuntimeError, match=r"a kernel must be compiled .* make the call once before"):
        runtime.kernel("quantize.cu", "extremes", {"FLOAT": "double"})


def test_products_do_not_pass_through_cupy(
    cupy: Cupy, runtime: CupyRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It refuses every product while its stream is captured."""

    def refuse_captures(*_: Any) -> None:
        if cupy.stream.capturing:
            raise NotImplementedError("calling cuBLAS API during stream capture is currently unsupported")

    of_cupy = ModuleType("cupy_backends.cuda.libs.cublas")
    of_cupy.__file__ = "the module's file"
    of_cupy.gemmEx = of_cupy.setStream = refuse_captures  # type: ignore[attr-defined]
    libraries = ModuleType("cupy_backends.cuda.libs")
    libraries.cublas = of_cupy  # type: ignore[attr-defined]
    parents = {name: ModuleType(name) for name in ("cupy_backends", "cupy_backends.cuda")}
    for name, module in (parents | {libraries.__name__: libraries, of_cupy.__name__: of_cupy}).items():
        monkeypatch.setitem(sys.modules, name, module)
    cublas = EmulatedCublas(lambda: cupy.stream.capturing)
    monkeypatch.setattr(ctypes, "CDLL", {of_cupy.__file__: cublas}.__getitem__)
    arrays = EmulatedCupy(lambda: cupy.stream.capturing)
    for name in ("empty", "zeros"):
        monkeypatch.setattr(cupy, name, getattr(arrays, name), raising=False)

    left, right = (on_device(np.full((32, 16), value, np.int8)) for value in (2, 3))
    out, sums = on_device(np.empty((32, 32), np.int32)), np.full((32, 32), 2 * 3 * 16)
    cupy.stream.capturing = True
    with pytest.raises(RuntimeError, match=r"cuBLAS must be set up .* make the call once before"):
        runtime.int8_products(left, right, out)
    cupy.stream.capturing = False
    runtime.int8_products(left, right, out)
    assert np.array_equal(out.view(np.ndarray), sums)
    out[...] = 77
    cupy.stream.capturing, cupy.stream.ptr = True, 4242
    runtime.int8_products(left, right, out)
    assert np.array_equal(out.view(np.ndarray), sums)
    assert cublas.streams == [0, 4242]
