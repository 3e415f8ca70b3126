"""cuBLAS on the CPU, as much as axsim calls: products by columns, of memory at addresses."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

NOT_INITIALIZED, INVALID_VALUE, EXECUTION_FAILED, NOT_SUPPORTED = 1, 7, 13, 15
_HANDLE = 0xB1A5
_TYPES = {3: np.int8, 10: np.int32, 2: np.float16, 0: np.float32}
_COMBINATIONS = {(3, 3, 10, 72), (2, 2, 0, 68)}


class EmulatedCublas:
    """The library, loaded by ctypes; arguments are ctypes values.

    A capture finds what cuBLAS would do wrong then: be set up (memory is allocated), or work in memory that
    other products work in at the same time, which is what it has after its stream is set.

    Args:
        capturing: whether the current stream is captured.
    """

    def __init__(self, capturing: Callable[[], bool]) -> None:
        self._capturing = capturing
        self._workspace: tuple[int, int] | None = None
        self.calls: list[str] = []
        self.streams: list[int] = []

    def cublasCreate_v2(self, handle: Any) -> int:  # noqa: N802, cuBLAS's names
        self.calls.append("create")
        if self._capturing():
            return EXECUTION_FAILED
        handle._obj.value = _HANDLE
        return 0

    def cublasSetStream_v2(self, handle: Any, stream: Any) -> int:  # noqa: N802
        self.calls.append("stream")
        self._workspace = None
        self.streams.append(stream.value or 0)
        return 0 if handle.value == _HANDLE else NOT_INITIALIZED

    def cublasSetWorkspace_v2(self, handle: Any, memory: Any, size: Any) -> int:  # noqa: N802
        self.calls.append("workspace")
        self._workspace = memory.value, size.value
        return 0 if handle.value == _HANDLE else NOT_INITIALIZED

    def cublasGemmEx(  # noqa: N802
        self, handle: Any, op_a: Any, op_b: Any, m: Any, n: Any, k: Any, alpha: Any,
        a: Any, a_type: Any, lda: Any, b: Any, b_type: Any, ldb: Any, beta: Any,
        c: Any, c_type: Any, ldc: Any, compute: Any, algorithm: Any,
    ) -> int:  # fmt: skip
        self.calls.append("product")
        if handle.value != _HANDLE:
            return NOT_INITIALIZED
        if self._workspace is None or not self._workspace[0]:
            return EXECUTION_FAILED
        m, n, k, lda, ldb, ldc = (x.value for x in (m, n, k, lda, ldb, ldc))
        types = a_type.value, b_type.value, c_type.value, compute.value
        if (op_a.value, op_b.value) != (1, 0) or types not in _COMBINATIONS or algorithm.value != -1:
            return NOT_SUPPORTED
        if lda < k or ldb < k or ldc < m or min(m, n, k) < 1:
            return INVALID_VALUE
        if types[0] == 3 and (n <= 16 or any(x % 4 for x in (lda, ldb, ldc, a.value, b.value, c.value))):
            return NOT_SUPPORTED
        sums = _TYPES[types[2]]
        left, right, out = (
            _columns(at.value, _TYPES[kind.value], rows, count)
            for at, kind, rows, count in ((a, a_type, lda, m), (b, b_type, ldb, n), (c, c_type, ldc, n))
        )
        one, zero = (_columns(at.value, sums, 1, 1)[0, 0] for at in (alpha, beta))
        if (one, zero) != (1, 0):
            return NOT_SUPPORTED
        out[:m] = left[:k].T.astype(sums) @ right[:k].astype(sums)
        return 0


def _columns(address: int, dtype: Any, rows: int, count: int) -> np.ndarray:
    """A matrix by columns that stands at an address."""
    size = np.dtype(dtype).itemsize * rows * count
    memory = (ctypes.c_ubyte * size).from_address(address)
    return np.frombuffer(memory, dtype).reshape(count, rows).T
