"""The reference engine for float multipliers, against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from float_cases import normal

from axsim.engines.cpu import float_reference as reference
from axsim.engines.shapes.geometry import Geometry, geometry
from axsim.multipliers import get as resolve
from axsim.multipliers.floating import FloatMultiplier


def loop_conv2d(multiplier: FloatMultiplier, x: np.ndarray, w: np.ndarray, g: Geometry) -> np.ndarray:
    """Each output pixel by itself; k runs over channel, kernel row, kernel column."""
    n, (o, c, kh, kw) = len(x), w.shape
    top, _, left, _ = g.padding
    oh, ow = g.output_size(*x.shape[2:], kh, kw)
    sums = np.zeros((n, o, oh, ow))
    for index in np.ndindex(*sums.shape):
        image, filt, oy, ox = index
        first = filt // (o // g.groups) * c
        for channel in range(c):
            for i in range(kh):
                for j in range(kw):
                    y = oy * g.stride[0] - top + i * g.dilation[0]
                    col = ox * g.stride[1] - left + j * g.dilation[1]
                    inside = 0 <= y < x.shape[2] and 0 <= col < x.shape[3]
                    pixel = x[image, first + channel, y, col] if inside else np.float32(0)
                    sums[index] += np.float64(multiplier(pixel, w[filt, channel, i, j]))
    return sums


def test_gemm_sums_products_of_left_and_right_operands() -> None:
    axfpm = resolve("axfpm")
    a, b = normal(2, 3, 5), normal(5, 4, seed=1)
    sums = reference.gemm(axfpm, a, b, rounded=False)
    assert sums.dtype == np.float64
    for i, m, n in np.ndindex(2, 3, 4):
        total = 0.0
        for k in range(5):
            total += float(axfpm(a[i, m, k], b[k, n]))
        assert sums[i, m, n] == total
    rounded = reference.gemm(axfpm, a, b)
    assert rounded.dtype == np.float32
    assert np.array_equal(rounded, sums.astype(np.float32))


def test_sums_run_in_ascending_order() -> None:
    a = np.float32([[1e30, 1.0, -1e30, 1.0]])
    ones = np.ones((4, 1), np.float32)
    assert reference.gemm(resolve("float32"), a, ones).item() == 1.0


def test_sums_are_rounded_once() -> None:
    a = np.float32([[2**24, 1.0, 1.0]])
    assert reference.gemm(resolve("float32"), a, np.ones((3, 1), "f4")).item() == 2**24 + 2


def test_empty_sums_are_positive_zeros() -> None:
    result = reference.gemm(resolve("axfpm"), normal(3, 0), normal(0, 2))
    assert result.shape == (3, 2)
    assert not result.view(np.uint32).any()
    assert reference.gemm(resolve("axfpm"), normal(0, 3), normal(3, 2)).shape == (0, 2)


def test_overflowing_sums_are_infinite_without_a_warning() -> None:
    a = np.float32([[3e38, 3e38], [np.inf, -np.inf]])
    assert np.array_equal(
        reference.gemm(resolve("float32"), a, np.ones((2, 1), "f4")).ravel(), [np.inf, np.nan], equal_nan=True
    )


@pytest.mark.parametrize(
    ("x_shape", "w_shape", "options"),
    [
        ((2, 3, 5, 6), (4, 3, 3, 2), {}),
        ((1, 2, 6, 5), (2, 2, 3, 3), {"stride": (2, 1), "padding": "same"}),
        ((2, 4, 5, 5), (6, 2, 2, 3), {"groups": 2, "padding": ((1, 0), (2, 1)), "dilation": (2, 1)}),
        ((1, 3, 4, 4), (3, 1, 2, 2), {"groups": 3}),
    ],
)
def test_conv2d_is_the_loop(x_shape: tuple[int, ...], w_shape: tuple[int, ...], options: dict) -> None:
    x, w = normal(*x_shape), normal(*w_shape, seed=1)
    g = geometry(x_shape=x_shape, w_shape=w_shape, **options)
    axfpm = resolve("axfpm")
    sums = reference.conv2d(axfpm, x, w, g, rounded=False)
    assert np.array_equal(sums, loop_conv2d(axfpm, x, w, g))
    assert np.array_equal(reference.conv2d(axfpm, x, w, g), sums.astype(np.float32))


def test_a_padded_pixel_is_an_operand() -> None:
    x, w = np.ones((1, 1, 1, 1), "f4"), np.full((1, 1, 3, 3), np.inf, "f4")
    g = geometry(x_shape=x.shape, w_shape=w.shape, padding=1)
    assert np.isnan(reference.conv2d(resolve("float32"), x, w, g)).all()  # 0 times infinity


def test_multiply_broadcasts() -> None:
    a, b = normal(3, 1), normal(4)
    assert np.array_equal(reference.multiply(resolve("heap_like"), a, b), resolve("heap_like")(a, b))
