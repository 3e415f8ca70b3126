from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from drawn_arrays import convolutions, integers, laid_out, layouts, random_table, seeds
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.signal import correlate2d

import axsim
from axsim.engines.isa import NATIVE_IS_BUILT
from axsim.errors import AccumulatorOverflowError, UnknownMultiplierError
from axsim.multipliers import Multiplier
from axsim.quantize import QuantParams, affine, dequantize, quantize, symmetric
from axsim.tables import ProductTable

ENGINES = ("native", "reference") if NATIVE_IS_BUILT else ("reference",)
engines = st.sampled_from(ENGINES)
all_engines = st.sampled_from((*ENGINES, "factored"))  # where the table has factors; it has no look-up
dtypes = st.sampled_from([np.uint8, np.int8])


def multiplier(table: ProductTable) -> Multiplier:
    """A multiplier of that table, without a name in the registry."""
    return Multiplier("drawn", table.a_bits, table.b_bits, table.signed, simulate=lambda: table)


def unfolded(x: Any, kernel: tuple[int, int], stride: Any, pads: Any, dilation: Any, pad: Any) -> Any:
    """Patches by plain loops: (N, OH * OW, C * kh * kw)."""
    (top, bottom), (left, right) = pads
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=pad)
    ys = range(0, padded.shape[2] - dilation[0] * (kernel[0] - 1), stride[0])
    xs = range(0, padded.shape[3] - dilation[1] * (kernel[1] - 1), stride[1])
    patches = [
        padded[
            :, :, y : y + dilation[0] * kernel[0] : dilation[0], c : c + dilation[1] * kernel[1] : dilation[1]
        ]
        for y, c in itertools.product(ys, xs)
    ]
    return np.stack(patches, axis=1).reshape(len(x), len(patches), -1), len(ys), len(xs)


# --- integers ---------------------------------------------------------------------------------------------


@settings(max_examples=200)
@given(
    hnp.mutually_broadcastable_shapes(signature="(m?,k),(k,n?)->(m?,n?)", min_side=0, max_side=9),
    seeds(),
    dtypes,
    dtypes,
    layouts(),
    layouts(),
    all_engines,
    st.sampled_from(["int32", np.int64, None]),
)
def test_exact_matmul_is_numpys(
    shapes: Any, seed: int, a_type: Any, b_type: Any, a_lay: str, b_lay: str, engine: str, out_dtype: Any
) -> None:
    a_shape, b_shape = shapes.input_shapes
    a = laid_out(integers(seed, a_shape, a_type), a_lay)
    b = laid_out(integers(seed + 1, b_shape, b_type), b_lay)
    out = axsim.matmul(a, b, "exact8", engine=engine, out_dtype=out_dtype)
    expected = np.matmul(a.astype(np.int64), b.astype(np.int64))
    assert out.dtype == (out_dtype or np.int32)
    assert out.shape == expected.shape
    assert np.array_equal(out, expected)


@given(seeds(), layouts(), all_engines)
def test_exact_signed_circuit_is_numpys(seed: int, layout: str, engine: str) -> None:
    a, b = laid_out(integers(seed, (4, 9), np.int8), layout), integers(seed + 1, (9, 3), np.int8)
    assert np.array_equal(axsim.matmul(a, b, "exact8s", engine=engine), a.astype(int) @ b.astype(int))


@given(
    hnp.mutually_broadcastable_shapes(num_shapes=2, min_dims=0, max_dims=3, min_side=0, max_side=4),
    seeds(),
    dtypes,
    dtypes,
    layouts(),
    engines,
)
def test_multiply_is_what_the_multiplier_says(
    shapes: Any, seed: int, a_type: Any, b_type: Any, layout: str, engine: str
) -> None:
    a = laid_out(integers(seed, shapes.input_shapes[0], a_type), layout)
    b = laid_out(integers(seed + 1, shapes.input_shapes[1], b_type), layout)
    out = axsim.multiply(a, b, "mul8u_L40", engine=engine)
    magnitude = axsim.get("L40")(np.abs(a.astype(int)), np.abs(b.astype(int)))
    sign = np.where(a < 0, -1, 1) * np.where(b < 0, -1, 1)
    assert out.dtype == np.int32
    assert np.array_equal(out, sign * magnitude)


