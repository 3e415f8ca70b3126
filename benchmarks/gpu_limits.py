"""What bounds each kernel on this GPU: rates measured in the same run, or the driver's figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from axsim.engines.forms.folded import FoldedTable
from axsim.engines.gpu.floats.rules import NEAREST, is_wide, kind
from axsim.engines.gpu.gather.tables import entries
from axsim.multipliers import FloatMultiplier
from axsim.multipliers.significand import Segmented
from benchmarks.gpu_clock import LIMITS, Call, Gpu, measure

BANK_BYTES = 128  # of shared memory in a cycle of a multiprocessor
_THREADS = 256


@dataclass(frozen=True)
class Limit:
    """A rate that products cannot exceed.

    Attributes:
        name: of what is used up.
        products_per_second: the rate.
        arithmetic: how it comes about.
    """

    name: str
    products_per_second: float
    arithmetic: str


@dataclass(frozen=True)
class Rates:
    """Measured: exact multiply-adds of int8 and of float16, fused multiply-adds of float64, bytes from shared
    memory and of copies (read and written), each a second; None where that failed."""

    int8: float | None
    float16: float | None
    float64: float | None
    shared_bytes: float | None
    copy_bytes: float | None


def rates(gpu: Gpu, plain: int, steps: int, copied: int, blocks: int) -> tuple[Rates, dict[str, str]]:
    """Measure them; beside them, by name, why some could not be measured.

    Args:
        gpu: where.
        plain: rows, columns and depth of the exact products.
        steps: of the kernels in ``gpu_limits.cu``.
        copied: bytes of a copy.
        blocks: of those kernels, for each multiprocessor.
    """
    xp, runtime, n = gpu.xp, gpu.runtime, plain
    random = np.random.default_rng(0)
    left, right = (xp.asarray(random.integers(-128, 128, (n, n), np.int8)) for _ in range(2))
    sums = xp.empty((n, n), np.int32)
    halves = left.astype(np.float16), right.astype(np.float16), xp.empty((n, n), np.float32)
    grid = blocks * runtime.device.multiprocessors
    threads = grid * _THREADS
    doubles, vectors = xp.empty(threads), xp.empty((threads, 4), np.uint32)
    source, target = xp.zeros(copied, np.uint8), xp.empty(copied, np.uint8)

    def launch(kernel: str, out: Any) -> None:
        runtime.kernel(LIMITS, kernel)((grid, 1, 1), (_THREADS, 1, 1), (out, np.int32(steps)))

    def copy() -> None:
        target[...] = source

    work: dict[str, tuple[Call, int]] = {
        "int8": (lambda i: runtime.int8_products(left, right, sums), n**3),
        "float16": (lambda i: runtime.half_products(*halves), n**3),
        "float64": (lambda i: launch("double_rate", doubles), threads * 8 * steps),
        "shared_bytes": (lambda i: launch("shared_rate", vectors), threads * 8 * steps * 16),
        "copy_bytes": (lambda i: copy(), 2 * copied),
    }
    failed: dict[str, str] = {}
    for name, (call, _) in work.items():
        try:
            call(0)
            xp.asnumpy(sums[:1])  # what fails on the GPU is told now
        except Exception as problem:  # one library that fails costs no other figure
            failed[name] = f"{type(problem).__name__}: {problem}"
    times = measure(gpu, {n: call for n, (call, _) in work.items() if n not in failed}, rounds=9, seconds=3)
    found = {
        name: None if name in failed else count / times[name].median for name, (_, count) in work.items()
    }
    return Rates(**found), failed


def look_ups(gpu: Gpu, table: FoldedTable) -> Limit:
    """Entries of a table from the banks of shared memory."""
    return _banks(gpu, entries(table).entry_bytes, 1)


def exact_products(rates: Rates, compute_type: str, count: int) -> Limit | None:
    """``count`` exact products on tensor cores for one of the table's."""
    rate: float | None = getattr(rates, compute_type)
    if rate is None:
        return None
    return Limit(
        f"{compute_type} tensor cores",
        rate / count,
        f"{rate:.4g} multiply-adds/s of a plain {compute_type} product in this run / {count} for a product",
    )


def float_products(gpu: Gpu, rates: Rates, multiplier: FloatMultiplier) -> Limit | None:
    """float64 instructions of a masked form (``float_forms.cu``), or look-ups of segments."""
    significand = multiplier.significand
    if isinstance(significand, Segmented):
        return _banks(gpu, 8 if is_wide(significand) else 4, significand.segments)
    if rates.float64 is None:
        return None
    count = len(significand.terms) + (3 if kind(multiplier) == NEAREST else 1)  # type: ignore[attr-defined]
    return Limit(
        "float64 rate",
        rates.float64 / count,
        f"{rates.float64:.4g} float64 instructions/s measured in this run / {count} for a product",
    )


def _banks(gpu: Gpu, entry_bytes: int, look_ups: int) -> Limit:
    device = gpu.runtime.device
    rate = device.multiprocessors * device.clock_hz * BANK_BYTES
    return Limit(
        "shared-memory banks",
        rate / entry_bytes / look_ups,
        f"{device.multiprocessors} multiprocessors x {device.clock_hz / 1e9:.3f} GHz (the highest clock) x "
        f"{BANK_BYTES} B / {entry_bytes} B an entry / {look_ups} for a product",
    )
