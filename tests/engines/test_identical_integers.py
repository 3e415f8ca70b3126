"""Every engine, instruction set and number of threads gives the same integers, around all tiles' edges."""

from __future__ import annotations

import os
from collections.abc import Iterator
from unittest import mock

import numpy as np
import pytest
from drawn_arrays import ENTRY_RANGES, integers, random_folded, seeds
from hypothesis import given, settings
from hypothesis import strategies as st

from axsim import get, threads
from axsim.engines.cpu import reference
from axsim.engines.cpu.choice import usable
from axsim.engines.forms.factored_table import FactoredTable, known_form
from axsim.engines.forms.folded import FoldedTable, fold
from axsim.engines.isa import runnable_isas
from axsim.engines.shapes.work import Work

pytest.importorskip("axsim._native", reason="axsim was installed without its compiled module")

THREADS = (1, 2, 3, 5)
MOST_PRODUCTS = 1_500_000
# Kernels take 4, 8, 12, 24 and 64 operands at a time, and empty their sums after 32, 128 or 256.
EDGES = (0, 1, 4, 7, 8, 9, 12, 13, 24, 25, 31, 33, 48, 63, 64, 65, 127, 128, 129, 192, 255, 256, 257, 300)
# int8 operands of an unsigned circuit fold their signs into the table. The first two have no factors.
LIBRARY = (
    *((name, types) for name in ("L40", "12N4", "JQQ", "1446") for types in ("u1 u1", "u1 i1", "i1 i1")),
    ("exact8", "u1 u1"),
    ("exact8s", "i1 i1"),
)


@st.composite
def sizes(draw: st.DrawFn) -> tuple[int, int, int]:
    """Three sizes from 0 to 300, the last one drawn no larger than leaves little to compute."""
    size = st.one_of(st.sampled_from(EDGES), st.integers(0, 300))
    first, second = draw(size), draw(size)
    most = min(300, MOST_PRODUCTS // max(1, first * second))
    last = draw(st.one_of(st.sampled_from([edge for edge in EDGES if edge <= most]), st.integers(0, most)))
    m, k, n = draw(st.permutations((first, second, last)))
    return m, k, n


@pytest.fixture(autouse=True)
def _default_threads() -> Iterator[None]:
    yield
    threads.set_num_threads(None)


def check(
    folded: FoldedTable, form: FactoredTable | None, shape: tuple[int, int, int], seed: int, accumulator: type
) -> None:
    m, k, n = shape
    a, b = integers(seed, (m, k), np.uint8), integers(seed + 1, (k, n), np.uint8)
    if k * folded.max_abs >= 2**31:
        accumulator = np.int64  # callers refuse int32
    expected = reference.gemm(folded, a, b, accumulator)
    for isa in runnable_isas():
        with mock.patch.dict(os.environ, AXSIM_ISA=isa):
            for name, sums in usable(form, Work.of_gemm(a.shape, b.shape)).items():
                if name == "reference":
                    continue
                for count in THREADS:
                    threads.set_num_threads(count)
                    out = sums.gemm(folded, a, b, accumulator)
                    assert out.dtype == accumulator
                    assert np.array_equal(out, expected), f"{name} with {isa} on {count} threads"


accumulators = st.sampled_from([np.int32, np.int64])


@settings(max_examples=60)
@given(st.sampled_from(LIBRARY), sizes(), seeds(), accumulators)
def test_multipliers(
    named: tuple[str, str], shape: tuple[int, int, int], seed: int, accumulator: type
) -> None:
    name, types = named
    a_dtype, b_dtype = (np.dtype(dtype) for dtype in types.split())
    product = get(name).table
    folded = fold(product, a_dtype, b_dtype)
    form = known_form(product, folded, a_dtype, b_dtype)
    assert (form is None) == (name in ("L40", "12N4"))
    check(folded, form, shape, seed, accumulator)


@settings(max_examples=60)
@given(st.sampled_from(ENTRY_RANGES), sizes(), seeds(), accumulators)
def test_tables_of_any_entries(
    ends: tuple[int, int], shape: tuple[int, int, int], seed: int, accumulator: type
) -> None:
    check(random_folded(seed, *ends), None, shape, seed, accumulator)
