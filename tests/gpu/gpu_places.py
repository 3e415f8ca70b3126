"""Where checks run, and with which arrays: a GPU with CuPy's arrays and torch's, or the emulated one."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from axsim.engines.gpu.runtime.interface import Runtime
from axsim.errors import GpuUnavailableError

POISON = 0xA9
DELAY = 20_000_000  # cycles
SPIN = Path(__file__).parents[2] / "benchmarks" / "gpu_limits.cu"
Host = np.ndarray[Any, Any]


class Kind(Protocol):
    """A library whose arrays lie on the GPU."""

    name: str
    reverses: bool  # whether strides may be negative

    def array(self, host: Host) -> Any:
        """A copy on the GPU, C-contiguous."""

    def host(self, array: Any) -> Host:
        """A copy in main memory."""

    def broadcast(self, array: Any, shape: tuple[int, ...]) -> Any:
        """The array's axes of length 1 made longer, by strides of 0."""

    def owns(self, array: object) -> bool:
        """Whether it is one of its own, on the GPU."""

    def poison(self, size: int) -> None:
        """Have the stream's next arrays, of up to ``size`` bytes together, begin with garbage."""

    def delay(self) -> None:
        """Keep the current stream busy for some milliseconds."""

    def other_stream(self) -> contextlib.AbstractContextManager[Any]:
        """Within it, work goes to another stream than usual; waits for it in the end."""

    def captured(self, call: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
        """The call, made once before, as a graph: what replays it and waits, and the result it writes."""


@dataclass(frozen=True)
class Place:
    """A GPU, or what stands in for it.

    Attributes:
        runtime: as engines know it.
        kinds: of arrays that operations take there.
        threads: how many threads may use it at the same time.
    """

    runtime: Runtime
    kinds: tuple[Kind, ...]
    threads: int


class CupyKind:
    """CuPy's arrays."""

    name, reverses = "cupy", True

    def __init__(self, runtime: Runtime) -> None:
        self.runtime, self.cupy = runtime, runtime.xp

    def array(self, host: Host) -> Any:
        return self.cupy.asarray(host, order="C")

    def host(self, array: Any) -> Host:
        return self.cupy.asnumpy(array)

    def broadcast(self, array: Any, shape: tuple[int, ...]) -> Any:
        return self.cupy.broadcast_to(array, shape)

    def owns(self, array: object) -> bool:
        return isinstance(array, self.cupy.ndarray)

    def poison(self, size: int) -> None:
        self.cupy.get_default_memory_pool().free_all_blocks()
        chunks = [self.cupy.empty(n, np.uint8) for n in (size, *(1 << 16,) * 16)]
        for chunk in chunks:
            chunk.fill(POISON)

    def delay(self) -> None:
        spin = self.runtime.kernel(SPIN, "spin")
        spin((1, 1, 1), (1, 1, 1), (self.cupy.empty(1, np.int64), np.int64(DELAY)))

    @contextmanager
    def other_stream(self) -> Iterator[None]:
        self.cupy.cuda.Device().synchronize()  # arrays that were made on another stream are complete
        with self.cupy.cuda.Stream(non_blocking=True) as stream:
            yield
            stream.synchronize()

    def captured(self, call: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
        stream = self.cupy.cuda.Stream(non_blocking=True)
        self.cupy.cuda.Device().synchronize()
        with stream:
            call()
            stream.synchronize()
            stream.begin_capture()
            try:
                result = call()
            except BaseException:
                with contextlib.suppress(RuntimeError):  # the capture is broken; what broke it is the news
                    stream.end_capture()
                raise
            graph = stream.end_capture()

        def replay() -> None:
            self.cupy.cuda.Device().synchronize()
            graph.launch(stream)
            stream.synchronize()

        return replay, result


class TorchKind:
    """torch's tensors on a CUDA device."""

    name, reverses = "torch", False

    def __init__(self, torch: Any) -> None:
        self.torch = torch

    def array(self, host: Host) -> Any:
        return self.torch.from_numpy(np.array(host, order="C")).cuda()

    def host(self, array: Any) -> Host:
        return array.cpu().numpy()

    def broadcast(self, array: Any, shape: tuple[int, ...]) -> Any:
        return array.expand(shape)

    def owns(self, array: object) -> bool:
        return isinstance(array, self.torch.Tensor) and array.is_cuda

    def poison(self, size: int) -> None:
        self.torch.cuda.synchronize()
        self.torch.cuda.empty_cache()
        sizes = (size, *(1 << 19,) * 16)  # torch has blocks of their own for what is below 1 MiB
        chunks = [self.torch.empty(n, dtype=self.torch.uint8, device="cuda") for n in sizes]
        for chunk in chunks:
            chunk.fill_(POISON)

    def delay(self) -> None:
        self.torch.cuda._sleep(DELAY)

    @contextmanager
    def other_stream(self) -> Iterator[None]:
        stream = self.torch.cuda.Stream()
        stream.wait_stream(self.torch.cuda.current_stream())
        with self.torch.cuda.stream(stream):
            yield
            stream.synchronize()

    def captured(self, call: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
        with self.other_stream():  # as torch wants calls before a capture to be made
            call()
        graph = self.torch.cuda.CUDAGraph()
        with self.torch.cuda.graph(graph):
            result = call()

        def replay() -> None:
            self.torch.cuda.synchronize()
            graph.replay()
            self.torch.cuda.synchronize()

        return replay, result


def gpu() -> Place:
    """The current GPU, with CuPy's arrays, and torch's where torch has CUDA.

    Raises:
        GpuUnavailableError: there is no GPU, or no CuPy that can use it.
    """
    from axsim.engines.gpu.runtime.cupy_runtime import current_device_runtime

    with warnings.catch_warnings():
        warnings.simplefilter("default")  # what libraries warn of when they are imported is no failure
        runtime = current_device_runtime()
        kinds: list[Kind] = [CupyKind(runtime)]
        with contextlib.suppress(ImportError):
            import torch

            if torch.cuda.is_available():
                kinds.append(TorchKind(torch))
    return Place(runtime, tuple(kinds), threads=4)


def gpu_or_none() -> Place | None:
    """``gpu()``, or None where that raises."""
    try:
        return gpu()
    except GpuUnavailableError:
        return None
