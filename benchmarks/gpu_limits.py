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
from benchmarks.gpu_clock import LIMITS, Gpu, measure

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
    memory and of copies (read and written), each a second."""

    int8: float
    float16: float
    float64: float
    shared_bytes: float
    copy_bytes: float


def rates(gpu: Gpu, plain: int, steps: int, copied: int, blocks: int) -> Rates:
    """Measure them.

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

    work = {
        "int8": (lambda i: runtime.int8_products(left, right, sums), n**3),
        "float16": (lambda i: runtime.half_products(*halves), n**3),
        "float64": (lambda i: launch("double_rate", doubles), threads * 8 * steps),
        "shared_bytes": (lambda i: launch("shared_rate", vectors), threads * 8 * steps * 16),
        "copy_bytes": (lambda i: copy(), 2 * copied),
    }
    times = measure(gpu, {name: call for name, (call, _) in work.items()}, rounds=9, seconds=3)
    return Rates(**{name: count / times[name].median for name, (_, count) in work.items()})


def look_ups(gpu: Gpu, table: FoldedTable) -> Limit:
    """Entries of a table from the banks of shared memory."""
    return _banks(gpu, entries(table).entry_bytes, 1)


def exact_products(rates: Rates, compute_type: str, count: int) -> Limit:
    """``count`` exact products on tensor cores for one of the table's."""
    rate: float = getattr(rates, compute_type)
    return Limit(
        f"{compute_type} tensor cores",
        rate / count,
        f"{rate:.4g} multiply-adds/s of a plain {compute_type} product in this run / {count} for a product",
    )


def float_products(gpu: Gpu, rates: Rates, multiplier: FloatMultiplier) -> Limit:
    """float64 instructions of a masked form (``float_forms.cu``), or look-ups of segments."""
    significand = multiplier.significand
    if isinstance(significand, Segmented):
        return _banks(gpu, 8 if is_wide(significand) else 4, significand.segments)
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
