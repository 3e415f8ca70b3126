"""What the amounts of work in ``axsim.engines.planner.features`` cost: built in, or measured here and kept.

Measured costs stand in the user's cache directory, one JSON file for each processor, instruction set and
set of versions; another of these is another machine to them, and the built-in costs hold until
``axsim doctor --calibrate`` has measured it.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from axsim.files import replace_file
from axsim.tables.cache import cache_directory

# operation -> engine -> seconds for one of each of the engine's features
Seconds = Mapping[str, Mapping[str, tuple[float, ...]]]

# Measured on an x86-64 CPU with AVX2, one thread, NumPy's OpenBLAS. Where kernels and BLAS are both
# faster, or both slower, the choices are the same.
BUILT_IN: Seconds = {
    "matmul": {
        "reference": (5.4e-4, 2.1e-9, 0.0, 1.7e-10),
        "native": (2.0e-5, 6.0e-11, 1.6e-8, 2.0e-10),
        "factored native": (7.4e-6, 1.5e-11, 1.4e-10, 9.3e-11, 2.7e-10),
        "factored float32": (6.8e-5, 2.6e-11, 6.3e-10, 1.2e-9, 6.0e-10),
        "factored float64": (5.2e-5, 6.1e-11, 7.7e-10, 1.5e-9, 8.0e-10),
    },
    "conv2d": {
        "reference": (3.6e-4, 2.1e-9, 0.0, 1.5e-9),
        "native": (2.0e-5, 5.5e-11, 1.6e-8, 1.2e-9),
        "factored native": (1.1e-5, 1.5e-11, 1.7e-10, 3.8e-10, 1.0e-10),
        "factored float32": (1.5e-4, 2.6e-11, 7.0e-10, 2.5e-9, 1.5e-9),
        "factored float64": (1.5e-4, 6.1e-11, 9.2e-10, 3.0e-9, 3.0e-9),
    },
}
# Whose costs are also measured where they can be.
FEATURES = {engine: len(costs) for engine, costs in BUILT_IN["matmul"].items()} | {"factored int8": 5}


@dataclass(frozen=True)
class Costs:
    """Seconds for each feature of each engine, and where they come from, in words."""

    seconds: Seconds
    origin: str


def current_costs() -> Costs:
    """Those measured on this machine, or else the built-in ones."""
    return _costs(native_isa(), cache_directory())


def save_costs(measured: Seconds) -> Path:
    """Keep costs measured on this machine, and use them from now on.

    Raises:
        OSError: the cache directory cannot be written.
    """
    key = machine_key(native_isa())
    path = _file(cache_directory(), key)
    text = json.dumps({"machine": key, "seconds": measured}, indent=1)
    replace_file(path, text.encode())
    _costs.cache_clear()
    return path


def native_isa() -> str:
    """The instruction set that the compiled kernels use; "none" if they were not built."""
    try:
        from axsim import _native
    except ImportError:
        return "none"
    return _native.isa()


def machine_key(isa: str) -> dict[str, str]:
    """What measured costs depend on."""
    return {
        "cpu": cpu_name(),
        "isa": isa,
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
def _costs(isa: str, directory: Path) -> Costs:
    key = machine_key(isa)
    path = _file(directory, key)
    try:
        measured = _read(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # absent, or not as it was written
        return Costs(BUILT_IN, "built in; `axsim doctor --calibrate` measures this machine")
    seconds = {operation: {**costs, **measured[operation]} for operation, costs in BUILT_IN.items()}
    return Costs(seconds, f"measured on this machine, {path}")


def _read(path: Path) -> Seconds:
    """Measured costs; ValueError, KeyError, TypeError or AttributeError where the file is not one of them."""
    stored = json.loads(path.read_text(encoding="utf-8"))["seconds"]
    measured = {
        operation: {engine: tuple(map(float, costs)) for engine, costs in stored[operation].items()}
        for operation in BUILT_IN
    }
    for engines in measured.values():
        for engine, costs in engines.items():
            if len(costs) != FEATURES[engine] or not all(0 <= cost < math.inf for cost in costs):
                raise ValueError(f"{path}: {engine} has costs {costs}")
    return measured


def _file(directory: Path, key: Mapping[str, str]) -> Path:
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    return directory / f"costs-{digest[:16]}.json"
