"""nvcc takes every CUDA source, for every architecture, within the registers and shared memory stated.

``budgets.json`` has an entry for each variant of a kernel, ``"source.cu:kernel:MACRO=1,OTHER=2"``. Two
architectures are always compiled for, the oldest and the newest; all of them with AXSIM_NVCC_ALL=1.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from axsim.engines.cuda.cupy_runtime import OPTIONS
from axsim.engines.cuda.runtime import SOURCES, source_text

BUDGETS: dict[str, dict[str, int]] = json.loads(Path(__file__).with_name("budgets.json").read_text())
ARCHITECTURES = ("75", "80", "86", "90") if os.environ.get("AXSIM_NVCC_ALL") else ("75", "90")
NVCC = shutil.which("nvcc")

_USED = re.compile(
    r"Compiling entry function '(?P<name>\w+)'.*?"
    r"(?P<stack>\d+) bytes stack frame, (?P<stores>\d+) bytes spill stores, (?P<loads>\d+) bytes spill loads"
    r".*?"
    r"Used (?P<registers>\d+) registers(?:[^\n]*?(?P<shared>\d+) bytes smem)?",
    re.DOTALL,
)


def variants() -> dict[str, dict[str, list[str]]]:
    """For each source: its combinations of defines, and which kernels have a budget for it."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for key in BUDGETS:
        source, kernel, defines = key.split(":")
        found[source][defines].append(kernel)
    return found


def usage(report: str) -> dict[str, dict[str, int]]:
    """What ptxas says of each kernel."""
    return {
        found["name"]: {
            "registers": int(found["registers"]),
            "spills": int(found["stores"]) + int(found["loads"]),
            "stack": int(found["stack"]),
            "shared": int(found["shared"] or 0),
        }
        for found in _USED.finditer(report)
    }


def test_the_report_is_read() -> None:
    report = (
        "ptxas info    : 0 bytes gmem\n"
        "ptxas info    : Compiling entry function 'one' for 'sm_90'\n"
        "ptxas info    : Function properties for one\n"
        "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
        "ptxas info    : Used 12 registers, used 0 barriers\n"
        "ptxas info    : Compiling entry function 'two' for 'sm_90'\n"
        "ptxas info    : Function properties for two\n"
        "    8 bytes stack frame, 3 bytes spill stores, 4 bytes spill loads\n"
        "ptxas info    : Used 128 registers, used 1 barriers, 8 bytes cumulative stack size, 288 bytes smem\n"
    )
    assert usage(report) == {
        "one": {"registers": 12, "spills": 0, "stack": 0, "shared": 0},
        "two": {"registers": 128, "spills": 7, "stack": 8, "shared": 288},
    }


def kernels_in(text: str) -> list[str]:
    return re.findall(r"__global__\s+void\s+(\w+)\s*\(", _BOUNDS.sub(" ", text))


_BOUNDS = re.compile(r"__launch_bounds__\((?:[^()]|\([^()]*\))*\)")


def test_every_kernel_has_budgets() -> None:
    assert kernels_in("__global__ void __launch_bounds__(f(2) * 3, 1)\n  one(int x) {}") == ["one"]
    there = {
        (path.name, kernel)
        for path in SOURCES.glob("*.cu")
        for kernel in kernels_in(path.read_text(encoding="utf-8"))
    }
    assert {tuple(key.split(":")[:2]) for key in BUDGETS} == there


@pytest.mark.skipif(NVCC is None, reason="nvcc is not on PATH")
@pytest.mark.parametrize("source", sorted(variants()))
def test_nvcc(source: str, tmp_path: Path) -> None:
    text = tmp_path / source
    text.write_text(source_text(source), encoding="utf-8")
    over = []
    for defines, kernels in variants()[source].items():
        macros = [f"-D{define}" for define in defines.split(",") if define]
        for architecture in ARCHITECTURES:
            done = subprocess.run(
                [
                    *(str(NVCC), *OPTIONS, *macros, f"-arch=sm_{architecture}", "-Werror", "all-warnings"),
                    *("-Xptxas", "-v", "-cubin", "-o", str(tmp_path / "kernels.cubin"), str(text)),
                ],
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, f"{source} {defines} sm_{architecture}\n{done.stderr}"
            used = usage(done.stderr + done.stdout)
            for kernel in kernels:
                budget = {"stack": 0, **BUDGETS[f"{source}:{kernel}:{defines}"]}
                over += [
                    f"{kernel} {defines} sm_{architecture}: {what} {used[kernel][what]}, budget {limit}"
                    for what, limit in budget.items()
                    if used[kernel][what] > limit
                ]
    assert not over, "\n".join(over)
