"""The planner: what it offers, what it chooses, and that its choice never changes a number."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import numpy as np
import pytest
from drawn_arrays import integers, random_table, seeds
from hypothesis import given, settings
from hypothesis import strategies as st

import axsim
from axsim.engines import costs, factored, factored_table, planner, reference
from axsim.engines.fold import fold
from axsim.engines.geometry import geometry
from axsim.engines.planner import FactoredSums, Subject, Work
from axsim.errors import TableError
from axsim.tables.factor import MAX_TERMS

pytest.importorskip("axsim._native", reason="axsim was installed without its compiled module")
native = pytest.importorskip("axsim.engines.native")

UINT8, INT8 = np.dtype(np.uint8), np.dtype(np.int8)
BIG = Work(1, 1024, 1024, 1024)


def subject(name: str, a: np.dtype = UINT8, b: np.dtype = UINT8) -> Subject:
    table = axsim.get(name).table
    return Subject(table, fold(table, a, b), a, b)


@pytest.fixture(autouse=True)
def built_in_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was measured here, and whatever another test made of the thread count."""
    monkeypatch.setattr(
        planner, "current_costs", lambda: costs.Costs(costs.BUILT_IN, "built in", measured=True)
    )
    monkeypatch.setattr(planner, "get_num_threads", lambda: 1)
    monkeypatch.setattr(factored, "int8_is_exact", lambda: False)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((3, 5), (5, 7), Work(1, 3, 5, 7)),
        ((2, 4, 3, 5), (5, 7), Work(1, 24, 5, 7)),
        ((2, 1, 3, 5), (4, 5, 7), Work(8, 3, 5, 7)),
        ((3, 5), (4, 5, 7), Work(4, 3, 5, 7)),
        ((0, 5), (5, 7), Work(1, 0, 5, 7)),
    ],
)
def test_work_of_a_product(a: tuple[int, ...], b: tuple[int, ...], expected: Work) -> None:
    work = Work.of_gemm(a, b)
    assert work == expected
    assert work.products == np.matmul(np.zeros(a), np.zeros(b)).size * 5
    assert work.operation == "matmul"


def test_work_of_a_convolution() -> None:
    where = geometry(x_shape=(2, 6, 9, 8), w_shape=(9, 2, 3, 2), padding=1, stride=(2, 1), groups=3)
    assert where.output_size(9, 8, 3, 2) == (5, 9)
    work = Work.of_conv2d((2, 6, 9, 8), (9, 2, 3, 2), where)
    assert work == Work(3, 2 * 45, 12, 3, 2)
    assert work.products == 2 * 9 * 45 * 12
    assert work.operation == "conv2d"
    where = geometry(x_shape=(1, 6, 9, 8), w_shape=(6, 1, 3, 3), groups=6)
    assert Work.of_conv2d((1, 6, 9, 8), (6, 1, 3, 3), where) == Work(6, 42, 9, 1, 3, depthwise=True)


def test_large_products_take_the_engine_that_is_predicted_to_be_fastest() -> None:
    exact = planner.choose("auto", BIG, subject("exact8"))
    assert isinstance(exact, FactoredSums)
    assert exact.carrier == "native"
    assert planner.choose("auto", BIG, subject("GS2")) is native  # eight products each
    assert planner.choose("auto", BIG, subject("L40")) is native  # no factors


def test_an_advantage_below_the_margin_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for share, taken in ((0.85, True), (0.95, False)):
        times = {"native": 1.0, "reference": 9.0, "factored native": share}
        times |= {"factored float32": 2.0, "factored float64": 2.0}
        monkeypatch.setattr(planner, "predict", lambda engine, *_, times=times, **__: times[engine])
        assert isinstance(planner.choose("auto", BIG, subject("exact8")), FactoredSums) == taken


