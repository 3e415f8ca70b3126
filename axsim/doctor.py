"""What ``axsim doctor`` reports: what axsim found on this machine, and why it runs as it does."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from axsim.engines import NATIVE_IS_BUILT
from axsim.engines.blas_threads import blas_libraries
from axsim.engines.costs import (
    cpu_name,
    current_costs,
    native_isa,
    package_version,
    runnable_isas,
    save_costs,
)
from axsim.errors import GpuUnavailableError
from axsim.tables.cache import ENVIRONMENT_VARIABLE, cache_directory
from axsim.threads import get_num_threads, set_num_threads

_PACKAGES = ("axsim", "numpy", "h5py", "torch", "python-flint")


def report() -> list[tuple[str, str]]:
    """What there is to say, as (subject, finding).

    Raises:
        ValueError: AXSIM_ISA or AXSIM_NUM_THREADS holds something that cannot be used.
    """
    return [
        ("processor", cpu_name()),
        ("kernels", _kernels()),
        ("exact GEMM", _product_kernels()),
        ("threads", _threads()),
        ("versions", ", ".join(f"{package} {package_version(package)}" for package in _PACKAGES)),
        ("BLAS of NumPy", _blas()),
        ("torch", "installed" if find_spec("torch") is not None else "not installed"),
        ("cache", _cache()),
        ("engine costs", current_costs().origin),
        *_gpu(),
    ]


def measure() -> list[str]:
    """Measure the engines' costs on one thread and on all, under two seconds each, and keep them.

    Imports torch if it is installed: its products are an engine's.

    Returns:
        What was done, in lines.

    Raises:
        OSError: the cache directory cannot be written.
    """
    from axsim.engines.calibrate import calibrate, is_busy, multipliers_to_time

    if find_spec("torch") is not None:
        import torch  # noqa: F401
    measured, lines = {}, []
    try:
        for threads in sorted({1, get_num_threads()}):
            set_num_threads(threads)
            if is_busy():
                count = f"{threads} thread{'s' * (threads > 1)}"
                lines.append(f"not measured with {count}: other programs keep processors busy")
                continue
            measured[threads], isa = calibrate(multipliers_to_time())
    finally:
        set_num_threads(None)
    if measured:
        lines.append(f"measured: {save_costs(measured, isa)}")
    return lines


def _kernels() -> str:
    if not NATIVE_IS_BUILT:
        return "none: the compiled module axsim._native is not installed; NumPy computes everything, slowly"
    preferred = current_costs().isa  # which kernels then use
    if os.environ.get("AXSIM_ISA"):
        why = "which AXSIM_ISA asks for"
    elif preferred:
        why = "the fastest at look-ups when they were measured here"
    else:
        why = "the best that they have and this processor runs"
    return f"{native_isa()}, {why}; to choose from: {', '.join(runnable_isas())}"


def _product_kernels() -> str:
    if not NATIVE_IS_BUILT:
        return "by torch and NumPy alone, for want of the compiled module"
    from axsim import _native

    chosen = "as AXSIM_ISA asks" if os.environ.get("AXSIM_ISA") else "the best that this processor runs"
    return f"{_native.gemm_isa()} kernels for tables that have factors, {chosen}"


def _threads() -> str:
    count = get_num_threads()
    if os.environ.get("AXSIM_NUM_THREADS"):
        return f"{count}, from AXSIM_NUM_THREADS"
    openmp = os.environ.get("OMP_NUM_THREADS", "")
    if openmp.split(",")[0].strip() == str(count):
        return f"{count}, from OMP_NUM_THREADS"
    ignored = f"; OMP_NUM_THREADS is {openmp!r}, which is no number of threads" if openmp else ""
    return f"{count}, the CPUs that this process may run on{ignored}"


def _gpu() -> list[tuple[str, str]]:
    from axsim.engines.cuda.cupy_runtime import current_device_runtime
    from axsim.engines.cuda.report import findings

    try:
        runtime = current_device_runtime()
    except GpuUnavailableError as problem:
        return [("GPU", f"none in use: {problem.reason}")]
    return [("CuPy", runtime.versions()), *findings(runtime.device)]


def _blas() -> str:
    found = [
        f"{library['internal_api']} {library['version']}, {library.get('architecture', 'any')} kernels, "
        f"{library['num_threads']} threads"
        for library in blas_libraries()
    ]
    return "; ".join(found) or "unknown: axsim cannot limit its threads"


def _cache() -> str:
    directory = cache_directory()
    chosen = f", from {ENVIRONMENT_VARIABLE}" if os.environ.get(ENVIRONMENT_VARIABLE) else ""
    there: Path = next(p for p in (directory, *directory.absolute().parents) if p.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        return f"{directory}{chosen}, which cannot be written: tables are made anew in every process"
    return f"{directory}{chosen}, " + ("writable" if there == directory else "made when it is needed")
