"""The compiled engine equals the reference, and uses every core."""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from drawn_arrays import ENTRY_RANGES, folded_tables, integers, laid_out, layouts, random_folded, seeds
from hypothesis import given, settings
from hypothesis import strategies as st

from axsim import threads
from axsim.engines.cpu import reference
from axsim.engines.forms.folded import FoldedTable
from axsim.engines.shapes.geometry import geometry

_native = pytest.importorskip("axsim._native", reason="axsim was installed without its compiled module")
native = pytest.importorskip("axsim.engines.cpu.native")

sizes = st.one_of(st.integers(0, 20), st.sampled_from([63, 64, 65, 127, 128, 129, 300]))
depths = st.one_of(st.integers(0, 13), st.sampled_from([255, 256, 257]))
# Sums of 31-bit entries need int64. In int32 they wrap, and so that is left to the callers to refuse.
accumulators = st.sampled_from([np.int32, np.int64])


@pytest.fixture(autouse=True)
def _default_threads() -> Any:
    yield
    threads.set_num_threads(None)


def fits(table: FoldedTable, terms: int, accumulator: Any) -> bool:
    return accumulator is np.int64 or terms * table.max_abs < 2**31


@settings(max_examples=300)
@given(folded_tables(), seeds(), sizes, depths, sizes, accumulators, layouts(), layouts(), st.integers(1, 3))
def test_gemm(
    table: FoldedTable,
    seed: int,
    m: int,
    k: int,
    n: int,
    accumulator: Any,
    a_lay: str,
    b_lay: str,
    count: int,
) -> None:
    threads.set_num_threads(count)
    a = laid_out(integers(seed, (m, k), np.uint8), a_lay)
    b = laid_out(integers(seed + 1, (k, n), np.uint8), b_lay)
    if not fits(table, k, accumulator):
        accumulator = np.int64
    out = native.gemm(table, a, b, accumulator)
    assert out.dtype == accumulator
    assert np.array_equal(out, reference.gemm(table, a, b, accumulator))


@settings(max_examples=100)
@given(
    seeds(),
    st.sampled_from(
        [((), (2,)), ((2,), ()), ((3, 1), (2,)), ((1,), (4,)), ((2, 3), (2, 3)), ((0,), ()), ((), (0,))]
    ),
    st.integers(0, 5),
    st.integers(0, 5),
    st.integers(0, 5),
    layouts(),
)
def test_gemm_broadcasts_batches(
    seed: int, batches: tuple[tuple[int, ...], tuple[int, ...]], m: int, k: int, n: int, layout: str
) -> None:
    table = random_folded(seed, 0, 65535)
    a = laid_out(integers(seed, (*batches[0], m, k), np.uint8), layout)
    b = laid_out(integers(seed + 1, (*batches[1], k, n), np.uint8), layout)
    out, expected = native.gemm(table, a, b, np.int32), reference.gemm(table, a, b, np.int32)
    assert out.shape == expected.shape
    assert np.array_equal(out, expected)


# Around the edges of what the kernel packs at once: 2048 terms, 4096 rows, 480 lanes.
@pytest.mark.parametrize(
    ("m", "k", "n"),
    [
        (4095, 5, 9),
        (4096, 4, 8),
        (4097, 3, 7),
        (9, 3, 4097),
        (600, 2, 479),
        (514, 2, 481),
        (600, 2, 480),
        (70, 2047, 9),
        (70, 2048, 8),
        (70, 2049, 17),
        (3, 4099, 70),
        (1, 2049, 1),
        (1, 1, 1),
        (1025, 2050, 3),
    ],
)
@pytest.mark.parametrize("ends", ENTRY_RANGES)
@pytest.mark.parametrize("count", [1, 3])
def test_gemm_at_tile_edges(m: int, k: int, n: int, ends: tuple[int, int], count: int) -> None:
    threads.set_num_threads(count)
    table = random_folded(m + k, *ends)
    a, b = integers(1, (m, k), np.uint8), integers(2, (k, n), np.uint8)
    accumulator = np.int32 if fits(table, k, np.int32) else np.int64
    assert np.array_equal(native.gemm(table, a, b, accumulator), reference.gemm(table, a, b, accumulator))


