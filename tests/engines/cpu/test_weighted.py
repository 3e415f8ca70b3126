"""Sums of table entries times floats, against loops in float64, on every instruction set there is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from axsim.engines.cpu import weighted
from axsim.engines.shapes.places import Places, matrices, windows
from axsim.threads import set_num_threads

ISAS = ("portable", "avx2", "avx512", "vbmi", "neon")


@pytest.fixture(params=["numpy", *ISAS])
def sums(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """What makes the sums of the left side and of the right one."""
    if request.param == "numpy":
        return weighted.left_by_numpy, weighted.right_by_numpy
    native = pytest.importorskip("axsim._native", reason="axsim was installed without its compiled module")
    monkeypatch.setenv("AXSIM_ISA", request.param)
    try:
        native.isa()
    except ValueError as error:
        pytest.skip(str(error))
    return weighted.left_by_kernel, weighted.right_by_kernel


class Case:
    """Drawn operands, weights and tables."""

    def __init__(self, seed: int, shape: tuple[int, ...], places: Places, terms: int, columns: int) -> None:
        rng = np.random.default_rng(seed)
        batch, rows = len(places.origins), len(places.rows)
        self.places = places
        self.table = rng.normal(size=(19, 35)).astype(np.float32)
        self.a = rng.integers(0, 19, shape, dtype=np.uint16)
        self.b = rng.integers(0, 35, (batch, terms, columns), dtype=np.uint16)
        self.g = np.zeros((batch, rows, weighted.padded_width(columns)), np.float32)
        self.g[:, :, :columns] = rng.normal(size=(batch, rows, columns))
        self.zero = rng.normal(size=(batch, columns)).astype(np.float32)

    def plain(self, with_zero: bool) -> tuple[np.ndarray, np.ndarray]:
        """Both sums, written out, in float64."""
        left, right = np.zeros(self.a.size), np.zeros(self.b.shape)
        flat, columns = self.a.reshape(-1), self.b.shape[2]
        for i in range(len(self.b)):
            where = self.places.index(i)
            entries = self.table[flat[where][:, :, None], self.b[i][None]].astype(np.float64)
            weights = self.g[i, :, None, :columns].astype(np.float64)
            right[i] = (weights * entries).sum(axis=0)
            less = self.zero[i] if with_zero else 0
            np.add.at(left, where, (weights * (entries - less)).sum(axis=2))
        return left.reshape(self.a.shape), right

    def check(self, sums: tuple[Any, Any], with_zero: bool = False) -> None:
        left, right = sums
        expected_left, expected_right = self.plain(with_zero)
        zero = self.zero if with_zero else None
        made = left(self.table, self.g, self.a, self.places, self.b, zero)
        assert made.dtype == np.float32
        np.testing.assert_allclose(made, expected_left, rtol=2e-5, atol=2e-4)
        made = right(self.table, self.g, self.a, self.places, self.b)
        np.testing.assert_allclose(made, expected_right, rtol=2e-5, atol=2e-4)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(1, 3),
    st.integers(1, 40),
    st.integers(1, 11),
    st.integers(1, 140),
    st.booleans(),
    st.integers(0, 99),
)
def test_matrices(
    sums: Any, batch: int, rows: int, terms: int, columns: int, with_zero: bool, seed: int
) -> None:
    Case(seed, (batch, rows, terms), matrices(batch, rows, terms), terms, columns).check(sums, with_zero)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_images(sums: Any, data: st.DataObject) -> None:
    axes, groups = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    kernel = data.draw(st.tuples(*[st.integers(1, 3)] * axes))
    stride = data.draw(st.tuples(*[st.integers(1, 3)] * axes))
    dilation = data.draw(st.tuples(*[st.integers(1, 2)] * axes))
    size = [d * (k - 1) + 1 + data.draw(st.integers(0, 3)) for k, d in zip(kernel, dilation, strict=True)]
    channels, columns = data.draw(st.integers(1, 2)), data.draw(st.sampled_from([1, 5, 16, 70]))
    shape = (data.draw(st.integers(1, 3)), groups * channels, *size)
    places = windows(shape, kernel, stride, dilation, groups)
    case = Case(data.draw(st.integers(0, 99)), shape, places, len(places.terms), columns)
    case.check(sums, data.draw(st.booleans()))


def test_more_rows_than_a_block_and_a_task(sums: Any) -> None:
    Case(1, (1, 9001, 5), matrices(1, 9001, 5), 5, 17).check(sums)
    shape = (11, 2, 22, 22)
    places = windows(shape, (3, 3), (1, 1), (1, 1), 1)
    Case(2, shape, places, 18, 3).check(sums)


def test_nothing_to_sum(sums: Any) -> None:
    left, right = sums
    for batch, rows, terms, columns in ((0, 3, 3, 3), (1, 0, 3, 3), (1, 3, 0, 3), (1, 3, 3, 0)):
        case = Case(0, (batch, rows, terms), matrices(batch, rows, terms), terms, columns)
        assert not left(case.table, case.g, case.a, case.places, case.b).any()
        assert not right(case.table, case.g, case.a, case.places, case.b).any()


def test_every_set_and_any_threads_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    native = pytest.importorskip("axsim._native", reason="axsim was installed without its compiled module")
    shape = (4, 3, 40, 40)
    image = Case(3, shape, windows(shape, (5, 5), (1, 1), (1, 1), 1), 75, 70)
    matrix = Case(4, (1, 5000, 23), matrices(1, 5000, 23), 23, 130)
    found = set()
    for isa in native.runnable_isas():
        monkeypatch.setenv("AXSIM_ISA", isa)
        for threads in (1, 2, 5):
            set_num_threads(threads)
            bits = b""
            for case in (image, matrix):
                parts = case.table, case.g, case.a, case.places, case.b
                bits += weighted.left_by_kernel(*parts).tobytes() + weighted.right_by_kernel(*parts).tobytes()
            found.add(bits)
    set_num_threads(None)
    assert len(found) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"a": np.full((1, 4, 3), 19, np.uint16)}, "beyond the table"),
        ({"b": np.full((1, 3, 5), 35, np.uint16)}, "beyond the table"),
        ({"g": np.zeros((1, 4, 5), np.float32)}, "g does not fit b"),
        ({"places": matrices(1, 4, 4)}, "offsets do not fit"),
        ({"places": matrices(1, 5, 3)}, "offsets do not fit"),
        ({"a": np.zeros((1, 3, 3), np.uint16)}, "beyond a"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], words: str) -> None:
    pytest.importorskip("axsim._native", reason="axsim was installed without its compiled module")
    case = Case(0, (1, 4, 3), matrices(1, 4, 3), 3, 5)
    parts = {"table": case.table, "g": case.g, "a": case.a, "places": case.places, "b": case.b, **change}
    for function in (weighted.left_by_kernel, weighted.right_by_kernel):
        with pytest.raises(ValueError, match=words):
            function(**parts)
