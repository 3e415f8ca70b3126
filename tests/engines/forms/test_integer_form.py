"""The form in which compiled kernels take factors: that it is the table, and that its sums are safe."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import axsim
from axsim.engines.forms.factored_table import known_form
from axsim.engines.forms.folded import fold
from axsim.engines.forms.integer_form import (
    WORD_SUMS,
    IntegerForm,
    IntegerPart,
    Term,
    integer_form,
    with_signs,
)

NONE, SHORT, LONG = 0, 2**15 - 1, WORD_SUMS  # what sums of bytes hold
UINT8, INT8 = np.dtype(np.uint8), np.dtype(np.int8)

byte_sums = st.sampled_from([NONE, SHORT, LONG])


def products(form: IntegerForm) -> np.ndarray:
    """The table that a form stands for."""
    table = form.left_sums[:, None] + form.right_sums
    for part in form.parts:
        table = table + ((part.left.astype(np.int64).T @ part.right.astype(np.int64)) << part.shift)
    return table


def worst(part: IntegerPart) -> int:
    """The largest magnitude that the products of one operand pair add up to."""
    return int((np.abs(part.left.astype(np.int64)).T @ np.abs(part.right.astype(np.int64))).max())


def drawn_terms(data: st.DataObject, reach: int) -> list[Term]:
    random = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    terms = []
    for _ in range(data.draw(st.integers(0, 6))):
        sides = []
        for _ in range(2):
            ends = sorted(data.draw(st.tuples(*[st.integers(-reach, reach)] * 2)))
            side = random.integers(ends[0], ends[1] + 1, 256)
            side[:2] = ends
            sides.append(side)
        terms.append(Term(*sides, data.draw(st.integers(0, 12))))
    return terms


@given(st.data(), st.sampled_from([1, 3, 127, 130, 255, 400, 40_000]), byte_sums)
def test_a_form_is_the_table_and_its_sums_are_safe(data: st.DataObject, reach: int, most: int) -> None:
    terms = drawn_terms(data, reach)
    left_sums, right_sums = np.arange(256) * 5, np.arange(256)[::-1] * 3
    expected = left_sums[:, None] + right_sums
    for left, right, shift in terms:
        expected = expected + (np.outer(left, right) << shift)
    form = integer_form(terms, left_sums, right_sums, most)
    if form is None:
        assert reach == 40_000
        return
    assert np.array_equal(products(form), expected)
    assert form.products == len(terms)
    assert form.byte_sums == most
    for part in form.parts:
        limit = most if part.bytes else WORD_SUMS
        assert part.depth == limit // max(worst(part), 1)
        assert part.shift >= 0
        if part.bytes:
            assert part.left.min() >= 0
            assert part.left.max() <= 255
            assert part.right.min() >= -128
            assert part.right.max() <= 127
            assert part.depth >= (64 if most == LONG else 2)
    if not most:
        assert not any(part.bytes for part in form.parts)


def form_of(name: str, most: int, a: np.dtype = UINT8, b: np.dtype = UINT8) -> IntegerForm:
    table = axsim.get(name).table
    known = known_form(table, fold(table, a, b), a, b)
    assert known is not None
    form = known.integer_form(most)
    assert form is not None
    return form


@pytest.mark.parametrize("most", [NONE, SHORT, LONG])
def test_the_exact_product_adds_nothing_for_rows_or_columns_of_words(most: int) -> None:
    form = form_of("exact8", most)
    (part,) = form.parts
    assert part.bytes == (most == LONG)
    if not part.bytes:
        assert np.array_equal(part.left[0], np.arange(256))
        assert not form.left_sums.any()
        assert not form.right_sums.any()
    assert np.array_equal(products(form), np.outer(np.arange(256), np.arange(256)))


def test_small_terms_are_bytes_beside_a_word() -> None:
    form = form_of("JQQ", SHORT)
    assert [(len(part.left), part.bytes) for part in form.parts] == [(3, True), (1, False)]
    assert form.word_products == 2.5
    assert form.products == 4
    assert [len(part.left) for part in form_of("JQQ", NONE).parts] == [4]
    assert all(part.bytes for part in form_of("JQQ", LONG).parts)
    assert form_of("JQQ", LONG).word_products == 2


@pytest.mark.parametrize("types", [(UINT8, INT8), (INT8, UINT8), (INT8, INT8)])
@pytest.mark.parametrize("most", [NONE, SHORT, LONG])
def test_forms_of_signed_operands(types: tuple[np.dtype, np.dtype], most: int) -> None:
    for name in ("1446", "GS2", "17KS"):
        table = axsim.get(name).table
        assert np.array_equal(products(form_of(name, most, *types)), fold(table, *types).values)


def ones(value: int) -> np.ndarray:
    return np.where(np.arange(256) % 2, value, 0)


def test_bytes_are_taken_while_their_sums_last_for_sixteen_steps() -> None:
    # The sums of 16 steps of one term, of two products each, fit 16 bits up to products of 1023.
    for largest, taken in ((31 * 33, True), (32 * 32, False)):
        factors = {31 * 33: (31, 33), 32 * 32: (32, 32)}[largest]
        term = Term(ones(factors[0]), ones(factors[1]), 0)
        form = integer_form([term], ones(0), ones(0), SHORT)
        assert form is not None
        assert form.parts[0].bytes == taken


def test_powers_of_two_move_into_components_while_these_fit() -> None:
    terms = [Term(ones(1), ones(1), 2), Term(ones(1), ones(100), 5), Term(ones(1), ones(1), 14)]
    form = integer_form(terms, ones(0), ones(0), SHORT)
    assert form is not None
    # The third would make products of 2**12: it stays a word, and keeps its power of two.
    assert [(len(part.left), part.shift, part.bytes) for part in form.parts] == [(2, 2, True), (1, 14, False)]
    assert [worst(part) for part in form.parts] == [1 + 8 * 100, 1]


def test_a_component_beyond_a_word_has_no_form() -> None:
    assert integer_form([Term(ones(70_000), ones(1), 0)], ones(0), ones(0), SHORT) is None
    form = integer_form([Term(ones(65_535), ones(1), 0)], ones(0), ones(0), SHORT)
    assert form is not None  # in the range of a word once its middle is subtracted
    assert form.right_sums.any()


def test_words_are_centred_where_their_sums_would_not_last() -> None:
    form = integer_form([Term(ones(32_767), ones(2_000), 0)], ones(0), ones(0), NONE)
    assert form is not None
    assert form.depth >= 64
    assert form.left_sums.any()


@given(st.data(), st.sampled_from([1, 127, 400]), byte_sums, st.booleans(), st.booleans(), st.booleans())
def test_signs_beside_magnitudes(
    data: st.DataObject, reach: int, most: int, left: bool, right: bool, sums: bool
) -> None:
    """T[-a, b] = -T[a, b], at 256 more; what depends on one operand alone counts for both signs, too."""
    terms = drawn_terms(data, reach)
    left_sums, right_sums = (np.arange(256) * 8 * sums, (np.arange(256)[::-1] * 4 - 100) * sums)
    table = left_sums[:, None] + right_sums
    for u, v, shift in terms:
        table = table + (np.outer(u, v) << shift)
    expected = np.vstack([table, -table]) if left else table
    expected = np.hstack([expected, -expected]) if right else expected
    form = integer_form(*with_signs(terms, left_sums, right_sums, left=left, right=right), most)
    assert form is not None
    assert np.array_equal(products(form), expected)
    assert form.largest == np.abs(expected).max()
    assert form.products <= len(terms) + (left or right) * 2 * sums
