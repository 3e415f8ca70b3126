"""What the amounts of work in ``axsim.engines.planner.features`` cost: built in, or measured here and kept.

Measured costs stand in the user's cache directory, one JSON file for each processor and set of versions;
another of these is another machine to them. The file has the costs for each number of threads that was
measured with, because kernels and BLAS share their work among threads differently well, and the instruction
set whose look-ups were fastest. ``axsim doctor --calibrate`` and ``axsim.engines.first_use`` write it.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from axsim.files import replace_file
from axsim.tables.cache import ENVIRONMENT_VARIABLE, cache_directory
from axsim.threads import get_num_threads

# operation -> engine -> seconds for one of each of the engine's features
Seconds = Mapping[str, Mapping[str, tuple[float, ...]]]

# Measured on an x86-64 CPU with AVX2, one thread, NumPy's OpenBLAS. Where kernels and BLAS are both
# faster, or both slower, the choices are the same.
BUILT_IN: Seconds = {
    "matmul": {
        "reference": (5.4e-4, 2.1e-9, 0.0, 1.7e-10, 0.0, 1.7e-10, 0.0),
        "native": (2.0e-5, 4.0e-11, 1.9e-8, 6.5e-10, 4.8e-10, 3.5e-10, 0.0),
        "factored native": (8.5e-6, 1.5e-11, 1.9e-10, 1.6e-10, 3.0e-10),
        "factored float32": (6.8e-5, 2.6e-11, 6.3e-10, 1.2e-9, 6.0e-10),
        "factored float64": (5.2e-5, 6.1e-11, 7.7e-10, 1.5e-9, 8.0e-10),
    },
    "conv2d": {
        "reference": (3.6e-4, 2.1e-9, 0.0, 1.5e-9, 0.0, 1.5e-9, 0.0),
        "native": (2.0e-5, 3.2e-11, 2.2e-8, 8.5e-10, 0.0, 1.0e-10, 2.3e-10),
        "factored native": (1.1e-5, 1.5e-11, 1.9e-10, 4.8e-10, 1.8e-10),
        "factored float32": (1.5e-4, 2.6e-11, 7.0e-10, 2.5e-9, 1.5e-9),
        "factored float64": (1.5e-4, 6.1e-11, 9.2e-10, 3.0e-9, 3.0e-9),
    },
}
# Whose costs are also measured where they can be.
FEATURES = {engine: len(costs) for engine, costs in BUILT_IN["matmul"].items()} | {"factored int8": 5}


@dataclass(frozen=True)
class Costs:
    """Seconds for each feature of each engine.

    Attributes:
        seconds: by operation and engine.
        origin: where they come from, in words.
        measured: whether that is a measurement with the number of threads in use.
        isa: the instruction set that look-ups were fastest with; empty where none was preferred.
    """

    seconds: Seconds
    origin: str
    measured: bool = False
    isa: str = ""


def current_costs() -> Costs:
    """Those measured on this machine, or else the built-in ones.

    Look-ups use their instruction set from now on. Costs measured with another number of threads, the
    nearest, stand in for those of the number in use.
    """
    found = _costs(get_num_threads(), os.environ.get(ENVIRONMENT_VARIABLE), os.environ.get("AXSIM_ISA"))
    prefer_isa(found.isa)
    return found


def costs_file() -> Path:
    """Where the costs of this machine stand, or would."""
    key = json.dumps(machine_key(), sort_keys=True)
    return cache_directory() / f"costs-{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"


def save_costs(measured: Mapping[int, Seconds], isa: str = "") -> Path:
    """Keep costs measured on this machine, by number of threads, and use them from now on.

    Those for other numbers of threads are left as they are. ``isa`` as for ``Costs``.

    Raises:
        OSError: the cache directory cannot be written.
    """
    path = costs_file()
    by_threads = {**_read(path)[0], **measured}
    content = {
        "machine": machine_key(),
        "isa": isa,
        "threads": {str(n): by_threads[n] for n in sorted(by_threads)},
    }
    replace_file(path, json.dumps(content, indent=1).encode())
    forget_costs()
    return path


def forget_costs() -> None:
    """Read the file anew when costs are next asked for: another process may have written it."""
    _costs.cache_clear()


def native_isa() -> str:
    """The instruction set that the compiled kernels use to look up; "none" if they were not built."""
    try:
        from axsim import _native
    except ImportError:
        return "none"
    return _native.isa()


def runnable_isas() -> list[str]:
    """The instruction sets that kernels and processor have, best first; none without kernels."""
    try:
        from axsim import _native
    except ImportError:
        return []
    return _native.runnable_isas()


def prefer_isa(name: str) -> None:
    """Let look-ups use that instruction set; "": the best. AXSIM_ISA has the last word."""
    try:
        from axsim import _native
    except ImportError:
        return
    _native.prefer_isa(name)


def machine_key() -> dict[str, Any]:
    """What measured costs depend on, but for the number of threads."""
    return {
        "cpu": cpu_name(),
        "isas": runnable_isas(),
        "forced isa": os.environ.get("AXSIM_ISA", ""),
        **{package: package_version(package) for package in ("axsim", "numpy", "torch")},
    }


def cpu_name() -> str:
    """The processor's name, as the operating system has it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        with info.open(encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def package_version(package: str) -> str:
    """The version installed; "none" if it is not."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


@functools.cache
def _costs(threads: int, directory: str | None, forced_isa: str | None) -> Costs:
    """What ``current_costs`` returns, which depends on these; the last two by way of ``costs_file``."""
    path = costs_file()
    by_threads, isa = _read(path)
    if not by_threads:
        return Costs(BUILT_IN, "built in; `axsim doctor --calibrate` measures this machine")
    nearest = min(by_threads, key=lambda n: abs(math.log(n / threads)))
    measured = by_threads[nearest]
    seconds = {operation: {**costs, **measured[operation]} for operation, costs in BUILT_IN.items()}
    origin = f"measured on this machine, {nearest} thread{'s' * (nearest > 1)}, {path}"
    return Costs(seconds, origin, nearest == threads, isa)


def _read(path: Path) -> tuple[dict[int, Seconds], str]:
    """Measured costs by number of threads, and the instruction set; ({}, "") where there are none."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        isa = stored["isa"]
        if isa not in ("", *runnable_isas()):
            raise ValueError(f"{path}: this machine does not run {isa}")
        return {_positive(n): _checked(path, costs) for n, costs in stored["threads"].items()}, isa
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # absent, or not as it was written
        return {}, ""


def _checked(path: Path, stored: Any) -> Seconds:
    """ValueError, KeyError, TypeError or AttributeError where these are no costs."""
    measured = {
        operation: {engine: tuple(map(float, costs)) for engine, costs in stored[operation].items()}
        for operation in BUILT_IN
    }
    for engines in measured.values():
        for engine, costs in engines.items():
            if len(costs) != FEATURES[engine] or not all(0 <= cost < math.inf for cost in costs):
                raise ValueError(f"{path}: {engine} has costs {costs}")
    return measured


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError(f"{number} threads")
    return number
