"""Where the products of wide circuits come from, and which operands they take."""

from __future__ import annotations

import numpy as np
import pytest

import axsim
from axsim.circuits import broken_array
from axsim.engines.forms.wide import TYPES, is_wide, limits, way_of, wide_products
from axsim.multipliers import registry


@pytest.fixture(autouse=True)
def _own_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})


@pytest.mark.parametrize(
    ("dtype", "bits", "signed", "expected"),
    [
        ("uint8", 12, False, (0, 255)),
        ("uint8", 4, False, (0, 15)),
        ("int8", 12, False, (-128, 127)),
        ("int8", 12, True, (-128, 127)),
        ("int16", 12, False, (-4095, 4095)),
        ("int16", 16, False, (-32768, 32767)),
        ("int32", 16, False, (-65535, 65535)),
        ("int16", 12, True, (-2048, 2047)),
        ("int16", 16, True, (-32768, 32767)),
        ("int32", 16, True, (-32768, 32767)),
        ("uint8", 4, True, (0, 7)),
    ],
)
def test_limits(dtype: str, bits: int, signed: bool, expected: tuple[int, int]) -> None:
    assert limits(np.dtype(dtype), bits, signed) == expected


def test_what_is_wide() -> None:
    uint8, int16, float32 = np.dtype("uint8"), np.dtype("int16"), np.dtype("float32")
    assert is_wide(axsim.get("exact12"), uint8, uint8)
    assert not is_wide(axsim.get("exact12x4"), uint8, int16)
    assert is_wide(axsim.get("exact12x4"), int16, uint8)
    assert not is_wide(axsim.get("exact12x4"), float32, float32)
    assert not is_wide(axsim.get("L40"), int16, int16)


@pytest.mark.parametrize(
    ("name", "way", "source"),
    [
        ("tiled16[L40]", "tiles", "4 tiles of mul8u_L40"),
        ("kulkarni12", "tiles", "4 tiles of kulkarni6"),
        ("exact12x4", "table", "a table of 65536 products"),
        ("exact9x8", "table", "a table of 131072 products"),
        ("exact13", "gates", "a simulation of the gates"),
    ],
)
def test_where_products_come_from(name: str, way: str, source: str) -> None:
    products = wide_products(axsim.get(name))
    assert way_of(axsim.get(name)) == products.way == way
    assert products.source == source


@pytest.mark.parametrize(
    "name", ["exact9x8", "exact6x11s", "b10", "tiled16[L40]", "tiled12[odd4]", "exact13"]
)
def test_products(name: str) -> None:
    axsim.register("odd4", lambda a, b: a * b | 1, a_bits=4, b_bits=4)
    axsim.register("b10", broken_array(10, 2, 3))
    if name == "exact6x11s":
        axsim.register(name, axsim.circuits.baugh_wooley(6, 11), overwrite=True)
    m = axsim.get(name)
    products = wide_products(m)
    assert wide_products(m) is products
    rng = np.random.default_rng(4)
    for a_type in TYPES:
        for b_type in TYPES:
            (al, ah), (bl, bh) = limits(a_type, m.a_bits, m.signed), limits(b_type, m.b_bits, m.signed)
            a = np.concatenate([[al, ah, 0], rng.integers(al, ah, 60, endpoint=True)]).astype(a_type)
            b = np.concatenate([[bl, bh, 0], rng.integers(bl, bh, 60, endpoint=True)]).astype(b_type)
            if m.signed:
                expected = [int(m(int(x), int(y))) for x, y in zip(a, b, strict=True)]
            else:
                expected = [
                    int(m(abs(int(x)), abs(int(y)))) * (-1 if (x < 0) != (y < 0) else 1)
                    for x, y in zip(a, b, strict=True)
                ]
            assert products(a, b).tolist() == expected
            assert max(map(abs, expected)) <= products.max_abs


def test_the_largest_product_of_a_table_is_known() -> None:
    assert wide_products(axsim.get("exact9x8")).max_abs == 511 * 255
    assert wide_products(axsim.get("exact13")).max_abs == 2**26 - 1
    assert wide_products(axsim.get("tiled16[exact8]")).max_abs == 65535**2
