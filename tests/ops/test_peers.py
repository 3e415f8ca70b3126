"""Mistakes that other simulators of approximate multipliers made, each a test that fails when we make it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from drawn_arrays import integers, random_table

import axsim
from axsim.engines.forms.folded import fold
from axsim.engines.isa import NATIVE_IS_BUILT
from axsim.multipliers import Multiplier
from axsim.tables import ProductTable

U8 = np.dtype(np.uint8)
ENGINES = ("native", "reference") if NATIVE_IS_BUILT else ("reference",)
pytestmark = pytest.mark.parametrize("engine", ENGINES)


def multiplier(table: ProductTable) -> Multiplier:
    return Multiplier("drawn", 8, 8, False, simulate=lambda: table)


@pytest.mark.parametrize("name", ["L40", "12N4"])
def test_operand_order_is_the_same_everywhere(engine: str, name: str) -> None:
    """Tables that are not symmetric, looked up [x][w] in linear layers and [w][x] in convolutions."""
    table = axsim.get(name).table.values.astype(np.int64)
    x, w = integers(1, (40,), U8), integers(2, (40,), U8)
    expected = table[x, w]
    assert not np.array_equal(expected, table[w, x])
    assert np.array_equal(axsim.multiply(x, w, name, engine=engine), expected)
    # One look-up a sum, so that no exchange hides; long and wide, so that either operand may be the one that
    # streams through the kernel.
    for left, right in ((x, w[:1]), (x[:1], w), (x, w)):
        product = axsim.matmul(left[:, None], right[None, :], name, engine=engine)
        assert np.array_equal(product, table[left[:, None], right[None, :]])
        image, filters = left.reshape(1, 1, -1, 1), right.reshape(-1, 1, 1, 1)
        out = axsim.conv2d(image, filters, name, engine=engine)
        assert np.array_equal(out[0, :, :, 0], table[left[None, :], right[:, None]])
    depthwise = axsim.conv2d(x.reshape(1, -1, 1, 1), w.reshape(-1, 1, 1, 1), name, groups=40, engine=engine)
    assert np.array_equal(depthwise.ravel(), expected)


@pytest.mark.parametrize("padding", [0, 2])
def test_zero_point_terms_have_the_right_signs(engine: str, padding: int) -> None:
    """Operands of both signs, zero points far from 0, and padding that is a real 0, not the integer 0."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    x, w = rng.uniform(-3, 1, (2, 3, 6, 6)), rng.uniform(-0.5, 2, (4, 3, 3, 3))
    seen = []
    for real in (x, w):
        params = axsim.quantize.affine(real)
        assert 32 < params.zero_point < 224
        seen.append(axsim.quantize.dequantize(axsim.quantize.quantize(real, params), params))
    out = axsim.conv2d(x, w, padding=padding, engine=engine)
    expected = torch.conv2d(torch.from_numpy(seen[0]), torch.from_numpy(seen[1]), padding=padding)
    np.testing.assert_allclose(out, expected.numpy(), rtol=1e-12, atol=1e-12)
    a, b = x.reshape(8, -1), w.reshape(4, -1).T
    np.testing.assert_allclose(
        axsim.matmul(a, b, engine=engine), seen[0].reshape(8, -1) @ seen[1].reshape(4, -1).T, rtol=1e-12
    )


@pytest.mark.parametrize("rows", [1, 7, 70, 129])
@pytest.mark.parametrize("terms", [1, 2, 3, 4, 5, 31, 32, 33])
@pytest.mark.parametrize("columns", [1, 7, 9, 70])
def test_padding_to_tiles_adds_nothing(engine: str, rows: int, terms: int, columns: int) -> None:
    """T[0, 0] is not 0 in every table, so a sum padded to a tile comes out too large."""
    values = np.zeros((256, 256), np.int64)
    values[0, :], values[:, 0], values[0, 0] = 3, 5, 64
    values[1, 1] = 1
    mult = multiplier(ProductTable.from_array(values))
    a, b = np.ones((rows, terms), np.uint8), np.ones((terms, columns), np.uint8)
    assert (axsim.matmul(a, b, mult, engine=engine) == terms).all()
    x, w = np.ones((1, terms, rows, 1), np.uint8), np.ones((columns, terms, 1, 1), np.uint8)
    assert (axsim.conv2d(x, w, mult, engine=engine) == terms).all()