def test_small_products_are_not_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    def planned(*_: object) -> None:
        raise AssertionError("a small call looked for factors")

    monkeypatch.setattr(planner, "known_form", planned)
    assert planner.choose("auto", Work(1, 64, 64, 64), subject("exact8")) is native
    with pytest.raises(AssertionError):
        planner.choose("auto", Work(1, 128, 128, 64), subject("exact8"))


def test_engines_by_name() -> None:
    assert planner.choose("native", BIG, subject("exact8")) is native
    assert planner.choose("reference", BIG, subject("exact8")) is reference
    assert isinstance(planner.choose("factored", Work(1, 2, 2, 2), subject("JQQ")), FactoredSums)
    with pytest.raises(
        ValueError, match="engine is 'gpu', expected one of auto, native, factored, reference"
    ):
        planner.choose("gpu", BIG, subject("exact8"))
    operand = np.ones((2, 2), np.uint8)
    for call, mult in ((axsim.multiply, "exact8"), (axsim.matmul, "axfpm")):
        with pytest.raises(ValueError, match="'factored', which makes matrix products and convolutions"):
            call(*[operand.astype(np.float32) if mult == "axfpm" else operand] * 2, mult, engine="factored")


def test_a_table_without_factors_is_refused_by_name() -> None:
    pytest.importorskip("flint")
    with pytest.raises(ValueError, match="has no exact factors of at most 32 terms for uint8 and uint8"):
        planner.choose("factored", BIG, subject("L40"))


def test_without_flint_unknown_factors_are_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flint", None)
    table = random_table(1)
    drawn = Subject(table, fold(table, UINT8, UINT8), UINT8, UINT8)
    with pytest.raises(ValueError, match=r"come with axsim; .*pip install python-flint.*engine='native'"):
        planner.choose("factored", BIG, drawn)


def test_factors_that_were_searched_for_are_kept() -> None:
    pytest.importorskip("flint")
    table = axsim.get("trunc7_2").table
    own = Subject(table, fold(table, UINT8, UINT8), UINT8, UINT8)
    assert planner.choose("auto", BIG, own) is native
    by_name = planner.choose("factored", BIG, own)
    assert isinstance(by_name, FactoredSums)
    assert factored_table.known_form(*own) is by_name.table
    a, b = integers(1, (9, 30), np.uint8) % 128, integers(2, (30, 5), np.uint8) % 128
    expected = axsim.matmul(a, b, "trunc7_2", engine="reference")
    assert np.array_equal(axsim.matmul(a, b, "trunc7_2", engine="factored"), expected)


def test_damaged_factors_are_passed_by_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = dataclasses.replace(subject("exact8").folded)  # not the one whose form is kept
    own = subject("exact8")._replace(folded=fresh)
    wrong = factored_table.library()[factored_table.key(subject("JQQ").product.sha256, "uint8", "uint8")]
    where = factored_table.key(own.product.sha256, "uint8", "uint8")
    monkeypatch.setattr(factored_table, "library", lambda: {where: wrong})
    with pytest.warns(RuntimeWarning, match="looked up instead: the factors are not those of the table"):
        assert planner.choose("auto", BIG, own) is native
    assert planner.choose("auto", BIG, own) is native  # and no second warning

    def missing() -> Any:
        raise TableError("factors.npz cannot be read")

    monkeypatch.setattr(factored_table, "library", missing)
    other = own._replace(folded=dataclasses.replace(fresh))
    with pytest.warns(RuntimeWarning, match=r"factors\.npz cannot be read"):
        assert planner.choose("auto", BIG, other) is native


def test_int8_is_offered_only_where_torch_is_loaded_and_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    def int8() -> planner.Candidate:
        return planner.plan("exact8", BIG, subject("exact8")).candidates[2]

    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert (int8().engine, int8().seconds) == ("factored int8", None)
    assert "not loaded" in int8().note
    monkeypatch.setitem(sys.modules, "torch", object())  # type: ignore[arg-type]
    assert "not exact" in int8().note
    monkeypatch.setattr(factored, "int8_is_exact", lambda: True)
    monkeypatch.setattr(factored, "int8_speed", lambda: 5.0)
    assert int8().seconds is not None
    chosen = planner.choose("auto", BIG, subject("JQQ"))
    assert isinstance(chosen, FactoredSums)
    assert chosen.carrier == "int8"


