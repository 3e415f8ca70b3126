"""All of native/ but its Python bindings, called by several threads: watched for races, and for aarch64.

``make sanitize`` watches it for other mistakes, through the bindings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from compiled_programs import AVX2, HERE, THREADS, Sources, build, compiler, has_feature, library, named, run


def sources(options: Mapping[str, Sequence[str]]) -> Sources:
    """Without options for an instruction set its files hold nothing, and lesser sets take their place."""
    return {"driver": (HERE / "library_driver.cpp", ()), **named(library(), options)}


def test_everything_from_several_threads_at_once(tmp_path: Path) -> None:
    best = "avx2" if has_feature("avx2") else "portable"
    program = build(compiler(), tmp_path, sources({"avx2": AVX2} if best == "avx2" else {}), THREADS)
    for isa in sorted({best, "portable"}):
        assert run([str(program)], AXSIM_ISA=isa) == f"{isa} and {isa}: all is right\n"


def test_everything_for_aarch64(tmp_path: Path) -> None:
    emulator = compiler("qemu-aarch64")
    program = build(compiler("aarch64-linux-gnu-g++"), tmp_path, sources({}), ["-static"])
    assert run([emulator, str(program)]) == "neon and portable: all is right\n"
