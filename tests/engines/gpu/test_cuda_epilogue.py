"""The end of operations on an emulated GPU: NumPy's numbers, bit for bit (axsim/engines/gpu/epilogue.py)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from drawn_arrays import integers, laid_out, layouts, seeds
from hypothesis import given, settings
from hypothesis import strategies as st

from axsim.engines.cpu import epilogue
from axsim.engines.cpu.quantize import described
from axsim.engines.gpu import epilogue as on_gpu
from axsim.engines.gpu.runtime.current import using
from axsim.engines.operands import Quantized
from axsim.engines.shapes.geometry import geometry
from axsim.quantize import QuantParams
from tests.cuda_emulator.emulated_runtime import EmulatedRuntime

dtypes = st.sampled_from([np.dtype(np.float32), np.dtype(np.float64)])
scales = st.sampled_from([0.1, 1e-21, 1e-41, 1e200, 1e-300])
sizes = st.one_of(st.integers(0, 5), st.sampled_from([37, 130]))


@pytest.fixture(scope="module")
def gpu(builds: Any) -> Any:
    with using(EmulatedRuntime(builds)) as runtime:
        yield runtime


def operand(
    seed: int, shape: tuple[int, ...], scale: float, channels: int | None, axis: int | None, layout: str
) -> Quantized:
    """Integers that random parameters might have made; their zero points may all be 0."""
    random = np.random.default_rng(seed)
    signed = bool(seed % 2)
    low, high = (-128, 127) if signed else (0, 255)
    of_each = () if channels is None else (channels,)
    zeros = random.integers(low, high + 1, of_each) * random.integers(0, 2)
    by = QuantParams(scale * random.uniform(0.5, 1, of_each), zeros, low, high, axis)
    return described(laid_out(integers(seed, shape, np.int8 if signed else np.uint8), layout), by)


def moved(gpu: EmulatedRuntime, side: Quantized) -> Quantized:
    zero = None if side.zero is None else gpu.xp.asarray(side.zero)
    return Quantized(gpu.xp.asarray(side.values), gpu.xp.asarray(side.scale), zero, side.pad)


def same_bits(gpu: EmulatedRuntime, got: Any, expected: Any) -> bool:
    found = gpu.xp.asnumpy(got)
    return (found.dtype, found.shape, found.tobytes()) == (expected.dtype, expected.shape, expected.tobytes())


def drawn_sums(seed: int, shape: tuple[int, ...], accumulator: Any) -> Any:
    limit = 2**31 if accumulator is np.int32 else 2**50
    return np.random.default_rng(seed).integers(-limit, limit, shape).astype(accumulator)


@settings(max_examples=120)
@given(
    seeds(),
    st.sampled_from([((), ()), ((2,), ()), ((2,), (2,)), ((3, 1), (2,)), ((), (3,)), ((0,), ())]),
    st.tuples(sizes, sizes, sizes),
    st.booleans(),
    scales,
    st.sampled_from([np.int32, np.int64]),
    dtypes,
    layouts(),
    st.booleans(),
)
def test_gemm(
    gpu: EmulatedRuntime,
    seed: int,
    batches: tuple[tuple[int, ...], tuple[int, ...]],
    shape: tuple[int, int, int],
    per_channel: bool,
    scale: float,
    accumulator: Any,
    dtype: Any,
    layout: str,
    few: bool,
) -> None:
    m, k, n = shape
    a = operand(seed, (*batches[0], m, k), 0.3, None, None, layout)
    b_axis = len(batches[1]) + 1 if per_channel else None
    b = operand(seed + 1, (*batches[1], k, n), scale, n if per_channel else None, b_axis, layout)
    sums = drawn_sums(seed, (*np.broadcast_shapes(*batches), m, n), accumulator)
    with np.errstate(over="ignore", under="ignore"):
        expected = epilogue.gemm_by_numpy(sums, a, b, None, dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(on_gpu, "_FEW", 2**31 if few else 0)  # as if there were more than 32 bits count
        got = on_gpu.scaled_gemm(gpu.xp.asarray(sums), moved(gpu, a), moved(gpu, b), None, dtype)
    assert same_bits(gpu, got, expected)


@settings(max_examples=80)
@given(
    seeds(),
    st.sampled_from([1, 2, 3]),
    st.tuples(st.integers(0, 3), st.integers(1, 3), st.integers(1, 4), st.integers(4, 9), st.integers(4, 9)),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.booleans(),
    st.sampled_from([None, np.float32, np.float64]),
    scales,
    dtypes,
)
def test_conv2d(
    gpu: EmulatedRuntime,
    seed: int,
    groups: int,
    shape: tuple[int, int, int, int, int],
    kernel: tuple[int, int],
    per_channel: bool,
    bias_type: Any,
    scale: float,
    dtype: Any,
) -> None:
    images, channels, filters, height, width = shape
    x = operand(seed, (images, groups * channels, height, width), 0.3, None, None, "C")
    of_each = (groups * filters, 0) if per_channel else (None, None)
    w = operand(seed + 1, (groups * filters, channels, *kernel), scale, *of_each, "C")
    where = geometry(
        x_shape=x.values.shape,
        w_shape=w.values.shape,
        stride=(1 + seed % 2, 2),
        padding=((0, 3), (2, 1)),
        groups=groups,
    )
    random = np.random.default_rng(seed)
    sums_shape = (images, groups * filters, *where.output_size(height, width, *kernel))
    sums = drawn_sums(seed, sums_shape, np.int32)
    bias = None
    if bias_type is not None:
        bias = (random.normal(size=groups * filters) * min(scale, 1)).astype(bias_type)
    with np.errstate(over="ignore", under="ignore"):
        expected = epilogue.conv2d_by_numpy(sums, x, w, where, bias, dtype)
    got = on_gpu.scaled_conv2d(
        gpu.xp.asarray(sums),
        moved(gpu, x),
        moved(gpu, w),
        where,
        None if bias is None else gpu.xp.asarray(bias),
        dtype,
    )
    assert same_bits(gpu, got, expected)


@settings(max_examples=40)
@given(seeds(), st.sampled_from([(), (5,), (3, 4), (0, 2)]), scales, dtypes)
def test_lookup(gpu: EmulatedRuntime, seed: int, shape: tuple[int, ...], scale: float, dtype: Any) -> None:
    a, b = operand(seed, shape, scale, None, None, "C"), operand(seed + 1, shape, 0.2, None, None, "C")
    products = drawn_sums(seed, shape, np.int32)
    with np.errstate(over="ignore", under="ignore"):
        expected = epilogue.scaled_lookup(products, a, b, dtype)
    got = on_gpu.scaled_lookup(gpu.xp.asarray(products), moved(gpu, a), moved(gpu, b), dtype)
    assert same_bits(gpu, got, expected)


NUMBERS = np.array(
    [0.0, -0.0, 1e-45, -1e-45, 1e-40, -3e-39, 1.5, -2e38, np.inf, -np.inf, np.nan, 1.1754944e-38], np.float32
)


@pytest.mark.parametrize("to", [np.float32, np.float64])
@pytest.mark.parametrize("of", [np.float32, np.float64])
def test_conversions_keep_subnormal_numbers(gpu: EmulatedRuntime, of: Any, to: Any) -> None:
    numbers = np.concatenate([NUMBERS, np.float32([3.4e38])]).astype(of)
    if of is np.float64:
        numbers = np.concatenate([numbers, [1e-46, 7.1e-46, 2.9e-39, 1e39, 1 + 2**-24, 1 + 3 * 2**-24]])
    with np.errstate(over="ignore"):
        expected = numbers.astype(to)
    assert same_bits(gpu, on_gpu.converted(gpu.xp.asarray(numbers), np.dtype(to)), expected)


@pytest.mark.parametrize("to", [np.float32, np.float64])
@pytest.mark.parametrize("bias_type", [np.float32, np.float64])
def test_bias(gpu: EmulatedRuntime, bias_type: Any, to: Any) -> None:
    values = np.concatenate([NUMBERS.astype(np.float64), [1e-46, 1e300]])
    sums = np.ascontiguousarray(np.broadcast_to(values, (2, 4, 3, len(values))))
    bias = np.array([-0.0, 1e-45, -1.5, np.inf], bias_type)
    with np.errstate(over="ignore", invalid="ignore"):
        expected = (sums + bias[:, None, None]).astype(to)
    got = on_gpu.biased(gpu.xp.asarray(sums), gpu.xp.asarray(bias), -3, np.dtype(to))
    assert np.array_equal(np.isnan(gpu.xp.asnumpy(got)), np.isnan(expected))
    assert same_bits(gpu, np.nan_to_num(got, nan=7.0), np.nan_to_num(expected, nan=7.0))