@given(seeds(), st.sampled_from(["matmul", "conv2d", "multiply"]), engines)
def test_results_are_linear_in_the_table(seed: int, operation: str, engine: str) -> None:
    one, two = random_table(seed, high=30000), random_table(seed + 1, high=30000)
    both = ProductTable.from_array(one.values.astype(int) + two.values)
    a, b = integers(seed, (3, 3, 4, 4), np.int8), integers(seed + 1, (5, 3, 4, 4), np.uint8)
    if operation != "conv2d":
        b = b[:3]
    call = getattr(axsim, operation)
    first, second, whole = (call(a, b, multiplier(t), engine=engine) for t in (one, two, both))
    assert np.array_equal(first + second, whole)


@settings(max_examples=200)
@given(convolutions(), seeds(), dtypes, dtypes, layouts(), engines)
def test_conv2d_is_the_matmul_of_unfolded_patches(
    case: dict[str, Any], seed: int, x_type: Any, w_type: Any, layout: str, engine: str
) -> None:
    x = laid_out(integers(seed, case["x"], x_type), layout)
    w = laid_out(integers(seed + 1, case["w"], w_type), layout)
    options = case["options"]
    mult = multiplier(random_table(seed))
    out = axsim.conv2d(x, w, mult, engine=engine, **options)
    groups, per_group = options["groups"], w.shape[1]
    filters = len(w) // groups
    for g in range(groups):
        channels = x[:, g * per_group : (g + 1) * per_group]
        patches, oh, ow = unfolded(
            channels, w.shape[2:], options["stride"], options["padding"], options["dilation"], 0
        )
        right = w[g * filters : (g + 1) * filters].reshape(filters, -1).T
        product = axsim.matmul(patches, right, mult, engine="reference")  # (N, OH * OW, filters)
        expected = product.swapaxes(1, 2).reshape(len(x), filters, oh, ow)
        assert np.array_equal(out[:, g * filters : (g + 1) * filters], expected)


@settings(max_examples=100)
@given(convolutions(), seeds(), dtypes, dtypes, all_engines)
def test_exact_conv2d_is_torchs(
    case: dict[str, Any], seed: int, x_type: Any, w_type: Any, engine: str
) -> None:
    torch = pytest.importorskip("torch")
    x, w = integers(seed, case["x"], x_type), integers(seed + 1, case["w"], w_type)
    bias = integers(seed + 2, (len(w),), np.int32) // 4
    (top, bottom), (left, right) = case["options"]["padding"]
    others = {key: value for key, value in case["options"].items() if key != "padding"}
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    expected = torch.conv2d(*(torch.from_numpy(v.astype(float)) for v in (padded, w, bias)), **others)
    out = axsim.conv2d(x, w, bias=bias, engine=engine, **case["options"])
    assert np.array_equal(out, expected.numpy())


@pytest.mark.parametrize("engine", [*ENGINES, "factored"])
@pytest.mark.parametrize("mode", ["valid", "same", "full"])
def test_exact_conv2d_is_scipys(engine: str, mode: str) -> None:
    x, w = integers(1, (1, 1, 12, 9), np.uint8), integers(2, (1, 1, 3, 5), np.int8)
    padding = {"valid": "valid", "same": "same", "full": (2, 4)}[mode]
    out = axsim.conv2d(x, w, padding=padding, engine=engine)
    assert np.array_equal(out[0, 0], correlate2d(x[0, 0].astype(int), w[0, 0].astype(int), mode))


