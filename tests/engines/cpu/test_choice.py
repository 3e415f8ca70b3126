"""The rule that chooses engines: which constants decide, and that nothing else does."""

from __future__ import annotations

import ast
import dataclasses
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_arrays import integers, random_table
from hypothesis import given
from hypothesis import strategies as st

import axsim
from axsim.engines.cpu import choice, factored, reference
from axsim.engines.cpu.choice import LOOK_UPS, PRODUCTS, LookUps, Products
from axsim.engines.factored_sums import FactoredSums
from axsim.engines.forms import factored_table
from axsim.engines.forms.folded import fold
from axsim.engines.forms.integer_form import IntegerForm, IntegerPart
from axsim.engines.isa import runnable_isas
from axsim.engines.plan import Subject
from axsim.engines.shapes.work import Work
from axsim.errors import TableError
from axsim.tables.factor import MAX_TERMS

_native = pytest.importorskip("axsim._native", reason="axsim was installed without its compiled module")
native = pytest.importorskip("axsim.engines.cpu.native")

UINT8 = np.dtype(np.uint8)
BIG = Work(1, 1024, 1024, 1024)
LOOK_UP_SETS = ("portable", "avx2", "avx512", "vbmi", "neon")
PRODUCT_SETS = ("portable", "avx2", "avx512", "avx512vnni")


def subject(name: str) -> Subject:
    table = axsim.get(name).table
    return Subject(table, fold(table, UINT8, UINT8), UINT8, UINT8)


def form_of(words: int, small: int = 0) -> IntegerForm:
    """So many terms of words, and of bytes."""
    sums = np.zeros(256, np.int64)
    parts = [
        IntegerPart(np.ones((count, 256), np.int16), np.ones((count, 256), np.int16), 0, in_bytes, 1000)
        for count, in_bytes in ((words, False), (small, True))
        if count
    ]
    return IntegerForm(tuple(parts), sums, sums, 0)


def taken(work: Work, own: Subject) -> str:
    """The engine that is chosen, by the name that a plan has for it; what was chosen before is forgotten."""
    choice._chosen.clear()
    chosen = choice.choose("auto", work, own)
    if isinstance(chosen, FactoredSums):
        return f"factored {chosen.compute_type}"
    return {native: "native", reference: "reference"}[chosen]


def use(monkeypatch: pytest.MonkeyPatch, look_ups: str, products: str) -> None:
    monkeypatch.setattr(choice, "native_isa", lambda: look_ups)
    monkeypatch.setattr(choice, "product_isa", lambda: products)


@pytest.fixture
def without_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (choice, factored, factored_table):
        monkeypatch.setattr(module, "NATIVE_IS_BUILT", False)


@pytest.mark.parametrize("look_ups", LOOK_UP_SETS)
@pytest.mark.parametrize("products", PRODUCT_SETS)
def test_each_instruction_sets_own_constants_decide(
    monkeypatch: pytest.MonkeyPatch, look_ups: str, products: str
) -> None:
    use(monkeypatch, look_ups, products)
    # Every constant but those of the sets in use would decide otherwise.
    for each, word, expected in ((1e9, 1.0, "factored native"), (1.0, 1e9, "native")):
        monkeypatch.setattr(
            choice,
            "LOOK_UPS",
            {s: LookUps(each if s == look_ups else 1e10 - each, 0, 0, 0) for s in LOOK_UPS},
        )
        monkeypatch.setattr(
            choice, "PRODUCTS", {s: Products(word if s == products else 1e10 - word, 0, 0) for s in PRODUCTS}
        )
        assert taken(BIG, subject("exact8")) == expected


