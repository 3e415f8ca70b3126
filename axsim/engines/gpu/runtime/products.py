"""Exact products of matrices on tensor cores, by cuBLAS.

cuBLAS is called without CuPy in between, which refuses all of it while a stream is captured into a CUDA
graph (cuBLAS does not). It has a handle of our own, one for each GPU. Its workspace, where parts of sums that
it has split are added up, comes from the caller's allocator for each product, like all other memory: so it
belongs to one stream, or to one captured call, and to nobody else at the same time. One workspace kept for
each stream would not do: graphs that were captured on one stream, as torch captures all of them, may be
replayed at the same time, and would add up their sums in the same place.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from ctypes import byref, c_int, c_size_t, c_void_p
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.errors import GpuUnavailableError

# cuBLAS's numbers (cublas_api.h, library_types.h).
_TRANSPOSED, _AS_IT_IS = 1, 0
_INT8, _INT32, _FLOAT16, _FLOAT32 = 3, 10, 2, 0
_COMPUTE_INT32, _COMPUTE_FLOAT32 = 72, 68
_DEFAULT_ALGORITHM = -1
_MOST = 2**31 - 1

Integers = NDArray[np.int64]


def linked_cublas() -> ctypes.CDLL:
    """The library that CuPy is linked with, which CuPy finds wherever it was installed.

    Raises:
        GpuUnavailableError: CuPy does not find it.
    """
    try:
        from cupy_backends.cuda.libs import cublas

        # A symbol is looked for in CuPy's module, and then in what that is linked with.
        return ctypes.CDLL(cublas.__file__)
    except (ImportError, OSError) as problem:
        raise GpuUnavailableError(
            f"cuBLAS, which makes the products of engine 'factored', cannot be loaded: {problem}; it comes "
            "with pip install 'axsim[gpu]' (CUDA 12) or 'axsim[gpu13]' (CUDA 13)"
        ) from problem


class Products:
    """Products of matrices on one GPU.

    Args:
        xp: the module of array functions.
        load: gives the library.
        stream: the current stream's pointer.
        set_up: called before the library is set up, which cannot be done in a capture; raises then.
        workspace: bytes for cuBLAS to work in.
    """

    def __init__(
        self,
        xp: Any,
        load: Callable[[], Any],
        stream: Callable[[], int],
        set_up: Callable[[], None],
        workspace: int,
    ) -> None:
        self.xp, self._load, self._stream, self._set_up = xp, load, stream, set_up
        self._workspace = workspace
        self._library: Any = None
        self._handle = c_void_p()
        self._half_is_exact: bool | None = None
        # A handle's stream and workspace hold until they are set again.
        self._lock = Lock()

    def int8(self, left: Any, right: Any, out: Any) -> None:
        """As ``Runtime.int8_products``."""
        _check((left, "int8"), (right, "int8"), (out, "int32"))
        (m, n), k = out.shape, left.shape[1]
        if k % 16:
            raise ValueError(f"K is {k}, expected a multiple of 16: the tensor cores' granule")
        # cuBLAS's int8 kernels want N in fours, and not every version has one for 16 rows or fewer.
        many, wide = m if m > 16 else 32, n if n % 4 == 0 else -(-n // 16) * 16
        if (many, wide) == (m, n):
            self._product(left, right, out, _INT8, _INT32, _COMPUTE_INT32)
            return
        roomy = self.xp.empty((many, wide), out.dtype)
        padded = self._padded(left, many), self._padded(right, wide)
        self._product(*padded, roomy, _INT8, _INT32, _COMPUTE_INT32)
        out[...] = roomy[:m, :n]

    def half(self, left: Any, right: Any, out: Any) -> None:
        """As ``Runtime.half_products``."""
        _check((left, "float16"), (right, "float16"), (out, "float32"))
        self._product(left, right, out, _FLOAT16, _FLOAT32, _COMPUTE_FLOAT32)

    def half_is_exact(self) -> bool:
        """As ``Runtime.half_is_exact``."""
        if self._half_is_exact is None:
            self._set_up()
            self._half_is_exact = all(self._half_is_right(*sides) for sides in adversaries())
        return self._half_is_exact

    def _half_is_right(self, left: Integers, right: Integers) -> bool:
        out = self.xp.empty((len(left), len(right)), np.float32)
        a, b = (self.xp.asarray(side.astype(np.float16)) for side in (left, right))
        self.half(a, b, out)
        return np.array_equal(self.xp.asnumpy(out), left @ right.T)

    def _product(
        self, left: Any, right: Any, out: Any, operand_type: int, out_type: int, compute_type: int
    ) -> None:
        """``out = left @ right.T``.

        cuBLAS counts by columns: there the three are right (K, N), left (K, M) and out (N, M), and
        ``out = right.T @ left``. With the first operand transposed and the second not, int8 operands reach
        the tensor cores. The sums have the type of ``out``, so that none is rounded to less on its way.
        """
        (m, n), k = out.shape, left.shape[1]
        if not k:
            out.fill(0)
        if not (m and n and k):
            return
        if max(m, n, k) > _MOST:
            raise ValueError(
                f"the product is of {(m, k)} by {(k, n)}, but cuBLAS counts to {_MOST}; split it"
            )
        first, second = self._aligned(right), self._aligned(left)
        workspace = self.xp.empty(self._workspace, np.uint8)
        scales = np.array([1, 0], out.dtype)
        one, zero = c_void_p(scales.ctypes.data), c_void_p(scales.ctypes.data + scales.itemsize)
        a, b, c = (c_void_p(array.data.ptr) for array in (first, second, out))
        operands = one, a, c_int(operand_type), c_int(k), b, c_int(operand_type), c_int(k)
        with self._lock:
            library = self._ready()
            self._succeeds(library.cublasSetStream_v2(self._handle, c_void_p(self._stream())))
            # After the stream, which takes the workspace away.
            self._succeeds(
                library.cublasSetWorkspace_v2(
                    self._handle, c_void_p(workspace.data.ptr), c_size_t(self._workspace)
                )
            )
            self._succeeds(
                library.cublasGemmEx(
                    *(self._handle, c_int(_TRANSPOSED), c_int(_AS_IT_IS), c_int(n), c_int(m), c_int(k)),
                    *(*operands, zero, c, c_int(out_type), c_int(n)),
                    *(c_int(compute_type), c_int(_DEFAULT_ALGORITHM)),
                )
            )

    def _ready(self) -> Any:
        """The library, with a handle."""
        if self._library is None:
            self._set_up()
            library = self._load()
            self._succeeds(library.cublasCreate_v2(byref(self._handle)), "cannot be set up")
            self._library = library
        return self._library

    def _succeeds(self, status: int, what: str = "refuses a product of matrices") -> None:
        if status:
            raise RuntimeError(f"cuBLAS {what}: status {status} (cublasStatus_t in cublas_api.h)")

    def _aligned(self, array: Any) -> Any:
        """The array, or a copy where it does not begin at a multiple of 16 bytes, as tensor cores want."""
        if array.data.ptr % 16 == 0:
            return array
        return array.copy()

    def _padded(self, array: Any, rows: int) -> Any:
        """The array, or a copy with rows of zeros added."""
        if len(array) == rows:
            return array
        copy = self.xp.zeros((rows, *array.shape[1:]), array.dtype)
        copy[: len(array)] = array
        return copy


def adversaries() -> Iterator[tuple[Integers, Integers]]:
    """Operands (M, K) and (N, K) whose products' magnitudes add up to 2**24 or little less, units among them.

    A sum that has dropped its last bit anywhere on its way is wrong then. The large products stand first,
    last and scattered, so that the units are added to a sum that is near the limit already, or meet large
    products within one instruction.
    """
    random = np.random.default_rng(0)
    for depth, large, count in ((64, 2047, 4), (4096, 2047, 4), (8192, 63, 4096), (512, 255, 256)):
        partner = {2047: 2047, 63: 65, 255: 257}[large]
        units = min(depth - count, 2**24 - count * large * partner) - 1  # an odd number of odd products
        sizes = np.zeros((2, depth), np.int64)
        sizes[:, :count] = [[large], [partner]]
        sizes[:, count : count + units] = 1
        for order in (np.arange(depth), np.arange(depth)[::-1], random.permutation(depth)):
            left, right = (random.choice([-1, 1], (48, depth)) for _ in range(2))
            left[:8] = right[:8] = 1  # with all of one sign the sum itself comes near the limit
            left[8:16] = -1
            yield left * sizes[0, order], right * sizes[1, order]


def _check(left: tuple[Any, str], right: tuple[Any, str], out: tuple[Any, str]) -> None:
    """TypeError or ValueError unless the arrays are fit for ``out = left @ right.T``."""
    for name, (array, dtype) in (("left", left), ("right", right), ("out", out)):
        if array.dtype != dtype or not array.flags.c_contiguous:
            raise TypeError(f"{name} is {array.dtype}, expected {dtype} in C order")
    (m, k), (n, right_k) = left[0].shape, right[0].shape
    if right_k != k or out[0].shape != (m, n):
        shapes = f"{left[0].shape}, {right[0].shape} and {out[0].shape}"
        raise ValueError(f"shapes are {shapes}, expected (M, K), (N, K) and (M, N)")