@pytest.mark.parametrize("engine", ENGINES)
def test_zero_sizes(engine: str) -> None:
    def empty(*shape: int) -> Any:
        return np.zeros(shape, np.uint8)

    assert axsim.matmul(empty(3, 0), empty(0, 2), "L40", engine=engine).tolist() == [[0, 0]] * 3
    assert axsim.matmul(empty(0), empty(0), "L40", engine=engine) == 0
    assert axsim.matmul(empty(0, 4), empty(4, 2), engine=engine).shape == (0, 2)
    assert axsim.multiply(empty(0, 3), empty(1, 3), engine=engine).shape == (0, 3)
    assert axsim.conv2d(empty(0, 2, 4, 4), empty(3, 2, 3, 3), engine=engine).shape == (0, 3, 2, 2)
    assert axsim.conv2d(empty(2, 2, 4, 4), empty(0, 2, 3, 3), engine=engine).shape == (2, 0, 2, 2)
    no_channels = axsim.conv2d(empty(1, 0, 4, 4), empty(3, 0, 3, 3), "L40", engine=engine)
    assert no_channels.shape == (1, 3, 2, 2)
    assert not no_channels.any()
    floats = np.zeros((1, 0, 4, 4), np.float32)
    assert not axsim.conv2d(floats, np.zeros((3, 0, 3, 3), np.float32), padding=1, engine=engine).any()
    assert axsim.matmul(
        floats[0, 0:0, :, 0], floats[0, 0, 0:0].reshape(4, 0) if 0 else np.zeros((4, 2), np.float32)
    ).shape == (0, 2)


def test_narrow_circuits() -> None:
    a, b = np.array([[15, 7]], np.uint8), np.array([[3], [-7]], np.int8)
    assert axsim.matmul(a, b, "exact4") == 15 * 3 - 7 * 7
    for bad, message in (
        (np.array([[16, 0]], np.uint8), "a holds 16, but exact4 takes 0 to 15 from uint8"),
        (np.array([[-16, 0]], np.int8), "a holds -16, but exact4 takes -15 to 15 from int8"),
    ):
        with pytest.raises(ValueError, match=message):
            axsim.matmul(bad, b, "exact4")
        with pytest.raises(ValueError, match=message):
            axsim.multiply(bad, b, "exact4")


def test_signed_circuit_with_uint8_operands() -> None:
    a, b = np.array([[127, 0]], np.uint8), np.array([[-128], [5]], np.int8)
    assert axsim.matmul(a, b, "exact8s") == -127 * 128
    with pytest.raises(ValueError, match="a holds 128, but exact8s takes 0 to 127 from uint8"):
        axsim.matmul(a + np.uint8(1), b, "exact8s")


# --- floats -----------------------------------------------------------------------------------------------


def real(seed: int, shape: tuple[int, ...], dtype: Any = np.float64, shift: float = 0.3) -> Any:
    """Positive and negative numbers, not centred on 0."""
    return (np.random.default_rng(seed).normal(size=shape) + shift).astype(dtype)


QUANTISATIONS: dict[str, Any] = {
    "default": lambda x, axis: None,
    "affine": lambda x, axis: "affine",
    "symmetric": lambda x, axis: "symmetric",
    "affine int8": lambda x, axis: affine(x, signed=True),
    "narrow": lambda x, axis: affine(x, bits=5),
    "percentile": lambda x, axis: affine(x, method="percentile", percentile=95),
    "per channel": lambda x, axis: affine(x, axis=axis),
    "per channel symmetric": lambda x, axis: symmetric(x, axis=axis),
}


def params_of(quant: Any, x: Any) -> QuantParams:
    """What the operations' documentation says they make of ``None`` and the strings, for ``exact8``."""
    if isinstance(quant, QuantParams):
        return quant
    return symmetric(x) if quant == "symmetric" else affine(x)


def seen(x: Any, params: QuantParams) -> Any:
    """The real numbers that the quantised operand stands for."""
    return dequantize(quantize(x, params), params)


