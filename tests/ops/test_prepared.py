# ruff: noqa: E501
"""Prepared weights and integers that stand for floats: the numbers of the arrays that they were made of."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pytest
from drawn_arrays import convolutions, integers, laid_out, layouts, random_table, seeds
from hypothesis import given, settings
from hypothesis import strategies as st

import axsim
from axsim import Multiplier, Prepared, prepare, quantize
from axsim.errors import AccumulatorOverflowError

ANY = Multiplier("any", 8, 8, False, simulate=partial(random_table, 3))
MULTIPLIERS: dict[str, Any] = {
    "any": ANY,
    **{name: axsim.get(name) for name in ("L40", "JQQ", "exact8s", "exact5")},
}
FLOAT_MULTIPLIERS = ("axfpm", "float32", "bfloat16[L40]", "heap_like")
TYPES = ("uint8", "int8", "int16", "float32", "float64")


def operand(seed: int, shape: tuple[int, ...], dtype: str, mult: Multiplier) -> np.ndarray:
    """Random numbers that the multiplier takes; signs beside magnitudes where the dtype is int16."""
    random = np.random.default_rng(seed)
    if dtype.startswith("float"):
        return (random.normal(size=shape) * 10.0 ** (seed % 5 - 2)).astype(dtype)
    top = 2 ** (mult.a_bits - mult.signed) - 1
    low = {"uint8": 0, "int8": -min(top, 127), "int16": -top}[dtype]
    return random.integers(low, min(top, 127 if dtype == "int8" else 255) + 1, shape).astype(dtype)


def quant(kind: str | None, w: np.ndarray, axis: int, mult: Multiplier) -> Any:
    """What ``b_quant`` is given."""
    if kind == "per channel":
        return quantize.symmetric(w, bits=min(mult.b_bits, 8), axis=axis)
    if kind == "clips":
        return quantize.affine(w * 0.7, bits=min(mult.b_bits, 8), signed=mult.signed)
    return kind


kinds = st.sampled_from([None, "symmetric", "sign-magnitude", "per channel", "clips"])
shapes = st.sampled_from(
    [
        ((3, 7), (7, 5)),
        ((7,), (7,)),
        ((2, 3, 7), (7, 5)),
        ((4, 7), (2, 7, 5)),
        ((2, 2, 4, 7), (2, 1, 7, 5)),
        ((3, 0), (0, 2)),
        ((40, 64), (64, 70)),
    ]
)
engines = st.sampled_from(["auto", "native", "reference", "factored"])


def called(function: Any, *args: Any, **kwargs: Any) -> Any:
    """The result, or the error's type: what one call refuses the other refuses too."""
    try:
        return function(*args, **kwargs)
    except (TypeError, ValueError) as error:
        return type(error)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, type) or isinstance(b, type):
        return bool(a is b)
    return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


@settings(max_examples=200)
@given(st.data())
def test_prepared_products_are_those_of_the_array(data: st.DataObject) -> None:
    mult = MULTIPLIERS[data.draw(st.sampled_from(sorted(MULTIPLIERS)))]
    floats = data.draw(st.booleans())
    types = [t for t in TYPES if t.startswith("float") == floats and not (mult.signed and t == "int16")]
    a_shape, b_shape = data.draw(shapes)
    seed = data.draw(seeds())
    a = laid_out(operand(seed, a_shape, data.draw(st.sampled_from(types)), mult), data.draw(layouts()))
    b = operand(seed + 1, b_shape, data.draw(st.sampled_from(types)), mult)
    options: dict[str, Any] = {"engine": data.draw(engines)}
    b_quant = quant(data.draw(kinds), b, b.ndim - 1, mult) if floats else None
    if isinstance(b_quant, quantize.QuantParams) and b.ndim == 1 and b_quant.axis is not None:
        b_quant = None
    if data.draw(st.booleans()) and b.ndim > 1:
        bias = np.random.default_rng(seed).normal(size=b.shape[-1]) * 9
        options["bias"] = bias.astype(np.float32 if floats else np.int16)
    expected = called(axsim.matmul, a, b, mult, b_quant=b_quant, **options)
    made = prepare(laid_out(b, data.draw(layouts())), mult, b_quant=b_quant)
    again = pickle.loads(pickle.dumps(made))
    assert same(called(axsim.matmul, a, made, **options), expected)
    assert same(called(axsim.matmul, a, again, mult, **options), expected)
    if floats:
        pair = made.values, made.params
        assert same(called(axsim.matmul, a.astype(b.dtype), pair, mult, **options),
                    called(axsim.matmul, a.astype(b.dtype), b, mult, b_quant=b_quant, **options))  # fmt: skip


