"""Which arrays on a GPU operations take, and how: CuPy arrays, and torch tensors on a CUDA device.

Both become CuPy arrays that share their memory, and work goes to the caller's stream: CuPy's or torch's
current one. Results, and whatever memory a call needs meanwhile, come from the caller's allocator, so that
CUDA graphs find all of it where they expect it: with torch tensors that is torch's caching allocator, which
has a pool for each graph; with CuPy arrays it is CuPy's current one, and a call that is captured has a pool
to itself, which is kept, since CuPy's knows nothing of graphs: within the call memory is used again, and
after it by nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any, Protocol

import array_api_compat
import numpy as np

from axsim.arrays import Wrap, check_tensor, is_bfloat16, readable, type_name, widened
from axsim.engines.gpu.runtime.current import current


class Library(Protocol):
    """A library whose arrays may lie on a GPU."""

    def owns(self, array: object) -> bool:
        """Whether the array is one of its own, and on a GPU."""

    def device(self, array: Any) -> int:
        """The GPU's number."""

    def context(self, device: int) -> AbstractContextManager[Any]:
        """Within it CuPy works on that GPU, on this library's current stream and with its memory."""

    def borrowed(self, name: str, array: Any) -> Any:
        """The array as a CuPy array; within ``context``. TypeError, with the name, if that cannot be."""

    def returned(self, array: Any) -> Any:
        """A CuPy array that was made within ``context`` as one of this library."""


class CuPy:
    """CuPy arrays."""

    def owns(self, array: object) -> bool:
        return bool(array_api_compat.is_cupy_array(array))

    def device(self, array: Any) -> int:
        return int(array.device.id)

    @contextmanager
    def context(self, device: int) -> Iterator[None]:
        import cupy

        with cupy.cuda.Device(device):
            if not current().capturing():
                yield
                return
            allocate = cupy.cuda.get_allocator()

            def allocate_and_keep(size: int) -> Any:
                memory = allocate(size)
                _kept.append(memory)  # where memory is short, a pool gives away what it has free
                return memory

            pool = cupy.cuda.MemoryPool(allocate_and_keep)
            _kept.append(pool)
            with cupy.cuda.using_allocator(pool.malloc):
                yield

    def borrowed(self, name: str, array: Any) -> Any:
        return widened(array) if array.dtype.name == "bfloat16" else array

    def returned(self, array: Any) -> Any:
        return array


class Torch:
    """torch tensors on CUDA devices."""

    def owns(self, array: object) -> bool:
        return bool(array_api_compat.is_torch_array(array)) and array.device.type == "cuda"  # type: ignore[attr-defined]

    def device(self, array: Any) -> int:
        return int(array.device.index)

    @contextmanager
    def context(self, device: int) -> Iterator[None]:
        import cupy
        import torch

        stream = torch.cuda.current_stream(device)
        with (
            torch.cuda.device(device),
            cupy.cuda.Device(device),
            _cupy_stream(stream.cuda_stream),
            cupy.cuda.using_allocator(_torch_memory()),
        ):
            yield

    def borrowed(self, name: str, array: Any) -> Any:
        import cupy

        check_tensor(name, array)
        # Through __cuda_array_interface__, which never copies. DLPack would have torch compare CuPy's stream
        # with its own, which it takes for another one, and record an event for every operand.
        borrowed = cupy.asarray(readable(array))
        return widened(borrowed) if is_bfloat16(array) else borrowed

    def returned(self, array: Any) -> Any:
        import cupy
        import torch

        dtype = getattr(torch, array.dtype.name)
        if not array.size:  # there is no memory to share
            return torch.empty(array.shape, dtype=dtype, device=torch.cuda.current_device())
        if not hasattr(array.data.mem, "tensor"):  # an operand's memory
            array = cupy.array(array)
        memory, size = array.data.mem, array.itemsize
        whole = memory.tensor[: memory.size // size * size].view(dtype)
        strides = [step // size for step in array.strides]
        return whole.as_strided(array.shape, strides, (array.data.ptr - memory.ptr) // size)


LIBRARIES: tuple[Library, ...] = (CuPy(), Torch())

# A replayed graph writes to the addresses that its capture saw, and which graphs live cannot be seen here.
_kept: list[Any] = []


def accept(**arrays: Any) -> tuple[list[Any], Wrap, AbstractContextManager[Any]] | None:
    """As ``axsim.arrays.accept``, if an argument is on a GPU; None if none is.

    Raises:
        TypeError: not all arguments are of one library and on one GPU, or a tensor requires gradients or is
            of a type that CuPy has not.
    """
    owners = {name: _owner(array) for name, array in arrays.items()}
    first, library = next(((n, owner) for n, owner in owners.items() if owner is not None), ("", None))
    if library is None:
        return None
    device = library.device(arrays[first])
    for name, array in arrays.items():
        if owners[name] is not library or library.device(array) != device:
            raise TypeError(
                f"{first} is a {type_name(arrays[first])} on GPU {device}, but {name} is a "
                f"{type_name(array)} {_place(owners[name], array)}; all operands must be of one kind and on "
                f"one device: move {name} there, as {_hint(library, first, name)} does"
            )
    context = library.context(device)
    with library.context(device):
        borrowed = [library.borrowed(name, array) for name, array in arrays.items()]
    return borrowed, library.returned, context


def to_host(array: Any) -> np.ndarray[Any, Any]:
    """A copy in main memory; waits for the GPU."""
    host: np.ndarray[Any, Any] = current().xp.asnumpy(array)
    return host


def _owner(array: object) -> Library | None:
    return next((library for library in LIBRARIES if library.owns(array)), None)


def _place(owner: Library | None, array: Any) -> str:
    return "in main memory" if owner is None else f"on GPU {owner.device(array)}"


def _hint(library: Library, first: str, name: str) -> str:
    if isinstance(library, Torch):
        return f"torch.as_tensor({name}, device={first}.device)"
    return f"cupy.asarray({name}) under {first}.device"


def _cupy_stream(pointer: int) -> Any:
    """A stream that CuPy did not make, as one of CuPy's."""
    import cupy

    if pointer == 0:
        return cupy.cuda.Stream.null
    return cupy.cuda.Stream.from_external(_Stream(pointer))


class _Stream:
    """The CUDA stream protocol for a pointer."""

    def __init__(self, pointer: int) -> None:
        self._pointer = pointer

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self._pointer


@cache
def _torch_memory() -> Callable[[int], Any]:
    """Memory of torch's, as CuPy's allocators give it: each piece is a tensor that CuPy looks into.

    A result so becomes a tensor of torch's own again (``Torch.returned``), which keeps what torch promises of
    such: ``record_stream``, above all, which torch ignores for memory that it lent to others.
    """
    import cupy
    import torch

    class Memory(cupy.cuda.UnownedMemory):  # type: ignore[misc]
        def __init__(self, size: int) -> None:
            device = torch.cuda.current_device()
            self.tensor = torch.empty(size, dtype=torch.uint8, device=device)
            super().__init__(self.tensor.data_ptr(), size, self.tensor, device)

    return lambda size: cupy.cuda.MemoryPointer(Memory(size), 0)
