"""The reference against the definition, in Python loops."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_arrays import integers, random_folded

from axsim.engines.cpu import reference
from axsim.engines.shapes.geometry import geometry

TABLE = random_folded(7, 0, 65535)


def test_gemm_is_the_sum_of_table_entries() -> None:
    a, b = integers(1, (2, 1, 3, 5), np.uint8), integers(2, (4, 5, 6), np.uint8)
    out = reference.gemm(TABLE, a, b, np.int32)
    assert out.shape == (2, 4, 3, 6)
    assert out.dtype == np.int32
    for i, j, m, n in np.ndindex(out.shape):
        assert out[i, j, m, n] == sum(int(TABLE.values[a[i, 0, m, k], b[j, k, n]]) for k in range(5))


@pytest.mark.parametrize("block", [1, 7, 64])
def test_gemm_in_blocks(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    a, b = integers(3, (6, 11), np.uint8), integers(4, (11, 5), np.uint8)
    whole = reference.gemm(TABLE, a, b, np.int64)
    monkeypatch.setattr(reference, "_BLOCK", block)
    assert np.array_equal(reference.gemm(TABLE, a, b, np.int64), whole)


def test_conv2d_is_the_sum_over_each_window() -> None:
    x, w = integers(5, (2, 4, 5, 6), np.uint8), integers(6, (6, 2, 2, 3), np.uint8)
    windows = geometry(
        x_shape=x.shape, w_shape=w.shape, stride=(2, 1), padding=((1, 0), (0, 2)), dilation=(1, 2), groups=2
    )
    out = reference.conv2d(TABLE, x, w, windows, 9, np.int32)
    assert out.shape == (2, 6, 3, 4)
    for n, o, oy, ox in np.ndindex(out.shape):
        total = 0
        for c, i, j in np.ndindex(w.shape[1:]):
            y, column = oy * 2 - 1 + i, ox + j * 2
            inside = 0 <= y < 5 and 0 <= column < 6
            operand = x[n, o // 3 * 2 + c, y, column] if inside else 9
            total += int(TABLE.values[operand, w[o, c, i, j]])
        assert out[n, o, oy, ox] == total


def test_lookup_broadcasts() -> None:
    a, b = integers(7, (3, 1), np.uint8), integers(8, (4,), np.uint8)
    out = reference.lookup(TABLE, a, b)
    assert out.dtype == np.int32
    assert out.tolist() == [[TABLE.values[i, j] for j in b] for i in a[:, 0]]