def test_the_carrier_holds_the_row_of_a_kernel() -> None:
    form = factored_table.known_form(*subject("JQQ"))
    assert form is not None
    depth = form.depth("float32")
    plans = [
        planner.plan("JQQ", Work(1, 4, 9000, 4, width), subject("JQQ")).candidates[3]
        for width in (depth, depth + 1)
    ]
    assert [p.engine for p in plans] == ["factored float32"] * 2
    assert plans[0].seconds is not None
    assert plans[1].seconds is None
    assert str(depth) in plans[1].note


def test_without_kernels_factors_are_preferred_to_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "NATIVE_IS_BUILT", False)
    monkeypatch.setattr("axsim.engines.NATIVE_IS_BUILT", False)
    chosen = planner.choose("auto", BIG, subject("KEM"))
    assert isinstance(chosen, FactoredSums)
    assert chosen.carrier == "float32"
    assert planner.choose("auto", BIG, subject("L40")) is reference
    assert planner.plan("L40", BIG, subject("L40")).choice == "reference"
    assert "not installed" in planner.plan("L40", BIG, subject("L40")).candidates[0].note


def test_predictions_are_sums_of_features() -> None:
    work = Work(2, 10, 20, 30)
    form = factored_table.known_form(*subject("JQQ"))
    assert form is not None
    call, product, laid_out, left, right, written, _ = costs.BUILT_IN["matmul"]["native"]
    expected = call + 12000 * product + 2 * 20 * 10 * laid_out + 400 * left + 1200 * right + 600 * written
    assert planner.predict("native", work) == pytest.approx(expected)
    depthwise = Work(64, 100, 9, 1, 3, depthwise=True)
    costs_there = costs.BUILT_IN["conv2d"]["native"]
    assert planner.predict("native", depthwise) == pytest.approx(costs_there[0] + 57600 * costs_there[-1])
    assert planner.features("reference", depthwise, None, 1) == (1, 57600, 576, 57600, 576, 6400, 0)
    call, product, left, right, written = costs.BUILT_IN["matmul"]["factored float32"]
    expected = call + 4 * 12000 * product + 5 * 400 * left + 5 * 1200 * right + 2 * 600 * written
    assert planner.predict("factored float32", work, form) == pytest.approx(expected)
    form_of_words = form.integer_form(0)
    assert form_of_words is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(factored_table.FactoredTable, "native_form", form_of_words)
        call, product, left, right, written = costs.BUILT_IN["matmul"]["factored native"]
        tiles = min(12 * 32, 30 * 16)
        expected = 3 * call + 4 * 20 * 2 * tiles * product + 5 * 400 * left + 5 * 1200 * right
        expected += len(form_of_words.parts) * 600 * written + 600 * written
        assert planner.predict("factored native", work, form) == pytest.approx(expected)
    shared = planner.features("native", work, None, 4)
    assert shared == tuple(
        amount if i == 0 else amount / 4 for i, amount in enumerate(planner.features("native", work, None, 1))
    )