@pytest.mark.parametrize("k", [4608, 33_025])
def test_sums_are_exact_where_float32_is_not(engine: str, k: int) -> None:
    """Float32 accumulators are off by hundreds from K = 4608 on."""
    a, b = integers(1, (3, k), U8) | 1, integers(2, (k, 70), U8) | 1
    exact = a.astype(np.int64) @ b.astype(np.int64)
    rounded = np.zeros(exact.shape, np.float32)
    for term in range(k):
        rounded += np.multiply.outer(a[:, term].astype(np.float32), b[term].astype(np.float32))
    assert not np.array_equal(rounded, exact)
    assert np.array_equal(axsim.matmul(a, b, engine=engine), exact)


def naive_conv2d(table: Any, x: Any, w: Any, stride: int, dilation: int) -> Any:
    span = dilation * (w.shape[2] - 1) + 1
    oh, ow = ((size - span) // stride + 1 for size in x.shape[2:])
    out = np.zeros((len(x), len(w), oh, ow), np.int64)
    for n, o, oy, ox, c, i, j in np.ndindex(*out.shape, *w.shape[1:]):
        pixel = x[n, c, oy * stride + i * dilation, ox * stride + j * dilation]
        out[n, o, oy, ox] += int(table[pixel, w[o, c, i, j]])
    return out


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
def test_every_image_stride_and_dilation_counts(engine: str, stride: int, dilation: int) -> None:
    """A convolution that uses the first image for the whole batch, or ignores stride or dilation."""
    table = random_table(4)
    x, w = integers(1, (3, 2, 9, 9), U8), integers(2, (2, 2, 3, 3), U8)
    assert len({image.tobytes() for image in x}) == 3
    out = axsim.conv2d(x, w, multiplier(table), stride=stride, dilation=dilation, engine=engine)
    assert np.array_equal(out, naive_conv2d(table.values, x, w, stride, dilation))


def test_a_batch_of_one_uses_every_core(engine: str) -> None:
    """Threads over the batch alone leave all cores but one idle at batch 1."""
    if engine == "reference":
        pytest.skip("the reference has one thread")
    from axsim import _native

    table = _native.Table(fold(random_table(5), U8, U8).values)
    only, threads = np.zeros(1, np.int64), 4
    x, w = np.zeros((1, 64, 58, 58), np.uint8), np.zeros((64, 64, 3, 3), np.uint8)
    out = np.empty((1, 64, 56, 56), np.int32)
    assert _native.conv2d(table, x, w, out, (1, 1), (0, 0), (1, 1), 1, 0, threads)[1] == threads
    for m, k, n in ((1, 4096, 1024), (1024, 4096, 1), (512, 512, 512)):
        a, b, c = np.zeros((1, m, k), np.uint8), np.zeros((1, k, n), np.uint8), np.empty((1, m, n), np.int32)
        tiles, workers = _native.gemm(table, a, b, only, only, c, threads)
        assert workers == threads
        assert tiles >= threads


@pytest.mark.parametrize("large", [1e30, -1e30, 1e300, -1e300])
def test_zero_times_anything_is_zero(engine: str, large: float) -> None:
    """0 * 1e30 is 0: quantised zeros are exact, and scales that overflow together do not make it NaN."""
    zeros, others = np.zeros((2, 3)), np.full((3, 2), large)
    assert not axsim.matmul(zeros, others, engine=engine).any()
    assert not axsim.matmul(others, zeros, engine=engine).any()
    assert not axsim.multiply(zeros, others.T, engine=engine).any()
    mixed = np.array([[0.0, large], [large, 0.0]])
    params = axsim.quantize.affine(mixed)
    assert axsim.quantize.dequantize(axsim.quantize.quantize(mixed, params), params)[0, 0] == 0
    with np.errstate(over="ignore"):
        out = axsim.multiply(mixed, np.full((2, 2), large), engine=engine)
    assert out[0, 0] == out[1, 1] == 0