@pytest.mark.parametrize("engine", [*ENGINES, "factored"])
@pytest.mark.parametrize("b_kind", QUANTISATIONS)
@pytest.mark.parametrize("a_kind", [kind for kind in QUANTISATIONS if not kind.startswith("per channel")])
def test_float_matmul_is_the_product_of_dequantised_values(a_kind: str, b_kind: str, engine: str) -> None:
    a, b = real(1, (2, 5, 17)), real(2, (17, 6), shift=-0.5) * np.logspace(-2, 2, 6)
    a_quant, b_quant = QUANTISATIONS[a_kind](a, None), QUANTISATIONS[b_kind](b, -1)
    out = axsim.matmul(a, b, a_quant=a_quant, b_quant=b_quant, engine=engine)
    expected = seen(a, params_of(a_quant, a)) @ seen(b, params_of(b_quant, b))
    assert out.dtype == np.float64
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("engine", [*ENGINES, "factored"])
@pytest.mark.parametrize("b_kind", QUANTISATIONS)
@pytest.mark.parametrize("a_kind", ["default", "symmetric", "affine int8"])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_float_conv2d_is_that_of_dequantised_values(
    a_kind: str, b_kind: str, groups: int, engine: str
) -> None:
    """Padding included: a padded pixel is a real 0."""
    torch = pytest.importorskip("torch")
    x, w, bias = real(1, (3, 4, 7, 8)), real(2, (8, 4 // groups, 3, 2), shift=-0.4), real(3, (8,))
    a_quant, b_quant = QUANTISATIONS[a_kind](x, None), QUANTISATIONS[b_kind](w, 0)
    options = {"stride": (2, 1), "padding": (2, 1), "dilation": (1, 2), "groups": groups}
    out = axsim.conv2d(x, w, bias=bias, a_quant=a_quant, b_quant=b_quant, engine=engine, **options)
    real_x, real_w = seen(x, params_of(a_quant, x)), seen(w, params_of(b_quant, w))
    expected = torch.conv2d(*(torch.from_numpy(v) for v in (real_x, real_w, bias)), **options)
    np.testing.assert_allclose(out, expected.numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("a_kind", ["default", "symmetric", "affine int8", "narrow"])
@pytest.mark.parametrize("b_kind", ["default", "symmetric", "affine int8", "narrow"])
def test_float_multiply_is_the_product_of_dequantised_values(a_kind: str, b_kind: str) -> None:
    a, b = real(1, (4, 1)), real(2, (5,), shift=-1)
    a_quant, b_quant = QUANTISATIONS[a_kind](a, None), QUANTISATIONS[b_kind](b, None)
    out = axsim.multiply(a, b, a_quant=a_quant, b_quant=b_quant)
    expected = seen(a, params_of(a_quant, a)) * seen(b, params_of(b_quant, b))
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-12)


@given(seeds(), st.integers(1, 30), engines)
def test_float_matmul_follows_the_formula_to_the_bit(seed: int, k: int, engine: str) -> None:
    a, b = real(seed, (3, k), np.float32), real(seed + 1, (k, 4), np.float32)
    out = axsim.matmul(a, b, "L40", engine=engine)
    pa, pb = affine(a), affine(b, axis=None)
    qa, qb = quantize(a, pa).astype(int), quantize(b, pb).astype(int)
    table = axsim.get("L40").table.values.astype(int)
    za, zb = int(pa.zero_point), int(pb.zero_point)
    for i, j in np.ndindex(3, 4):
        total = sum(table[qa[i, t], qb[t, j]] - zb * qa[i, t] - za * qb[t, j] + za * zb for t in range(k))
        assert out[i, j] == np.float32(float(total) * float(pa.scale) * float(pb.scale))


def test_padding_goes_through_the_table() -> None:
    """A padded pixel is the operand z_a: with a table that is wrong there, the padding shows."""
    values = np.multiply.outer(np.arange(256), np.arange(256))
    x, w = np.full((1, 1, 1, 1), -1.0), np.ones((1, 1, 3, 3))
    params = QuantParams(1.0, 7, 0, 255)
    values[7, 1] += 100
    out = axsim.conv2d(
        x,
        w,
        multiplier(ProductTable.from_array(values)),
        padding=1,
        a_quant=params,
        b_quant=QuantParams(1.0, 0, 0, 255),
    )
    assert out.item() == -1.0 + 8 * 100


def test_signed_circuits_quantise_to_int8() -> None:
    a, b = real(1, (4, 9)), real(2, (9, 3))
    for kind, make in (("affine", lambda x: affine(x, signed=True)), ("symmetric", symmetric)):
        out = axsim.matmul(a, b, "exact8s", a_quant=kind, b_quant=kind)
        np.testing.assert_allclose(out, seen(a, make(a)) @ seen(b, make(b)), rtol=1e-12)


@pytest.mark.parametrize("name", ["exact4", "exact8x4", "exact6s", "exact7", "exact10x6"])
@pytest.mark.parametrize("kind", ["affine", "symmetric"])
def test_narrow_and_wide_circuits_quantise_to_their_bits(name: str, kind: str) -> None:
    mult = axsim.get(name)
    a, b = real(1, (4, 9)), real(2, (9, 3))
    out = axsim.matmul(a, b, name, a_quant=kind, b_quant=kind)

    def params(x: Any, bits: int) -> QuantParams:
        if kind == "affine":
            return affine(x, bits=min(bits, 8), signed=mult.signed)
        return symmetric(x, bits=min(bits if mult.signed else bits + 1, 8))

    expected = seen(a, params(a, mult.a_bits)) @ seen(b, params(b, mult.b_bits))
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-12)


def test_result_types_of_floats() -> None:
    a, b = real(1, (2, 3), np.float32), real(2, (3, 2), np.float64)
    assert axsim.matmul(a, a.T).dtype == np.float32
    assert axsim.matmul(a, b).dtype == np.float64
    assert axsim.matmul(a, b, out_dtype=np.float32).dtype == np.float32
    assert axsim.matmul(a.astype(">f4"), a.T).dtype == np.float32


def test_zeros_ones_and_constants_are_exact() -> None:
    for value in (0.0, 1.0, -3.5):
        a, b = np.full((3, 4), value, np.float32), np.full((4, 2), 2.0, np.float32)
        assert axsim.matmul(a, b).tolist() == [[8 * value] * 2] * 3


def test_large_k_needs_no_choice_from_floats() -> None:
    a = np.ones((1, 40_000))
    assert axsim.matmul(a, a.T).item() == 40_000


# --- the registry, threads, refusals ----------------------------------------------------------------------


def test_registered_multipliers_work() -> None:
    axsim.register("test-ops-half", lambda a, b: a * b // 2, overwrite=True)
    a = np.array([[9, 2]], np.uint8)
    assert axsim.matmul(a, a.T, "test-ops-half").item() == 40 + 2


def test_four_threads_at_once() -> None:
    a = [integers(i, (40, 60), np.uint8) for i in range(32)]
    expected = [axsim.matmul(x, x.T, "12N4", engine="reference") for x in a]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda x: axsim.matmul(x, x.T, "12N4"), a))
    assert all(np.array_equal(x, y) for x, y in zip(results, expected, strict=True))


