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
    library,
    named,
    run,
)

# The choice by processor is made in the driver.
CHOICES = (NATIVE / "lookup/kernels.cpp",)
FAMILIES = ("lookup", "quantise", "common", "threads")
LIBRARY = [source for source in library(*FAMILIES) if source not in CHOICES]
OPTIONS = {"avx2": AVX2, "avx512": EMULATED_AVX512, "vbmi": EMULATED_AVX512}
DRIVER = {"driver": (HERE / "lookup_driver.cpp", ())}


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that compares the sets of kernels named on its command line."""
    return build(
        compiler(), tmp_path_factory.mktemp("lookup"), {**DRIVER, **named(LIBRARY, OPTIONS)}, ADDRESSES
    )


@pytest.mark.parametrize("name", ["portable", *OPTIONS])
def test_kernels_against_a_triple_loop(driver: Path, name: str) -> None:
    if X86 and name in OPTIONS and not has_feature("avx2"):
        pytest.skip("needs a processor with AVX2")
    assert "\n0 failures" in run([str(driver), name])


def test_kernels_for_aarch64(tmp_path: Path) -> None:
    emulator = compiler("qemu-aarch64")
    sources = {**DRIVER, **named(LIBRARY, {})}
    program = build(compiler("aarch64-linux-gnu-g++"), tmp_path, sources, ["-static"])
    assert "\n0 failures" in run([emulator, str(program), "neon"])
