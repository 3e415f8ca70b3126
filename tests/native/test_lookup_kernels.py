"""The look-up kernels of every instruction set against triple loops, compiled by themselves with sanitizers.

Those for other processors run as well: AVX-512's instructions are emulated in plain C++, aarch64's by QEMU.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from compiled_programs import (
    ADDRESSES,
    AVX2,
    EMULATED_AVX512,
    HERE,
    NATIVE,
    X86,
    build,
    compiler,
    has_feature,
    run,
)

COMMON = ("panel", "table", "tiles", "tile_plan", "team", "pool")
SETS = {"portable": (), "avx2": AVX2, "avx512": EMULATED_AVX512, "vbmi": EMULATED_AVX512, "neon": ()}
SOURCES = {
    "driver": (HERE / "lookup_driver.cpp", ()),
    **{name: (NATIVE / f"{name}.cpp", ()) for name in COMMON},
    **{name: (NATIVE / f"{name}.cpp", options) for name, options in SETS.items()},
}


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that compares the sets of kernels named on its command line."""
    return build(compiler(), tmp_path_factory.mktemp("lookup"), SOURCES, ADDRESSES)


@pytest.mark.parametrize("name", SETS)
def test_kernels_against_a_triple_loop(driver: Path, name: str) -> None:
    if X86 and SETS[name] and not has_feature("avx2"):
        pytest.skip("needs a processor with AVX2")
    assert "\n0 failures" in run([str(driver), name])


def test_kernels_for_aarch64(tmp_path: Path) -> None:
    emulator = compiler("qemu-aarch64")
    plain = {name: (source, ()) for name, (source, _) in SOURCES.items()}
    program = build(compiler("aarch64-linux-gnu-g++"), tmp_path, plain, ["-static"])
    assert "\n0 failures" in run([emulator, str(program), "neon"])