@settings(max_examples=150)
@given(st.data(), convolutions())
def test_prepared_convolutions_are_those_of_the_array(data: st.DataObject, shape: dict[str, Any]) -> None:
    mult = MULTIPLIERS[data.draw(st.sampled_from(sorted(MULTIPLIERS)))]
    floats, seed = data.draw(st.booleans()), data.draw(seeds())
    types = [t for t in TYPES if t.startswith("float") == floats and not (mult.signed and t == "int16")]
    x = operand(seed, shape["x"], data.draw(st.sampled_from(types)), mult)
    w = operand(seed + 1, shape["w"], data.draw(st.sampled_from(types)), mult)
    options: dict[str, Any] = {"engine": data.draw(engines), **shape["options"]}
    b_quant = quant(data.draw(kinds), w, 0, mult) if floats else None
    if floats and data.draw(st.booleans()):
        options["a_quant"] = data.draw(st.sampled_from(["symmetric", "sign-magnitude"]))
    expected = called(axsim.conv2d, x, w, mult, b_quant=b_quant, **options)
    made = prepare(w, mult, operation="conv2d", b_quant=b_quant, groups=options["groups"])
    assert same(called(axsim.conv2d, x, made, **options), expected)
    assert same(called(axsim.conv2d, x, pickle.loads(pickle.dumps(made)), **options), expected)


@settings(max_examples=60)
@given(st.sampled_from(FLOAT_MULTIPLIERS), seeds(), shapes, st.booleans(), st.booleans())
def test_prepared_for_float_multipliers(name: str, seed: int, shape: Any, biased: bool, halves: bool) -> None:
    a, b = (np.random.default_rng(seed + i).normal(size=s).astype(np.float32) for i, s in enumerate(shape))
    b = b.astype(np.float16) if halves else b
    bias = np.arange(b.shape[-1], dtype=np.float32) if biased and b.ndim > 1 else None
    expected = axsim.matmul(a, b, name, bias=bias)
    assert same(axsim.matmul(a, prepare(b, name), bias=bias), expected)
    x, w = (
        np.random.default_rng(seed).normal(size=(2, 4, 5, 5)),
        np.random.default_rng(seed).normal(size=(6, 2, 3, 3)),
    )
    x, w = x.astype(np.float32), w.astype(np.float32)
    made = prepare(w, name, operation="conv2d", groups=2)
    assert same(axsim.conv2d(x, made, groups=2, padding=1), axsim.conv2d(x, w, name, groups=2, padding=1))


@settings(max_examples=100)
@given(
    seeds(),
    st.sampled_from(["any", "L40", "JQQ"]),
    st.sampled_from(["uint8", "int8", "int16"]),
    st.booleans(),
)
def test_a_sign_beside_eight_bits_of_magnitude(seed: int, name: str, other: str, left: bool) -> None:
    """Against the definition: sign(a) sign(b) T[|a|, |b|], the sign of 0 being plus."""
    mult = MULTIPLIERS[name]
    a, b = operand(seed, (6, 30), "int16", mult), operand(seed + 1, (30, 5), other, mult)
    a[:, seed % 30] = 0
    if left:
        a, b = b.T.copy(), a.T.copy()
    signs = np.where(a < 0, -1, 1)[:, :, None] * np.where(b < 0, -1, 1)
    table = mult.table.values.astype(np.int64)
    terms = signs * table[np.abs(a.astype(int))[:, :, None], np.abs(b.astype(int))]
    for engine in ("auto", "native", "reference"):
        assert np.array_equal(axsim.matmul(a, b, mult, engine=engine), terms.sum(axis=1))
    assert np.array_equal(axsim.multiply(a[:, 0], b[0, 0], mult), terms[:, 0, 0])


def test_bias_of_a_product() -> None:
    a, b = integers(1, (3, 4), np.uint8), integers(2, (4, 4), np.uint8)
    bias = np.array([1, -2, 3, 4], np.int32)
    assert np.array_equal(axsim.matmul(a, b, "L40", bias=bias), axsim.matmul(a, b, "L40") + bias)
    x = np.float32([[1, 2]])
    assert axsim.matmul(x, x.T, "float32", bias=np.float32([0.5])).tolist() == [[5.5]]
    with pytest.raises(ValueError, match=r"bias has shape \(3,\), expected \(4,\), one for each column of b"):
        axsim.matmul(a, b, bias=bias[:3])
    with pytest.raises(AccumulatorOverflowError, match="bias of up to"):
        axsim.matmul(a, b, bias=np.full(4, 2**31 - 1))


W = np.float32([[0.5, -1], [0.25, 2]])
X = np.float32([[1, 0.5]])


