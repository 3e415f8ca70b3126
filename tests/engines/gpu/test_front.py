"""Operations on arrays of an emulated GPU, through the public functions: the numbers of the CPU."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_arrays import convolutions, integers, laid_out, layouts, random_table, seeds
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import axsim
from axsim.engines.gpu import arrays
from axsim.engines.gpu import choice as planner
from axsim.engines.gpu.runtime.current import using
from axsim.engines.shapes.work import Work
from axsim.errors import AccumulatorOverflowError
from axsim.multipliers import Multiplier
from axsim.quantize import QuantParams, affine, dequantize, quantize, symmetric
from tests.cuda_emulator.device_arrays import DeviceArray, on_device
from tests.cuda_emulator.emulated_runtime import HOPPER, EmulatedRuntime
from tests.cuda_emulator.library import EmulatedLibrary

TABLE = random_table(1)
MULTIPLIERS: dict[str, Any] = {
    "any table": Multiplier("drawn", 8, 8, False, simulate=lambda: TABLE),
    "factored": axsim.get("1446"),
    "signed": axsim.get("exact8s"),
    "narrow": Multiplier("narrow", 4, 4, False, simulate=lambda: random_table_of(4)),
}


def random_table_of(bits: int) -> Any:
    values = np.random.default_rng(bits).integers(0, 4**bits, (2**bits, 2**bits))
    return axsim.tables.ProductTable.from_array(values, False)


@pytest.fixture(scope="module")
def gpu(builds: Path) -> Iterator[EmulatedRuntime]:
    before, arrays.LIBRARIES = arrays.LIBRARIES, (EmulatedLibrary(),)
    try:
        with using(EmulatedRuntime(builds)) as runtime:
            yield runtime
    finally:
        arrays.LIBRARIES = before


def on_gpu(array: Any, layout: str = "C") -> DeviceArray:
    return on_device(laid_out(array, layout))


def floats(seed: int, shape: tuple[int, ...], dtype: Any, kind: str) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=shape) * 10.0 ** (seed % 7 - 3)
    if kind == "not negative":
        x = np.abs(x)
    if kind == "zero":
        x = x * 0
    if kind == "small":  # products of two are subnormal float32 numbers
        x = x * 1e-21
    if kind == "subnormal":
        x = x * 1e-41
    if kind == "halves":
        x = np.rint(2 * np.clip(x, -60, 60)) / 2
    return x.astype(dtype)


float_kinds = st.sampled_from(["any", "not negative", "zero", "halves", "small", "subnormal"])
float_types = st.sampled_from([np.float32, np.float64])
quants = st.sampled_from([None, "affine", "symmetric", "given", "channels"])


def quant(kind: str | None, x: np.ndarray, axis: int | None, bits: int, signed: bool) -> Any:
    """What ``a_quant`` or ``b_quant`` is given; parameters are made from other numbers, so that some clip."""
    if kind not in ("given", "channels"):
        return kind
    if kind == "channels" and axis is not None and x.shape[axis]:
        return affine(x * 0.9, bits=bits, axis=axis, signed=signed)
    return affine(x * 0.7, bits=bits, signed=signed)


def same(gpu: EmulatedRuntime, got: Any, expected: Any) -> bool:
    assert isinstance(got, DeviceArray)
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    return np.array_equal(gpu.xp.asnumpy(got), expected, equal_nan=expected.dtype.kind == "f")


engines = {"any table": ["gather", "auto"], "factored": ["gather", "factored", "auto"]}
engines["signed"] = engines["factored"]
engines["narrow"] = engines["any table"]
choices = st.sampled_from([(name, engine) for name, of_name in engines.items() for engine in of_name])


# --- integers ---------------------------------------------------------------------------------------------


def legal(seed: int, shape: tuple[int, ...], dtype: Any, name: str) -> np.ndarray:
    """Integers that the multiplier takes."""
    values = integers(seed, shape, dtype)
    if name == "signed" and dtype is np.uint8:
        return values & np.uint8(127)
    return values % dtype(16) if name == "narrow" else values


dtypes = st.sampled_from([np.uint8, np.int8])
gemm_shapes = hnp.mutually_broadcastable_shapes(
    signature="(m?,k),(k,n?)->(m?,n?)", min_side=0, max_side=6, max_dims=1
)


@settings(max_examples=60)
@given(choices, gemm_shapes, seeds(), dtypes, dtypes, layouts(), st.sampled_from(["int32", "int64"]))
def test_integer_matmul(
    gpu: EmulatedRuntime, choice: Any, shapes: Any, seed: int, a_type: Any, b_type: Any, layout: str, out: str
) -> None:
    name, engine = choice
    a, b = (
        legal(seed + i, s, t, name)
        for i, (s, t) in enumerate(zip(shapes.input_shapes, (a_type, b_type), strict=True))
    )
    got = axsim.matmul(on_gpu(a, layout), on_gpu(b, layout), MULTIPLIERS[name], out_dtype=out, engine=engine)
    assert same(gpu, got, np.asarray(axsim.matmul(a, b, MULTIPLIERS[name], out_dtype=out)))


@settings(max_examples=40)
@given(
    choices, convolutions(), seeds(), dtypes, dtypes, layouts(), st.sampled_from([None, np.int16, np.int64])
)
def test_integer_conv2d(
    gpu: EmulatedRuntime,
    choice: Any,
    case: Any,
    seed: int,
    x_type: Any,
    w_type: Any,
    layout: str,
    bias_type: Any,
) -> None:
    name, engine = choice
    x, w = legal(seed, case["x"], x_type, name), legal(seed + 1, case["w"], w_type, name)
    given_bias = {} if bias_type is None else {"bias": integers(seed, (len(w),), np.int16).astype(bias_type)}
    on_device_bias = {key: on_gpu(value) for key, value in given_bias.items()}
    options = dict(case["options"], mult=MULTIPLIERS[name])
    got = axsim.conv2d(on_gpu(x, layout), on_gpu(w, layout), engine=engine, **on_device_bias, **options)
    assert same(gpu, got, axsim.conv2d(x, w, **given_bias, **options))


@settings(max_examples=20)
@given(
    st.sampled_from(list(MULTIPLIERS)),
    hnp.mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_side=4),
    seeds(),
    dtypes,
    dtypes,
)
def test_integer_multiply(
    gpu: EmulatedRuntime, name: str, shapes: Any, seed: int, a_type: Any, b_type: Any
) -> None:
    a, b = (
        legal(seed + i, s, t, name)
        for i, (s, t) in enumerate(zip(shapes.input_shapes, (a_type, b_type), strict=True))
    )
    got = axsim.multiply(on_gpu(a), on_gpu(b), MULTIPLIERS[name], out_dtype="int64")
    assert same(gpu, got, np.asarray(axsim.multiply(a, b, MULTIPLIERS[name], out_dtype="int64")))


@pytest.mark.parametrize(
    ("a", "b", "options", "error"),
    [
        (
            np.uint8([[16]]),
            np.uint8([[1]]),
            {"mult": MULTIPLIERS["narrow"]},
            "a holds 16, but narrow takes 0 to 15",
        ),
        (
            np.uint8([[1]]),
            np.int8([[-16]]),
            {"mult": MULTIPLIERS["narrow"]},
            "b holds -16, but narrow takes -15",
        ),
        (np.uint8([[128]]), np.int8([[1]]), {"mult": "exact8s"}, "a holds 128"),
        (np.uint8([[1]]), np.float32([[1]]), {}, "quantise the float operand yourself"),
        (np.int32([[1]]), np.uint8([[1]]), {}, "a is int32, expected uint8"),
        (np.uint8([[1]]), np.uint8([[1]]), {"out_dtype": "float32"}, "out_dtype is float32"),
        (np.uint8([[1]]), np.uint8([[1]]), {"a_quant": "affine"}, "integers already"),
        (np.uint8([[1]]), np.uint8([[1, 2], [3, 4]]), {}, "a's last axis"),
        (np.zeros((1, 40000), np.uint8), np.zeros((40000, 1), np.uint8), {}, "beyond int32; pass out_dtype"),
    ],
)
def test_integer_errors_are_those_of_the_cpu(
    gpu: EmulatedRuntime, a: np.ndarray, b: np.ndarray, options: dict[str, Any], error: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=error) as on_cpu:
        axsim.matmul(a, b, **options)
    with pytest.raises(on_cpu.type) as found:
        axsim.matmul(on_gpu(a), on_gpu(b), **options)
    assert str(found.value) == str(on_cpu.value)


def test_a_large_bias_is_looked_at(gpu: EmulatedRuntime) -> None:
    x, w = np.ones((1, 1, 1, 1), np.uint8), np.ones((2, 1, 1, 1), np.uint8)
    for bias in (np.array([5, -7]), np.array([5, 7], np.uint64)):
        assert same(gpu, axsim.conv2d(on_gpu(x), on_gpu(w), bias=on_gpu(bias)), axsim.conv2d(x, w, bias=bias))
    for bias in (np.array([5, -(2**31)]), np.array([2**31, 7], np.uint32), np.array([2**63, 7], np.uint64)):
        with pytest.raises(AccumulatorOverflowError) as on_cpu:
            axsim.conv2d(x, w, bias=bias)
        with pytest.raises(AccumulatorOverflowError) as found:
            axsim.conv2d(on_gpu(x), on_gpu(w), bias=on_gpu(bias))
        assert str(found.value) == str(on_cpu.value)


# --- floats -----------------------------------------------------------------------------------------------


@settings(max_examples=80)
@given(
    choices,
    gemm_shapes,
    seeds(),
    float_kinds,
    float_kinds,
    float_types,
    float_types,
    quants,
    quants,
    layouts(),
)
def test_float_matmul(
    gpu: EmulatedRuntime,
    choice: Any,
    shapes: Any,
    seed: int,
    a_kind: str,
    b_kind: str,
    a_type: Any,
    b_type: Any,
    a_by: Any,
    b_by: Any,
    layout: str,
) -> None:
    (name, engine), (a_shape, b_shape) = choice, shapes.input_shapes
    mult = MULTIPLIERS[name]
    a, b = floats(seed, a_shape, a_type, a_kind), floats(seed + 1, b_shape, b_type, b_kind)
    options = {
        "a_quant": quant(a_by, a, None, mult.a_bits, mult.signed),
        "b_quant": quant(b_by, b, b.ndim - 1 if b.ndim > 1 else None, mult.b_bits, mult.signed),
    }
    got = axsim.matmul(on_gpu(a, layout), on_gpu(b, layout), mult, engine=engine, **options)
    assert same(gpu, got, np.asarray(axsim.matmul(a, b, mult, **options)))


@settings(max_examples=60)
@given(choices, convolutions(), seeds(), float_kinds, float_types, quants, quants, st.booleans(), layouts())
def test_float_conv2d(
    gpu: EmulatedRuntime,
    choice: Any,
    case: Any,
    seed: int,
    kind: str,
    dtype: Any,
    x_by: Any,
    w_by: Any,
    with_bias: bool,
    layout: str,
) -> None:
    name, engine = choice
    mult = MULTIPLIERS[name]
    x, w = floats(seed, case["x"], dtype, kind), floats(seed + 1, case["w"], np.float32, "any")
    bias = {"bias": floats(seed + 2, (len(w),), np.float64, "any")} if with_bias else {}
    options = dict(
        case["options"],
        mult=mult,
        a_quant=quant(x_by, x, None, mult.a_bits, mult.signed),
        b_quant=quant(w_by, w, 0, mult.b_bits, mult.signed),
    )
    on_device_bias = {key: on_gpu(value) for key, value in bias.items()}
    got = axsim.conv2d(on_gpu(x, layout), on_gpu(w, layout), engine=engine, **on_device_bias, **options)
    assert same(gpu, got, axsim.conv2d(x, w, **bias, **options))


@settings(max_examples=20)
@given(
    st.sampled_from(list(MULTIPLIERS)),
    hnp.mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_side=4),
    seeds(),
    float_types,
    quants,
    quants,
)
def test_float_multiply(
    gpu: EmulatedRuntime, name: str, shapes: Any, seed: int, dtype: Any, a_by: Any, b_by: Any
) -> None:
    mult = MULTIPLIERS[name]
    a, b = (floats(seed + i, shape, dtype, "any") for i, shape in enumerate(shapes.input_shapes))
    options = {
        "a_quant": quant(a_by, a, None, mult.a_bits, mult.signed),
        "b_quant": quant(b_by, b, None, mult.b_bits, mult.signed),
    }
    got = axsim.multiply(on_gpu(a), on_gpu(b), mult, **options)
    assert same(gpu, got, np.asarray(axsim.multiply(a, b, mult, **options)))


@pytest.mark.parametrize(
    "values", [[5e-324], [1e-310, -1e-310], [1.7e308, -1.7e308], [1e-45, 0.0], [-0.0], [-3.0]]
)
@pytest.mark.parametrize("by", ["affine", "symmetric"])
def test_extreme_ranges(gpu: EmulatedRuntime, values: list[float], by: str) -> None:
    a, b = np.array([values]), np.ones((len(values), 1))
    with np.errstate(over="ignore"):
        got = axsim.matmul(on_gpu(a), on_gpu(b), "exact8", a_quant=by)
        assert same(gpu, got, axsim.matmul(a, b, "exact8", a_quant=by))


def test_operands_larger_than_a_block(gpu: EmulatedRuntime) -> None:
    a, b = floats(3, (1, 9000), np.float32, "any"), floats(4, (9000, 2), np.float64, "any")
    a[0, [0, 8999]], b[8999] = (-100, 200), 50
    assert same(gpu, axsim.matmul(on_gpu(a), on_gpu(b), "1446"), axsim.matmul(a, b, "1446"))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["x", "w", "bias"])
def test_what_is_not_finite_raises_as_on_the_cpu(gpu: EmulatedRuntime, bad: float, where: str) -> None:
    operands = {"x": np.ones((1, 2, 3, 3)), "w": np.ones((2, 2, 2, 2)), "bias": np.ones(2)}
    operands[where].flat[-1] = bad
    for by in (None, QuantParams(0.5, 3, 0, 255)):
        with pytest.raises(ValueError, match=f"{where} holds NaN or infinity") as on_cpu:
            axsim.conv2d(**operands, a_quant=by, b_quant=by)
        with pytest.raises(ValueError, match=f"{where} holds NaN or infinity") as found:
            axsim.conv2d(**{key: on_gpu(value) for key, value in operands.items()}, a_quant=by, b_quant=by)
        assert str(found.value) == str(on_cpu.value)


def test_all_operands_are_looked_at_together(gpu: EmulatedRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    asnumpy = gpu.xp.asnumpy
    monkeypatch.setattr(
        gpu.xp, "asnumpy", lambda array: looks.append(array.size) or asnumpy(array), raising=False
    )
    operands = [on_gpu(x) for x in (np.ones((1, 2, 3, 3)), np.ones((2, 2, 2, 2)), np.ones(2))]
    axsim.conv2d(operands[0], operands[1], bias=operands[2])
    assert looks == [3]
    byte = on_gpu(np.ones((2, 2), np.uint8))
    axsim.matmul(byte, byte)
    assert looks == [3]
    axsim.matmul(byte, byte, MULTIPLIERS["narrow"])
    assert looks == [3, 4]


# --- float multipliers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["axfpm", "bfloat16[L40]"])
def test_float_multipliers(gpu: EmulatedRuntime, name: str) -> None:
    a, b = floats(1, (2, 3, 9), np.float32, "any"), floats(2, (9, 4), np.float16, "any")
    assert same(gpu, axsim.matmul(on_gpu(a), on_gpu(b), name), axsim.matmul(a, b, name))
    assert same(gpu, axsim.multiply(on_gpu(a), on_gpu(a[0]), name), axsim.multiply(a, a[0], name))
    x, w = floats(3, (1, 4, 5, 5), np.float32, "any"), floats(4, (6, 2, 3, 3), np.float32, "any")
    bias = floats(5, (6,), np.float32, "any")
    options = {"padding": 1, "stride": 2, "groups": 2, "mult": name}
    for out_dtype in ("float32", "float64"):
        got = axsim.conv2d(on_gpu(x), on_gpu(w), bias=on_gpu(bias), out_dtype=out_dtype, **options)
        assert same(gpu, got, axsim.conv2d(x, w, bias=bias, out_dtype=out_dtype, **options))


def test_float_multipliers_have_one_engine(gpu: EmulatedRuntime) -> None:
    a = on_gpu(np.ones((2, 2), np.float32))
    for engine in ("gather", "factored", "native"):
        with pytest.raises(ValueError, match=f"engine is '{engine}'.*expected 'auto'"):
            axsim.matmul(a, a, "axfpm", engine=engine)
    with pytest.raises(TypeError, match="a is float64, expected float32 or float16"):
        axsim.matmul(a.astype(np.float64), a, "axfpm")


# --- engines ----------------------------------------------------------------------------------------------


def test_engines_of_the_other_kind_of_memory_are_refused(gpu: EmulatedRuntime) -> None:
    a = np.ones((2, 2), np.uint8)
    for call in (axsim.matmul, axsim.multiply):
        for engine in ("native", "reference"):
            with pytest.raises(
                ValueError, match=f"engine is '{engine}' is the CPU's, but the arrays are on a GPU"
            ):
                call(on_gpu(a), on_gpu(a), engine=engine)
        with pytest.raises(
            ValueError, match="engine is 'gather', which works on a GPU, but the arrays are in main"
        ):
            call(a, a, engine="gather")
        with pytest.raises(
            ValueError, match="engine is 'fast', which is not one; expected auto, gather, factored"
        ):
            call(on_gpu(a), on_gpu(a), engine="fast")
    with pytest.raises(
        ValueError, match="engine is 'factored', which makes matrix products and convolutions"
    ):
        axsim.multiply(on_gpu(a), on_gpu(a), engine="factored")


def test_plans(gpu: EmulatedRuntime) -> None:
    large = on_gpu(np.zeros((2048, 2048), np.uint8))
    plan = axsim.explain(large, large, "1446")
    assert [c.engine for c in plan.candidates] == ["gather", "factored int8", "factored float16"]
    assert plan.choice == "factored int8"
    assert "emulated H100" in str(plan)
    assert "not measured" in plan.rule
    plan = axsim.explain(large, large, "L40")
    assert plan.choice == "gather"
    assert not plan.candidates[1].usable
    depthwise = on_gpu(np.zeros((4, 64, 64, 64), np.uint8)), on_gpu(np.zeros((64, 1, 3, 3), np.int8))
    assert axsim.explain(*depthwise, "1446", operation="conv2d", groups=64).choice == "gather"
    small = on_gpu(np.zeros((8, 8), np.uint8))
    assert axsim.explain(small, small, "1446").choice == "gather"
    assert "fewer than" in axsim.explain(small, small, "1446").rule
    wide = Multiplier("wide", 8, 8, False, simulate=lambda: WIDE)
    assert axsim.explain(large, large, wide).choice == "gather"


def test_float16_is_not_used_where_its_sums_are_not_exact(
    gpu: EmulatedRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = gpu.on(gpu.device)
    monkeypatch.setattr(other, "half_is_exact", lambda: False)
    monkeypatch.setattr(other, "half_products", None)
    seconds = {"gather": 3.0, "int8": 2.0, "float16": 1.0}
    monkeypatch.setattr(planner, "predict", lambda engine, *_: seconds[engine])
    a, b = integers(1, (40, 50), np.uint8), integers(2, (50, 40), np.uint8)
    large = on_gpu(np.zeros((2048, 2048), np.uint8))
    assert axsim.explain(large, large, "JQQ").choice == "factored float16"
    with using(other):
        plan = axsim.explain(large, large, "JQQ")
        assert plan.choice == "factored int8"
        assert "not exact up to 2**24" in plan.candidates[2].note
        got = axsim.matmul(on_gpu(a), on_gpu(b), "JQQ", engine="factored")
    assert same(gpu, got, axsim.matmul(a, b, "JQQ"))


WIDE = axsim.tables.ProductTable.from_function(lambda a, b: 16 * a * b + b * b // 9, 8, 8)


def test_look_ups_are_predicted_as_their_kernels_are_estimated() -> None:
    rates = [
        work.products / planner.predict("gather", work, None, HOPPER)
        for work in (Work(1, 4096, 4096, 4096), Work(64, 256 * 56**2, 9, 1, 3, True), Work(1, 8, 4096, 8))
    ]
    assert 7e12 < rates[0] < 9e12  # as gather_columns.cu has it
    assert 0.5e12 < rates[1] < 2.1e12  # gather_depthwise.cu, and the bytes of its operands
    assert rates[2] < 0.2e12  # too narrow for any kernel
    assert planner.predict("gather", Work(1, 0, 3, 4), None, HOPPER) < 1e-4


def test_auto_does_what_the_plan_says(gpu: EmulatedRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "SMALL", 1000)
    monkeypatch.setattr(planner, "_LAUNCH", 0.0)
    a, b = integers(1, (40, 50), np.uint8), integers(2, (50, 40), np.uint8)
    for name, expected in (("1446", True), ("L40", False)):
        assert axsim.explain(on_gpu(a), on_gpu(b), name).choice.startswith("factored") == expected
        gpu.launches.clear()
        assert same(gpu, axsim.matmul(on_gpu(a), on_gpu(b), name), axsim.matmul(a, b, name))
        assert ("combine" in gpu.launches) == expected


# --- prepared operands, signs beside magnitudes ------------------------------------------------------------


@settings(max_examples=40)
@given(choices, st.sampled_from(["uint8", "int16"]), st.sampled_from(["uint8", "int16"]), seeds())
def test_signs_beside_magnitudes(
    gpu: EmulatedRuntime, choice: tuple[str, str], left: str, right: str, seed: int
) -> None:
    name, engine = choice
    mult, random = MULTIPLIERS[name], np.random.default_rng(seed)
    if mult.signed or name == "narrow":
        return
    a, b, x, w = (
        random.integers(0 if dtype == "uint8" else -255, 256, shape).astype(dtype)
        for dtype, shape in ((left, (5, 9)), (right, (9, 4)), (left, (1, 2, 4, 4)), (right, (3, 2, 2, 2)))
    )
    a[0], b[:, 0], x[0, 0], w[0] = 0, 0, 0, 0
    assert same(gpu, axsim.matmul(on_gpu(a), on_gpu(b), mult, engine=engine), axsim.matmul(a, b, mult))
    got = axsim.conv2d(on_gpu(x), on_gpu(w), mult, padding=1, engine=engine)
    assert same(gpu, got, axsim.conv2d(x, w, mult, padding=1))
    assert same(gpu, axsim.multiply(on_gpu(a), on_gpu(a[0]), mult), axsim.multiply(a, a[0], mult))


@settings(max_examples=40)
@given(
    choices,
    seeds(),
    float_types,
    st.sampled_from([None, "symmetric", "sign-magnitude"]),
    st.sampled_from([None, "sign-magnitude"]),
)
def test_prepared_operands(
    gpu: EmulatedRuntime, choice: tuple[str, str], seed: int, dtype: Any, b_quant: Any, a_quant: Any
) -> None:
    name, engine = choice
    mult = MULTIPLIERS[name]
    a, b = floats(seed, (2, 5, 9), dtype, "any"), floats(seed + 1, (9, 4), dtype, "any")
    x, w = floats(seed, (1, 2, 4, 4), dtype, "any"), floats(seed + 1, (3, 2, 2, 2), dtype, "any")
    options = {"a_quant": a_quant, "b_quant": b_quant}
    expected = axsim.matmul(a, b, mult, bias=b[0], **options)
    for made in (axsim.prepare(b, mult, b_quant=b_quant), axsim.prepare(on_gpu(b), mult, b_quant=b_quant)):
        got = axsim.matmul(on_gpu(a), made, a_quant=a_quant, bias=on_gpu(b[0]), engine=engine)
        assert same(gpu, got, expected)
    filters = axsim.prepare(on_gpu(w), mult, operation="conv2d", b_quant=b_quant)
    assert np.array_equal(filters.values, axsim.prepare(w, mult, operation="conv2d", b_quant=b_quant).values)
    got = axsim.conv2d(on_gpu(x), filters, padding=1, a_quant=a_quant, engine=engine)
    assert same(gpu, got, axsim.conv2d(x, w, mult, padding=1, **options))


def test_prepared_operands_of_float_multipliers(gpu: EmulatedRuntime) -> None:
    a, b = floats(1, (3, 9), np.float32, "any"), floats(2, (9, 4), np.float32, "any")
    made = axsim.prepare(b, "axfpm")
    got = axsim.matmul(on_gpu(a), made, bias=on_gpu(b[0]))
    assert same(gpu, got, axsim.matmul(a, b, "axfpm", bias=b[0]))
    assert np.array_equal(axsim.matmul(a, made), axsim.matmul(a, b, "axfpm"))  # and in main memory


# --- captures ---------------------------------------------------------------------------------------------


@pytest.fixture
def captured(gpu: EmulatedRuntime) -> Iterator[Any]:
    """Calls a function as usual, and then as if its stream were captured, and gives the second result."""

    def twice(function: Any) -> Any:
        function()
        gpu.capturing_now = True
        try:
            return function()
        finally:
            gpu.capturing_now = False

    yield twice
    gpu.capturing_now = False


@pytest.mark.parametrize("engine", ["auto", "gather", "factored"])
@pytest.mark.parametrize("by", [None, "symmetric", "given"])
def test_no_call_waits_while_it_is_captured(
    gpu: EmulatedRuntime, captured: Any, engine: str, by: Any
) -> None:
    a, b = floats(1, (4, 9), np.float32, "any"), floats(2, (9, 3), np.float32, "any")
    x, w = floats(3, (2, 4, 5, 5), np.float32, "any"), floats(4, (6, 2, 3, 3), np.float32, "any")
    bias = floats(5, (6,), np.float32, "any")
    on = [on_gpu(value) for value in (a, b, x, w, bias)]
    b_quant, w_quant = (quant("channels" if by else None, v, i, 8, False) for v, i in ((b, 1), (w, 0)))
    a_quant, x_quant = quant(by, a, None, 8, False), quant(by, x, None, 8, False)
    got = captured(lambda: axsim.matmul(*on[:2], "1446", engine=engine, a_quant=a_quant, b_quant=b_quant))
    assert same(gpu, got, axsim.matmul(a, b, "1446", a_quant=a_quant, b_quant=b_quant))
    options = {"groups": 2, "padding": 1, "mult": "1446", "a_quant": x_quant, "b_quant": w_quant}
    got = captured(lambda: axsim.conv2d(on[2], on[3], bias=on[4], engine=engine, **options))
    assert same(gpu, got, axsim.conv2d(x, w, bias=bias, **options))
    if engine != "factored":
        got = captured(lambda: axsim.multiply(on[0], on[0], "1446", a_quant=a_quant, engine=engine))
        assert same(gpu, got, axsim.multiply(a, a, "1446", a_quant=a_quant))


@pytest.mark.parametrize("engine", ["auto", "gather", "factored"])
def test_no_integer_call_waits_while_it_is_captured(gpu: EmulatedRuntime, captured: Any, engine: str) -> None:
    x, w = integers(3, (2, 4, 5, 5), np.uint8), integers(4, (6, 2, 3, 3), np.int8)
    bias = integers(5, (6,), np.int16)
    on = on_gpu(x), on_gpu(w)
    options = {"groups": 2, "padding": 1, "mult": "1446"}
    got = captured(lambda: axsim.conv2d(*on, bias=on_gpu(bias), engine=engine, **options))
    assert same(gpu, got, axsim.conv2d(x, w, bias=bias, **options))
    got = captured(lambda: axsim.matmul(on[0], on[0], "1446", engine=engine))
    assert same(gpu, got, axsim.matmul(x, x, "1446"))
    wide = on_gpu(bias.astype(np.int32))
    got = captured(lambda: axsim.conv2d(*on, bias=wide, out_dtype="int64", engine=engine, **options))
    assert same(gpu, got, axsim.conv2d(x, w, bias=bias, out_dtype="int64", **options))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("by", [None, "symmetric", QuantParams(0.5, 3, 0, 255)])
@pytest.mark.parametrize("where", [0, 1])
def test_what_is_not_finite_makes_nan_in_a_capture(
    gpu: EmulatedRuntime, captured: Any, bad: float, by: Any, where: int
) -> None:
    operands = [np.ones((3, 4), np.float32), np.ones((4, 2), np.float32)]
    on = [on_gpu(x) for x in operands]
    axsim.matmul(*on, "1446", a_quant=by, b_quant=by)
    operands[where][0, 1] = bad
    on = [on_gpu(x) for x in operands]
    gpu.capturing_now = True
    got = axsim.matmul(*on, "1446", a_quant=by, b_quant=by)
    gpu.capturing_now = False
    assert got.shape == (3, 2)
    assert np.isnan(gpu.xp.asnumpy(got)).all()


def test_a_bias_that_is_not_finite_is_seen_in_the_results_of_a_capture(gpu: EmulatedRuntime) -> None:
    x, w = on_gpu(np.ones((1, 1, 2, 2))), on_gpu(np.ones((3, 1, 1, 1)))
    axsim.conv2d(x, w, bias=on_gpu(np.zeros(3)))
    bias = on_gpu(np.array([np.nan, 1, np.inf]))
    gpu.capturing_now = True
    got = axsim.conv2d(x, w, bias=bias)
    gpu.capturing_now = False
    assert np.isfinite(gpu.xp.asnumpy(got)).all(axis=(0, 2, 3)).tolist() == [False, True, False]


def test_what_must_be_looked_at_is_refused_in_a_capture(gpu: EmulatedRuntime, captured: Any) -> None:
    byte, bias = on_gpu(np.ones((1, 1, 1, 1), np.uint8)), on_gpu(np.ones(1, np.int32))
    with pytest.raises(
        ValueError, match=r"cannot be looked at while a CUDA graph is captured.*circuit of 8 bits"
    ):
        captured(lambda: axsim.matmul(byte, byte, MULTIPLIERS["narrow"]))
    with pytest.raises(
        ValueError, match=r"cannot be looked at while a CUDA graph is captured.*out_dtype='int64'"
    ):
        captured(lambda: axsim.conv2d(byte, byte, bias=bias))
    x = on_gpu(np.ones(3))
    with pytest.raises(ValueError, match=r"x cannot be looked at for NaN and infinity while"):
        captured(lambda: quantize(x, QuantParams(0.5, 3, 0, 255)))


def drawn_owner(kind: str) -> Any:
    """A multiplier or a quantisation that nobody else holds."""
    if kind == "multiplier":
        values = np.random.default_rng(5).integers(0, 2**16, (256, 256))
        return Multiplier(
            "mortal", 8, 8, False, simulate=lambda: axsim.tables.ProductTable.from_array(values, False)
        )
    return QuantParams(0.125, 7, 0, 255)


@pytest.mark.parametrize("kind", ["multiplier", "quantisation"])
def test_what_a_capture_saw_outlives_its_owner(gpu: EmulatedRuntime, kind: str) -> None:
    """As when a network is captured, and what made it is dropped: replays read the same constants."""
    owner, given = drawn_owner(kind), QuantParams(0.5, 3, 0, 255)
    a, b = (on_gpu(floats(i, shape, np.float32, "any")) for i, shape in enumerate(((4, 9), (9, 3))))

    def call(owner: Any) -> Any:
        if kind == "multiplier":
            return axsim.matmul(a, b, owner, a_quant=given, b_quant=given)
        return axsim.matmul(a, b, "L40", a_quant=owner, b_quant=owner)

    call(owner)
    with gpu.capture() as graph:
        result = call(owner)
    expected = gpu.xp.asnumpy(result)
    died = weakref.ref(owner)
    del owner
    gc.collect()
    assert died() is None
    call(drawn_owner(kind))  # lets go of what nobody needs any more
    result[...] = 77
    for launch in graph:
        launch()
    assert np.array_equal(gpu.xp.asnumpy(result), expected)


# --- quantisation of its own ------------------------------------------------------------------------------


@settings(max_examples=40)
@given(seeds(), float_kinds, float_types, st.sampled_from([None, 0, 1, -1]), layouts(), st.booleans())
def test_quantize(
    gpu: EmulatedRuntime, seed: int, kind: str, dtype: Any, axis: int | None, layout: str, percentile: bool
) -> None:
    x = floats(seed, (3, 4, 5), dtype, kind)
    method: Any = "percentile" if percentile else "minmax"
    for make in (affine, symmetric):
        params, on_cpu = make(on_gpu(x, layout), axis=axis, method=method), make(x, axis=axis, method=method)
        assert np.array_equal(params.scale, on_cpu.scale)
        assert np.array_equal(params.zero_point, on_cpu.zero_point)
        q = quantize(on_gpu(x, layout), params)
        assert same(gpu, q, quantize(x, params))
        assert same(gpu, dequantize(q, params), dequantize(quantize(x, params), params))


def test_quantize_refuses_as_on_the_cpu(gpu: EmulatedRuntime) -> None:
    x = np.array([1.0, np.nan, 2.0])
    params = QuantParams(0.5, 3, 0, 255)
    for call in (affine, symmetric, lambda x: affine(x, method="percentile"), lambda x: quantize(x, params)):
        with pytest.raises(ValueError, match="x holds NaN or infinity, which no integer stands for"):
            call(on_gpu(x))
    with pytest.raises(ValueError, match=r"x has shape \(3,\), but params holds 2 channels for axis 0"):
        quantize(on_gpu(np.ones(3)), QuantParams([0.5, 1], [3, 3], 0, 255, 0))
    with pytest.raises(TypeError, match="x is uint8, expected float32 or float64"):
        quantize(on_gpu(np.ones(3, np.uint8)), params)


# --- which arrays -----------------------------------------------------------------------------------------


def test_arrays_of_two_kinds_are_refused(gpu: EmulatedRuntime) -> None:
    a = np.ones((2, 2), np.uint8)
    with pytest.raises(
        TypeError, match=r"a is a .*DeviceArray on GPU 0, but b is a numpy.ndarray in main memory"
    ):
        axsim.matmul(on_gpu(a), a)
    with pytest.raises(
        TypeError, match=r"b is a .*DeviceArray on GPU 0, but a is a numpy.ndarray in main memory"
    ):
        axsim.multiply(a, on_gpu(a))
    x = np.ones((1, 1, 2, 2), np.uint8)
    with pytest.raises(TypeError, match=r"x is a .*DeviceArray on GPU 0, but bias is a int in main memory"):
        axsim.conv2d(on_gpu(x), on_gpu(x), bias=3)


def test_arrays_of_two_gpus_are_refused(gpu: EmulatedRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    class TwoGpus(EmulatedLibrary):
        def device(self, array: Any) -> int:
            return len(array) % 2

    monkeypatch.setattr(arrays, "LIBRARIES", (TwoGpus(),))
    with pytest.raises(TypeError, match=r"a is a .* on GPU 1, but b is a .* on GPU 0; .* on one device"):
        axsim.matmul(on_gpu(np.ones((1, 2), np.uint8)), on_gpu(np.ones((2, 2), np.uint8)))


@pytest.mark.usefixtures("gpu")
def test_wide_circuits_are_for_main_memory() -> None:
    a = on_gpu(np.full((2, 2), 300, np.int16))
    for call in (axsim.matmul, axsim.multiply):
        with pytest.raises(ValueError, match=r"exact12 has 12x12 bits: .* computed in main memory"):
            call(a, a, "exact12")
    with pytest.raises(ValueError, match="computed in main memory"):
        axsim.prepare(a, "exact12")
    with pytest.raises(ValueError, match="computed in main memory"):
        axsim.matmul(on_gpu(np.ones((2, 2), np.uint8)), on_gpu(np.ones((2, 2), np.uint8)), "tiled16[L40]")
