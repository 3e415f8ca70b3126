"""Operands of signs and magnitudes as sums of bytes (engines/forms/signs.py), against the definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from drawn_arrays import folded_tables, seeds
from hypothesis import given, settings
from hypothesis import strategies as st

from axsim.engines.cpu import reference
from axsim.engines.forms.folded import FoldedTable
from axsim.engines.forms.signs import summed, variant
from axsim.engines.shapes.geometry import geometry


def drawn(seed: int, shape: tuple[int, ...], signed: bool) -> np.ndarray:
    """Many zeros, whose sign is plus and whose products need not be 0."""
    random = np.random.default_rng(seed)
    values = random.integers(-255 if signed else 0, 256, shape) * random.integers(0, 2, shape)
    return values.astype(np.int16 if signed else np.uint8)


def definition(table: FoldedTable, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    signs = np.where(a < 0, -1, 1) * np.where(b < 0, -1, 1)
    return np.asarray(signs * table.values[np.abs(a.astype(int)), np.abs(b.astype(int))].astype(np.int64))


bools = st.booleans()


@settings(max_examples=60)
@given(folded_tables(), seeds(), bools, bools)
def test_products(table: FoldedTable, seed: int, left: bool, right: bool) -> None:
    a, b = drawn(seed, (40,), left), drawn(seed + 1, (40,), right)

    def look_up(table: FoldedTable, a: Any, b: Any, _: Any) -> Any:
        return table.values[a, b].astype(np.int64)

    assert np.array_equal(summed(look_up, table, a, b), definition(table, a, b))
    assert np.array_equal(reference.lookup(table, a, b), definition(table, a, b).astype(np.int32))


@settings(max_examples=60)
@given(folded_tables(), seeds(), bools, bools, st.integers(-255, 255))
def test_convolutions_with_any_pad(table: FoldedTable, seed: int, left: bool, right: bool, pad: int) -> None:
    x, w = drawn(seed, (2, 3, 4, 4), left), drawn(seed + 1, (4, 3, 2, 2), right)
    pad = pad if left else abs(pad)
    where = geometry(x_shape=x.shape, w_shape=w.shape, padding=((1, 0), (0, 2)))

    def convolve(table: FoldedTable, x: Any, w: Any, pad: Any) -> Any:
        return reference.conv2d(table, x, w, where, pad, np.int64)

    padded = np.pad(x.astype(int), ((0, 0), (0, 0), (1, 0), (0, 2)), constant_values=pad)
    patches = np.lib.stride_tricks.sliding_window_view(padded, (2, 2), axis=(2, 3))  # (N, C, OH, OW, kh, kw)
    terms = definition(table, patches[:, None], w.astype(int)[None, :, :, None, None])
    expected = terms.sum(axis=(2, 5, 6))
    assert np.array_equal(summed(convolve, table, x, w, pad), expected)
    assert np.array_equal(reference.conv2d(table, x, w, where, pad, np.int64), expected)


def test_a_table_whose_zeros_give_nothing_stays_itself() -> None:
    values = np.multiply.outer(np.arange(256), np.arange(256)).astype(np.int32)
    table, seen = FoldedTable(values, 65025, (0, 255), (0, 255)), []

    def look_up(table: FoldedTable, a: Any, b: Any, _: Any) -> Any:
        seen.append(table)
        return table.values[a, b]

    assert summed(look_up, table, np.int16([-3, 0]), np.int16([5, -7])).tolist() == [-15, 0]
    assert seen == [table] * 4


def test_variants_are_made_once() -> None:
    values = np.full((256, 256), 7, np.int32)
    table = FoldedTable(values, 7, (0, 255), (0, 255))
    cleared, moved = variant(table, "without 0", "as it is"), variant(table, "as it is", "only 0")
    assert cleared is variant(table, "without 0", "as it is")
    assert (cleared.values[0].any(), bool(cleared.values[1:].all())) == (False, True)
    assert (bool(moved.values[:, 1].all()), moved.values[:, [0, 2]].any()) == (True, False)
    assert cleared.is_variant
    assert not table.is_variant
    with pytest.raises(ValueError, match="read-only"):
        cleared.values[0, 0] = 1
