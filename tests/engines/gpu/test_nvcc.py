"""nvcc takes every CUDA source, for every architecture, within the registers and shared memory stated.

``budgets.json`` has for each kernel, ``"source.cu:kernel"``, what its variants may use; for some of them less
or more, ``"source.cu:kernel:MACRO=1"``. ``samples`` are the variants that are always compiled, for the oldest
and the newest architecture: the heaviest, as a rule. With AXSIM_NVCC_ALL=1 it is every variant for every
architecture, which takes about ten minutes on two processors.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from axsim.engines.gpu.runtime.compiler import OPTIONS
from axsim.engines.gpu.runtime.sources import SOURCES, source_text
from tests.cuda_emulator.variants import every_variant

_STATED = json.loads(Path(__file__).with_name("budgets.json").read_text())
BUDGETS: dict[str, dict[str, int]] = _STATED["budgets"]
SAMPLES: dict[str, list[str]] = _STATED["samples"]
ALL = bool(os.environ.get("AXSIM_NVCC_ALL"))
ARCHITECTURES = ("75", "80", "86", "90") if ALL else ("75", "90")
NVCC = shutil.which("nvcc")

_USED = re.compile(
    r"Compiling entry function '(?P<name>\w+)' for 'sm_(?P<architecture>\w+)'.*?"
    r"(?P<stack>\d+) bytes stack frame, (?P<stores>\d+) bytes spill stores, (?P<loads>\d+) bytes spill loads"
    r".*?"
    r"Used (?P<registers>\d+) registers(?:[^\n]*?(?P<shared>\d+) bytes smem)?",
    re.DOTALL,
)
_BOUNDS = re.compile(r"__launch_bounds__\((?:[^()]|\([^()]*\))*\)")


def usage(report: str) -> dict[tuple[str, str], dict[str, int]]:
    """What ptxas says of each kernel and architecture."""
    return {
        (found["name"], found["architecture"]): {
            "registers": int(found["registers"]),
            "spills": int(found["stores"]) + int(found["loads"]),
            "stack": int(found["stack"]),
            "shared": int(found["shared"] or 0),
        }
        for found in _USED.finditer(report)
    }


def budget_of(source: str, kernel: str, variant: str) -> dict[str, int]:
    """The most particular budget that is for the variant."""
    macros = set(variant.split(","))
    fitting = []
    for key in BUDGETS:
        of_source, of_kernel, *which = key.split(":")
        wanted = set(which[0].split(",")) if which else set()
        if (of_source, of_kernel) == (source, kernel) and wanted <= macros:
            fitting.append((len(wanted), key))
    return {"stack": 0, "spills": 0, **BUDGETS[max(fitting)[1]]}


def kernels_in(text: str) -> list[str]:
    return re.findall(r"__global__\s+void\s+(\w+)\s*\(", _BOUNDS.sub(" ", text))


def test_the_report_is_read() -> None:
    report = (
        "ptxas info    : 0 bytes gmem\n"
        "ptxas info    : Compiling entry function 'one' for 'sm_90'\n"
        "ptxas info    : Function properties for one\n"
        "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
        "ptxas info    : Used 12 registers, used 0 barriers\n"
        "ptxas info    : Compiling entry function 'two' for 'sm_75'\n"
        "ptxas info    : Function properties for two\n"
        "    8 bytes stack frame, 3 bytes spill stores, 4 bytes spill loads\n"
        "ptxas info    : Used 128 registers, used 1 barriers, 8 bytes cumulative stack size, 288 bytes smem\n"
    )
    assert usage(report) == {
        ("one", "90"): {"registers": 12, "spills": 0, "stack": 0, "shared": 0},
        ("two", "75"): {"registers": 128, "spills": 7, "stack": 8, "shared": 288},
    }


def test_every_kernel_has_a_budget() -> None:
    assert kernels_in("__global__ void __launch_bounds__(f(2) * 3, 1)\n  one(int x) {}") == ["one"]
    there = {
        (path.name, kernel)
        for path in SOURCES.glob("*.cu")
        for kernel in kernels_in(path.read_text(encoding="utf-8"))
    }
    assert {tuple(key.split(":")[:2]) for key in BUDGETS} == there


def test_samples_are_variants() -> None:
    assert set(SAMPLES) == {path.name for path in SOURCES.glob("*.cu")}
    for source, variants in every_variant().items():
        assert set(SAMPLES[source]) <= variants


@pytest.mark.skipif(NVCC is None, reason="nvcc is not on PATH")
@pytest.mark.parametrize("source", sorted(SAMPLES))
def test_nvcc(source: str, tmp_path: Path) -> None:
    text = tmp_path / source
    text.write_text(source_text(source), encoding="utf-8")
    variants = sorted(every_variant()[source]) if ALL else SAMPLES[source]
    with ThreadPoolExecutor(os.cpu_count() if ALL else 1) as pool:
        reports = dict(
            zip(variants, pool.map(lambda variant: compiled(text, variant), variants), strict=True)
        )
    over = [
        f"{kernel} {variant} sm_{architecture}: {used[what]} {what}, budget {limit}"
        for variant, report in reports.items()
        for (kernel, architecture), used in usage(report).items()
        for what, limit in budget_of(source, kernel, variant).items()
        if used[what] > limit
    ]
    assert not over, "\n".join(over)


def compiled(text: Path, variant: str) -> str:
    """What the compilers report of a variant, for all architectures."""
    macros = [f"-D{define}" for define in variant.split(",") if define]
    targets = [f"-gencode=arch=compute_{a},code=sm_{a}" for a in ARCHITECTURES]
    made = text.with_name(f"{abs(hash(variant))}.fatbin")
    done = subprocess.run(
        [
            *(str(NVCC), *OPTIONS, *macros, *targets, "-Werror", "all-warnings"),
            *("-Xptxas", "-v", "-fatbin", "-o", str(made), str(text)),
        ],
        capture_output=True,
        text=True,
    )
    report = done.stderr + done.stdout
    assert done.returncode == 0, f"{text.name} {variant}\n{report}"
    assert {architecture for _, architecture in usage(report)} == set(ARCHITECTURES)
    return report
