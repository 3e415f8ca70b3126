"""Prepared weights of the compiled module against plain NumPy: bytes, signed 9-bit operands, and floats."""

from __future__ import annotations

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from axsim.engines.forms.integer_form import IntegerForm, Term, integer_form, with_signs
from axsim.engines.isa import runnable_isas
from axsim.quantization import Rule

_native = pytest.importorskip("axsim._native")
factored_native = pytest.importorskip("axsim.engines.cpu.factored_native")

Array = NDArray[Any]
SIGNS = [(False, False), (False, True), (True, False), (True, True)]


def table_values(seed: int, low: int = 0, high: int = 65025) -> NDArray[np.int32]:
    """Products of magnitudes or bytes; those of 0 are not 0, so that no sum gets them by mistake."""
    return np.random.default_rng(seed).integers(low, high + 1, (256, 256), dtype=np.int32)


def operands(seed: int, shape: tuple[int, ...], signed: bool) -> Array:
    rng = np.random.default_rng(seed)
    if not signed:
        return rng.integers(0, 256, shape, dtype=np.uint8)
    values = rng.integers(-255, 256, shape, dtype=np.int16)
    values[rng.random(shape) < 0.1] = 0
    return values


def products(values: Array, a: Array, b: Array) -> NDArray[np.int64]:
    """The meaning of a signed operand: sign and magnitude; the sign of 0 is plus."""
    sign = np.where(a.astype(np.int64) < 0, -1, 1) * np.where(b.astype(np.int64) < 0, -1, 1)
    return sign * values[np.abs(a.astype(np.int64)), np.abs(b.astype(np.int64))].astype(np.int64)


def matrix_sums(values: Array, a: Array, w: Array) -> NDArray[np.int64]:
    return products(values, a[:, :, None], w[None]).sum(axis=1)


def check_gemm(weights: Any, a: Array, expected: NDArray[np.int64]) -> None:
    """By one thread and by three, as true sums and modulo 2**32."""
    for threads in (1, 3):
        out = np.empty(expected.shape, np.int64)
        weights.gemm(a, out, threads)
        assert np.array_equal(out, expected)
    narrow = np.empty(expected.shape, np.int32)
    weights.gemm(a, narrow, 1)
    assert np.array_equal(narrow, expected.astype(np.int32))


def patches(x: Array, kernel: tuple[int, int], stride: Any, pad: Any, dilation: Any, outside: int) -> Array:
    """(N, OH, OW, C, kh, kw)."""
    padded = np.pad(x, ((0, 0), (0, 0), (pad[0],) * 2, (pad[1],) * 2), constant_values=outside)
    window = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
    view = np.lib.stride_tricks.sliding_window_view(padded, window, axis=(2, 3))
    view = view[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]
    return view.transpose(0, 2, 3, 1, 4, 5)


def conv_sums(
    values: Array, x: Array, w: Array, stride: Any, pad: Any, dilation: Any, groups: int, outside: int
) -> NDArray[np.int64]:
    unfolded = patches(x, w.shape[2:], stride, pad, dilation, outside)
    n, oh, ow, channels = unfolded.shape[:4]
    each = channels // groups, len(w) // groups
    out = np.empty((n, len(w), oh, ow), np.int64)
    for g in range(groups):
        part = unfolded[:, :, :, g * each[0] : (g + 1) * each[0]].reshape(n, oh, ow, 1, -1)
        weights = w[g * each[1] : (g + 1) * each[1]].reshape(each[1], -1)
        out[:, g * each[1] : (g + 1) * each[1]] = (
            products(values, part, weights).sum(axis=-1).transpose(0, 3, 1, 2)
        )
    return out


def drawn_form(seed: int, signs: tuple[bool, bool], terms: int = 3) -> tuple[NDArray[np.int32], IntegerForm]:
    """A table of few terms, some of them small, and its form for operands with such signs."""
    rng = np.random.default_rng(seed)
    made, values = [], np.zeros((256, 256), np.int64)
    for term in range(terms):
        reach = (9, 40, 130)[term % 3]
        left, right = rng.integers(-reach if term else 0, reach + 1, (2, 256))
        made.append(Term(left, right, term % 2))
        values += np.outer(left, right) << (term % 2)
    left_sums, right_sums = 4 * rng.integers(-50, 50, 256), rng.integers(-50, 50, 256) * (seed % 2)
    signed = with_signs(made, left_sums, right_sums, left=signs[0], right=signs[1])
    form = integer_form(*signed, _native.byte_sums())
    assert form is not None
    return (values + left_sums[:, None] + right_sums).astype(np.int32), form


