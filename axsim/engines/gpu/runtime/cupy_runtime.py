"""The runtime of a real GPU: CuPy's arrays and memory, NVRTC's compiler, cuBLAS's exact products.

This file alone names CuPy. Nothing here waits for the GPU, and after a first call with the same kernels,
constants and products nothing is compiled, copied from the host or set up, so that calls can be captured into
CUDA graphs, with CuPy's streams or with torch's.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

from axsim.engines.gpu.runtime.compiler import loaded
from axsim.engines.gpu.runtime.constants import Constants
from axsim.engines.gpu.runtime.interface import NO_DEFINES, Device, Host
from axsim.engines.gpu.runtime.products import Products, linked_cublas
from axsim.engines.gpu.runtime.sources import source_text
from axsim.errors import GpuUnavailableError

# Bytes that cuBLAS's documentation recommends for its workspace (cublasSetWorkspace).
_WORKSPACE, _WORKSPACE_FROM_HOPPER = 4 << 20, 32 << 20


def current_device_runtime() -> CupyRuntime:
    """The runtime of CuPy's current device.

    Raises:
        GpuUnavailableError: CuPy is not installed, cannot be imported, or finds no GPU that it can use.
    """
    cupy = import_cupy()
    try:
        index = cupy.cuda.runtime.getDevice()
        cupy.cuda.runtime.getDeviceCount()  # getDevice answers without a driver too
    except cupy.cuda.runtime.CUDARuntimeError as problem:
        raise GpuUnavailableError(f"CuPy {cupy.__version__} finds no usable GPU: {problem}") from problem
    return _of_device(int(index))


def import_cupy() -> Any:
    """The module cupy.

    Raises:
        GpuUnavailableError: it is not installed, or its import fails.
    """
    if find_spec("cupy") is None:
        raise GpuUnavailableError(
            "CuPy is not installed: pip install 'axsim[gpu]' (CUDA 12) or 'axsim[gpu13]' (CUDA 13)"
        )
    try:
        import cupy
    except ImportError as problem:
        raise GpuUnavailableError(f"CuPy is installed but cannot be imported: {problem}") from problem
    return cupy


@cache
def _of_device(index: int) -> CupyRuntime:
    return CupyRuntime(import_cupy(), index)


class CupyRuntime:
    """``axsim.engines.gpu.runtime.interface.Runtime`` of one GPU, through CuPy."""

    def __init__(self, cupy: Any, index: int) -> None:
        self.xp = cupy
        self.device = _describe(cupy.cuda.runtime, index)
        self._kernels: dict[Hashable, CupyKernel] = {}
        self._modules: dict[Hashable, Any] = {}
        self._products = Products(
            cupy,
            linked_cublas,
            lambda: int(cupy.cuda.get_current_stream().ptr),
            lambda: self._refuse_while_capturing("cuBLAS must be set up"),
            _WORKSPACE_FROM_HOPPER if self.device.capability >= (9, 0) else _WORKSPACE,
        )
        self._constants = Constants(self._place, self.capturing, lambda: cupy.cuda.Device().synchronize())

    def versions(self) -> str:
        """Of CuPy, of the CUDA libraries that it uses, and the newest CUDA that the driver knows."""
        calls = self.xp.cuda.runtime
        used, known = (
            f"{version // 1000}.{version % 1000 // 10}"
            for version in (calls.runtimeGetVersion(), calls.driverGetVersion())
        )
        return f"{self.xp.__version__}, CUDA {used}; the driver is for CUDA {known}"

    def kernel(
        self, source: str | Path, name: str, defines: Mapping[str, int | str] = NO_DEFINES
    ) -> CupyKernel:
        variant = source, tuple(sorted(defines.items()))
        key = *variant, name
        if key not in self._kernels:
            if variant not in self._modules:
                self._refuse_while_capturing("a kernel must be compiled")
                macros = tuple(f"-D{macro}={value}" for macro, value in variant[1])

                def load(path: Path) -> Any:
                    module = self.xp.RawModule(path=str(path))
                    module.get_function(name)  # until then the driver has seen nothing of the file
                    return module

                self._modules[variant] = loaded(
                    self.xp, source_text(source), macros, self.device.capability, load
                )
            self._kernels[key] = CupyKernel(self._modules[variant].get_function(name))
        return self._kernels[key]

    def capturing(self) -> bool:
        return bool(self.xp.cuda.get_current_stream().is_capturing())

    def int8_products(self, left: Any, right: Any, out: Any) -> None:
        self._products.int8(left, right, out)

    def half_products(self, left: Any, right: Any, out: Any) -> None:
        self._products.half(left, right, out)

    def half_is_exact(self) -> bool:
        return self._products.half_is_exact()

    def constant(self, host: Host, owner: object, key: Hashable = None) -> Any:
        return self._constants.get(host, owner, key)

    def _place(self, host: Host) -> Any:
        self._refuse_while_capturing("a table must be copied to the GPU")
        array = self.xp.asarray(host() if callable(host) else host, order="C")
        # Other streams will read it too.
        self.xp.cuda.get_current_stream().synchronize()
        return array

    def _refuse_while_capturing(self, what: str) -> None:
        if self.capturing():
            raise RuntimeError(
                f"{what} for this call, which cannot be done while a CUDA graph is captured; make the call "
                "once before, with the same shapes and types"
            )


class CupyKernel:
    """``axsim.engines.gpu.runtime.interface.Kernel`` through CuPy."""

    def __init__(self, function: Any) -> None:
        self._function = function
        self._opted_in = 0
        self._carveout: int | None = None
        # What another thread asks for between a question and its answer would be undone.
        self._asking = Lock()

    def __call__(
        self,
        grid: tuple[int, int, int],
        block: tuple[int, int, int],
        args: tuple[Any, ...],
        *,
        shared: int = 0,
        carveout: int | None = None,
    ) -> None:
        if carveout != self._carveout or shared > self._opted_in:
            self._ask(shared, carveout)
        self._function(grid, block, args, shared_mem=shared)

    def _ask(self, shared: int, carveout: int | None) -> None:
        with self._asking:
            if carveout != self._carveout:
                self._function.preferred_shared_memory_carveout = carveout
                self._carveout = carveout
            if shared > self._opted_in:  # beyond 48 KiB, static and dynamic, the driver wants to be told
                self._function.max_dynamic_shared_size_bytes = shared
                self._opted_in = shared


def _describe(runtime: Any, index: int) -> Device:
    def attribute(name: str) -> int:
        return int(runtime.deviceGetAttribute(getattr(runtime, f"cudaDevAttr{name}"), index))

    properties = runtime.getDeviceProperties(index)
    return Device(
        name=properties["name"].decode(),
        capability=(properties["major"], properties["minor"]),
        multiprocessors=attribute("MultiProcessorCount"),
        shared_per_block=attribute("MaxSharedMemoryPerBlockOptin"),
        shared_per_multiprocessor=attribute("MaxSharedMemoryPerMultiprocessor"),
        l2_bytes=attribute("L2CacheSize"),
        clock_hz=1e3 * attribute("ClockRate"),
    )
