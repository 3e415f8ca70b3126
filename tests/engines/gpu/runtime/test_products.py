"""Products of matrices through cuBLAS's interface, which here computes on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axsim.engines.gpu.runtime.products import Products, adversaries, linked_cublas
from tests.cuda_emulator.device_arrays import HostWaitsError, on_device
from tests.cuda_emulator.emulated_cublas import EXECUTION_FAILED, NOT_SUPPORTED, EmulatedCublas, _columns
from tests.cuda_emulator.emulated_runtime import STREAM, EmulatedRuntime

KINDS = {"int8": (np.int8, np.int32), "half": (np.float16, np.float32)}


@pytest.fixture
def gpu() -> EmulatedRuntime:
    return EmulatedRuntime(Path())


def operands(kind: str, m: int, n: int, k: int) -> tuple[Any, Any, Any]:
    random, (operand, sums) = np.random.default_rng(m + 100 * n + k), KINDS[kind]
    left, right = (random.integers(-128, 128, (rows, k)).astype(operand) for rows in (m, n))
    return on_device(left), on_device(right), on_device(np.full((m, n), 77, sums))


def product(gpu: EmulatedRuntime, kind: str, *arrays: Any) -> None:
    (gpu.int8_products if kind == "int8" else gpu.half_products)(*arrays)


@given(st.sampled_from(list(KINDS)), st.integers(0, 40), st.integers(0, 40), st.integers(0, 4))
def test_products(kind: str, m: int, n: int, sixteens: int) -> None:
    gpu = EmulatedRuntime(Path())
    left, right, out = operands(kind, m, n, 16 * sixteens)
    product(gpu, kind, left, right, out)
    a, b, c = map(gpu.xp.asnumpy, (left, right, out))
    assert np.array_equal(c, a.astype(np.int64) @ b.T.astype(np.int64))


@pytest.mark.parametrize("kind", list(KINDS))
def test_operands_that_do_not_begin_as_tensor_cores_want(gpu: EmulatedRuntime, kind: str) -> None:
    left, right, out = operands(kind, 32, 32, 16)
    behind = gpu.xp.empty(left.size + 8, left.dtype)[1:][: left.size].reshape(left.shape)
    behind[...] = left
    product(gpu, kind, behind, right, out)
    a, b, c = map(gpu.xp.asnumpy, (left, right, out))
    assert np.array_equal(c, a.astype(np.int64) @ b.T.astype(np.int64))


def test_stream_and_workspace_are_set_for_each_product(gpu: EmulatedRuntime) -> None:
    arrays = operands("int8", 32, 32, 16)
    for _ in range(2):
        product(gpu, "int8", *arrays)
    assert gpu.cublas.calls == ["create", *("stream", "workspace", "product") * 2]
    assert gpu.cublas.streams == [STREAM] * 2


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_product_is_captured_once_cublas_is_set_up(gpu: EmulatedRuntime, kind: str) -> None:
    left, right, out = operands(kind, 32, 36, 16)
    with gpu.capture(), pytest.raises(HostWaitsError, match="cuBLAS is set up"):
        product(gpu, kind, left, right, out)
    product(gpu, kind, left, right, out)
    expected = gpu.xp.asnumpy(out)
    out[...] = 77
    with gpu.capture():
        product(gpu, kind, left, right, out)
    assert np.array_equal(gpu.xp.asnumpy(out), expected)


def test_what_cublas_refuses_is_an_error(gpu: EmulatedRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu.cublas, "cublasGemmEx", lambda *_: NOT_SUPPORTED)
    with pytest.raises(RuntimeError, match="cuBLAS refuses a product of matrices: status 15"):
        product(gpu, "int8", *operands("int8", 32, 32, 16))
    failing = Products(gpu.xp, lambda: gpu.cublas, lambda: 0, lambda: None, 1)
    monkeypatch.setattr(gpu.cublas, "cublasCreate_v2", lambda _: EXECUTION_FAILED)
    with pytest.raises(RuntimeError, match="cuBLAS cannot be set up: status 13"):
        failing.half(*operands("half", 32, 32, 16))


def test_what_does_not_fit_is_refused(gpu: EmulatedRuntime) -> None:
    left, right, out = operands("int8", 4, 5, 16)
    with pytest.raises(TypeError, match="left is int8, expected float16 in C order"):
        gpu.half_products(left, right, out)
    with pytest.raises(TypeError, match="right is int8, expected int8 in C order"):
        gpu.int8_products(left, on_device(np.zeros((16, 5), np.int8)).T, out)
    with pytest.raises(ValueError, match=r"expected \(M, K\), \(N, K\) and \(M, N\)"):
        gpu.int8_products(left, right, out.T.copy())
    with pytest.raises(ValueError, match="K is 5, expected a multiple of 16"):
        gpu.int8_products(left[:, :5].copy(), right[:, :5].copy(), out)


def test_sums_that_try_out_float16_products_are_near_the_limit() -> None:
    cases = list(adversaries())
    for left, right in cases:
        magnitudes = np.abs(left) @ np.abs(right).T
        assert 2**24 - 2**14 < magnitudes.max() <= 2**24
        assert max(np.abs(left).max(), np.abs(right).max()) <= 2048
        assert (left @ right.T).max() == magnitudes.max() == -(left @ right.T).min()
    assert len(cases) == 12


@pytest.mark.parametrize(("bits", "step", "exact"), [(24, 16, True), (23, 16, False), (22, 4, False)])
def test_float16_products_are_tried_out_once(
    gpu: EmulatedRuntime, monkeypatch: pytest.MonkeyPatch, bits: int, step: int, exact: bool
) -> None:
    """As tensor cores might add: so many products at a time, to the sum's highest bits."""

    def product(self: Any, *args: Any) -> int:
        products.append(1)
        _, _, _, n, m, k, _, a, _, lda, b, _, ldb, _, c, _, ldc, _, _ = args
        right, left, out = (
            _columns(at.value, dtype, rows.value, count.value)
            for at, dtype, rows, count in (
                (a, np.float16, lda, n),
                (b, np.float16, ldb, m),
                (c, np.float32, ldc, m),
            )
        )
        sums = np.zeros(out.shape)
        for first in range(0, k.value, step):
            part = slice(first, first + step)
            sums += right[part].astype(float).T @ left[part].astype(float)
            unit = 2.0 ** (np.frexp(sums)[1] - bits)
            sums = np.trunc(sums / unit) * unit
        out[...] = sums
        return 0

    products: list[int] = []
    monkeypatch.setattr(EmulatedCublas, "cublasGemmEx", product)
    with gpu.capture(), pytest.raises(HostWaitsError):
        gpu.half_is_exact()
    assert gpu.half_is_exact() == exact
    tried = len(products)
    with gpu.capture():
        assert gpu.half_is_exact() == exact
    assert len(products) == tried


def test_the_library_is_the_one_that_cupy_is_linked_with() -> None:
    """Its functions are found by their names, in whatever version."""
    pytest.importorskip("cupy")
    try:
        library = linked_cublas()
    except RuntimeError as problem:
        pytest.skip(str(problem))
    for name in ("cublasCreate_v2", "cublasSetStream_v2", "cublasSetWorkspace_v2", "cublasGemmEx"):
        assert getattr(library, name)
