"""Programs in C++ that tests compile from the sources of native/, under sanitizers, and run."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "native"
NATIVE = Path(__file__).parents[1] / "native"
X86 = platform.machine() in ("x86_64", "AMD64")
AVX2 = ("-mavx2", "-mfma") if X86 else ()
# A 64-byte argument of a function that is inlined has no calling convention to warn of.
EMULATED_AVX512 = (*AVX2, "-Wno-psabi", "-include", str(HERE / "emulated_avx512.h")) if X86 else ()
ADDRESSES = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
THREADS = ("-fsanitize=thread",)

INSTRUCTION_SETS = ("avx2", "avx512", "vbmi", "vnni")  # files whose names end in one are compiled for it


def library(*families: str) -> list[Path]:
    """The sources of native/ but its Python bindings, or of some of its folders."""
    found = sorted(path for family in families or ("*",) for path in NATIVE.glob(f"{family}/*.cpp"))
    return [path for path in found if path.parent.name != "bindings"]


def set_of(source: Path) -> str | None:
    """The instruction set that a source is compiled for; None: for any processor."""
    last = source.stem.rpartition("_")[2]
    return last if last in INSTRUCTION_SETS else None


def named(sources: Sequence[Path], options: Mapping[str, Sequence[str]]) -> Sources:
    """The sources under names of their own, each with the options of its instruction set."""
    return {
        f"{source.parent.name}_{source.stem}": (source, options.get(set_of(source) or "", ()))
        for source in sources
    }


# The name of an object, its source, and the options that it alone is compiled with.
Sources = Mapping[str, tuple[Path, Sequence[str]]]


def compiler(name: str = "g++") -> str:
    """Where it is; skips the test if it is nowhere."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"needs {name}")
    return found


def build(compiler: str, folder: Path, sources: Sources, options: Sequence[str]) -> Path:
    """The program made of the sources, in the folder; ``options`` are for the compiler and the linker."""
    warnings = ("-Wall", "-Wextra", "-Werror", "-Wno-maybe-uninitialized")  # which sanitizers mislead
    base = [compiler, "-std=c++17", "-O1", *warnings, "-I", str(NATIVE), *options]

    def compiled(name: str) -> str:
        source, own = sources[name]
        made = str(folder / f"{name}.o")
        run([*base, *own, "-c", str(source), "-o", made])
        return made

    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(compiled, sources))
    program = folder / "program"
    run([*base, "-pthread", *objects, "-ldl", "-o", str(program)])
    return program


def run(command: Sequence[str], **variables: str) -> str:
    """What the command prints, with these environment variables; a failure shows it."""
    env = {**os.environ, **variables}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def has_feature(name: str) -> bool:
    """Whether the processor has it, as Linux tells."""
    info = Path("/proc/cpuinfo")
    return info.is_file() and f" {name} " in info.read_text(encoding="utf-8")
