"""Values and bit patterns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axsim.circuits.operands import check_int, decode, encode, operand_range


@given(st.data(), st.integers(1, 64), st.booleans())
def test_decode_undoes_encode(data, width, signed):
    low, high = operand_range(width, signed)
    values = data.draw(st.lists(st.integers(low, high), min_size=1, max_size=9))
    patterns = encode("a", np.array(values, np.int64 if signed else np.uint64), width, signed)
    assert patterns.tolist() == [value % 2**width for value in values]
    assert 8 * patterns.itemsize < 2 * max(width, 8)
    assert decode(patterns.astype(np.uint64), width, signed).tolist() == values


@pytest.mark.parametrize(("width", "signed"), [(8, False), (8, True), (5, False), (64, True)])
def test_range_is_checked_at_both_ends(width, signed):
    low, high = operand_range(width, signed)
    for value in (low - 1, high + 1):
        if -(2**63) <= value < 2**64:
            with pytest.raises(ValueError, match=f"holds {low} to {high}"):
                encode("a", [value], width, signed)


def test_check_int():
    assert check_int("bits", np.int8(3), 1, 3) == 3
    with pytest.raises(ValueError, match="bits must be from 1 to 3, not 4"):
        check_int("bits", 4, 1, 3)
    with pytest.raises(ValueError, match="bits must be from 1 to 3, not 0"):
        check_int("bits", 0, 1, 3)
    with pytest.raises(TypeError, match="bits must be an integer, not float"):
        check_int("bits", 2.0, 1, 3)
