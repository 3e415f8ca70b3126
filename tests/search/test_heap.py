"""The search space, its blocks and its figures, against gate-level arrays and plain integer arithmetic."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axsim.circuits import array_multiplier
from axsim.search import heap as search

CELL = st.sampled_from(search.CELL_NAMES)


@st.composite
def candidates(draw):
    grouping, groups = draw(st.sampled_from([("weight", 6), ("row", 3)]))
    cells = draw(st.tuples(*[CELL] * groups))
    return search.Assignment(draw(st.sampled_from(search.WIRINGS)), grouping, cells)


def gate_level_table(assignment):
    grid = assignment.grid()
    netlist = array_multiplier(4, cell=lambda r, c: grid[r - 1][c], wiring=assignment.wiring)
    return netlist.exhaustive().ravel()


def test_enumeration_is_complete_and_without_repetition():
    every = search.assignments()
    assert len(every) == len(set(every)) == 2 * (6**6 + 6**3)
    assert search.HEAP_LIKE in every
    assert search.AX_FPM in every


def test_cells_are_placed_by_weight_and_by_row():
    by_weight = search.Assignment("sum-pp", "weight", ("exact", "ama1", "ama2", "ama3", "ama4", "ama5"))
    assert by_weight.grid() == [
        ["exact", "ama1", "ama2", "ama3"],
        ["ama1", "ama2", "ama3", "ama4"],
        ["ama2", "ama3", "ama4", "ama5"],
    ]
    by_row = search.Assignment("sum-pp", "row", ("exact", "ama1", "ama5"))
    assert by_row.grid() == [["exact"] * 4, ["ama1"] * 4, ["ama5"] * 4]
    assert by_row.cost(search.TRANSISTORS) == 4 * (24 + 20 + 8)


@given(st.lists(candidates(), min_size=1, max_size=5))
@settings(max_examples=30)
def test_blocks_equal_gate_level_arrays(chosen):
    tables = search.block_tables(chosen)
    for table, assignment in zip(tables, chosen, strict=True):
        np.testing.assert_array_equal(table, gate_level_table(assignment))


def test_ax_fpm_block_has_its_closed_form():
    a, b = np.divmod(np.arange(256), 16)
    expected = (a & 1) * b + 32 * (b >> 3) * (a >> 1)
    np.testing.assert_array_equal(search.block_tables([search.AX_FPM])[0], expected)


@given(candidates(), st.lists(st.tuples(*[st.integers(2**23, 2**24 - 1)] * 2), min_size=1, max_size=20))
@settings(max_examples=30)
def test_matrix_product_equals_the_sum_of_tiles(assignment, pairs):
    table = search.block_tables([assignment])
    a, b = np.array(pairs).T
    ours = table.astype(float) @ search.entry_weights(a, b)
    for value, (x, y) in zip(ours[0], pairs, strict=True):
        tiles = (
            int(table[0, ((x >> 4 * i) & 15) * 16 + ((y >> 4 * j) & 15)]) << 4 * (i + j)
            for i in range(6)
            for j in range(6)
        )
        assert int(value) == sum(tiles)


@given(st.integers(0, 2**49 - 1))
def test_truncation_keeps_24_leading_bits(value):
    excess = max(value.bit_length() - 24, 0)
    assert search.truncate(np.array([float(value)]))[0] == value >> excess << excess


def test_figures_of_the_named_blocks():
    tables = search.block_tables(
        [search.HEAP_LIKE, search.AX_FPM, search.Assignment("sum-pp", "row", ("exact",) * 3)]
    )
    errors = search.measure(tables, 100_000, seed=0)
    assert errors.mred[0] == pytest.approx(0.119, abs=0.001)
    assert errors.nmed[0] == pytest.approx(0.029, abs=0.0005)
    assert errors.higher[0] == pytest.approx(0.357, abs=0.005)
    # As large as they are because the normaliser is right: the authors' code halves products of 49 bits.
    assert errors.mred[1] == pytest.approx(0.4126, abs=0.003)
    assert errors.higher[1] == 1
    # An exact array errs by truncation alone, and never upwards.
    assert 0 < errors.mred[2] < 2.0**-23
    assert errors.higher[2] == 0


def test_figures_equal_those_of_drawn_operands():
    """NMED and MRED from significands alone agree with operands drawn from [0, 1]."""
    rng = np.random.default_rng(3)
    fraction, exponent = np.frexp(rng.random((2, 200_000)))
    significands = np.rint(fraction * 2**24).astype(np.int64)
    exact = (significands[0] * significands[1]).astype(float)
    table = search.block_tables([search.HEAP_LIKE])
    ours = search.truncate(table.astype(float) @ search.entry_weights(*significands))[0]
    scale = 2.0 ** (exponent.sum(axis=0) - 48)
    errors = search.measure(table, 200_000, seed=4)
    assert errors.mred[0] == pytest.approx(np.mean(np.abs(ours - exact) / exact), rel=0.01)
    assert errors.nmed[0] == pytest.approx(np.mean(np.abs(ours - exact) * scale), rel=0.02)
    assert errors.higher[0] == pytest.approx(np.mean(ours > exact), abs=0.005)


def test_measuring_is_repeatable_and_refuses_no_pairs():
    table = search.block_tables([search.HEAP_LIKE])
    first, second = (search.measure(table, 5000, seed=7) for _ in range(2))
    np.testing.assert_array_equal(first.mred, second.mred)
    with pytest.raises(ValueError, match="pairs must be at least 1, got 0"):
        search.measure(table, 0, seed=7)


def test_equal_tables_are_kept_once_the_cheapest():
    tables = np.zeros((5, 256), np.uint8)
    tables[[1, 3], 7] = 9
    kept, twins = search.cheapest_of_equals(tables, np.array([3.0, 5.0, 1.0, 4.0, 2.0]))
    assert kept.tolist() == [2, 3]
    assert twins.tolist() == [3, 2]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=30))
def test_pareto_front_is_what_nothing_else_dominates(points):
    cost, error = np.array(points, float).T
    front = {points[k] for k in search.pareto_front(cost, error)}
    undominated = {p for p in points if not any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in points)}
    assert front == undominated


def test_distance_from_published_figures():
    errors = search.Errors(*(np.array([x]) for x in (0.12, 0.033, 0.17)))
    assert errors.distance(search.PUBLISHED)[0] == pytest.approx(np.hypot(0.1, 0.5))