def test_what_it_is() -> None:
    w = W.copy()
    made = prepare(w, "L40", b_quant="sign-magnitude")
    w[:] = 7
    assert repr(made) == "Prepared(matmul, 'mul8u_L40', int16 (2, 2))"
    assert same(axsim.matmul(X, made), axsim.matmul(X, W, "L40", b_quant="sign-magnitude"))
    assert made.params is not None
    assert (made.params.qmin, made.params.qmax) == (-255, 255)
    with pytest.raises(ValueError, match="read-only"):
        made.values[0] = 1
    assert isinstance(made, Prepared)
    assert same(axsim.matmul(X.astype(np.float64), prepare(W)), axsim.matmul(X.astype(np.float64), W))
    assert same(axsim.matmul(X, prepare(W.astype(np.float64))), axsim.matmul(X, W.astype(np.float64)))
    assert axsim.explain(X, made).choice in ("native", "reference")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: axsim.matmul(X, prepare(W, "L40"), "JQQ"), ValueError,
         "b was prepared for the multiplier 'mul8u_L40', not 'mul8u_JQQ'"),
        (lambda: axsim.conv2d(X[None, None], prepare(W, "L40")), ValueError,
         "w was prepared for the operation 'matmul', not 'conv2d'"),
        (lambda: axsim.conv2d(X[None, None], prepare(W[:, None, None, :1], operation="conv2d"), groups=2), ValueError,
         "w was prepared for the groups 1, not 2"),
        (lambda: axsim.matmul(np.ones((1, 2), np.uint8), prepare(W)), TypeError,
         "a is uint8, but b holds integers that stand for floats, and expects a float a"),
        (lambda: axsim.matmul(X, np.ones((2, 2), np.uint8)), TypeError,
         r"say what the integers stand for, b=\(integers, axsim.quantize.QuantParams"),
        (lambda: axsim.matmul(X, prepare(np.ones((2, 2), np.uint8))), TypeError, "a is float32 and b is uint8"),
        (lambda: axsim.matmul(X, prepare(W), b_quant="affine"), TypeError, "b_quant is given, but b is quantized already"),
        (lambda: axsim.matmul(X, (np.ones((2, 2), np.uint8), quantize.QuantParams(1, 0, -8, 7))), TypeError,
         "b holds uint8, but its QuantParams makes int8"),
        (lambda: axsim.matmul(X, (W, quantize.QuantParams(1, 0, 0, 7)), "axfpm"), TypeError,
         "b is a pair of integers and QuantParams, but axfpm is a float multiplier"),
        (lambda: prepare(W, "axfpm", b_quant="affine"), TypeError, "a float multiplier takes floats as they are"),
        (lambda: prepare(np.ones((2, 2), np.uint8), b_quant="affine"), TypeError, "w holds integers already"),
        (lambda: prepare(W * np.nan), ValueError, "w holds NaN or infinity"),
        (lambda: prepare(np.full((2, 2), 200, np.uint8), "exact5"), ValueError, "w holds 200, but exact5 takes 0 to 31"),
        (lambda: prepare(np.full((2, 2), -256, np.int16)), ValueError, "w holds -256, but exact8 takes -255 to 255"),
        (lambda: prepare(np.ones((2, 2), np.int16), "exact8s"), TypeError, "w is int16: exact8s is signed"),
        (lambda: prepare(W, operation="conv"), ValueError, "operation is 'conv', expected 'matmul' or 'conv2d'"),
        (lambda: prepare(W, operation="conv2d"), ValueError, r"w has shape \(2, 2\), expected four axes"),
        (lambda: prepare(np.float32(3)), ValueError, "w has no axes"),
        (lambda: prepare(W, "L4O"), ValueError, "did you mean"),
        (lambda: axsim.multiply(W, prepare(W)), TypeError, "b is a axsim.ops.prepared.Prepared"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_by_name(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def _product(made: Prepared) -> np.ndarray:
    return np.asarray(axsim.matmul(X, made))


def test_it_goes_to_other_threads_and_processes() -> None:
    made = prepare(W, "KEM", b_quant="sign-magnitude")
    expected = axsim.matmul(X, W, "KEM", b_quant="sign-magnitude")
    with ThreadPoolExecutor(4) as pool:
        assert all(same(y, expected) for y in pool.map(_product, [made] * 40))
    with multiprocessing.get_context("spawn").Pool(1) as workers:
        assert same(workers.apply(_product, (made,)), expected)
    if hasattr(os, "fork"):
        child = os.fork()
        if not child:
            os._exit(0 if same(_product(made), expected) else 1)
        assert os.waitpid(child, 0)[1] == 0


def test_tensors() -> None:
    torch = pytest.importorskip("torch")
    made = prepare(torch.from_numpy(W), "L40")
    y = axsim.matmul(torch.from_numpy(X), made)
    assert isinstance(y, torch.Tensor)
    assert np.array_equal(y.numpy(), axsim.matmul(X, W, "L40"))
