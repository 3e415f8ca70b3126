"""What the GPU engines know of a GPU: arrays, kernels, exact matrix products, and nothing else.

Whatever a runtime does goes to CuPy's current stream, and
nothing waits for the GPU, so that a call made once before can be captured into a CUDA graph.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from numpy.typing import NDArray

NO_DEFINES: Mapping[str, int | str] = MappingProxyType({})

Host = NDArray[Any] | Callable[[], NDArray[Any]]


@dataclass(frozen=True)
class Device:
    """What kernels are chosen by; sizes in bytes.

    Attributes:
        name: as the driver says it.
        capability: the compute capability, (9, 0) for an H100.
        multiprocessors: how many there are.
        shared_per_block: the most shared memory that a block may have, by opting in.
        shared_per_multiprocessor: shared memory of all blocks that are on a multiprocessor together, each of
            which takes 1 KiB more than it asks for from capability 8.0 on.
        l2_bytes: size of the second-level cache.
        clock_hz: the highest clock rate of the multiprocessors.
    """

    name: str
    capability: tuple[int, int]
    multiprocessors: int
    shared_per_block: int
    shared_per_multiprocessor: int
    l2_bytes: int
    clock_hz: float


class Kernel(Protocol):
    """A kernel that can be launched on the current stream."""

    def __call__(
        self,
        grid: tuple[int, int, int],
        block: tuple[int, int, int],
        args: tuple[Any, ...],
        *,
        shared: int = 0,
        carveout: int | None = None,
    ) -> None:
        """Launch: ``args`` are device arrays, or NumPy scalars of the parameters' very types.

        Args:
            grid: blocks along x, y, z.
            block: threads along x, y, z.
            args: what the kernel is called with.
            shared: bytes of dynamic shared memory.
            carveout: percent of the memory that shared memory and the first-level cache have in common, for
                shared memory: 100 where more blocks on a multiprocessor are worth more than the cache. The
                driver's choice unless given; the same in all launches of a kernel.
        """


class Runtime(Protocol):
    """A GPU, or what tests put in its place."""

    @property
    def xp(self) -> Any:
        """The module of array functions: cupy."""

    @property
    def device(self) -> Device:
        """The GPU that arrays and kernels are on."""

    def kernel(self, source: str | Path, name: str, defines: Mapping[str, int | str] = NO_DEFINES) -> Kernel:
        """The kernel ``name`` of a file in ``sources``, compiled with ``defines``; made once and kept."""

    def capturing(self) -> bool:
        """Whether the current stream records a CUDA graph instead of running what it is given."""

    def int8_products(self, left: Any, right: Any, out: Any) -> None:
        """``out[...] = left @ right.T`` exactly: int8 (M, K) and (N, K), int32 (M, N); K a multiple of 16."""

    def half_products(self, left: Any, right: Any, out: Any) -> None:
        """``out[...] = left @ right.T``: float16 (M, K) and (N, K); sums and ``out`` (M, N) are float32."""

    def half_is_exact(self) -> bool:
        """Whether ``half_products`` are exact where no sum of magnitudes exceeds 2**24; found out once.

        Tensor cores align products before they add them, and may drop bits: how many they keep, NVIDIA does
        not say.
        """

    def constant(self, host: Host, owner: object, key: Hashable = None) -> Any:
        """A device copy of a read-only array, or of what a function returns; made once for owner and key.

        It is kept while ``owner`` lives, to which weak references must be possible, and for good if a call
        that was captured into a CUDA graph saw it.
        """
