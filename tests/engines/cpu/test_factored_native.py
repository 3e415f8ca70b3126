"""The compiled integer matrix product: against sums of table entries, on every instruction set there is."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_arrays import integers, laid_out, layouts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from axsim.engines.cpu import factored, reference
from axsim.engines.forms.factored_table import FactoredTable, prepare
from axsim.engines.forms.folded import FoldedTable
from axsim.engines.shapes.geometry import geometry
from axsim.tables.factor import Factors
from axsim.threads import set_num_threads

native = pytest.importorskip("axsim._native", reason="axsim was installed without its compiled module")

SHORT, LONG = 2**15 - 1, 2**31 - 1
ONE_MATRIX = np.zeros(1, np.int64)
TILE_EDGES = [0, 1, 5, 6, 7, 8, 9, 15, 16, 17, 31, 32, 33, 95, 96, 97]

sizes = st.one_of(st.integers(0, 300), st.sampled_from(TILE_EDGES))


def runs(name: str) -> bool:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AXSIM_ISA", name)
        try:
            native.isa()
        except ValueError:
            return False
    return True


ISAS = [name for name in ("portable", "avx2", "avx512", "vbmi", "neon") if runs(name)]


@pytest.fixture(params=ISAS)
def isa(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AXSIM_ISA", request.param)
    return request.param


@pytest.fixture(autouse=True)
def default_threads() -> object:
    yield
    set_num_threads(None)


def drawn_factors(seed: int, terms: int, reach: int, scale: int) -> Factors:
    """Components at the ends of their ranges as often as between, some the sum of what their nibbles give."""
    random = np.random.default_rng(seed)
    sides = []
    for _ in range(2):
        side = random.integers(-reach, reach + 1, (terms, 256))
        ends = random.integers(0, 3, side.shape)
        side = np.where(ends == 0, side, np.where(ends == 1, reach, -reach))
        ramp = np.arange(256) * reach // 255
        sides.append(np.where(random.integers(0, 2, (terms, 1)) == 0, side, ramp - ramp[::-1]))
    return Factors(*sides, random.integers(0, scale + 1, terms))


def made(factors: Factors) -> tuple[FactoredTable, FoldedTable]:
    values = factors.products()
    folded = FoldedTable(values.astype(np.int32), int(np.abs(values).max()), (0, 255), (0, 255))
    return prepare(factors, folded), folded


def expected_sums(factors: Factors, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """In float64, where every partial sum is exact: its magnitude stays below 2**53."""
    total = np.zeros((len(a), b.shape[1]))
    for left, right, shift in zip(factors.left, factors.right, factors.log2_scales, strict=True):
        total += (left.astype(float)[a] @ right.astype(float)[b]) * 2.0**shift
    return total.astype(np.int64)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    seed=st.integers(0, 2**32),
    terms=st.integers(1, 6),
    reach=st.sampled_from([1, 2, 30, 127, 128, 700, 7000]),
    shape=st.tuples(sizes, sizes, sizes),
    accumulator=st.sampled_from([np.int32, np.int64]),
    threads=st.integers(1, 3),
    places=st.tuples(layouts(), layouts()),
)
def test_sums_of_table_entries(
    isa: str,
    seed: int,
    terms: int,
    reach: int,
    shape: tuple[int, int, int],
    accumulator: type,
    threads: int,
    places: tuple[str, str],
) -> None:
    factors = drawn_factors(seed, terms, reach, 0 if reach == 7000 else 4)
    table, _ = made(factors)
    m, k, n = shape
    a, b = integers(seed, (m, k), np.uint8), integers(seed + 1, (k, n), np.uint8)
    set_num_threads(threads)
    out = factored.gemm(table, laid_out(a, places[0]), laid_out(b, places[1]), accumulator, "native")
    assert out.dtype == accumulator
    assert np.array_equal(out, expected_sums(factors, a, b).astype(accumulator))


def multiply(parts: list[object], a: np.ndarray, b: np.ndarray, byte_sums: int) -> np.ndarray:
    """The int64 sums of a product of parts by themselves."""
    out = np.full((1, a.shape[0], b.shape[1]), 99, np.int64)
    none = np.zeros(256, np.int64)
    kernels = native.Factors(parts, none, none, byte_sums, 0)
    native.factored_gemm(kernels, a[None], b[None], ONE_MATRIX, ONE_MATRIX, out, 1)
    return out[0]


def constant(value: int) -> np.ndarray:
    return np.full((1, 256), value, np.int16)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("beyond", [-1, 0, 1, 3])
def test_words_up_to_the_last_depth(isa: str, beyond: int, sign: int) -> None:
    for left, right in ((4095, 127), (32767, 32767), (-32768, 32767), (32767, 3), (-32768, 1)):
        depth = LONG // abs(left * right)
        k = depth + beyond if depth < 9000 else 2 * depth % 9000 + beyond
        if k < 1:
            continue
        part = native.FactorsPart(constant(left), constant(sign * right), 0, depth, False)
        a, b = np.zeros((7, k), np.uint8), np.zeros((k, 5), np.uint8)
        assert np.array_equal(multiply([part], a, b, 0), np.full((7, 5), k * sign * left * right))


def test_words_whose_sums_last_for_two_pairs_are_right_over_many(isa: str) -> None:
    part = native.FactorsPart(constant(-32767), constant(32767), 3, 2, False)
    a, b = np.zeros((3, 301), np.uint8), np.zeros((301, 2), np.uint8)
    assert np.array_equal(multiply([part], a, b, 0), np.full((3, 2), -301 * 8 * 32767**2))


@pytest.mark.parametrize("operands", [(40, 3), (3, 40)])  # either side lies in vectors
@pytest.mark.parametrize(
    ("left", "right"), [(1, -1), (7, 31), (31, -33), (127, -128), (128, 127), (255, -128)]
)
def test_bytes_up_to_the_last_sum(isa: str, left: int, right: int, operands: tuple[int, int]) -> None:
    limit = native.byte_sums()
    depth = limit // abs(left * right)
    if depth < 2:
        pytest.skip(f"no sums of such bytes fit {isa}'s")
    part = native.FactorsPart(constant(left), constant(right), 1, depth, True)
    quads = min(depth // 2, 1500)
    for k in (1, 3, 4 * quads - 4, 4 * quads, 4 * quads + 1, 8 * quads + 7):
        a, b = np.zeros((operands[0], k), np.uint8), np.zeros((k, operands[1]), np.uint8)
        expected = np.full((operands[0], operands[1]), 2 * k * left * right)
        assert np.array_equal(multiply([part], a, b, limit), expected)


def test_bytes_that_last_too_long_would_be_wrong(isa: str) -> None:
    # The depth matters: with one pair more, 16-bit sums run over.
    limit = native.byte_sums()
    if limit != SHORT:
        pytest.skip(f"{isa} has no 16-bit sums")
    depth = 2 * (limit // (2 * 31 * 33))
    a, b = np.zeros((4, 4 * depth), np.uint8), np.zeros((4 * depth, 16), np.uint8)
    expected = 4 * depth * 31 * 33
    for last, right in ((depth, True), (depth + 2, False)):
        part = native.FactorsPart(constant(31), constant(33), 0, last, True)
        assert (multiply([part], a, b, limit) == expected).all() == right


def test_every_byte_expands_to_its_component(isa: str) -> None:
    random = np.random.default_rng(0)
    limit = native.byte_sums()
    every = np.arange(256, dtype=np.uint8)
    for left in (
        np.arange(256),
        random.permutation(256),
        random.integers(-32768, 32768, 256),
        random.integers(-300, -60, 256),
        np.arange(256) // 16 * 9 - 77,
    ):
        for as_bytes in (False, True):
            if as_bytes and (left.min() < 0 or limit == 0):
                continue
            part = native.FactorsPart(
                left[None].astype(np.int16), constant(1), 0, max(2, limit // 255), as_bytes
            )
            column = multiply([part], every[:, None], np.zeros((1, 1), np.uint8), limit)
            assert np.array_equal(column[:, 0], left)
            four = np.stack([every, every[::-1], np.roll(every, 3), np.roll(every, 70)], axis=1)
            sums = multiply([part], four, np.zeros((4, 20), np.uint8), limit)
            assert np.array_equal(sums, np.repeat(left[four].sum(axis=1, keepdims=True), 20, axis=1))


@pytest.mark.parametrize(
    "shapes", [((2, 1, 3, 5), (4, 5, 6)), ((4, 3, 5), (5, 6)), ((3, 5), (2, 5, 6)), ((0, 3, 5), (5, 6))]
)
def test_leading_axes_broadcast(isa: str, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    table, folded = made(drawn_factors(8, 3, 90, 2))
    a, b = integers(1, shapes[0], np.uint8), integers(2, shapes[1], np.uint8)
    expected = reference.gemm(folded, a, b, np.int64)
    assert np.array_equal(factored.gemm(table, a, b, np.int64, "native"), expected)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(data=st.data())
def test_conv2d_is_that_of_the_reference(isa: str, data: st.DataObject) -> None:
    seed = data.draw(st.integers(0, 2**32))
    groups, channels, filters = (
        data.draw(st.integers(1, 3)),
        data.draw(st.integers(1, 9)),
        data.draw(st.integers(1, 9)),
    )
    kh, kw = (data.draw(st.integers(1, 3)) for _ in range(2))
    size = tuple(data.draw(st.integers(5, 9)) for _ in range(2))
    x = integers(seed, (data.draw(st.integers(0, 3)), groups * channels, *size), np.uint8)
    w = integers(seed + 1, (groups * filters, channels, kh, kw), np.uint8)
    where = geometry(
        x_shape=x.shape,
        w_shape=w.shape,
        stride=(data.draw(st.integers(1, 3)), data.draw(st.integers(1, 2))),
        padding=((data.draw(st.integers(0, 2)), 0), (1, data.draw(st.integers(0, 2)))),
        dilation=(1, data.draw(st.integers(1, 2))),
        groups=groups,
    )
    table, folded = made(
        drawn_factors(seed, data.draw(st.integers(1, 4)), data.draw(st.sampled_from([3, 90])), 2)
    )
    pad = data.draw(st.integers(0, 255))
    set_num_threads(data.draw(st.integers(1, 3)))
    out = factored.conv2d(table, x, w, where, pad, np.int32, "native")
    assert np.array_equal(out, reference.conv2d(folded, x, w, where, pad, np.int32))


def test_a_table_of_terms_that_depend_on_one_operand_takes_no_product(isa: str) -> None:
    ramp, flat = np.arange(256), np.full(256, 7)
    factors = Factors([ramp, flat], [flat, ramp], [0, 1])
    table, folded = made(factors)
    assert table.products("native") == 0
    a, b = integers(1, (9, 70), np.uint8), integers(2, (70, 21), np.uint8)
    assert np.array_equal(
        factored.gemm(table, a, b, np.int32, "native"), reference.gemm(folded, a, b, np.int32)
    )


def test_sums_that_wrap_on_the_way_are_right_at_the_end(isa: str) -> None:
    ramp = np.arange(256) * 100
    table, _ = made(
        factors := Factors([ramp, -ramp], [np.full(256, 20000), np.arange(256) % 2 + 20000], [0, 0])
    )
    a, b = integers(1, (4, 2900), np.uint8), integers(2, (2900, 3), np.uint8)
    expected = expected_sums(factors, a, b)
    assert np.abs(expected).max() < 2**31
    assert np.array_equal(factored.gemm(table, a, b, np.int32, "native"), expected)


def test_work_is_shared(isa: str) -> None:
    form = made(drawn_factors(1, 1, 90, 0))[0].native_form()
    assert form is not None
    parts = [native.FactorsPart(p.left, p.right, p.shift, p.depth, p.bytes) for p in form.parts]
    kernels = native.Factors(parts, form.left_sums, form.right_sums, form.byte_sums, form.largest)
    for shape, most in (((500, 400, 300), 2), ((8, 8, 8), 1)):
        m, k, n = shape
        a, b = np.zeros((1, m, k), np.uint8), np.zeros((1, k, n), np.uint8)
        out = np.empty((1, m, n), np.int32)
        tiles, workers = native.factored_gemm(kernels, a, b, ONE_MATRIX, ONE_MATRIX, out, 2)
        assert workers == most
        assert tiles >= workers


def test_a_form_for_larger_sums_of_bytes_is_refused(isa: str) -> None:
    if native.byte_sums() == LONG:
        pytest.skip(f"{isa} has the largest")
    part = native.FactorsPart(constant(1), constant(1), 0, 1000, True)
    byte = np.zeros((1, 1), np.uint8)
    with pytest.raises(ValueError, match="factors are in bytes whose sums these kernels do not hold"):
        multiply([part], byte, byte, LONG)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((constant(1), constant(1), 0, 0, False), "depth must be positive"),
        ((constant(1), constant(1), 0, 1, True), "depth must be positive"),
        ((constant(1), constant(1), 32, 9, False), "shift must be less than 32"),
        ((constant(-1), constant(1), 0, 9, True), "does not fit a byte"),
        ((constant(256), constant(1), 0, 9, True), "does not fit a byte"),
        ((constant(1), constant(128), 0, 9, True), "does not fit a byte"),
        ((constant(1), constant(-129), 0, 9, True), "does not fit a byte"),
        ((constant(1), np.zeros((2, 256), np.int16), 0, 9, False), "the same terms"),
        ((np.zeros((0, 256), np.int16),) * 2 + (0, 9, False), "the same terms"),
    ],
)
def test_parts_that_make_no_sense_are_refused(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        native.FactorsPart(*arguments)


def test_a_table_with_wide_components_is_refused_by_name() -> None:
    values = np.arange(256) * 300
    table, _ = made(Factors([values - values[::-1]], [np.arange(256) % 2], [0]))
    assert table.products("native") == 0
    byte = np.zeros((1, 1), np.uint8)
    with pytest.raises(ValueError, match="compute_type is 'native', which needs 16-bit components"):
        factored.gemm(table, byte, byte, np.int64, "native")
