"""All of native/ but its Python bindings, called by several threads: watched for races, and for aarch64.

``make sanitize`` watches it for other mistakes, through the bindings.
"""

from __future__ import annotations

from pathlib import Path

from compiled_programs import AVX2, HERE, NATIVE, THREADS, Sources, build, compiler, has_feature, run

# Of AVX-512 nothing: its files then hold the code of lesser sets.
LIBRARY = [
    path for path in sorted(NATIVE.glob("*.cpp")) if "nanobind" not in path.read_text(encoding="utf-8")
]


def sources(avx2: tuple[str, ...]) -> Sources:
    library = {path.stem: (path, avx2 if path.stem.endswith("avx2") else ()) for path in LIBRARY}
    return {"driver": (HERE / "library_driver.cpp", ()), **library}


def test_everything_from_several_threads_at_once(tmp_path: Path) -> None:
    best = "avx2" if has_feature("avx2") else "portable"
    program = build(compiler(), tmp_path, sources(AVX2 if best == "avx2" else ()), THREADS)
    for isa in sorted({best, "portable"}):
        assert run([str(program)], AXSIM_ISA=isa) == f"{isa} and {isa}: all is right\n"


def test_everything_for_aarch64(tmp_path: Path) -> None:
    emulator = compiler("qemu-aarch64")
    program = build(compiler("aarch64-linux-gnu-g++"), tmp_path, sources(()), ["-static"])
    assert run([emulator, str(program)]) == "neon and portable: all is right\n"
