"""The look-up kernels of every instruction set against a plain triple loop, with sanitizers.

Those for other processors run as well: SIMDe computes AVX-512's intrinsics, and QEMU aarch64's instructions.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NATIVE = HERE.parents[1] / "native"
COMMON = ("panel", "table", "tiles")
SETS = ("portable", "avx2", "avx512", "vbmi", "neon")
AVX2 = ("-mavx2", "-mfma")
# A 64-byte argument of a function that is inlined has no calling convention to warn of.
EMULATED = (*AVX2, "-Wno-psabi", "-I", str(HERE / "emulated"))
X86 = platform.machine() in ("x86_64", "AMD64")
SANITIZED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def build(folder: Path, compiler: str, options: tuple[str, ...], by_set: dict[str, tuple[str, ...]]) -> Path:
    """The program that compares the sets named on its command line."""
    base = [compiler, "-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-I", str(NATIVE), *options]
    sources = [NATIVE / f"{name}.cpp" for name in COMMON + SETS] + [HERE / "check_kernels.cpp"]

    def compiled(source: Path) -> str:
        made = str(folder / f"{source.stem}.o")
        run([*base, *by_set.get(source.stem, ()), "-c", str(source), "-o", made])
        return made

    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(compiled, sources))
    program = folder / "check_kernels"
    run([*base, "-pthread", *objects, "-o", str(program)])
    return program


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("needs g++")
    folder = tmp_path_factory.mktemp("kernels")
    return build(folder, compiler, SANITIZED, x86_options() if X86 else {})


def x86_options() -> dict[str, tuple[str, ...]]:
    if has_simde():
        return {"avx2": AVX2, "avx512": EMULATED, "vbmi": EMULATED}
    real = ("-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512vbmi")  # compiled, and never run
    return {"avx2": AVX2, "avx512": real, "vbmi": real}


def has_simde() -> bool:
    return Path("/usr/include/simde/x86/avx512.h").is_file()


def has_avx2() -> bool:
    info = Path("/proc/cpuinfo")
    return info.is_file() and "avx2" in info.read_text(encoding="utf-8").split()


@pytest.mark.parametrize("name", SETS)
def test_kernels_against_a_triple_loop(program: Path, name: str) -> None:
    emulated = name in ("avx512", "vbmi")
    if X86 and emulated and not has_simde():
        pytest.skip("needs the headers of SIMDe in /usr/include/simde")
    if X86 and (emulated or name == "avx2") and not has_avx2():
        pytest.skip("needs a processor with AVX2")
    assert "\n0 failures" in run([str(program), name])


def test_kernels_for_aarch64(tmp_path: Path) -> None:
    compiler, emulator = shutil.which("aarch64-linux-gnu-g++"), shutil.which("qemu-aarch64")
    if compiler is None or emulator is None:
        pytest.skip("needs aarch64-linux-gnu-g++ and qemu-aarch64")
    program = build(tmp_path, compiler, ("-static",), {})
    assert "\n0 failures" in run([emulator, str(program), "neon"])
