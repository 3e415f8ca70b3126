from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from drawn_arrays import random_table

from axsim.engines.forms.folded import fold
from axsim.tables import ProductTable

U8, I8 = np.dtype(np.uint8), np.dtype(np.int8)
BYTES = np.arange(256, dtype=np.uint8)


@pytest.mark.parametrize("a_dtype", [U8, I8])
@pytest.mark.parametrize("b_dtype", [U8, I8])
def test_sign_magnitude_of_every_pair(a_dtype: np.dtype, b_dtype: np.dtype) -> None:
    table = random_table(1)
    folded = fold(table, a_dtype, b_dtype)
    for a_byte, a in enumerate(BYTES.view(a_dtype).tolist()):
        for b_byte, b in enumerate(BYTES.view(b_dtype).tolist()):
            sign = (-1 if a < 0 else 1) * (-1 if b < 0 else 1)
            assert folded.values[a_byte, b_byte] == sign * int(table.values[abs(a), abs(b)])
    assert folded.max_abs == np.abs(folded.values).max()


def test_the_sign_of_zero_is_plus() -> None:
    table = random_table(2)
    folded = fold(table, I8, I8)
    assert folded.values[0, 0] == table.values[0, 0] != 0
    assert folded.values[0, 255] == -int(table.values[0, 1])


def test_signed_circuit_is_indexed_by_bit_patterns() -> None:
    table = random_table(3, low=-32768, high=32767, signed=True)
    assert np.array_equal(fold(table, I8, I8).values, table.values)


def test_signed_circuit_takes_bytes_that_fit() -> None:
    table = random_table(4, low=-32768, high=32767, signed=True)
    folded = fold(table, U8, I8)
    assert folded.a_limits == (0, 127)
    assert folded.b_limits == (-128, 127)
    assert np.array_equal(folded.values[:128], table.values[:128])
    assert not folded.values[128:].any()


@pytest.mark.parametrize(
    ("bits", "signed", "u8", "i8"),
    [
        (8, False, (0, 255), (-128, 127)),
        (7, False, (0, 127), (-127, 127)),
        (4, False, (0, 15), (-15, 15)),
        (8, True, (0, 127), (-128, 127)),
        (4, True, (0, 7), (-8, 7)),
    ],
)
def test_limits_and_illegal_bytes(bits: int, signed: bool, u8: tuple[int, int], i8: tuple[int, int]) -> None:
    table = ProductTable.from_function(lambda a, b: a * b + 1, bits, bits, out_bits=18, signed=signed)
    for dtype, limits in ((U8, u8), (I8, i8)):
        folded = fold(table, dtype, dtype)
        assert folded.a_limits == folded.b_limits == limits
        operand = BYTES.view(dtype).astype(int)
        legal = (limits[0] <= operand) & (operand <= limits[1])
        a, b = operand[:, None], operand[None, :]
        sign = np.where(signed, 1, np.where(a < 0, -1, 1) * np.where(b < 0, -1, 1))
        expected = a * b + sign  # sign and magnitude: the error takes the product's sign
        assert np.array_equal(folded.values, np.where(legal[:, None] & legal[None, :], expected, 0))


def test_wide_and_uneven_circuits() -> None:
    table = ProductTable.from_function(lambda a, b: a * b, 10, 6)
    folded = fold(table, U8, U8)
    assert (folded.a_limits, folded.b_limits) == ((0, 255), (0, 63))
    assert folded.values[255, 63] == 255 * 63
    assert folded.values[255, 64] == 0


def test_folded_once_and_forgotten_with_its_table() -> None:
    table = random_table(5)
    first = fold(table, U8, I8)
    assert fold(table, U8, I8) is first
    assert fold(table, I8, U8) is not first
    assert not first.values.flags.writeable
    gone = weakref.ref(first)
    del table, first
    gc.collect()
    assert gone() is None
