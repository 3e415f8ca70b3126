"""The compiled module: whether it is there, and which of its kernels this processor runs."""

from __future__ import annotations

import platform
from importlib.util import find_spec
from pathlib import Path

NATIVE_IS_BUILT = find_spec("axsim._native") is not None


def native_isa() -> str:
    """The instruction set that the compiled kernels use to look up; "none" if they were not built.

    It is the best that the processor runs, or the one that AXSIM_ISA names.

    Raises:
        ValueError: AXSIM_ISA names none that this processor runs.
    """
    if not NATIVE_IS_BUILT:
        return "none"
    from axsim import _native

    return _native.isa()


def product_isa() -> str:
    """The same for the exact products of tables that have factors."""
    if not NATIVE_IS_BUILT:
        return "none"
    from axsim import _native

    return _native.gemm_isa()


def runnable_isas() -> list[str]:
    """The instruction sets that kernels and processor have, best first; none without kernels."""
    if not NATIVE_IS_BUILT:
        return []
    from axsim import _native

    return _native.runnable_isas()


def byte_sums() -> int:
    """The largest magnitude that the product kernels' sums of bytes may reach; 0 if they have none."""
    if not NATIVE_IS_BUILT:
        return 0
    from axsim import _native

    return _native.byte_sums()


def cpu_name() -> str:
    """The processor's name, as the operating system has it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        with info.open(encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
