"""Every instruction set that this processor runs gives the reference's numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import axsim

native = pytest.importorskip("axsim._native", reason="axsim was installed without its compiled module")

SETS = ("portable", "avx2", "avx512", "vbmi", "neon")


@pytest.fixture(params=SETS)
def isa(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AXSIM_ISA", request.param)
    try:
        native.isa()
    except ValueError as error:
        pytest.skip(str(error))
    return request.param


def test_the_environment_chooses(isa: str) -> None:
    assert native.isa() == isa


def test_the_best_set_that_runs_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AXSIM_ISA", raising=False)
    runnable = native.runnable_isas()
    assert native.isa() == runnable[0]
    assert runnable[-1] == "portable"
    assert runnable == sorted(runnable, key=("vbmi", "avx512", "avx2", "neon", "portable").index)
    for name in SETS:
        monkeypatch.setenv("AXSIM_ISA", name)
        if name in runnable:
            assert native.isa() == name
        else:
            with pytest.raises(ValueError, match=f"'{name}', which this processor does not run.*'portable'"):
                native.isa()


def test_an_unknown_instruction_set_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AXSIM_ISA", "sse9")
    with pytest.raises(
        ValueError, match=r"AXSIM_ISA is 'sse9', which is no instruction set; expected one of .*'portable'"
    ):
        axsim.matmul(np.ones((2, 2), np.uint8), np.ones((2, 2), np.uint8), "L40")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    m=st.integers(0, 300),
    k=st.integers(0, 70),
    n=st.integers(0, 70),
    types=st.sampled_from([("u1", "u1"), ("u1", "i1"), ("i1", "i1")]),
    mult=st.sampled_from(["L40", "JV3", "mitchell8"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_integer_sums(isa: str, m: int, k: int, n: int, types: tuple[str, str], mult: str, seed: int) -> None:
    bits = np.random.default_rng(seed)
    a = bits.integers(0, 256, (m, k), np.uint8).view(types[0])
    b = bits.integers(0, 256, (k, n), np.uint8).view(types[1])
    np.testing.assert_array_equal(
        axsim.matmul(a, b, mult, engine="native"), axsim.matmul(a, b, mult, engine="reference")
    )


@pytest.mark.parametrize("m", [1000, 2500, 5000])
def test_long_streams(isa: str, m: int) -> None:
    """For which VBMI has other kernels than for short ones."""
    bits = np.random.default_rng(m)
    a, b = bits.integers(0, 256, (m, 70), np.uint8), bits.integers(0, 256, (70, 37), np.uint8)
    np.testing.assert_array_equal(
        axsim.matmul(a, b, "L40", engine="native"), axsim.matmul(a, b, "L40", engine="reference")
    )


@pytest.mark.parametrize("groups", [1, 6])
def test_convolution(isa: str, groups: int) -> None:
    bits = np.random.default_rng(groups)
    x, w = (
        bits.integers(0, 256, (2, 6, 20, 21), np.uint8),
        bits.integers(0, 256, (30, 6 // groups, 3, 3), np.uint8),
    )
    ours = axsim.conv2d(x, w, "L40", padding=1, groups=groups, engine="native")
    np.testing.assert_array_equal(
        ours, axsim.conv2d(x, w, "L40", padding=1, groups=groups, engine="reference")
    )


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    m=st.integers(0, 20),
    k=st.integers(0, 20),
    n=st.integers(0, 40),
    mult=st.sampled_from(
        ["axfpm", "axfpm_mono", "heap_like", "float32", "bfloat16[L40]", "float32[drum8_4]"]
    ),
    seed=st.integers(0, 2**32 - 1),
)
def test_float_sums(isa: str, m: int, k: int, n: int, mult: str, seed: int) -> None:
    normal = np.random.default_rng(seed)
    a = normal.normal(size=(m, k)).astype(np.float32)
    b = normal.normal(size=(k, n)).astype(np.float32)
    ours = axsim.matmul(a, b, mult, engine="native", out_dtype="float64")
    np.testing.assert_array_equal(ours, axsim.matmul(a, b, mult, engine="reference", out_dtype="float64"))