@pytest.mark.parametrize(
    ("look_ups", "products", "work", "expected"),
    [
        (LookUps(7, 0, 0, 0), Products(0, 0, 0), Work(1, 10, 20, 30), (7, 0)),
        (LookUps(0, 60, 0, 0), Products(0, 0, 0), Work(3, 10, 20, 30), (2, 0)),
        (LookUps(0, 0, 60, 0), Products(0, 0, 0), Work(1, 30, 20, 10), (6, 0)),
        (LookUps(0, 0, 0, 60), Products(0, 0, 0), Work(1, 10, 20, 30), (3, 0)),
        (LookUps(0, 0, 0, 0), Products(8, 0, 0), Work(1, 10, 20, 30), (0, 8 * 2.5)),
        (LookUps(0, 0, 0, 0), Products(0, 60, 0), Work(1, 10, 20, 30), (0, 3 * (6 + 2))),
        (LookUps(0, 0, 0, 0), Products(0, 0, 60), Work(1, 10, 20, 30), (0, 3)),
        (LookUps(1e5, 0, 0, 0), Products(0, 0, 0), Work(9, 10, 9, 1, 3, True), (choice.DEPTHWISE, 0)),
        (LookUps(7, 0, 0, 0), Products(0, 0, 0), Work(1, 10, 9, 6, 3, True), (7, 0)),
    ],
)
def test_what_the_constants_count_for(
    monkeypatch: pytest.MonkeyPatch,
    look_ups: LookUps,
    products: Products,
    work: Work,
    expected: tuple[float, float],
) -> None:
    use(monkeypatch, "avx2", "avx512")
    monkeypatch.setattr(choice, "LOOK_UPS", {"avx2": look_ups})
    monkeypatch.setattr(choice, "PRODUCTS", {"avx512": products})
    two_words_one_byte = form_of(2, 1)
    assert choice.picoseconds(two_words_one_byte, work) == pytest.approx(expected)


