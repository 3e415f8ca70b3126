"""The kernels of the integer matrix product against triple loops, compiled by themselves with sanitizers.

Instructions of AVX-512 are emulated in plain C++: few processors have all of them.
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

SETS = ("any", "portable", "avx2", "avx512", "vnni")
# The driver chooses the kernels.
CHOICE = NATIVE / "factored/kernels.cpp"
SOURCES = {
    "driver": (HERE / "gemm_driver.cpp", ()),
    "any": (NATIVE / "factored/kernels_portable.cpp", ("-U__SSE2__", "-Dportable_gemm=any_gemm")),
    **named(
        [source for source in library("factored", "common", "threads", "quantise") if source != CHOICE],
        {"avx2": AVX2, "avx512": EMULATED_AVX512, "vnni": EMULATED_AVX512},
    ),
}


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that compares one set of kernels, named on its command line."""
    return build(compiler(), tmp_path_factory.mktemp("gemm"), SOURCES, ADDRESSES)


@pytest.mark.parametrize("name", SETS)
def test_kernels_against_triple_loops(driver: Path, name: str) -> None:
    if X86 and name in ("avx2", "avx512", "vnni") and not has_feature("avx2"):
        pytest.skip("needs a processor with AVX2")
    assert "is right" in run([str(driver), name])
