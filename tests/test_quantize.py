from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from axsim.quantize import QuantParams, affine, dequantize, quantize, symmetric

floats = hnp.arrays(
    st.sampled_from([np.float32, np.float64]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
    elements=st.floats(-(2.0**99), 2.0**99, width=32),
)


@given(floats, st.integers(1, 8), st.booleans())
def test_affine(x: Any, bits: int, signed: bool) -> None:
    if signed and bits == 1:
        bits = 2
    params = affine(x, bits=bits, signed=signed)
    q = quantize(x, params)
    assert q.dtype == params.dtype == (np.int8 if signed else np.uint8)
    assert params.qmax - params.qmin == 2**bits - 1
    assert q.shape == x.shape
    assert ((params.qmin <= q) & (q <= params.qmax)).all()
    # Half a step from rounding x, and half a step from rounding the zero point where that clips the far end.
    assert (np.abs(dequantize(q, params) - x) <= params.scale * (1 + 1e-9)).all()
    assert dequantize(quantize(np.zeros(1), params), params).item() == 0.0


@given(floats, st.integers(2, 8))
def test_symmetric(x: Any, bits: int) -> None:
    params = symmetric(x, bits=bits)
    q = quantize(x, params)
    assert q.dtype == np.int8
    assert params.zero_point == 0
    assert -params.qmin == params.qmax == 2 ** (bits - 1) - 1
    assert np.array_equal(q, -quantize(-x, params))
    assert (np.abs(dequantize(q, params) - x) <= params.scale * 0.5 * (1 + 1e-9)).all()


def test_formula_by_hand() -> None:
    params = QuantParams(0.5, 3, 0, 255)
    x = np.array([-9.0, -1.5, -0.25, 0.0, 0.25, 0.75, 1.25, 1000.0])
    #            clip         -0.5->0       0.5->0  1.5->2 2.5->2  clip
    assert quantize(x, params).tolist() == [0, 0, 3, 3, 3, 5, 5, 255]


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("make", [affine, symmetric])
@pytest.mark.parametrize("method", ["minmax", "percentile"])
def test_every_channel_is_quantised_as_if_alone(axis: int, make: Any, method: str) -> None:
    x = np.random.default_rng(1).normal(size=(4, 5, 6)) * np.array([1, 10, 100, 1e3, 1e4])[:, None]
    params = make(x, axis=axis, method=method)
    q = quantize(x, params)
    for i in range(x.shape[axis]):
        alone = make(x.take(i, axis), method=method)
        assert params.scale[i] == alone.scale
        assert params.zero_point[i] == alone.zero_point
        assert np.array_equal(q.take(i, axis), quantize(x.take(i, axis), alone))
    assert np.array_equal(
        dequantize(q, params).take(1, axis), dequantize(q.take(1, axis), make(x.take(1, axis), method=method))
    )


def test_range_includes_zero() -> None:
    above, below = affine(np.array([3.0, 5.0])), affine(np.array([-5.0, -3.0]))
    assert (above.scale * 255, above.zero_point) == (5.0, 0)
    assert (below.scale * 255, below.zero_point) == (5.0, 255)


@pytest.mark.parametrize(
    "x", [np.zeros(3), np.zeros(0), np.zeros((0, 4)), np.float32(0), np.zeros((2, 0, 3))]
)
@pytest.mark.parametrize("method", ["minmax", "percentile"])
def test_zeros_and_empty_arrays(x: Any, method: str) -> None:
    for params in (affine(x, method=method), symmetric(x, method=method)):
        assert params.scale == 1
        assert not quantize(x, params).any()


@pytest.mark.parametrize("x", [[5e-324], [1e-310, -1e-310], [2e-308], [1.7e308, -1.7e308], [1e-45, 0.0]])
def test_extreme_ranges(x: list[float]) -> None:
    array = np.array(x)
    for params in (affine(array), symmetric(array)):
        assert np.isfinite(params.scale)
        assert params.scale >= np.finfo(np.float64).tiny
        error = np.abs(dequantize(quantize(array, params), params) / 2 - array / 2)
        assert (error <= params.scale).all()


def test_quotients_beyond_float64_are_clipped() -> None:
    assert quantize(np.array([1e308, -1e308]), QuantParams(1e-300, 0, -127, 127)).tolist() == [127, -127]


def test_percentile_clips_outliers() -> None:
    x = np.concatenate([np.linspace(-1, 1, 10_001), [50.0, -80.0]])
    params = affine(x, method="percentile", percentile=99.9)
    assert float(params.scale) == pytest.approx(2 * 0.998 / 255, rel=1e-3)
    assert quantize(np.array([50.0, -80.0]), params).tolist() == [255, 0]
    assert affine(x, method="percentile", percentile=100).scale == affine(x).scale
    assert float(symmetric(x, method="percentile").scale) == pytest.approx(0.999 / 127, rel=1e-3)


def test_torch_tensors_come_back_as_tensors() -> None:
    torch = pytest.importorskip("torch")
    x = torch.linspace(-1, 2, 13)
    params = affine(x)
    q = quantize(x, params)
    assert q.dtype == torch.uint8
    assert np.array_equal(q.numpy(), quantize(x.numpy(), params))
    assert dequantize(q, params).dtype == torch.float64


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_and_infinity_are_refused(value: float, dtype: Any) -> None:
    x = np.array([[0.0, 1.0], [value, 2.0]], dtype)
    for call in (affine, symmetric, lambda x: quantize(x, QuantParams(1.0, 0, 0, 255))):
        with pytest.raises(ValueError, match="x holds NaN or infinity"):
            call(x)
    with pytest.raises(ValueError, match="x holds NaN or infinity"):
        affine(x, axis=0, method="percentile")


@pytest.mark.parametrize(
    "x", [np.zeros(3, np.int32), np.zeros(3, np.float16), np.zeros(3, bool), np.zeros(3, complex)]
)
def test_other_types_are_refused(x: Any) -> None:
    for call in (affine, symmetric, lambda x: quantize(x, QuantParams(1.0, 0, 0, 255))):
        with pytest.raises(TypeError, match=f"x is {x.dtype}, expected float32 or float64"):
            call(x)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: affine(np.zeros(3), bits=9), "bits is 9"),
        (lambda: affine(np.zeros(3), bits=0), "bits is 0"),
        (lambda: symmetric(np.zeros(3), bits=1), "bits is 1, expected 2 to 9"),
        (lambda: affine(np.zeros(3), method="median"), "method is 'median'"),
        (lambda: affine(np.zeros(3), percentile=50), "percentile is 50"),
        (lambda: affine(np.zeros(3), axis=1), r"axis is 1, but x has shape \(3,\)"),
        (lambda: quantize(np.zeros(3), affine(np.zeros((2, 4)), axis=0)), r"2 channels for axis 0"),
        (
            lambda: dequantize(np.zeros(3, np.int8), affine(np.zeros((2, 4)), axis=0, signed=True)),
            "q has shape",
        ),
        (lambda: QuantParams(0.0, 0, 0, 255), "scale is 0.0"),
        (lambda: QuantParams(np.nan, 0, 0, 255), "scale is nan"),
        (lambda: QuantParams(1.0, 0.5, 0, 255), "zero_point is 0.5, expected integers"),
        (lambda: QuantParams(1.0, 256, 0, 255), "zero_point is 256"),
        (lambda: QuantParams(1.0, 0, -1, 256), "qmin=-1, qmax=256"),
        (lambda: QuantParams(1.0, 0, -256, 200), "qmin=-256, qmax=200"),
        (lambda: symmetric(np.zeros(3), bits=10), "bits is 10, expected 2 to 9"),
        (lambda: QuantParams(1.0, 0, 3, 200), "qmin=3"),
        (lambda: QuantParams([1.0], 0, 0, 255), "expected no axes"),
        (lambda: QuantParams([1.0], [0, 0], 0, 255, axis=0), "expected one axis each"),
    ],
)
def test_bad_arguments_are_named(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_dequantize_refuses_another_type() -> None:
    with pytest.raises(TypeError, match="q is int8, expected uint8"):
        dequantize(np.zeros(3, np.int8), QuantParams(1.0, 0, 0, 255))


def test_params_cannot_be_changed() -> None:
    params = affine(np.ones((2, 2)), axis=0)
    with pytest.raises(ValueError, match="read-only"):
        params.scale[0] = 2
    with pytest.raises(AttributeError):
        params.qmin = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("qmin", lambda: QuantParams(0.1, 0, -128.0, 127)),
        ("qmax", lambda: QuantParams(0.1, 0, -128, 127.0)),
        ("qmin", lambda: QuantParams(0.1, 0, "0", 127)),
        ("axis", lambda: QuantParams([0.1], [0], 0, 255, 0.0)),
        ("bits", lambda: affine(np.ones(3), 8.0)),
        ("bits", lambda: symmetric(np.ones(3), np.float64(8))),
        ("axis", lambda: affine(np.ones(3), axis=0.0)),
    ],
)
def test_what_is_no_integer_is_refused(name: str, call: Any) -> None:
    with pytest.raises(TypeError, match=f"^{name} is .*expected an integer"):
        call()


def test_numpys_integers_are_integers() -> None:
    params = QuantParams(np.float32(0.5), np.int8(0), np.int64(-128), np.array(127), None)
    assert (params.qmin, params.qmax, type(params.qmin), type(params.qmax)) == (-128, 127, int, int)
    assert quantize(np.ones(2), params).tolist() == [2, 2]
