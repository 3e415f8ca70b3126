"""The compiled quantisation and epilogue give NumPy's numbers, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from drawn_arrays import integers, laid_out, layouts, seeds
from hypothesis import given, settings
from hypothesis import strategies as st

from axsim import quantize, threads
from axsim.engines.cpu import epilogue
from axsim.engines.cpu.quantize import described, integers_by_kernel, integers_by_numpy, row_extremes
from axsim.engines.shapes.geometry import geometry
from axsim.quantize import QuantParams

pytest.importorskip("axsim._native", reason="axsim was installed without its compiled module")

dtypes = st.sampled_from([np.float32, np.float64])
scales = st.sampled_from([1.0, 0.1, 3e-5, 1e-300, 1e300, np.finfo(np.float64).tiny])
sizes = st.one_of(st.integers(0, 9), st.sampled_from([63, 64, 65, 130, 5000]))


@pytest.fixture(autouse=True)
def _default_threads() -> Any:
    yield
    threads.set_num_threads(None)


def params(seed: int, signed: bool, channels: int | None, axis: int | None, scale: float) -> QuantParams:
    random = np.random.default_rng(seed)
    low, high = (-128, 127) if signed else (0, 255)
    shape = () if channels is None else (channels,)
    zero = random.integers(low, high + 1, shape) * random.integers(0, 2)
    return QuantParams(scale * random.uniform(0.5, 1, shape), zero, low, high, axis)


def same_bits(a: Any, b: Any) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@settings(max_examples=200)
@given(
    seeds(),
    dtypes,
    sizes,
    sizes,
    st.sampled_from([None, 0, 1]),
    st.booleans(),
    scales,
    layouts(),
    st.integers(1, 3),
)
def test_quantise(
    seed: int,
    dtype: Any,
    m: int,
    n: int,
    axis: int | None,
    signed: bool,
    scale: float,
    layout: str,
    count: int,
) -> None:
    threads.set_num_threads(count)
    by = params(seed, signed, None if axis is None else (m, n)[axis], axis, scale)
    spread = np.random.default_rng(seed).choice([0.5, 100, 1e4])
    with np.errstate(over="ignore", under="ignore"):
        halves = integers(seed, (m, n), np.int8) * spread / 2 * scale  # ties where the scale is 1
        x = laid_out(np.nan_to_num(halves.astype(dtype)), layout)
    made = integers_by_kernel("x", x, by)
    assert same_bits(made, integers_by_numpy("x", x, by))
    if x.size:
        low, high = row_extremes(x.reshape(1, -1))
        assert (low.item(), high.item()) == (x.min(), x.max())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("at", [0, 63, 64, 70, 299_999])
def test_what_is_not_finite_is_found_wherever_it_is(bad: float, dtype: Any, at: int) -> None:
    x = np.ones(300_000, dtype)
    x[at] = bad
    threads.set_num_threads(2)
    with pytest.raises(ValueError, match="NaN or infinity"):
        quantize.affine(x)
    with pytest.raises(ValueError, match="NaN or infinity"):
        quantize.quantize(x, QuantParams(1.0, 0, 0, 255))


def test_ties_go_to_even_and_large_quotients_are_clipped() -> None:
    x = np.array([-1e308, -2.5, -1.5, -0.5, -0.0, 0.5, 1.5, 2.5, 1e308])
    made = integers_by_kernel("x", x, QuantParams(1.0, 3, -128, 127))
    assert made.tolist() == [-128, 1, 1, 3, 3, 3, 5, 5, 127]
    assert integers_by_kernel("x", x, QuantParams(1e-300, 3, 0, 255))[[0, -1]].tolist() == [
        0,
        255,
    ]


def test_foreign_byte_order() -> None:
    x = np.linspace(-3, 5, 100, dtype=">f4")
    by = quantize.affine(x)
    assert np.array_equal(quantize.quantize(x, by), quantize.quantize(x.astype(np.float32), by))


@settings(max_examples=150)
@given(
    seeds(),
    st.sampled_from([((), ()), ((2,), ()), ((2,), (2,)), ((3, 1), (2,)), ((0,), ())]),
    st.tuples(st.integers(0, 70), st.integers(0, 70), st.integers(0, 70)),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    scales,
    st.sampled_from([np.int32, np.int64]),
    dtypes,
)
def test_gemm(
    seed: int,
    batches: tuple[tuple[int, ...], tuple[int, ...]],
    shape: tuple[int, int, int],
    a_signed: bool,
    b_signed: bool,
    per_channel: bool,
    scale: float,
    accumulator: Any,
    dtype: Any,
) -> None:
    m, k, n = shape
    a = integers(seed, (*batches[0], m, k), np.int8 if a_signed else np.uint8)
    b = integers(seed + 1, (*batches[1], k, n), np.int8 if b_signed else np.uint8)
    limit = 2**31 if accumulator is np.int32 else 2**50
    sums_shape = (*np.broadcast_shapes(*batches), m, n)
    sums = np.random.default_rng(seed).integers(-limit, limit, sums_shape).astype(accumulator)
    by_b = params(seed + 1, b_signed, n if per_channel else None, b.ndim - 1 if per_channel else None, 0.01)
    arguments = (
        *(sums, described(a, params(seed, a_signed, None, None, scale)), described(b, by_b)),
        np.random.default_rng(seed).normal(size=n).astype(dtype) if seed % 2 else None,
        np.dtype(dtype),
    )
    with np.errstate(over="ignore", under="ignore"):
        expected = epilogue.gemm_by_numpy(*arguments)
    assert same_bits(epilogue.gemm_by_kernels(*arguments), expected)


@settings(max_examples=150)
@given(
    seeds(),
    st.sampled_from([1, 2, 3]),
    st.tuples(
        st.integers(0, 2), st.integers(0, 3), st.integers(1, 3), st.integers(4, 12), st.integers(4, 12)
    ),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.sampled_from([0, 2, ((0, 3), (5, 1)), "same"]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    dtypes,
)
def test_conv2d(
    seed: int,
    groups: int,
    shape: tuple[int, int, int, int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: Any,
    signed: bool,
    per_channel: bool,
    with_bias: bool,
    dtype: Any,
) -> None:
    images, channels, filters, height, width = shape
    x = integers(seed, (images, groups * channels, height, width), np.int8 if signed else np.uint8)
    w = integers(seed + 1, (groups * filters, channels, *kernel), np.uint8)
    where = geometry(x_shape=x.shape, w_shape=w.shape, stride=stride, padding=padding, groups=groups)
    random = np.random.default_rng(seed)
    sums_shape = (images, len(w), *where.output_size(height, width, *kernel))
    sums = random.integers(-(2**31), 2**31, sums_shape).astype(np.int32)
    quantised_x = described(x, params(seed, signed, None, None, 0.3))
    by_w = params(seed + 1, False, len(w) if per_channel else None, 0 if per_channel else None, 0.01)
    bias = random.normal(size=len(w)).astype(dtype) if with_bias else None
    arguments = (sums, quantised_x, described(w, by_w), where, bias, np.dtype(dtype))
    assert same_bits(epilogue.conv2d_by_kernels(*arguments), epilogue.conv2d_by_numpy(*arguments))