@pytest.mark.parametrize("k", [31, 32, 33, 63, 64, 65, 1000, 2080])
@pytest.mark.parametrize("n", [11, 12, 13, 23, 24, 25, 36, 37, 48, 49])
def test_largest_entries_never_overflow_a_field(k: int, n: int) -> None:
    """Sums of packed 16-bit entries: every field is as full as it can be, and neighbours stay apart."""
    table = FoldedTable(np.full((256, 256), 65535, np.int32), 65535, (0, 255), (0, 255))
    table.values[0] = 0
    a, b = np.full((300, k), 7, np.uint8), integers(n, (k, n), np.uint8)
    a[5] = 0
    expected = np.full((300, n), 65535 * k, np.int32)
    expected[5] = 0
    assert np.array_equal(native.gemm(table, a, b, np.int32), expected)


@pytest.mark.parametrize("n", [7, 8, 9, 12, 13, 23, 24, 25, 300])
@pytest.mark.parametrize("ends", ENTRY_RANGES)
@pytest.mark.parametrize("k", [1, 32, 35])
def test_gemm_at_groups_of_lanes(n: int, ends: tuple[int, int], k: int) -> None:
    table = random_folded(n, *ends)
    a, b = integers(1, (300, k), np.uint8), integers(2, (k, n), np.uint8)
    expected = reference.gemm(table, a, b, np.int64)
    assert np.array_equal(native.gemm(table, a, b, np.int64), expected)
    assert np.array_equal(native.gemm(table, a[:1], b, np.int64), expected[:1])


@pytest.mark.parametrize("window", [(1, 1), (3, 3), (5, 5), (10, 2), (11, 3), (2, 7)])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [(1, 1), (2, 1), (1, 2)])
@pytest.mark.parametrize("ends", [(0, 65535), (-40000, 20000), (-65535, 65535)])
def test_depthwise(
    window: tuple[int, int], stride: int, dilation: tuple[int, int], ends: tuple[int, int]
) -> None:
    table = random_folded(7, *ends)
    table.values[3, :] = ends[1]
    x, w = integers(1, (2, 3, 23, 29), np.uint8), integers(2, (6, 1, *window), np.uint8)
    x[:, 1] = 3
    windows = geometry(
        x_shape=x.shape, w_shape=w.shape, padding=((2, 3), (5, 4)), stride=stride, dilation=dilation, groups=3
    )
    for accumulator in (np.int32, np.int64):
        out = native.conv2d(table, x, w, windows, 3, accumulator)
        assert np.array_equal(out, reference.conv2d(table, x, w, windows, 3, accumulator))


def test_sums_beyond_int32_are_exact_in_int64() -> None:
    table = FoldedTable(np.full((256, 256), 2**31 - 1, np.int32), 2**31 - 1, (0, 255), (0, 255))
    a, b = np.zeros((3, 5000), np.uint8), np.zeros((5000, 2), np.uint8)
    assert (native.gemm(table, a, b, np.int64) == 5000 * (2**31 - 1)).all()


def test_sums_of_many_16_bit_entries_are_exact_in_int64() -> None:
    table = FoldedTable(np.full((256, 256), 65535, np.int32), 65535, (0, 255), (0, 255))
    table.values[0, 1] = 0
    a, b = np.zeros((1, 70_001), np.uint8), np.zeros((70_001, 1), np.uint8)
    assert native.gemm(table, a, b, np.int64).item() == 70_001 * 65535


@st.composite
def convolutions(draw: st.DrawFn) -> dict[str, Any]:
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    kernel = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    dilation = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    size = tuple(dilation[i] * (kernel[i] - 1) + 1 + draw(st.integers(0, 9)) for i in range(2))
    channels, filters = draw(st.integers(0, 3)), draw(st.integers(0, 10))
    some = st.tuples(st.integers(0, 3), st.integers(0, 3))
    padding = draw(st.one_of(st.tuples(some, some), st.sampled_from(["same", "valid", 1])))
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    return {
        "x_shape": (draw(st.integers(0, 3)), groups * channels, *size),
        "w_shape": (groups * filters, channels, *kernel),
        "stride": stride,
        "dilation": dilation,
        "padding": padding,
        "groups": groups,
    }


