"""The kernels of the integer matrix product against triple loops, compiled by themselves with sanitizers.

Instructions of AVX-512 are emulated in plain C++: few processors have all of them.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NATIVE = HERE.parents[1] / "native"
EMULATED = ("-DAXSIM_EMULATED", "-include", str(HERE / "emulated_avx512.h"))
X86 = platform.machine() in ("x86_64", "AMD64")
# object -> source and the options it is compiled with
SOURCES: dict[str, tuple[Path, Sequence[str]]] = {
    "driver": (HERE / "gemm_driver.cpp", ()),
    "gemm": (NATIVE / "gemm.cpp", ()),
    "factors": (NATIVE / "gemm_factors.cpp", ()),
    "panel": (NATIVE / "panel.cpp", ()),
    "pool": (NATIVE / "pool.cpp", ()),
    "team": (NATIVE / "team.cpp", ()),
    "any": (NATIVE / "gemm_portable.cpp", ("-U__SSE2__", "-Dportable_gemm=any_gemm")),
    "portable": (NATIVE / "gemm_portable.cpp", ()),
    "avx2": (NATIVE / "gemm_avx2.cpp", ("-mavx2", "-mfma") if X86 else ()),
    "avx512": (NATIVE / "gemm_avx512.cpp", EMULATED),
    "vnni": (NATIVE / "gemm_vnni.cpp", EMULATED),
}


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that compares one set of kernels, named on its command line."""
    compiler, folder = shutil.which("g++"), tmp_path_factory.mktemp("gemm")
    if compiler is None:
        pytest.skip("needs g++")
    checked = [compiler, "-std=c++17", "-O1", "-Wall", "-Wextra", "-I", str(NATIVE)]
    checked += ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]

    def build(name: str) -> str:
        source, options = SOURCES[name]
        made = str(folder / f"{name}.o")
        run([*checked, *options, "-c", str(source), "-o", made])
        return made

    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(build, SOURCES))
    run([*checked, "-pthread", *objects, "-ldl", "-o", str(folder / "driver")])
    return folder / "driver"


@pytest.mark.parametrize("name", ["any", "portable", "avx2", "avx512", "vnni"])
def test_kernels_against_triple_loops(driver: Path, name: str) -> None:
    if name == "avx2" and not has_feature("avx2"):
        pytest.skip("needs a processor with AVX2")
    assert "is right" in run([str(driver), name])


def has_feature(name: str) -> bool:
    """Whether the processor has it, as Linux tells."""
    info = Path("/proc/cpuinfo")
    return info.is_file() and f" {name} " in info.read_text(encoding="utf-8")


def run(command: list[str]) -> str:
    """What the command prints; a failure shows it."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout
