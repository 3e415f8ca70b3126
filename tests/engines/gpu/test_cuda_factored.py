"""The factored engine on an emulated GPU against sums of table entries; proofs that its sums are exact."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_arrays import convolutions, integers, laid_out, layouts, seeds
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from axsim.engines.cpu import reference
from axsim.engines.forms.factored_table import LEAST_DEPTH, FactoredTable, prepare
from axsim.engines.forms.folded import FoldedTable
from axsim.engines.gpu import factored, factored_terms
from axsim.engines.gpu.runtime.current import using
from axsim.engines.shapes.geometry import Geometry, geometry
from axsim.tables.factor import Factors
from tests.cuda_emulator.device_arrays import DeviceArray, on_device
from tests.cuda_emulator.emulated_runtime import EmulatedRuntime


def form(seed: int, terms: int, reach: int, scale: int = 0) -> tuple[FoldedTable, FactoredTable]:
    """A table made of random factors of up to ``reach``, times powers of two of up to ``scale``."""
    rng = np.random.default_rng(seed)
    left, right = (rng.integers(-reach, reach + 1, (terms, 256)) for _ in range(2))
    factors = Factors(left, right, rng.integers(0, scale + 1, terms))
    values = factors.products()
    folded = FoldedTable(values.astype(np.int32), int(np.abs(values).max(initial=0)), (0, 255), (0, 255))
    return folded, prepare(factors, folded)


def separate() -> tuple[FoldedTable, FactoredTable]:
    """What depends on one operand only has no terms: T[a, b] = f(a) + g(b)."""
    rng = np.random.default_rng(9)
    ones = np.ones(256, int)
    left, right = np.stack([rng.integers(0, 99, 256), ones]), np.stack([ones, rng.integers(0, 99, 256)])
    factors = Factors(left, right, np.zeros(2, int))
    values = factors.products()
    folded = FoldedTable(values.astype(np.int32), int(values.max()), (0, 255), (0, 255))
    return folded, prepare(factors, folded)


FORMS = {
    "one term": form(1, 1, 127),
    "two terms": form(2, 2, 127),
    "several shifts": form(3, 3, 100, scale=4),
    "wide": form(4, 1, 1000),
    "no terms": separate(),
}
CASES = [
    (name, c)
    for name, (_, table) in FORMS.items()
    for c in factored_terms.COMPUTE_TYPES
    if factored_terms.carries(table, c)
]
# Every type of accumulator is a compilation of its own.
cases = st.sampled_from(
    [(*case, np.int32) for case in CASES] + [(*case, np.int64) for case in CASES if case[0] == "one term"]
)


@pytest.fixture(scope="module")
def gpu(builds: Path) -> Iterator[EmulatedRuntime]:
    with using(EmulatedRuntime(builds)) as runtime:
        yield runtime


def on_gpu(array: np.ndarray, layout: str = "C") -> DeviceArray:
    return on_device(laid_out(array, layout))


def test_the_forms_are_what_their_names_say() -> None:
    assert {name for name, compute_type in CASES if compute_type == "float16"} == set(FORMS) - {"wide"}
    assert {name for name, compute_type in CASES if compute_type == "int8"} == set(FORMS)
    shifts = [terms.shift for terms in factored_terms.terms_of(FORMS["several shifts"][1], "int8")]
    assert len(set(shifts)) > 1
    assert len(factored_terms.terms_of(FORMS["wide"][1], "int8")) > 1
    assert not len(FORMS["no terms"][1].left)


@settings(max_examples=40)
@given(
    cases,
    hnp.mutually_broadcastable_shapes(signature="(m,k),(k,n)->(m,n)", min_side=0, max_side=40, max_dims=1),
    seeds(),
    layouts(),
    layouts(),
)
def test_gemm(gpu: EmulatedRuntime, case: Any, shapes: Any, seed: int, a_layout: str, b_layout: str) -> None:
    (folded, table), compute_type, dtype = FORMS[case[0]], case[1], case[2]
    a, b = (integers(seed + i, shape, np.uint8) for i, shape in enumerate(shapes.input_shapes))
    out = factored.gemm(table, on_gpu(a, a_layout), on_gpu(b, b_layout), dtype, compute_type)
    assert out.dtype == dtype
    assert np.array_equal(gpu.xp.asnumpy(out), reference.gemm(folded, a, b, dtype))


@settings(max_examples=40)
@given(cases, convolutions(), seeds(), layouts(), st.booleans())
def test_conv2d(gpu: EmulatedRuntime, case: Any, shape: Any, seed: int, layout: str, on_host: bool) -> None:
    (folded, table), compute_type, dtype = FORMS[case[0]], case[1], case[2]
    x, w = integers(seed, shape["x"], np.uint8), integers(seed + 1, shape["w"], np.uint8)
    where = geometry(x_shape=x.shape, w_shape=w.shape, **shape["options"])
    pad = 200 if on_host else gpu.xp.asarray(np.array([200], np.uint8))
    out = factored.conv2d(table, on_gpu(x, layout), on_gpu(w, layout), where, pad, dtype, compute_type)
    assert out.dtype == dtype
    assert np.array_equal(gpu.xp.asnumpy(out), reference.conv2d(folded, x, w, where, 200, dtype))


@pytest.mark.parametrize(("name", "compute_type"), CASES)
def test_operands_are_expanded_block_by_block(
    gpu: EmulatedRuntime, name: str, compute_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(factored, "_BLOCK", 1 << 13)
    folded, table = FORMS[name]
    a, b = integers(1, (150, 40), np.uint8), integers(2, (40, 170), np.uint8)
    gpu.launches.clear()
    out = factored.gemm(table, on_gpu(a), on_gpu(b), np.int32, compute_type)
    assert gpu.launches.count("combine") >= 4
    assert np.array_equal(gpu.xp.asnumpy(out), reference.gemm(folded, a, b, np.int32))
    x, w = integers(3, (3, 4, 9, 9), np.uint8), integers(4, (80, 2, 3, 3), np.uint8)
    where = Geometry((1, 2), (1, 0, 2, 1), (1, 1), 2)
    gpu.launches.clear()
    out = factored.conv2d(table, on_gpu(x), on_gpu(w), where, 7, np.int32, compute_type)
    assert gpu.launches.count("combine") >= 4
    assert np.array_equal(gpu.xp.asnumpy(out), reference.conv2d(folded, x, w, where, 7, np.int32))


@pytest.mark.parametrize("name", ["one term", "two terms", "several shifts"])
def test_float16_sums_are_exact_however_deep(gpu: EmulatedRuntime, name: str) -> None:
    folded, table = FORMS[name]
    (terms,) = factored_terms.terms_of(table, "float16")
    magnitudes = np.abs(terms.left.astype(float)) @ np.abs(terms.right.astype(float)).T
    worst = np.unravel_index(np.argmax(magnitudes), magnitudes.shape)
    assert LEAST_DEPTH <= terms.depth <= 2**24 / magnitudes[worst]
    assert np.array_equal(terms.left.astype(np.int64), table.left.T << (table.shifts - table.shifts.min()))
    # More pieces than one launch combines; the operands that reach the bound, and others.
    k = 9 * terms.depth + 5
    a, b = np.full((2, k), worst[0], np.uint8), np.full((k, 3), worst[1], np.uint8)
    a[1], b[:, 1] = integers(1, (k,), np.uint8), integers(2, (k,), np.uint8)
    pieces = factored_terms.pieces_of(table, "float16", k)
    assert len(pieces) == 10
    assert [piece.start for piece in pieces[1:]] == [piece.stop for piece in pieces[:-1]]
    out = factored.gemm(table, on_gpu(a), on_gpu(b), np.int64, "float16")
    assert np.array_equal(gpu.xp.asnumpy(out), reference.gemm(folded, a, b, np.int64))


def test_sums_beyond_int32(gpu: EmulatedRuntime) -> None:
    folded, table = form(5, 2, 120, scale=16)
    a, b = integers(1, (3, 900), np.uint8), integers(2, (900, 5), np.uint8)
    expected = reference.gemm(folded, a, b, np.int64)
    assert np.abs(expected).max() > 2**31
    out = factored.gemm(table, on_gpu(a), on_gpu(b), np.int64, "int8")
    assert np.array_equal(gpu.xp.asnumpy(out), expected)


def test_compute_types_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="compute_type is 'float32', expected one of int8, float16"):
        factored_terms.terms_of(FORMS["wide"][1], "float32")
    with pytest.raises(ValueError, match="compute_type is 'float16', but it takes components of up to 2048"):
        factored_terms.terms_of(FORMS["wide"][1], "float16")
    narrow = form(6, 1, 127)[1]
    (terms,) = factored_terms.terms_of(narrow, "float16")
    assert np.abs(terms.left).max() <= factored_terms._LARGEST_HALF
    wide = Factors(np.arange(256)[None] * 17, np.ones((1, 256), int) + np.arange(256) % 2, np.zeros(1, int))
    values = wide.products()
    folded = FoldedTable(values.astype(np.int32), int(values.max()), (0, 255), (0, 255))
    with pytest.raises(
        ValueError, match="float16"
    ):  # 2,168 in magnitude: not exact, though deep sums would be
        factored_terms.terms_of(prepare(wide, folded), "float16")


@pytest.mark.parametrize("compute_type", factored_terms.COMPUTE_TYPES)
def test_nothing_is_asked_of_the_host_in_a_capture(gpu: EmulatedRuntime, compute_type: str) -> None:
    folded, table = FORMS["two terms"]
    a, b = integers(1, (5, 30), np.uint8), integers(2, (30, 4), np.uint8)
    x, w = integers(3, (2, 4, 5, 5), np.uint8), integers(4, (6, 2, 3, 3), np.uint8)
    where = Geometry((1, 1), (1, 1, 1, 1), (1, 1), 2)
    args = [on_gpu(array) for array in (a, b, x, w)]
    for capturing in (False, True):
        gpu.capturing_now = capturing
        try:
            sums = factored.gemm(table, *args[:2], np.int32, compute_type)
            images = factored.conv2d(table, *args[2:], where, 3, np.int32, compute_type)
        finally:
            gpu.capturing_now = False
        assert np.array_equal(gpu.xp.asnumpy(sums), reference.gemm(folded, a, b, np.int32))
        assert np.array_equal(gpu.xp.asnumpy(images), reference.conv2d(folded, x, w, where, 3, np.int32))
