"""Sums of products of wide circuits: by digits and product by product, against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import axsim
from axsim.engines.cpu import wide
from axsim.engines.forms.wide import TYPES, WideProducts, limits, wide_products
from axsim.engines.shapes.geometry import geometry
from axsim.multipliers import Multiplier
from axsim.multipliers.tiles import make
from axsim.tables import ProductTable


def odd4() -> Multiplier:
    table = ProductTable.from_function(lambda a, b: a * b | 1, 4, 4)
    return Multiplier("odd4", 4, 4, False, lambda: table)


WIDE = [
    *(axsim.get(name) for name in ("tiled16[L40]", "kulkarni12", "exact9x8", "exact13")),
    make(odd4(), 12, "tiled12[odd4]"),
]


BATCHES = [((), ()), ((2,), ()), ((2, 1), (3,)), ((), (2,)), ((0,), ())]


def draw(rng: np.random.Generator, m: Multiplier, side: str, dtype: np.dtype, shape: tuple[int, ...]):
    low, high = limits(dtype, getattr(m, f"{side}_bits"), m.signed)
    values = rng.integers(low, high, shape, endpoint=True)
    return np.where(rng.random(shape) < 0.2, 0, values).astype(dtype)


def expected_gemm(products: WideProducts, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return products(a[..., None], b[..., None, :, :]).sum(axis=-2)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_gemm(data: st.DataObject) -> None:
    m = data.draw(st.sampled_from(WIDE))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    types = [data.draw(st.sampled_from(TYPES)) for _ in range(2)]
    rows, terms, columns = (data.draw(st.integers(0, 5)) for _ in range(3))
    a_batch, b_batch = data.draw(
        st.sampled_from([((), ()), ((2,), ()), ((2, 1), (3,)), ((), (2,)), ((0,), ())])
    )
    a = draw(rng, m, "a", types[0], (*a_batch, rows, terms))
    b = draw(rng, m, "b", types[1], (*b_batch, terms, columns))
    products = wide_products(m)
    found = wide.gemm(products, a, b)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, expected_gemm(products, a, b))
    np.testing.assert_array_equal(wide.gemm(products, a, b, plain=True), found)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_conv2d_is_the_product_of_its_patches(data: st.DataObject) -> None:
    m = data.draw(st.sampled_from(WIDE))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    types = [data.draw(st.sampled_from(TYPES)) for _ in range(2)]
    groups = data.draw(st.sampled_from([1, 2]))
    x = draw(rng, m, "a", types[0], (data.draw(st.integers(0, 2)), 2, 5, 4))
    w = draw(rng, m, "b", types[1], (2, 2 // groups, 3, 2))
    where = geometry(
        x_shape=x.shape,
        w_shape=w.shape,
        stride=data.draw(st.sampled_from([1, (2, 1)])),
        padding=data.draw(st.sampled_from([0, 1, ((0, 2), (1, 0))])),
        dilation=data.draw(st.sampled_from([1, (1, 2)])),
        groups=groups,
    )
    pad = data.draw(st.sampled_from([0, 3, -2] if np.dtype(types[0]).kind == "i" else [0, 3]))
    products = wide_products(m)
    top, bottom, left, right = where.padding
    padded = np.pad(x.astype(np.int64), ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=pad)
    found = wide.conv2d(products, x, w, where, pad)
    expected = np.zeros_like(found)
    (sy, sx), (dy, dx), per = where.stride, where.dilation, 2 // groups
    for n, o, oy, ox in np.ndindex(*found.shape):
        for c, i, j in np.ndindex(*w.shape[1:]):
            channel = o * groups // 2 * per + c
            pixel = padded[n, channel, oy * sy + i * dy, ox * sx + j * dx]
            expected[n, o, oy, ox] += products(pixel[None], w[o, c, i, j][None])[0]
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(wide.conv2d(products, x, w, where, pad, plain=True), found)


@pytest.mark.parametrize("m", WIDE, ids=lambda m: m.name)
def test_lookup_broadcasts(m: Multiplier) -> None:
    rng = np.random.default_rng(5)
    a, b = draw(rng, m, "a", np.dtype("int16"), (3, 1)), draw(rng, m, "b", np.dtype("int8"), (4,))
    np.testing.assert_array_equal(wide.lookup(wide_products(m), a, b), wide_products(m)(a, b))
    assert wide.lookup(wide_products(m), a[0, 0][()].reshape(()), b[0].reshape(())).shape == ()
    assert wide.lookup(wide_products(m), a[:0], b).shape == (0, 4)


def test_blocks_of_products(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wide, "_BLOCK", 10)
    rng, m = np.random.default_rng(6), axsim.get("exact13")
    a = draw(rng, m, "a", np.dtype("int16"), (4, 7))
    b = draw(rng, m, "b", np.dtype("int16"), (7, 3))
    exact = a.astype(np.int64) @ b.astype(np.int64)
    np.testing.assert_array_equal(wide.gemm(wide_products(m), a, b), exact)
    np.testing.assert_array_equal(wide.lookup(wide_products(m), a, a), a.astype(np.int64) ** 2)


def test_digits_have_no_sign_where_products_with_zero_count() -> None:
    signed, unsigned = np.array([[-256]], np.int16), np.array([[200]], np.uint8)
    products = wide_products(WIDE[-1])
    assert not wide.by_digits(products, signed, unsigned)
    assert wide.by_digits(products, unsigned, np.array([[256]], np.int16))
    assert wide.by_digits(wide_products(axsim.get("tiled16[L40]")), signed, unsigned)
    assert not wide.by_digits(wide_products(axsim.get("exact13")), unsigned, unsigned)
