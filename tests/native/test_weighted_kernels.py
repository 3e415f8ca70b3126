"""The kernels of weighted sums of every instruction set against plain loops, bit for bit, with sanitizers."""

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

OPTIONS = {"avx2": AVX2, "avx512": EMULATED_AVX512}
# The choice by processor is the driver's, and sums over whole outputs are tested from Python.
LEFT_OUT = (NATIVE / "weighted/kernels.cpp", NATIVE / "weighted/sums.cpp")
KERNELS = [source for source in library("weighted") if source not in LEFT_OUT]
DRIVER = {"driver": (HERE / "weighted_driver.cpp", ())}
# As the library is compiled: a product is rounded before it is added.
ROUNDED = "-ffp-contract=off"


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that checks the set named on its command line."""
    sources = {**DRIVER, **named(KERNELS, OPTIONS)}
    return build(compiler(), tmp_path_factory.mktemp("weighted"), sources, [*ADDRESSES, ROUNDED])


@pytest.mark.parametrize("name", ["portable", *OPTIONS])
def test_kernels_against_plain_loops(driver: Path, name: str) -> None:
    if X86 and name in OPTIONS and not has_feature("avx2"):
        pytest.skip("needs a processor with AVX2")
    assert run([str(driver), name]) == "0 failures\n"


def test_kernels_for_aarch64(tmp_path: Path) -> None:
    emulator = compiler("qemu-aarch64")
    sources = {**DRIVER, **named(KERNELS, {})}
    program = build(compiler("aarch64-linux-gnu-g++"), tmp_path, sources, ["-static", ROUNDED])
    assert run([emulator, str(program), "portable"]) == "0 failures\n"