@pytest.mark.parametrize("out_dtype", [None, np.int32])
def test_sums_beyond_int32_are_refused(out_dtype: Any) -> None:
    most = (2**31 - 1) // 255**2  # terms that fit
    a = np.full((1, most + 1), 255, np.uint8)
    assert axsim.matmul(a[:, :most], a[:, :most].T, out_dtype=out_dtype).item() == most * 255**2
    with pytest.raises(
        AccumulatorOverflowError, match=r"33026 products.*up to 65025, can reach 2147.*pass out_dtype='int64'"
    ):
        axsim.matmul(a, a.T, out_dtype=out_dtype)
    assert axsim.matmul(a, a.T, out_dtype="int64").item() == (most + 1) * 255**2
    x, w = a.reshape(1, 2, 1, -1), a.reshape(1, 2, 1, -1)
    with pytest.raises(AccumulatorOverflowError):
        axsim.conv2d(x, w, out_dtype=out_dtype)
    assert axsim.conv2d(x, w, out_dtype="int64").item() == (most + 1) * 255**2


def test_bias_counts_in_the_sum() -> None:
    x, w = np.full((1, 1, 1, 1), 255, np.uint8), np.full((1, 1, 1, 1), 255, np.uint8)
    bias = np.array([2**31 - 1 - 255**2], np.int64)
    assert axsim.conv2d(x, w, bias=bias).item() == 2**31 - 1
    with pytest.raises(AccumulatorOverflowError, match=r"65025, and a bias of up to 2147418623, can reach"):
        axsim.conv2d(x, w, bias=bias + 1)
    assert axsim.conv2d(x, w, bias=bias + 1, out_dtype="int64").item() == 2**31
    with pytest.raises(AccumulatorOverflowError, match=r"beyond int64$"):
        axsim.conv2d(x, w, bias=np.array([2**63 - 1]), out_dtype="int64")


