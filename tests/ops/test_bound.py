"""Products with a prepared operand for layers: the numbers of the public operations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import axsim
from axsim.engines.shapes.geometry import Geometry
from axsim.ops.bound import Bound
from axsim.quantization import QuantParams, Rule

RANDOM = np.random.default_rng(0)


@given(
    st.sampled_from(["L40", "mul8u_1446", "exact8s", "axfpm"]),
    st.sampled_from([np.float32, np.float64]),
    st.booleans(),
    st.booleans(),
    st.integers(0, 3),
)
def test_as_the_public_operations(
    mult: str, dtype: Any, convolution: bool, static: bool, images: int
) -> None:
    multiplier = axsim.get(mult)
    integer = isinstance(multiplier, axsim.Multiplier)
    dtype = dtype if integer else np.float32
    x = RANDOM.normal(size=(images, 4, 9, 9) if convolution else (images, 8)).astype(dtype)
    w = RANDOM.normal(size=(6, 2, 3, 3) if convolution else (8, 6)).astype(dtype)
    bias = RANDOM.normal(size=6).astype(dtype)
    by: Any = None
    if integer:
        signed = bool(getattr(multiplier, "signed", False))
        by = (
            axsim.quantize.affine(np.float32([-1, 2]), signed=signed)
            if static
            else Rule.affine(8, signed=signed)
        )
    given = {"a_quant": by if static else None} if integer else {}
    for _ in range(2):  # the second call finds what the first one looked for
        if convolution:
            prepared = axsim.prepare(w, mult, operation="conv2d", groups=2)
            found = Bound(prepared, Geometry((2, 1), (1, 0, 2, 1), (1, 2), 2))(x, bias, by)
            where: Any = {"stride": (2, 1), "padding": ((1, 0), (2, 1)), "dilation": (1, 2), "groups": 2}
            expected = axsim.conv2d(x, w, mult, bias=bias, **where, **given)
        else:
            found = Bound(axsim.prepare(w, mult))(x, bias, by)
            expected = axsim.matmul(x, w, mult, bias=bias, **given)
        assert np.array_equal(found, expected)
        assert found.dtype == expected.dtype


def test_a_bias_may_change_between_calls() -> None:
    x, w = np.ones((2, 3), np.float32), np.ones((3, 1), np.float32)
    bound, rule = Bound(axsim.prepare(w, "exact8")), Rule.affine(8, signed=False)
    sums = [bound(x, np.float32([b]), rule).tolist() for b in (0, 1, 0)]
    assert sums == [[[3], [3]], [[4], [4]], [[3], [3]]]
    assert bound(x, None, rule).tolist() == sums[0]


def test_other_bits_than_the_public_operations_take() -> None:
    x = np.float32([[0, 0.4, 1]])
    bound = Bound(axsim.prepare(np.eye(3, dtype=np.float32), "exact8"))
    assert bound(x, None, Rule.affine(1, signed=False)).tolist() == [[0, 0, 1]]


def test_ranges_that_do_not_fit_are_refused() -> None:
    bound = Bound(axsim.prepare(np.eye(3, dtype=np.float32), "exact7"))
    by = QuantParams(1 / 255, 0, 0, 255)
    for _ in range(2):
        with pytest.raises(ValueError, match="makes integers from 0 to 255, but exact7 takes 0 to 127"):
            bound(np.ones((1, 3), np.float32), None, by)


def test_nan_is_refused() -> None:
    bound = Bound(axsim.prepare(np.eye(3, dtype=np.float32), "L40"))
    with pytest.raises(ValueError, match="x holds NaN or infinity"):
        bound(np.full((1, 3), np.nan, np.float32), None, Rule.affine(8, signed=False))
