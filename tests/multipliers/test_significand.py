"""Closed forms == segments == error tables == gates, and the blocks that Ax-FPM's authors published."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axsim.circuits import Netlist, array_multiplier, tiled
from axsim.circuits import exact as exact_gates
from axsim.multipliers.significand import (
    GateLevel,
    MaskedForm,
    Segmented,
    SignificandMultiplier,
    Term,
    ax_fpm,
    exact,
    heap_like,
    monolithic,
)
from axsim.tables.product import ProductTable


def heap_block() -> Netlist:
    return array_multiplier(
        4, cell=lambda row, column: "exact" if (row, column) == (3, 3) else "ama5", wiring="sum-pp"
    )


CLOSED_FORMS = {"ax_fpm": ax_fpm, "heap_like": heap_like, "exact": exact}
BLOCKS = {
    "ax_fpm": array_multiplier(4, cell="ama5", wiring="pp-sum"),
    "heap_like": heap_block(),
    "exact": exact_gates(4),
}
GATES_24 = {
    **{name: GateLevel(tiled(block, 24)) for name, block in BLOCKS.items()},
    "monolithic": GateLevel(array_multiplier(24, cell="ama5", wiring="pp-sum")),
}
CLOSED_24 = {name: form(24) for name, form in CLOSED_FORMS.items()} | {"monolithic": monolithic(24)}
SEGMENTED_24 = {
    name: Segmented(24, ProductTable.from_netlist(tiled(block, 8))) for name, block in BLOCKS.items()
}


def corner_patterns(width: int) -> np.ndarray:
    """Patterns at which arrays go wrong: ends, single bits, runs, nibble and byte edges, and complements."""
    full = (1 << width) - 1
    singles = [1 << i for i in range(width)]
    runs = [(1 << i) - 1 for i in range(width + 1)]
    combs = [sum(pattern << i for i in range(0, width, 4)) & full for pattern in range(16)]
    patterns = {0, *singles, *runs, *combs}
    return np.array(sorted(patterns | {full ^ p for p in patterns}), np.uint64)


def all_pairs(width: int) -> tuple[np.ndarray, np.ndarray]:
    values = np.arange(1 << width, dtype=np.uint64)
    return values[:, None], values[None, :]


@pytest.mark.parametrize("width", [4, 8])
def test_axfpm_blocks_are_those_of_the_authors(shared: Path, width: int) -> None:
    with np.load(shared / "axfpm" / "integer_blocks.npz") as blocks:
        expected = blocks[f"mul{width}x{width}"]
    assert np.array_equal(ax_fpm(width)(*all_pairs(width)), expected)
    assert np.array_equal(GateLevel(tiled(BLOCKS["ax_fpm"], width))(*all_pairs(width)), expected)


@pytest.mark.parametrize("name", CLOSED_FORMS)
@pytest.mark.parametrize("width", [4, 8])
def test_closed_forms_equal_gates_for_all_operands(name: str, width: int) -> None:
    gates = GateLevel(tiled(BLOCKS[name], width))
    assert np.array_equal(CLOSED_FORMS[name](width)(*all_pairs(width)), gates(*all_pairs(width)))


@pytest.mark.parametrize("width", [2, 3, 5, 8])
def test_the_monolithic_form_equals_gates_for_all_operands(width: int) -> None:
    gates = GateLevel(array_multiplier(width, cell="ama5", wiring="pp-sum"))
    assert np.array_equal(monolithic(width)(*all_pairs(width)), gates(*all_pairs(width)))


@pytest.mark.parametrize("name", GATES_24)
def test_24_bits_all_corner_patterns(name: str) -> None:
    corners = corner_patterns(24)
    a, b = (x.ravel() for x in np.meshgrid(corners, corners, indexing="ij"))
    products = CLOSED_24[name](a, b)
    assert np.array_equal(products, GATES_24[name](a, b))
    if name in SEGMENTED_24:
        assert np.array_equal(products, SEGMENTED_24[name](a, b))
        assert np.array_equal(products, SEGMENTED_24[name].from_errors(a, b))


@pytest.mark.parametrize("name", GATES_24)
def test_24_bits_random_operands(name: str) -> None:
    a, b = np.random.default_rng(3).integers(0, 1 << 24, (2, 20_000), dtype=np.uint64)
    products = CLOSED_24[name](a, b)
    assert np.array_equal(products, GATES_24[name](a, b))
    if name in SEGMENTED_24:
        assert np.array_equal(products, SEGMENTED_24[name](a, b))
        assert np.array_equal(products, SEGMENTED_24[name].from_errors(a, b))


@given(st.sampled_from(sorted(SEGMENTED_24)), st.integers(0, 2**24 - 1), st.integers(0, 2**24 - 1))
def test_segments_equal_closed_form_equal_gates(name: str, a: int, b: int) -> None:
    x, y = np.uint64(a), np.uint64(b)
    product = CLOSED_24[name](x, y)
    assert product == SEGMENTED_24[name](x, y) == SEGMENTED_24[name].from_errors(x, y)
    assert product == GATES_24[name](x, y)


def test_the_formula_of_the_paper_code() -> None:
    a, b = 0xC0FFEE, 0x9ABCDE
    expected = (a & 0x111111) * b + 2 * (a & 0xEEEEEE) * (b & 0x888888)
    assert ax_fpm(24)(np.uint64(a), np.uint64(b)) == expected


@given(
    st.sampled_from([1, 7, 8, 9, 11, 16, 24]),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**24 - 1),
    st.integers(0, 2**24 - 1),
)
def test_segments_of_any_table(bits: int, seed: int, a: int, b: int) -> None:
    values = np.random.default_rng(seed).integers(0, 1 << 17, (256, 256))
    table = ProductTable.from_array(values, out_bits=17)
    a, b = a % (1 << bits), b % (1 << bits)
    segments = range((bits + 7) // 8)
    expected = sum(
        int(values[a >> 8 * i & 255, b >> 8 * j & 255]) << 8 * (i + j) for i in segments for j in segments
    )
    multiplier = Segmented(bits, table)
    assert multiplier(np.uint64(a), np.uint64(b)) == expected
    assert multiplier.from_errors(np.uint64(a), np.uint64(b)) == expected


def test_segment_pairs_weigh_what_they_are_shifted_by() -> None:
    table = SEGMENTED_24["exact"].table
    assert [Segmented(bits, table).segments for bits in (8, 11, 24)] == [1, 2, 3]
    assert {(p.i, p.j): p.weight for p in Segmented(11, table).pairs} == {
        (0, 0): 1,
        (0, 1): 256,
        (1, 0): 256,
        (1, 1): 65536,
    }


def some_multipliers() -> list[SignificandMultiplier]:
    low_top = ProductTable.from_function(lambda a, b: np.where((a > 190) & (b > 190), 0, a * b + 5), 8, 8)
    segmented = [Segmented(bits, t) for bits in (8, 11) for t in (SEGMENTED_24["ax_fpm"].table, low_top)]
    forms = [ax_fpm(8), heap_like(8), monolithic(8), exact(8), MaskedForm(8, (Term(1, 0x7F, 0x7F),))]
    return [*segmented, *forms, GateLevel(BLOCKS["ax_fpm"])]


@pytest.mark.parametrize("multiplier", some_multipliers(), ids=lambda m: f"{type(m).__name__}{m.bits}")
def test_bounds_enclose_every_product_of_significands(multiplier: SignificandMultiplier) -> None:
    significands = np.arange(1 << (multiplier.bits - 1), 1 << multiplier.bits, dtype=np.uint64)
    products = multiplier(significands[:, None], significands[None, :])
    low, high = multiplier.bounds
    assert low <= products.min()
    assert products.max() <= high
    if isinstance(multiplier, Segmented) and multiplier.segments == 1:
        assert (low, high) == (products.min(), products.max())


def test_bounds_of_the_named_forms_are_useful() -> None:
    assert ax_fpm(24).bounds[0] == monolithic(24).bounds[0] == 1 << 47
    assert exact(24).bounds[0] == heap_like(24).bounds[0] == 1 << 46
    assert ax_fpm(24).bounds[1].bit_length() == 49


def test_bad_definitions_are_refused() -> None:
    table = SEGMENTED_24["exact"].table
    with pytest.raises(ValueError, match="at least one term"):
        MaskedForm(8, ())
    with pytest.raises(ValueError, match="masks of at most bits=8"):
        MaskedForm(8, (Term(1, 0x1FF, 1),))
    with pytest.raises(ValueError, match="positive weight"):
        MaskedForm(8, (Term(0, 1, 1),))
    with pytest.raises(ValueError, match="53"):
        MaskedForm(24, (Term(64, (1 << 24) - 1, (1 << 24) - 1),))
    with pytest.raises(ValueError, match="multiple of 4"):
        ax_fpm(11)
    with pytest.raises(ValueError, match="unsigned 8x8"):
        Segmented(8, ProductTable.from_function(lambda a, b: a * b, 8, 8, signed=True))
    with pytest.raises(ValueError, match="unsigned 8x8"):
        Segmented(8, ProductTable.from_function(lambda a, b: a * b, 4, 4))
    with pytest.raises(ValueError, match="53"):
        Segmented(24, ProductTable.from_array(np.full((256, 256), 1 << 22)))
    assert Segmented(24, table).bounds == (0x800000**2, 0xFFFFFF**2)
    with pytest.raises(ValueError, match="one width"):
        GateLevel(exact_gates(4, 5))