def test_all_that_the_compiled_module_reports_has_constants(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(LOOK_UPS) == set(LOOK_UP_SETS)
    assert set(PRODUCTS) == set(PRODUCT_SETS)
    for isa in runnable_isas():
        monkeypatch.setenv("AXSIM_ISA", isa)
        assert _native.isa() in LOOK_UPS
        assert _native.gemm_isa() in PRODUCTS
        assert taken(BIG, subject("exact8")) == "factored native"  # one exact product, on every processor
        assert taken(BIG, subject("96D")) == "native"  # more than twenty


@given(
    st.sampled_from(LOOK_UP_SETS),
    st.sampled_from(PRODUCT_SETS),
    st.integers(1, 20),
    st.integers(1, 20),
    st.tuples(*[st.integers(1, 5000)] * 3),
    st.booleans(),
)
def test_more_exact_products_never_make_factors_the_choice(
    look_ups: str, products: str, words: int, small: int, shape: tuple[int, int, int], depthwise: bool
) -> None:
    work = Work(1, *shape, 3 if depthwise else 0, depthwise)
    with pytest.MonkeyPatch.context() as patch:
        use(patch, look_ups, products)
        times = [choice.picoseconds(form_of(w, s), work) for w, s in ((words, small), (words + 1, small))]
        times.append(choice.picoseconds(form_of(words, small + 1), work))
        turned = Work(1, work.n, work.k, work.m, *work[4:])
        assert choice.picoseconds(form_of(words, small), turned) == times[0]  # rows count as columns do
    assert len({looked_up for looked_up, _ in times}) == 1
    assert all(0 < times[0][1] < made for _, made in times[1:])
    assert times[0][0] > 0


def test_what_was_called_before_changes_no_choice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And nothing is measured or written."""
    monkeypatch.setenv("AXSIM_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("AXSIM_ISA", raising=False)
    subjects = [subject(name) for name in ("exact8", "1446", "JQQ", "2P7", "GS2", "KEM", "L40")]
    works = [BIG, Work(1, 256, 256, 256), Work(1, 4096, 576, 64), Work(64, 4096, 9, 1, 3, True)]

    def choices() -> list[str]:
        return [taken(work, own) for own in subjects for work in works]

    before = choices()
    for name in ("perf_counter", "perf_counter_ns", "process_time", "monotonic", "time"):
        monkeypatch.setattr(time, name, lambda name=name: pytest.fail(f"time.{name} was called"))
    a = integers(1, (300, 300), np.uint8)
    for isa in runnable_isas():
        monkeypatch.setenv("AXSIM_ISA", isa)
        for own in ("exact8", "L40"):
            for engine in ("auto", "native", "factored") if own == "exact8" else ("auto", "native"):
                axsim.matmul(a, a, own, engine=engine)
            axsim.explain(a, a, own)
    monkeypatch.delenv("AXSIM_ISA")
    assert choices() == before
    assert list(tmp_path.iterdir()) == []


def test_a_search_for_factors_changes_no_choice() -> None:
    pytest.importorskip("flint")
    table = axsim.get("trunc7_2").table
    own = Subject(table, fold(table, UINT8, UINT8), UINT8, UINT8)
    before = choice.plan("trunc7_2", BIG, own)
    assert before.choice == taken(BIG, own) == "native"
    by_name = choice.choose("factored", BIG, own)
    assert isinstance(by_name, FactoredSums)
    again = choice.choose("factored", BIG, own)
    assert isinstance(again, FactoredSums)
    assert again.table is by_name.table  # found once
    assert taken(BIG, own) == "native"
    assert choice.plan("trunc7_2", BIG, own) == before
    a, b = integers(1, (9, 30), np.uint8) % 128, integers(2, (30, 5), np.uint8) % 128
    expected = axsim.matmul(a, b, "trunc7_2", engine="reference")
    assert np.array_equal(axsim.matmul(a, b, "trunc7_2", engine="factored"), expected)


def test_no_engine_looks_at_a_clock() -> None:
    engines = Path(choice.__file__).parents[1]
    files = sorted(engines.rglob("*.py"))
    assert len(files) > 20
    for path in files:
        imported = {
            name.split(".")[0]
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom) and not node.level
                else []
            )
        }
        assert not imported & {"time", "timeit", "datetime"}, path


def test_small_products_are_looked_up_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    least = Work(1, 1, choice.SMALL, 1)
    assert choice.plan("exact8", least._replace(k=least.k - 1), subject("exact8")).rule.startswith(
        f"fewer than {choice.SMALL} products"
    )

    def asked(*_: object) -> None:
        raise AssertionError("a small call asked for factors")

    monkeypatch.setattr(choice, "known_form", asked)
    assert choice.choose("auto", least._replace(k=least.k - 1), subject("exact8")) is native
    for empty in (Work(1, 0, 5, 7), Work(1, 5, 0, 7), Work(0, 5, 7, 3)):
        assert choice.choose("auto", empty, subject("exact8")) is native
    with pytest.raises(AssertionError, match="asked for factors"):
        choice.choose("auto", least, subject("exact8"))


def test_few_rows_or_columns_and_depthwise_filters_are_looked_up() -> None:
    """Where an operand's components serve few products."""
    own = subject("JQQ")
    for isa in runnable_isas():
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AXSIM_ISA", isa)
            for work in (
                Work(1, 1, 4096, 1024),
                Work(1, 4096, 1024, 1),
                Work(64, 4096, 9, 1, 3, True),
                Work(1, 25088, 25, 6, 5, True),  # six filters that see one channel
            ):
                assert taken(work, own) == "native", (isa, work)


@pytest.mark.parametrize("isa", runnable_isas())
@pytest.mark.parametrize("name", ["exact8", "1446", "JQQ", "GS2", "KEM", "JV3", "96D", "L40"])
@pytest.mark.parametrize(
    ("a", "b", "options"),
    [
        ((1024, 1024), (1024, 1024), {}),
        ((256, 256), (256, 256), {}),
        ((4096, 576), (576, 64), {}),
        ((1, 4096), (4096, 1024), {}),
        ((3, 8, 64), (3, 64, 100), {}),
        ((20, 20), (20, 20), {}),
        ((0, 20), (20, 20), {}),
        ((4, 64, 32, 32), (64, 64, 3, 3), {"operation": "conv2d", "padding": 1}),
        ((4, 64, 32, 32), (64, 1, 3, 3), {"operation": "conv2d", "padding": 1, "groups": 64}),
    ],
)
def test_the_explanation_names_what_is_taken(
    monkeypatch: pytest.MonkeyPatch, isa: str, name: str, a: Any, b: Any, options: dict[str, Any]
) -> None:
    monkeypatch.setenv("AXSIM_ISA", isa)
    asked: list[tuple[Work, Subject]] = []
    plan = choice.plan
    monkeypatch.setattr(
        "axsim.engines.cpu.backend.plan",
        lambda name, work, own: asked.append((work, own)) or plan(name, work, own),
    )
    found = axsim.explain(np.zeros(a, np.uint8), np.zeros(b, np.uint8), name, **options)
    assert found.choice == taken(*asked[0])
    chosen = [c for c in found.candidates if c.engine == found.choice]
    assert [c.usable for c in chosen] == [True]
    assert str(found).count("->") == 1
    assert f"rule: {found.rule}" in str(found)
    if asked[0][0].products >= choice.SMALL and name != "L40":
        assert isa in found.rule
        assert _native.gemm_isa() in found.rule
        looked_up, made = choice.picoseconds(choice.known_form(*asked[0][1]).native_form(), asked[0][0])
        assert f"{looked_up:.3g}" in found.rule
        assert f"{made:.3g}" in found.rule


def test_a_choice_is_remembered_for_its_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    own = subject("JQQ")
    monkeypatch.setattr(choice, "_REMEMBERED", 3)
    for isa in runnable_isas():
        monkeypatch.setenv("AXSIM_ISA", isa)
        for n in (64, 128, 256, 512, 1024):
            work = Work(1, n, n, n)
            assert choice.choose("auto", work, own) is choice.choose("auto", work, own)
            assert len(choice._chosen[own.folded]) <= 3
            assert taken(work, own) == choice.plan("JQQ", work, own).choice


def test_engines_by_name() -> None:
    own = subject("exact8")
    assert choice.choose("native", BIG, own) is native
    assert choice.choose("reference", BIG, own) is reference
    by_name = choice.choose("factored", Work(1, 2, 2, 2), subject("KEM"))
    assert isinstance(by_name, FactoredSums)
    assert by_name.compute_type == "native"
    with pytest.raises(
        ValueError, match="engine is 'gpu', expected one of auto, native, factored, reference"
    ):
        choice.choose("gpu", BIG, own)
    with pytest.raises(ValueError, match="engine is 'gather', which works on a GPU"):
        choice.choose("gather", BIG, own)
    operand = np.ones((2, 2), np.uint8)
    for call, mult in ((axsim.multiply, "exact8"), (axsim.matmul, "axfpm")):
        with pytest.raises(ValueError, match="'factored', which makes matrix products and convolutions"):
            call(*[operand.astype(np.float32) if mult == "axfpm" else operand] * 2, mult, engine="factored")


def test_every_engine_that_is_usable_gives_the_same_sums() -> None:
    own = subject("JQQ")
    a, b = integers(1, (40, 50), np.uint8), integers(2, (50, 30), np.uint8)
    engines = choice.usable(choice.known_form(*own), Work.of_gemm(a.shape, b.shape))
    assert set(engines) == {"native", "factored native", "factored float64", "reference"}
    expected = reference.gemm(own.folded, a, b, np.int32)
    for sums in engines.values():
        assert np.array_equal(sums.gemm(own.folded, a, b, np.int32), expected)
    assert set(choice.usable(None, BIG)) == {"native", "reference"}


@pytest.mark.usefixtures("without_kernels")
def test_without_kernels_factors_are_preferred_to_the_reference() -> None:
    for name, expected in (("KEM", "factored float64"), ("L40", "reference")):
        assert taken(BIG, subject(name)) == expected
        plan = choice.plan(name, BIG, subject(name))
        assert plan.choice == expected
        assert (plan.candidates[0].usable, plan.candidates[0].note) == (
            False,
            "the compiled module axsim._native is not installed",
        )
    assert "NumPy multiplies faster" in choice.plan("KEM", BIG, subject("KEM")).rule
    by_name = choice.choose("factored", BIG, subject("KEM"))
    assert isinstance(by_name, FactoredSums)
    assert by_name.compute_type == "float64"
    assert set(choice.usable(None, BIG)) == {"reference"}
    with pytest.raises(ValueError, match="without its compiled module"):
        choice.choose("native", BIG, subject("KEM"))


@pytest.mark.usefixtures("without_kernels")
def test_float64_holds_the_row_of_a_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(factored_table.FactoredTable, "depth", lambda *_: 7)
    for width, expected in ((7, "factored float64"), (8, "reference")):
        work = Work(1, 1000, 1000, 10, width)
        plan = choice.plan("JQQ", work, subject("JQQ"))
        assert plan.choice == taken(work, subject("JQQ")) == expected
        float64 = next(c for c in plan.candidates if c.engine == "factored float64")
        assert float64.usable == (width == 7)
        assert "7 operand pairs" in (plan.rule if width == 8 else float64.note)


def test_terms_of_more_than_16_bits_are_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(factored_table.FactoredTable, "native_form", lambda *_: None)
    assert taken(BIG, subject("exact8")) == "native"
    plan = choice.plan("exact8", BIG, subject("exact8"))
    assert plan.choice == "native"
    assert "its components need more than 16 bits" in plan.rule
    by_name = choice.choose("factored", BIG, subject("exact8"))
    assert isinstance(by_name, FactoredSums)
    assert by_name.compute_type == "float64"


def test_the_rule_counts_on_entries_of_16_bits() -> None:
    """As have all tables whose factors come with axsim: wider entries are looked up more slowly."""
    counted = 0
    for name in axsim.list_multipliers():
        multiplier = axsim.get(name)
        if not isinstance(multiplier, axsim.Multiplier):
            continue
        for a in (np.uint8, np.int8):
            for b in (np.uint8, np.int8):
                a_type, b_type = np.dtype(a), np.dtype(b)
                folded = fold(multiplier.table, a_type, b_type)
                if choice.known_form(multiplier.table, folded, a_type, b_type) is not None:
                    assert int(folded.values.max()) - int(folded.values.min()) < 1 << 16, name
                    counted += 1
    assert counted > 100


def test_no_factors_are_told_from_unknown_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    def why(own: Subject) -> str:
        candidate = choice.plan("a name", BIG, own).candidates[1]
        assert (candidate.engine, candidate.usable) == ("factored", False)
        return candidate.note

    for name in ("L40", "12N4"):
        assert why(subject(name)) == f"the table has no exact factors of at most {MAX_TERMS} terms"
    table = random_table(1)
    unknown = Subject(table, fold(table, UINT8, UINT8), UINT8, UINT8)
    assert "are known; engine='factored' searches" in why(unknown)

    def missing() -> Any:
        raise TableError("factors.npz cannot be read")

    monkeypatch.setattr(factored_table, "library", missing)
    assert "are known" in why(subject("L40"))


def test_a_table_without_factors_is_refused_by_name() -> None:
    pytest.importorskip("flint")
    with pytest.raises(ValueError, match="has no exact factors of at most 32 terms for uint8 and uint8"):
        choice.choose("factored", BIG, subject("L40"))


def test_without_flint_unknown_factors_are_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flint", None)
    table = random_table(1)
    drawn = Subject(table, fold(table, UINT8, UINT8), UINT8, UINT8)
    with pytest.raises(ValueError, match=r"come with axsim; .*pip install python-flint.*engine='native'"):
        choice.choose("factored", BIG, drawn)


def test_damaged_factors_are_passed_by_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = dataclasses.replace(subject("exact8").folded)  # not the one whose form is kept
    own = subject("exact8")._replace(folded=fresh)
    wrong = factored_table.library()[factored_table.key(subject("JQQ").product.sha256, "uint8", "uint8")]
    where = factored_table.key(own.product.sha256, "uint8", "uint8")
    monkeypatch.setattr(factored_table, "library", lambda: {where: wrong})
    with pytest.warns(RuntimeWarning, match="looked up instead: the factors are not those of the table"):
        assert choice.choose("auto", BIG, own) is native
    assert choice.choose("auto", BIG, own) is native  # and no second warning