@settings(max_examples=30, deadline=None)
@given(
    seeds(),
    st.sampled_from(["exact8", "1446", "JQQ", "FTA", "drum8_4", "kulkarni8", "exact8s"]),
    st.sampled_from([np.uint8, np.int8]),
    st.sampled_from([np.uint8, np.int8]),
    st.tuples(st.integers(1, 6), st.integers(0, 2500), st.integers(1, 6)),
)
def test_every_choice_gives_the_same_integers(
    seed: int, name: str, a_type: type, b_type: type, shape: tuple[int, int, int]
) -> None:
    m, k, n = shape  # deeper than float32 sums are exact, too
    a, b = integers(seed, (m, k), a_type), integers(seed + 1, (k, n), b_type)
    if name == "exact8s":
        a, b = (x if x.dtype == np.int8 else x >> 1 for x in (a, b))
    expected = axsim.matmul(a, b, name, engine="reference", out_dtype="int64")
    found = axsim.matmul(a, b, name, engine="factored", out_dtype="int64")
    assert found.dtype == np.int64
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("name", ["exact8", "L40"])
def test_the_automatic_choice_gives_the_references_numbers(name: str) -> None:
    a, b = integers(1, (130, 120), np.uint8), integers(2, (120, 110), np.int8)
    chosen = axsim.explain(a, b, name).choice
    assert chosen == ("factored native" if name == "exact8" else "native")
    assert np.array_equal(axsim.matmul(a, b, name), axsim.matmul(a, b, name, engine="reference"))
    x, w = integers(3, (2, 16, 28, 28), np.uint8), integers(4, (64, 16, 3, 3), np.int8)
    options: dict[str, Any] = {"padding": 1, "stride": (1, 2)}
    assert "conv2d" in axsim.explain(x, w, name, operation="conv2d", **options).work
    expected = axsim.conv2d(x, w, name, engine="reference", **options)
    assert np.array_equal(axsim.conv2d(x, w, name, **options), expected)


def test_the_explanation_names_candidates_costs_and_choice() -> None:
    a = np.zeros((1024, 1024), np.float32)
    plan = axsim.explain(a, a, "1446")
    assert [c.engine for c in plan.candidates] == [
        "native",
        "factored native",
        "factored int8",
        "factored float32",
        "factored float64",
        "reference",
    ]
    text = str(plan)
    assert "1024 x 1024 by 1024 x 1024, 1.07e+09 products" in text
    assert f"-> {plan.choice}" in text
    assert text.count("->") == 1
    assert "costs: built in" in text
    assert "2 exact products each" in text
    small = axsim.explain(a[:4, :4], a[:4, :4], "1446")
    assert small.choice == "native"
    assert "are not planned" in small.why


def test_a_choice_that_is_not_the_fastest_by_prediction_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    a = np.zeros((1024, 1024), np.uint8)
    assert axsim.explain(a, a, "L40").why == ""
    assert axsim.explain(a[:4, :4], a[:4, :4], "L40").why == ""
    monkeypatch.setattr(planner, "predict", lambda engine, *_, **__: 2.0 if engine == "native" else 1.9)
    close = axsim.explain(a, a, "1446")
    assert close.choice == "native"
    assert "\nnative all the same: to be taken, factors must promise 10% less time" in str(close)
    monkeypatch.setattr(planner, "predict", lambda engine, *_, **__: 2.0 if engine == "native" else 1.7)
    assert axsim.explain(a, a, "1446").why == ""


def test_no_factors_are_told_from_unknown_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    def why(own: Subject) -> str:
        assert planner.plan("a name", BIG, own).candidates[1].seconds is None
        return planner.plan("a name", BIG, own).candidates[1].note

    for name in ("L40", "12N4"):
        assert why(subject(name)) == f"the table has no exact factors of at most {MAX_TERMS} terms"
    table = random_table(1)
    unknown = Subject(table, fold(table, UINT8, UINT8), UINT8, UINT8)
    assert "are known; engine='factored' searches" in why(unknown)

    def missing() -> Any:
        raise TableError("factors.npz cannot be read")

    monkeypatch.setattr(factored_table, "library", missing)
    assert "are known" in why(subject("L40"))


def test_what_cannot_be_explained() -> None:
    a = np.zeros((4, 4), np.uint8)
    with pytest.raises(TypeError, match="axfpm, a float multiplier"):
        axsim.explain(a, a, "axfpm")
    with pytest.raises(ValueError, match="operation is 'multiply', expected 'matmul' or 'conv2d'"):
        axsim.explain(a, a, operation="multiply")
    with pytest.raises(ValueError, match="must equal"):
        axsim.explain(a, a[:3])
