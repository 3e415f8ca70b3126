"""What figures of a GPU depend on: the GPU and its clocks, driver, CUDA, CuPy, torch."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, distributions
from typing import Any

import numpy as np

from axsim.engines.gpu.runtime.current import current
from axsim.engines.gpu.runtime.interface import Device
from axsim.engines.isa import NATIVE_IS_BUILT
from axsim.errors import GpuUnavailableError
from axsim.results import versions
from benchmarks.timing import torch_or_none

_ASKED = (
    "driver_version",
    "clocks.max.sm",
    "clocks.max.mem",
    "clocks.sm",
    "clocks.mem",
    "power.limit",
    "power.draw",
    "temperature.gpu",
    "clocks_event_reasons.active",
    "mig.mode.current",
)


def machine() -> dict[str, Any]:
    """All of it, as plain values; ``gpu`` is None where there is none."""
    found: dict[str, Any] = {
        "gpu": None,
        "system": platform.platform(),
        "native_module": NATIVE_IS_BUILT,
        "versions": source_versions(),
        "nvidia_smi": nvidia_smi(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if torch := torch_or_none():
        found["versions"]["torch"] = torch.__version__
    try:
        runtime = current()
    except GpuUnavailableError as problem:
        return {**found, "no_gpu_because": str(problem)}
    found["gpu"] = described(runtime.device)
    if hasattr(runtime.xp, "cuda"):
        calls = runtime.xp.cuda.runtime
        found["versions"] |= {
            "cupy": runtime.xp.__version__,
            "cuda_runtime": told(calls.runtimeGetVersion),
            "cuda_driver": told(calls.driverGetVersion),
            **packages(),
        }
        found["gpu"]["float16_products_are_exact"] = told(runtime.half_is_exact)
        found["gpu"]["free_and_total_bytes"] = told(lambda: list(calls.memGetInfo()))
    return found


def source_versions() -> dict[str, str]:
    """As ``axsim.results.versions``, also where axsim is a source tree that nobody has installed."""
    try:
        return dict(versions())
    except PackageNotFoundError:
        return {"axsim": "source tree", "numpy": np.__version__, "python": platform.python_version()}


def told(ask: Callable[[], Any]) -> Any:
    """What a call returns, or why it does not: a machine that fails at this is described all the same."""
    try:
        return ask()
    except Exception as problem:  # whatever it is: this must not end what describes the machine
        return f"{type(problem).__name__}: {problem}"


def packages() -> dict[str, str]:
    """Versions of NVIDIA's libraries, where they were installed as Python packages."""
    found = (dist for dist in distributions() if str(dist.name).startswith(("nvidia-cu", "nvidia-nvjitlink")))
    return {dist.name: dist.version for dist in found}


def described(device: Device) -> dict[str, Any]:
    """The device as a JSON object."""
    return asdict(device) | {"capability": ".".join(map(str, device.capability))}


def nvidia_smi() -> dict[str, str]:
    """Clocks, power and driver, as nvidia-smi says them; empty where it is not, or does not answer."""
    if shutil.which("nvidia-smi") is None:
        return {}
    command = ("nvidia-smi", f"--query-gpu={','.join(_ASKED)}", "--format=csv,noheader")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (subprocess.TimeoutExpired, OSError):
        return {}
    lines = done.stdout.splitlines()
    values = [value.strip() for value in lines[0].split(",")] if lines and not done.returncode else []
    return dict(zip(_ASKED, values, strict=True)) if len(values) == len(_ASKED) else {}