@settings(max_examples=300)
@given(folded_tables(), seeds(), convolutions(), st.integers(0, 255), layouts(), layouts(), st.integers(1, 3))
def test_conv2d(
    table: FoldedTable, seed: int, arguments: dict[str, Any], pad: int, x_lay: str, w_lay: str, count: int
) -> None:
    threads.set_num_threads(count)
    x = laid_out(integers(seed, arguments["x_shape"], np.uint8), x_lay)
    w = laid_out(integers(seed + 1, arguments["w_shape"], np.uint8), w_lay)
    windows = geometry(**arguments)
    accumulator = np.int32 if fits(table, int(np.prod(w.shape[1:])), np.int32) else np.int64
    out = native.conv2d(table, x, w, windows, pad, accumulator)
    expected = reference.conv2d(table, x, w, windows, pad, accumulator)
    assert out.shape == expected.shape
    assert np.array_equal(out, expected)


@pytest.mark.parametrize(
    ("x_shape", "w_shape", "groups"),
    [
        ((3, 16, 40, 40), (24, 16, 3, 3), 1),
        ((5, 8, 30, 31), (8, 1, 3, 3), 8),
        ((2, 300, 5, 5), (70, 300, 3, 3), 1),
    ],
)
def test_conv2d_over_many_tiles(x_shape: tuple[int, ...], w_shape: tuple[int, ...], groups: int) -> None:
    table = random_folded(3, 0, 65535)
    x, w = integers(1, x_shape, np.uint8), integers(2, w_shape, np.uint8)
    windows = geometry(x_shape=x_shape, w_shape=w_shape, padding="same", groups=groups)
    expected = reference.conv2d(table, x, w, windows, 3, np.int32)
    for count in (1, 2, 3):
        threads.set_num_threads(count)
        assert np.array_equal(native.conv2d(table, x, w, windows, 3, np.int32), expected)


@given(
    seeds(),
    st.sampled_from([((), ()), ((3,), ()), ((2, 1), (3,)), ((0, 2), (2,)), ((4, 5), (4, 5))]),
    layouts(),
)
def test_lookup(seed: int, shapes: tuple[tuple[int, ...], tuple[int, ...]], layout: str) -> None:
    table = random_folded(seed, -5, 70000)
    a, b = (laid_out(integers(seed + i, shape, np.uint8), layout) for i, shape in enumerate(shapes))
    out, expected = native.lookup(table, a, b), reference.lookup(table, a, b)
    assert out.shape == expected.shape
    assert np.array_equal(out, expected)


def test_lookup_over_many_blocks() -> None:
    threads.set_num_threads(3)
    table = random_folded(5, 0, 65535)
    a, b = integers(1, (1_200_003,), np.uint8), integers(2, (1_200_003,), np.uint8)
    assert np.array_equal(native.lookup(table, a, b), reference.lookup(table, a, b))


def used_by_gemm(m: int, k: int, n: int, count: int) -> tuple[int, int]:
    """Tiles and workers for one matrix product: a batch of one."""
    table = _native.Table(random_folded(1, 0, 65535).values)
    a, b = np.zeros((1, m, k), np.uint8), np.zeros((1, k, n), np.uint8)
    only = np.zeros(1, np.int64)
    return _native.gemm(table, a, b, only, only, np.empty((1, m, n), np.int32), count)


@pytest.mark.parametrize("count", [1, 2, 5, 8])
@pytest.mark.parametrize(
    ("m", "k", "n"),
    [
        (1, 8192, 2048),
        (2048, 8192, 1),
        (16, 8192, 130),
        (400, 400, 400),
        (4096, 576, 8),
        (1024, 576, 64),
        (100_000, 9, 16),
    ],
)
def test_every_thread_works_on_a_single_matrix(m: int, k: int, n: int, count: int) -> None:
    tiles, workers = used_by_gemm(m, k, n, count)
    assert workers == count
    assert tiles % count == 0 or tiles >= 3 * count  # nobody waits long for the last tile


def test_small_work_stays_on_the_calling_thread() -> None:
    assert used_by_gemm(32, 32, 32, 16)[1] == 1


def test_never_more_workers_than_tiles() -> None:
    tiles, workers = used_by_gemm(1_000_000, 1, 1, 16)
    assert workers <= tiles
    tiles, workers = used_by_gemm(1, 63, 100_000, 500)
    assert workers <= tiles


