"""The factored engine against sums of table entries, and the proofs that its sums are exact."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axsim.circuits import load_library
from axsim.engines.cpu import factored, reference
from axsim.engines.forms import factored_table
from axsim.engines.forms.factored_table import FactoredTable, Part, factor_folded, prepare
from axsim.engines.forms.folded import FoldedTable, fold
from axsim.engines.isa import NATIVE_IS_BUILT
from axsim.engines.shapes.geometry import geometry
from axsim.errors import TableError
from axsim.tables.factor import Factors
from axsim.tables.product import ProductTable

UINT8, INT8 = np.dtype(np.uint8), np.dtype(np.int8)
LIBRARY = [
    "1JFF",
    "1446",
    "JQQ",
    "2P7",
    "GS2",
    "150Q",
    "1AGV",
    "14VP",
    "QJD",
    "JV3",
    "KEM",
    "FTA",
    "17KS",
    "96D",
]
COMPUTE_TYPES = ["float64", *(["native"] if NATIVE_IS_BUILT else [])]


def folded_of(factors: Factors) -> FoldedTable:
    values = factors.products()
    return FoldedTable(values.astype(np.int32), int(np.abs(values).max()), (0, 255), (0, 255))


def random_factors(seed: int, terms: int, reach: int, scale: int = 0) -> Factors:
    rng = np.random.default_rng(seed)
    left, right = (rng.integers(-reach, reach + 1, (terms, 256)) for _ in range(2))
    return Factors(left, right, rng.integers(0, scale + 1, terms))


def made(factors: Factors) -> FactoredTable:
    return prepare(factors, folded_of(factors))


def operands(seed: int, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]


def oracle(values: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Sums of table entries in int64."""
    return values.astype(np.int64)[a[..., :, :, None], b[..., None, :, :]].sum(axis=-2)


def worst_bytes(part: Part) -> tuple[int, int]:
    """The operand pair whose products reach the largest magnitude, added up."""
    magnitudes = np.abs(part.left.astype(np.int64)).T @ np.abs(part.right.astype(np.int64))
    a, b = np.unravel_index(np.argmax(magnitudes), magnitudes.shape)
    return int(a), int(b)


@functools.cache
def circuit(name: str, a_dtype: np.dtype, b_dtype: np.dtype) -> tuple[FoldedTable, FactoredTable]:
    pytest.importorskip("flint")
    table = ProductTable.from_netlist(load_library(f"mul8u_{name}"))
    folded = fold(table, a_dtype, b_dtype)
    factors = factor_folded(folded, a_dtype, b_dtype)
    assert factors is not None
    return folded, prepare(factors, folded)


@pytest.mark.parametrize("compute_type", COMPUTE_TYPES)
@pytest.mark.parametrize("name", LIBRARY)
def test_circuits_of_the_library(name: str, compute_type: str) -> None:
    folded, table = circuit(name, UINT8, UINT8)
    a, b = operands(1, (9, 300), (300, 11))
    out = factored.gemm(table, a, b, np.int32, compute_type)
    assert out.dtype == np.int32
    assert np.array_equal(out, oracle(folded.values, a, b))


@pytest.mark.parametrize(("a_dtype", "b_dtype"), [(UINT8, INT8), (INT8, UINT8), (INT8, INT8)])
@pytest.mark.parametrize("name", ["1446", "JQQ", "2P7", "FTA"])
def test_signed_operands(name: str, a_dtype: np.dtype, b_dtype: np.dtype) -> None:
    folded, table = circuit(name, a_dtype, b_dtype)
    a, b = operands(2, (5, 200), (200, 7))
    for compute_type in COMPUTE_TYPES:
        assert np.array_equal(factored.gemm(table, a, b, np.int64, compute_type), oracle(folded.values, a, b))


def test_signed_operands_can_take_fewer_terms() -> None:
    terms = {types: circuit("FTA", *types)[1].products("float64") for types in ((UINT8, UINT8), (INT8, INT8))}
    assert terms == {(UINT8, UINT8): 17, (INT8, INT8): 6}


def test_a_narrow_circuit_and_bytes_beyond_its_operands() -> None:
    pytest.importorskip("flint")
    table = ProductTable.from_function(lambda a, b: a * b + (a & b & 1), 4, 4)
    folded = fold(table, INT8, UINT8)
    factors = factor_folded(folded, INT8, UINT8)
    assert factors is not None
    assert len(factors) == 2
    a, b = operands(3, (4, 50), (50, 4))
    assert np.array_equal(
        factored.gemm(prepare(factors, folded), a, b, np.int32, "float64"), oracle(folded.values, a, b)
    )


def test_a_circuit_of_full_rank_has_no_factors() -> None:
    pytest.importorskip("flint")
    table = ProductTable.from_netlist(load_library("mul8u_L40"))
    assert factor_folded(fold(table, UINT8, UINT8), UINT8, UINT8) is None


