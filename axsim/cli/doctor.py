"""What ``axsim doctor`` reports: what axsim found on this machine, and why it runs as it does."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from axsim.engines.cpu.blas_threads import blas_libraries
from axsim.engines.isa import NATIVE_IS_BUILT, cpu_name, native_isa, product_isa, runnable_isas
from axsim.errors import GpuUnavailableError
from axsim.files import CACHE_VARIABLE, cache_directory
from axsim.threads import get_num_threads

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
        ("versions", ", ".join(f"{package} {_version(package)}" for package in _PACKAGES)),
        ("BLAS of NumPy", _blas()),
        ("torch", "installed" if find_spec("torch") is not None else "not installed"),
        ("cache", _cache()),
        *_gpu(),
    ]


def _kernels() -> str:
    if not NATIVE_IS_BUILT:
        return "none: the compiled module axsim._native is not installed; NumPy computes everything, slowly"
    return f"{native_isa()}, {_why()}; to choose from: {', '.join(runnable_isas())}"


def _product_kernels() -> str:
    if not NATIVE_IS_BUILT:
        return "by NumPy alone, for want of the compiled module"
    return f"{product_isa()} kernels for tables that have factors, {_why()}"


def _why() -> str:
    if os.environ.get("AXSIM_ISA"):
        return "as AXSIM_ISA asks"
    return "the best that they have and this processor runs"


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
    from axsim.engines.gpu.report import findings
    from axsim.engines.gpu.runtime.cupy_runtime import current_device_runtime

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
    if directory is None:
        return (
            f"none, for want of a home folder, unless {CACHE_VARIABLE} names one: GPU kernels are compiled "
            "anew in every process"
        )
    chosen = f", from {CACHE_VARIABLE}" if os.environ.get(CACHE_VARIABLE) else ""
    there: Path = next(p for p in (directory, *directory.absolute().parents) if os.path.exists(p))
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return f"{directory}{chosen}, which cannot be written: GPU kernels are compiled anew in every process"
    return f"{directory}{chosen}, " + ("writable" if there == directory else "made when it is needed")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"