@pytest.mark.parametrize(("channels", "filters", "groups"), [(64, 64, 1), (64, 64, 64), (512, 8, 1)])
def test_every_thread_works_on_a_single_image(channels: int, filters: int, groups: int) -> None:
    table = _native.Table(random_folded(1, 0, 65535).values)
    x = np.zeros((1, channels, 150, 150), np.uint8)
    w = np.zeros((filters, channels // groups, 3, 3), np.uint8)
    out = np.empty((1, filters, 148, 148), np.int32)
    tiles, workers = _native.conv2d(table, x, w, out, (1, 1), (0, 0), (1, 1), groups, 0, 8)
    assert workers == 8
    assert tiles % 8 == 0 or tiles >= 24  # nobody waits long for the last tile


def test_helpers_take_part() -> None:
    """What the tests above read is the plan; here another thread works, on a busy machine sooner or later."""
    before, patience = _native.helps(), time.monotonic() + 300
    while _native.helps() == before and time.monotonic() < patience:
        used_by_gemm(1024, 576, 64, 2)
    assert _native.helps() > before
    alone = _native.helps()
    used_by_gemm(1024, 576, 64, 1)
    assert _native.helps() == alone


def test_four_python_threads_at_once() -> None:
    threads.set_num_threads(2)
    table = random_folded(9, 0, 65535)
    jobs = [(integers(i, (130, 150), np.uint8), integers(i + 50, (150, 140), np.uint8)) for i in range(24)]
    expected = [reference.gemm(table, a, b, np.int32) for a, b in jobs]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda job: native.gemm(table, *job, np.int32), jobs))
    assert all(np.array_equal(out, right) for out, right in zip(results, expected, strict=True))


def test_other_python_threads_run_meanwhile() -> None:
    """The interpreter lock is released: this thread counts while a call runs in the other one.

    No thread has to hand over the lock here, so that whoever counts has got it from a call.
    """
    threads.set_num_threads(1)
    table = random_folded(9, 0, 65535)
    a, b = np.zeros((1024, 1024), np.uint8), np.zeros((1024, 512), np.uint8)
    count, counted = 0, []

    def call() -> None:
        before = count
        native.gemm(table, a, b, np.int32)
        counted.append(count - before)

    interval, patience = sys.getswitchinterval(), time.monotonic() + 300
    sys.setswitchinterval(1000)
    try:
        while not any(counted) and time.monotonic() < patience:
            worker = threading.Thread(target=call)
            worker.start()
            while worker.is_alive():
                count += 1
                time.sleep(0)
    finally:
        sys.setswitchinterval(interval)
    assert any(counted)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"b": np.zeros((1, 4, 2), np.uint8)}, "shapes do not fit"),
        ({"a": np.zeros((2, 3), np.uint8)}, "three axes"),
        ({"a_index": np.ones(1, np.int64)}, "batch index out of range"),
        ({"b_index": np.full(1, -1)}, "batch index out of range"),
        ({"a_index": np.zeros(2, np.int64)}, "one index for each"),
        ({"out": np.zeros((1, 2, 2), np.float64)}, "int32 or int64"),
    ],
)
def test_the_module_checks_what_it_is_given(change: dict[str, Any], message: str) -> None:
    arguments = {
        "table": _native.Table(random_folded(1, 0, 9).values),
        "a": np.zeros((1, 2, 3), np.uint8),
        "b": np.zeros((1, 3, 2), np.uint8),
        "a_index": np.zeros(1, np.int64),
        "b_index": np.zeros(1, np.int64),
        "out": np.zeros((1, 2, 2), np.int32),
        "threads": 1,
    }
    with pytest.raises(ValueError, match=message):
        _native.gemm(**(arguments | change))


def test_output_is_never_written_to_a_copy() -> None:
    table = _native.Table(random_folded(1, 0, 9).values)
    only = np.zeros(1, np.int64)
    out = np.zeros((1, 2, 4), np.int32)[:, :, ::2]
    a, b = np.zeros((1, 2, 3), np.uint8), np.zeros((1, 3, 2), np.uint8)
    with pytest.raises(TypeError):
        _native.gemm(table, a, b, only, only, out, 1)


def test_tables_are_forgotten_with_their_folded_table() -> None:
    table = random_folded(1, 0, 9)
    native.gemm(table, np.zeros((1, 1), np.uint8), np.zeros((1, 1), np.uint8), np.int32)
    before = len(native._tables)
    assert sys.getrefcount(table) <= 3
    del table
    assert len(native._tables) == before - 1