def test_wrong_factors_are_refused() -> None:
    factors = random_factors(4, 3, 100)
    right = factors.right.copy()
    right[1, 200] -= 1
    with pytest.raises(TableError, match=r"the factors are not those of the table: \d+ of 65536"):
        prepare(Factors(factors.left, right, factors.log2_scales), folded_of(factors))


@pytest.mark.parametrize("compute_type", ["float32", "float64", "int8"])
def test_depth_is_the_last_whose_worst_sum_is_exact(compute_type: str) -> None:
    for seed, reach in ((5, 30), (6, 127), (7, 900)):
        for part in made(random_factors(seed, 4, reach, scale=3)).parts(compute_type):
            left, right = (np.abs(side.astype(np.int64)).astype(object) for side in (part.left, part.right))
            worst = (left.T @ right).max()
            assert part.depth * worst <= factored_table.EXACT_SUMS[compute_type] < (part.depth + 1) * worst


@pytest.mark.parametrize("beyond", [-1, 0, 1, 2])
def test_worst_operands_around_the_depth(beyond: int) -> None:
    # Odd magnitudes: sums too large for the type have bits that it does not hold.
    compute_type, reach = "float64", (2**31 - 1, 2**15 - 1)
    sign = np.where(np.arange(256) % 2, 1, -1)
    none = np.zeros(256, np.int64)
    zero = np.zeros(1, np.int64)
    table = FactoredTable(sign[None] * reach[0], sign[None] * reach[1], zero, none, none, zero, zero)
    (part,) = table.parts(compute_type)
    k = part.depth + beyond
    a, b = np.ones((3, k), np.uint8), np.ones((k, 2), np.uint8)
    b[k // 2 :, 1] = 0  # one column of products all alike; one of one sign, and then of the other
    worst = reach[0] * reach[1]
    out = factored.gemm(table, a, b, np.int64, compute_type)
    assert np.array_equal(out, np.broadcast_to([k * worst, (k // 2 - (k - k // 2)) * worst], (3, 2)))


def test_sums_beyond_the_depth_are_wrong_in_one_piece() -> None:
    left = np.where(np.arange(256) % 2, 4095, -4094)
    table = made(Factors([left], [left % 128 | 1], [0]))
    (part,) = table.parts("float32")
    a_byte, b_byte = worst_bytes(part)
    k = 2 * part.depth + 1
    pair = part.left[0, a_byte], part.right[0, b_byte]
    in_one_piece = np.full((1, k), pair[0]) @ np.full((k, 1), pair[1])
    assert int(in_one_piece[0, 0]) != k * int(pair[0]) * int(pair[1])


@given(
    st.integers(0, 2**32),
    st.integers(1, 5),
    st.sampled_from([1, 127, 128, 300, 5000]),
    st.tuples(st.integers(0, 40), st.integers(0, 300), st.integers(0, 40)),
    st.sampled_from([np.int32, np.int64]),
    st.sampled_from(COMPUTE_TYPES),
)
def test_gemm_is_the_sum_of_table_entries(
    seed: int, terms: int, reach: int, shape: tuple[int, int, int], accumulator: type, compute_type: str
) -> None:
    factors = random_factors(seed, terms, min(reach, 40_000 // max(1, reach)), scale=4)
    table, (m, k, n) = made(factors), shape
    a, b = operands(seed, (m, k), (k, n))
    out = factored.gemm(table, a, b, accumulator, compute_type)
    assert out.dtype == accumulator
    assert np.array_equal(out, oracle(folded_of(factors).values, a, b))


@pytest.mark.parametrize("compute_type", COMPUTE_TYPES)
@pytest.mark.parametrize("shapes", [((2, 1, 3, 5), (4, 5, 6)), ((4, 3, 5), (5, 6)), ((3, 5), (2, 5, 6))])
def test_leading_axes_broadcast(compute_type: str, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    factors = random_factors(8, 2, 90)
    a, b = operands(9, *shapes)
    expected = oracle(folded_of(factors).values, a, b)
    assert np.array_equal(factored.gemm(made(factors), a, b, np.int32, compute_type), expected)


@pytest.mark.parametrize("compute_type", COMPUTE_TYPES)
def test_operands_that_are_strided_and_read_only(compute_type: str) -> None:
    factors = random_factors(10, 3, 90)
    a, b = (whole[::2, ::-3] for whole in operands(11, (10, 60), (40, 30)))
    a.flags.writeable = b.flags.writeable = False
    expected = oracle(folded_of(factors).values, a, b)
    assert np.array_equal(factored.gemm(made(factors), a, b, np.int32, compute_type), expected)


def test_terms_of_one_operand_only_cost_no_product() -> None:
    ramp, flat = np.arange(256), np.full(256, 7)
    factors = Factors([ramp, flat, flat], [flat, ramp, flat], [0, 1, 2])
    table = made(factors)
    assert {table.products(compute_type) for compute_type in ("int8", "float32", "float64")} == {0}
    a, b = operands(12, (3, 70), (70, 4))
    assert np.array_equal(
        factored.gemm(table, a, b, np.int32, "float64"), oracle(folded_of(factors).values, a, b)
    )


def test_sums_too_large_for_int32_on_the_way_are_right_at_the_end() -> None:
    # Two terms that nearly cancel, each far beyond int32 when summed.
    ramp = np.arange(256) * 8000
    factors = Factors([ramp, -ramp], [np.full(256, 1000), np.arange(256) % 2 + 1000], [0, 0])
    table = made(factors)
    a, b = operands(13, (4, 900), (900, 3))
    expected = oracle(folded_of(factors).values, a, b)
    assert np.abs(expected).max() < 2**31
    for compute_type in ("float64",):
        assert np.array_equal(factored.gemm(table, a, b, np.int32, compute_type), expected)


@given(st.data())
def test_conv2d_is_that_of_the_reference(data: st.DataObject) -> None:
    seed, block = data.draw(st.integers(0, 2**32)), data.draw(st.sampled_from([1, 100, 1 << 21]))
    groups, channels, filters = (data.draw(st.integers(1, 3)) for _ in range(3))
    kh, kw = (data.draw(st.integers(1, 3)) for _ in range(2))
    size = tuple(data.draw(st.integers(5, 9)) for _ in range(2))
    x, w = operands(seed, (2, groups * channels, *size), (groups * filters, channels, kh, kw))
    where = geometry(
        x_shape=x.shape,
        w_shape=w.shape,
        stride=(data.draw(st.integers(1, 3)), 1),
        padding=((data.draw(st.integers(0, 2)), 0), (1, data.draw(st.integers(0, 2)))),
        dilation=(1, data.draw(st.integers(1, 2))),
        groups=groups,
    )
    factors = random_factors(
        seed, data.draw(st.integers(1, 3)), data.draw(st.sampled_from([9, 127])), scale=2
    )
    pad = data.draw(st.integers(0, 255))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(factored, "_RIGHT_BLOCK", block)
        out = factored.conv2d(made(factors), x, w, where, pad, np.int32, "float64")
    assert np.array_equal(out, reference.conv2d(folded_of(factors), x, w, where, pad, np.int32))


def test_conv2d_cuts_a_window_that_is_deeper_than_sums_are_exact() -> None:
    huge = np.where(np.arange(256) % 2, 2**31 - 1, 1 - 2**31), np.where(np.arange(256) % 2, 2**15, -(2**15))
    none, zero = np.zeros(256, np.int64), np.zeros(1, np.int64)
    table = FactoredTable(huge[0][None], huge[1][None], zero, none, none, zero, zero)
    assert table.depth("float64") == 128 < 2 * 9 * 9
    x, w = operands(14, (1, 2, 11, 10), (3, 2, 9, 9))
    x[0, 0], w[0] = 0, 0  # the lowest operand is the worst
    where = geometry(x_shape=x.shape, w_shape=w.shape)
    out = factored.conv2d(table, x, w, where, 0, np.int64, "float64")
    patches = reference.windows(x[0], 9, 9, where, 0).reshape(2 * 9 * 9, -1)
    assert np.array_equal(out.reshape(3, -1), huge[1][w].reshape(3, -1) @ huge[0][patches])


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    table = made(random_factors(15, 3, 100))
    a, b = operands(16, (20, 150), (150, 30))
    whole = factored.gemm(table, a, b, np.int32, "float64")
    monkeypatch.setattr(factored, "_LEFT_BLOCK", 1000)
    monkeypatch.setattr(factored, "_RIGHT_BLOCK", 1000)
    assert np.array_equal(factored.gemm(table, a, b, np.int32, "float64"), whole)


def test_compute_types_that_cannot_be_used_are_refused() -> None:
    table = made(random_factors(18, 2, 60))
    a, b = operands(19, (2, 3), (3, 2))
    with pytest.raises(ValueError, match="compute_type is 'int4', expected one of native, float64"):
        factored.gemm(table, a, b, np.int64, "int4")
    huge = np.where(np.arange(256) % 2, 2**31, -(2**31))[None]
    none, zero = np.zeros(256, np.int64), np.zeros(1, np.int64)
    wide = FactoredTable(huge, huge, zero, none, none, zero, zero)
    with pytest.raises(ValueError, match="exact for 0 operand pairs, not for 1"):
        factored.gemm(wide, a, b, np.int64, "float64")
    with pytest.raises(ValueError, match="compute_type is 'native', which needs"):
        factored.gemm(wide, a, b, np.int64, "native")