def both_weights(
    seed: int, signs: tuple[bool, bool], w: Array, groups: int = 1
) -> tuple[NDArray[np.int32], list[Any]]:
    """A table, and the weights for both ways of multiplying by it."""
    values, form = drawn_form(seed, signs)
    looked_up = _native.LookupWeights(_native.Table(values, *signs), w, groups)
    return values, [looked_up, factored_native.packed(form, w, groups)]


@pytest.fixture(params=runnable_isas())
def isa(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AXSIM_ISA", request.param)
    return str(request.param)


@pytest.mark.parametrize("signs", SIGNS)
@pytest.mark.parametrize(("m", "k", "n"), [(1, 1, 1), (3, 5, 2), (70, 150, 33), (5, 700, 40), (200, 37, 6)])
def test_factors_as_looked_up(isa: str, signs: tuple[bool, bool], m: int, k: int, n: int) -> None:
    a, w = operands(m, (m, k), signs[0]), operands(n, (k, n), signs[1])
    values, weights = both_weights(k, signs, w)
    expected = matrix_sums(values, a, w)
    for made in weights:
        for threads in (1, 3):
            out = np.empty((m, n), np.int64)
            made.gemm(a, out, threads)
            assert np.array_equal(out, expected)


def test_weights_know_every_instruction_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was expanded for other kernels is not taken. (Words, which all of them multiply.)"""
    a, w = operands(1, (40, 90), False), operands(2, (90, 30), True)
    rng = np.random.default_rng(3)
    left, right = rng.integers(-300, 300, (2, 256))
    signed = with_signs([Term(left, right, 0)], *np.zeros((2, 256), np.int64), left=False, right=True)
    form = integer_form(*signed, 0)
    assert form is not None
    weights = factored_native.packed(form, w, 1)
    expected = matrix_sums(np.outer(left, right), a, w)
    for isa in (*runnable_isas(), *runnable_isas()):
        monkeypatch.setenv("AXSIM_ISA", isa)
        out = np.empty(expected.shape, np.int64)
        weights.gemm(a, out, 1)
        assert np.array_equal(out, expected)


@pytest.mark.parametrize(("left", "right"), SIGNS)
@pytest.mark.parametrize("limits", [(0, 65025), (-30000, 30000), (-60000, 65025)])
@pytest.mark.parametrize(
    ("m", "k", "n"),
    [
        (1, 1, 1),
        (1, 70, 33),
        (3, 5, 2),
        (32, 32, 32),
        (200, 37, 6),
        (5, 130, 300),
        (1, 2100, 9),
        (700, 9, 25),
    ],
)
def test_matrices(left: bool, right: bool, limits: tuple[int, int], m: int, k: int, n: int) -> None:
    values = table_values(1, *limits)
    table = _native.Table(values, left, right)
    a, w = operands(2, (m, k), left), operands(3, (k, n), right)
    check_gemm(_native.LookupWeights(table, w), a, matrix_sums(values, a, w))


@pytest.mark.parametrize(("left", "right"), SIGNS)
@pytest.mark.parametrize(
    ("m", "k", "n"), [(300, 64, 5), (9, 68, 300), (65, 192, 70), (130, 66, 3), (70, 8192, 2), (70, 8196, 2)]
)
def test_matrices_where_products_with_zero_are_zero(left: bool, right: bool, m: int, k: int, n: int) -> None:
    values = table_values(1, 0, 65535)
    values[0], values[:, 0] = 0, 0
    for full in (False, True):  # as large as sums can be
        values[1:, 1:] = 65535 if full else values[1:, 1:]
        a, w = operands(2, (m, k), left), operands(3, (k, n), right)
        if full:
            a, w = (-np.abs(side) if side.dtype == np.int16 else side for side in (a, w))
        weights = _native.LookupWeights(_native.Table(values, left, right), w)
        check_gemm(weights, a, matrix_sums(values, a, w))


@given(
    signs=st.sampled_from(SIGNS),
    seed=st.integers(0, 1000),
    images=st.integers(1, 3),
    groups=st.integers(1, 3),
    channels=st.integers(1, 3),
    filters=st.integers(1, 5),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    pad=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    outside=st.integers(-255, 255),
    threads=st.integers(1, 3),
)
@settings(max_examples=300, deadline=None)
def test_convolutions(
    signs: tuple[bool, bool],
    seed: int,
    images: int,
    groups: int,
    channels: int,
    filters: int,
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    pad: tuple[int, int],
    dilation: tuple[int, int],
    outside: int,
    threads: int,
) -> None:
    extent = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    height, width = (max(s, e - 2 * p) for s, e, p in zip(size, extent, pad, strict=True))
    if min(height, width) < 1:
        height, width = max(height, 1), max(width, 1)
    outside = outside if signs[0] else abs(outside)
    values = table_values(seed)
    if seed % 2:
        values[0], values[:, 0] = 0, 0
    x = operands(seed, (images, groups * channels, height, width), signs[0])
    w = operands(seed + 1, (groups * filters, channels, *kernel), signs[1])
    tables = [(values, _native.LookupWeights(_native.Table(values, *signs), w, groups))]
    values, weights = both_weights(seed, signs, w, groups)
    for of_table, made in [*tables, (values, weights[1])]:
        expected = conv_sums(of_table, x, w, stride, pad, dilation, groups, outside)
        out = np.empty(expected.shape, np.int32)
        made.conv2d(x, out, kernel, stride, pad, dilation, outside, threads)
        assert np.array_equal(out, expected)


def quantized(x: Array, scale: float, zero: int, low: int, high: int) -> Array:
    return np.clip(np.rint(x.astype(np.float64) / scale) + zero, low, high).astype(np.int16)


def scaled(
    sums: Array,
    lefts: Array,
    by: tuple[float, int],
    w_scale: Array,
    w_zero: Array,
    w_sums: Array,
    depth: int,
    bias: Array | None,
) -> NDArray[np.float32]:
    """y = ((S - sum q_a z_b - z_a sum q_b + K z_a z_b) s_a) s_b + bias, channels last."""
    bracket = sums - lefts * w_zero - by[1] * w_sums + depth * by[1] * w_zero
    y = bracket.astype(np.float64) * by[0] * w_scale
    return (y if bias is None else y + bias).astype(np.float32)


@pytest.mark.parametrize(("left", "right"), SIGNS)
@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize(
    ("m", "k", "n"), [(1, 1, 1), (1, 300, 70), (32, 400, 120), (65, 33, 5), (3, 2500, 17), (600, 20, 3)]
)
def test_layers_of_matrices(
    left: bool, right: bool, centred: bool, with_bias: bool, m: int, k: int, n: int
) -> None:
    rng = np.random.default_rng(m + k)
    w = operands(5, (k, n), right)
    values, made = both_weights(4, (left, right), w)
    low = -255 if left else 0
    x = rng.standard_normal((m, k)).astype(np.float32)
    scale, zero = 0.011, 0 if left and centred else 90
    w_scale = rng.uniform(0.001, 0.1, n)
    w_zero = np.zeros(n) if centred else rng.integers(0, 200, n).astype(np.float64)
    bias = rng.standard_normal(n) if with_bias else None
    q = quantized(x, scale, zero, low, 255)
    lefts = q.astype(np.int64).sum(axis=1)[:, None]
    w_sums = w.astype(np.int64).sum(axis=0)
    expected = scaled(
        matrix_sums(values, q, w), lefts, (scale, zero), w_scale, w_zero.astype(np.int64), w_sums, k, bias
    )
    layers = [_native.Layer(weights, False, w_scale, w_zero, bias) for weights in made]
    for layer in layers:
        for threads in (1, 2):
            out = np.empty((m, n), np.float32)
            assert layer.gemm(x, scale, zero, low, 255, out, threads)
            assert np.array_equal(out, expected)
    x[m // 2, k // 2] = np.nan
    assert not any(layer.gemm(x, scale, zero, low, 255, out, 1) for layer in layers)


@pytest.mark.parametrize(("left", "right"), SIGNS)
@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize(
    ("images", "channels", "size", "filters", "kernel", "groups"),
    [
        (1, 1, 9, 3, 3, 1),
        (2, 6, 14, 16, 5, 1),
        (3, 8, 5, 8, 3, 8),
        (1, 40, 4, 40, 1, 2),
        (2, 300, 3, 7, 3, 1),
    ],
)
def test_layers_of_convolutions(
    left: bool,
    right: bool,
    centred: bool,
    images: int,
    channels: int,
    size: int,
    filters: int,
    kernel: int,
    groups: int,
) -> None:
    rng = np.random.default_rng(channels)
    w = operands(7, (filters, channels // groups, kernel, kernel), right)
    values, made = both_weights(6, (left, right), w, groups)
    x = rng.standard_normal((images, channels, size, size)).astype(np.float32)
    low, scale, zero = (-255, 0.013, -17) if left else (0, 0.013, 40)
    w_scale = rng.uniform(0.001, 0.1, filters)
    w_zero = np.zeros(filters) if centred else rng.integers(0, 200, filters).astype(np.float64)
    bias = rng.standard_normal(filters)
    q = quantized(x, scale, zero, low, 255)
    geometry: Any = (1, 1), (1, 1), (1, 1)
    pad = (kernel // 2, kernel // 2)
    sums = conv_sums(values, q, w, (1, 1), pad, (1, 1), groups, zero)
    lefts = patches(q, (kernel, kernel), (1, 1), pad, (1, 1), zero).astype(np.int64)
    lefts = lefts.reshape(*lefts.shape[:3], groups, -1).sum(axis=-1)
    lefts = np.repeat(lefts, filters // groups, axis=3)
    depth = w[0].size
    expected = scaled(
        sums.transpose(0, 2, 3, 1),
        lefts,
        (scale, zero),
        w_scale,
        w_zero.astype(np.int64),
        w.astype(np.int64).reshape(filters, -1).sum(axis=1),
        depth,
        bias,
    ).transpose(0, 3, 1, 2)
    for weights in made:
        layer = _native.Layer(weights, False, w_scale, w_zero, bias)
        for threads in (1, 2):
            out = np.empty(expected.shape, np.float32)
            assert layer.conv2d(
                x, scale, zero, low, 255, out, (kernel, kernel), geometry[0], pad, geometry[2], threads
            )
            assert np.array_equal(out, expected)


@given(
    seed=st.integers(0, 10**6),
    bits=st.integers(2, 8),
    signed=st.booleans(),
    centred=st.booleans(),
    size=st.floats(1e-300, 1e30),
)
@settings(max_examples=200, deadline=None)
def test_range_params_as_the_rules_have_them(
    seed: int, bits: int, signed: bool, centred: bool, size: float
) -> None:
    with np.errstate(over="ignore", under="ignore"):
        x = (np.random.default_rng(seed).standard_normal((3, 7)) * size).astype(np.float32)
    rule = Rule.symmetric(bits) if centred else Rule.affine(bits, signed=signed)
    expected = rule.params(np.array(float(x.min())), np.array(float(x.max())))
    found = _native.range_params(x, centred, rule.qmin, rule.qmax, 1)
    assert found == (float(expected.scale), int(expected.zero_point))


def test_range_params_of_no_numbers_and_of_wrong_ones() -> None:
    assert _native.range_params(np.empty((0, 3), np.float32), False, 0, 255, 1) == (1.0, 0)
    assert _native.range_params(np.array([1, np.inf], np.float32), False, 0, 255, 1) is None


@pytest.mark.parametrize("which", [0, 1])
def test_threads_share_weights_that_nobody_has_packed_yet(which: int) -> None:
    a, w = operands(9, (40, 60), True), operands(10, (60, 50), True)
    for round_ in range(20):
        values, made = both_weights(round_, (True, True), w)
        weights, expected = made[which], matrix_sums(values, a, w)
        start = threading.Barrier(4)

        def call(weights: Any = weights, start: threading.Barrier = start) -> Array:
            out = np.empty((40, 50), np.int64)
            start.wait()
            weights.gemm(a, out, 1)
            return out

        with ThreadPoolExecutor(4) as pool:
            for found in [pool.submit(call) for _ in range(4)]:
                assert np.array_equal(found.result(), expected)


def test_rebuilt_from_plain_arrays() -> None:
    values, w = table_values(11), operands(12, (9, 4), True)
    again = pickle.loads(pickle.dumps((values, w)))
    a, out = operands(13, (5, 9), False), np.empty((5, 4), np.int32)
    _native.LookupWeights(_native.Table(again[0], False, True), again[1]).gemm(a, out, 1)
    assert np.array_equal(out, matrix_sums(values, a, w))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda w, t: _native.LookupWeights(t, np.zeros((2, 2), np.uint8)),
            "int16 where the table",
        ),
        (lambda w, t: _native.LookupWeights(t, np.full((2, 2), 256, np.int16)), "not in -255 to 255"),
        (lambda w, t: w.gemm(np.zeros((1, 4), np.uint8), np.zeros((1, 4), np.int32), 1), "shapes do not fit"),
        (
            lambda w, t: w.gemm(np.zeros((1, 3), np.int16), np.zeros((1, 4), np.int32), 1),
            "left operands are int16",
        ),
        (lambda w, t: w.gemm(np.zeros((1, 3), np.uint8), np.zeros((1, 4)), 1), "int32 or int64"),
        (lambda w, t: w.gemm(np.zeros((1, 3)), np.zeros((1, 4), np.int32), 1), "uint8 or int16"),
    ],
)
def test_what_does_not_fit_is_an_error(call: Any, message: str) -> None:
    table = _native.Table(table_values(14), False, True)
    weights = _native.LookupWeights(table, np.ones((3, 4), np.int16))
    with pytest.raises(ValueError, match=message):
        call(weights, table)