U8, F4 = np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.float32)


@pytest.mark.parametrize("operation", [axsim.matmul, axsim.multiply])
@pytest.mark.parametrize(
    ("a", "b", "options", "error", "message"),
    [
        (
            U8.astype(np.int32),
            U8,
            {},
            TypeError,
            "a is int32, expected uint8, int8.*cast it to uint8 or int8",
        ),
        (U8, U8.astype(np.uint16), {}, TypeError, "b is uint16"),
        (U8, F4.astype(np.float16), {}, TypeError, "b is float16.*cast it to float32"),
        (U8.astype(bool), U8, {}, TypeError, "a is bool"),
        (U8.astype(complex), U8, {}, TypeError, "a is complex128"),
        (U8.astype(object), U8, {}, TypeError, "a is object"),
        (F4, U8, {}, TypeError, "a is float32 and b is uint8: .*quantise the float operand"),
        (U8, F4, {}, TypeError, "a is uint8 and b is float32"),
        (F4 + np.nan, F4, {}, ValueError, "a holds NaN or infinity"),
        (F4, F4 - np.inf, {}, ValueError, "b holds NaN or infinity"),
        (F4, F4 + np.nan, {"b_quant": affine(F4)}, ValueError, "b holds NaN or infinity"),
        (U8, U8, {"a_quant": "affine"}, TypeError, "a_quant or b_quant is given, but a and b are integers"),
        (F4, F4, {"a_quant": "min-max"}, ValueError, "a_quant is 'min-max', expected 'affine', 'symmetric'"),
        (
            F4,
            F4,
            {"a_quant": affine(F4, axis=0)},
            ValueError,
            "a_quant has parameters for each index of axis 0",
        ),
        (
            F4,
            F4,
            {"b_quant": affine(F4, axis=0)},
            ValueError,
            "b_quant has parameters for each index of axis 0",
        ),
        (
            F4,
            F4,
            {"b_quant": affine(F4), "mult": "exact4"},
            ValueError,
            "b_quant makes integers from 0 to 255, but exact4",
        ),
        (U8, U8, {"out_dtype": np.int16}, TypeError, "out_dtype is int16, expected int32 or int64"),
        (U8, U8, {"out_dtype": np.float32}, TypeError, "out_dtype is float32, expected int32 or int64"),
        (F4, F4, {"out_dtype": np.int32}, TypeError, "out_dtype is int32, expected float32 or float64"),
        (U8, U8, {"out_dtype": "wide"}, TypeError, "out_dtype is 'wide'"),
        (U8, U8, {"engine": "gpu"}, ValueError, "'gpu', expected one of auto, native, factored, reference"),
        (U8, U8, {"mult": "L41"}, UnknownMultiplierError, "L41"),
        (U8, U8, {"mult": 8}, TypeError, "expected the name of a multiplier"),
    ],
)
def test_bad_input_is_refused(
    operation: Any, a: Any, b: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        operation(a, b, **options)


@pytest.mark.parametrize(
    ("a_shape", "b_shape", "message"),
    [
        ((2, 3), (2, 3), r"a's last axis \(3\) must equal b's last but one \(2\)"),
        ((2, 3), (2,), r"a's last axis \(3\) must equal b's only \(2\)"),
        ((), (2,), "a has no axes"),
        ((2,), (), "b has no axes"),
        ((2, 4, 3), (3, 3, 5), r"axes \(2,\) of a and \(3,\) of b do not broadcast"),
    ],
)
def test_matmul_shapes_are_checked(a_shape: Any, b_shape: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        axsim.matmul(np.zeros(a_shape, np.uint8), np.zeros(b_shape, np.uint8))


def test_vector_has_no_channels() -> None:
    a, b = real(1, (3, 4)), real(2, (4,))
    with pytest.raises(ValueError, match="b is a vector"):
        axsim.matmul(a, b, b_quant=affine(b, axis=0))


def test_channels_must_match() -> None:
    a, b = real(1, (3, 4)), real(2, (4, 5))
    with pytest.raises(ValueError, match=r"b has shape .* 3 channels"):
        axsim.matmul(a, b, b_quant=affine(b[:, :3], axis=1))


def test_multiply_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match="do not broadcast"):
        axsim.multiply(np.zeros(3, np.uint8), np.zeros(4, np.uint8))


X4, W1, W2 = np.zeros((1, 1, 4, 4)), np.zeros((1, 1, 3, 3)), np.zeros((2, 1, 3, 3))
U4, V1, V2 = (array.astype(np.uint8) for array in (X4, W1, W2))


@pytest.mark.parametrize(
    ("x", "w", "options", "error", "message"),
    [
        (np.zeros((1, 4, 4)), W1, {}, ValueError, r"add a batch axis: x\[None\]"),
        (X4, V1, {}, TypeError, "x is float64 and w is uint8"),
        (X4 + np.nan, W1, {}, ValueError, "x holds NaN"),
        (X4, W1 + np.inf, {}, ValueError, "w holds NaN or infinity"),
        (X4, W2, {"bias": np.zeros(3)}, ValueError, r"bias has shape \(3,\), expected \(2,\)"),
        (X4, W2, {"bias": np.zeros(2, int)}, TypeError, "bias is int64, expected float"),
        (X4, W2, {"bias": np.full(2, np.nan)}, ValueError, "bias holds NaN"),
        (U4, V2, {"bias": np.zeros(2)}, TypeError, "bias is float64, expected integers"),
        (X4, W2, {"b_quant": affine(W2, axis=1)}, ValueError, "per tensor or along axis 0"),
        (X4, W2, {"a_quant": affine(X4, axis=0)}, ValueError, "a_quant.*expected per tensor"),
        (X4, W2, {"padding": "full"}, ValueError, "padding is 'full'"),
    ],
)
def test_bad_convolutions_are_refused(
    x: Any, w: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        axsim.conv2d(x, w, **options)


def test_float_multipliers_widen_halves_and_refuse_other_types_by_name() -> None:
    halves = (np.arange(9).reshape(3, 3) / 3).astype(np.float16)
    for call in (axsim.multiply, axsim.matmul):
        assert np.array_equal(
            call(halves, halves, "axfpm"), call(halves.astype("f4"), halves.astype("f4"), "axfpm")
        )
        with pytest.raises(TypeError, match="b is float64, expected float32 or float16"):
            call(halves, halves.astype(np.float64), "axfpm")
    x = np.ones((1, 1, 3, 3), np.float32)
    with pytest.raises(TypeError, match="w is float64, expected float32 or float16"):
        axsim.conv2d(x, x.astype(np.float64), "bfloat16")


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_float64_results_are_scaled_by_one_scale_after_the_other(engine: str) -> None:
    """As the words say: in float64 the order shows, and the scales' product alone can overflow."""
    if engine == "native":
        pytest.importorskip("axsim._native", reason="axsim was installed without its compiled module")
    rng = np.random.default_rng(0)
    q, r = (rng.integers(0, 256, shape, np.uint8) for shape in ((20, 30), (30, 40)))
    sums = axsim.matmul(q, r, "L40", engine="reference").astype(np.float64)
    differs = 0
    for scales in ((0.1, 0.3), (1e-3, 7e-5), (1e200, 1e107), (1e-200, 1e-120)):
        a_quant, b_quant = (axsim.quantize.QuantParams(scale, 0, 0, 255) for scale in scales)
        a, b = axsim.quantize.dequantize(q, a_quant), axsim.quantize.dequantize(r, b_quant)
        result = axsim.matmul(a, b, "L40", a_quant=a_quant, b_quant=b_quant, engine=engine)
        assert np.array_equal(result, sums * scales[0] * scales[1])
        differs += int((result != sums * (scales[0] * scales[1])).sum())
    assert differs > 0
