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
    run,
)

COMMON = ("gemm", "gemm_factors", "panel", "pool", "team")
SETS = {
    "any": (NATIVE / "gemm_portable.cpp", ("-U__SSE2__", "-Dportable_gemm=any_gemm")),
    "portable": (NATIVE / "gemm_portable.cpp", ()),
    "avx2": (NATIVE / "gemm_avx2.cpp", AVX2),
    "avx512": (NATIVE / "gemm_avx512.cpp", EMULATED_AVX512),
    "vnni": (NATIVE / "gemm_vnni.cpp", EMULATED_AVX512),
}
SOURCES = {
    "driver": (HERE / "gemm_driver.cpp", ()),
    **{name: (NATIVE / f"{name}.cpp", ()) for name in COMMON},
    **SETS,
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
