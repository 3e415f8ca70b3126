"""Look-ups on an emulated GPU equal the reference: every kernel, every variant, every edge of a tile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axsim.engines.cpu import reference
from axsim.engines.forms.folded import FoldedTable
from axsim.engines.gpu.gather import engine as gather
from axsim.engines.gpu.gather.plan import Sums, Variant, variants
from axsim.engines.gpu.gather.tables import Entries, entries
from axsim.engines.gpu.runtime.current import using
from axsim.engines.gpu.runtime.interface import Device
from axsim.engines.shapes.geometry import geometry
from tests.cuda_emulator.emulated_runtime import AMPERE, GAMING, HOPPER, TURING, EmulatedRuntime
from tests.drawn_arrays import ENTRY_RANGES, folded_tables, integers, laid_out, layouts, random_folded, seeds

PLACES = Path(__file__).parents[3] / "cuda_emulator" / "kernels" / "places.cu"


@dataclass(frozen=True)
class Kind:
    """Variants to try, and a device that has them; None stands for any."""

    device: Device
    kernel: str
    run: int | None = None
    groups: int | None = None
    lanes: int | None = None
    table_shared: bool | None = None
    buffers: int | None = None

    def has(self, variant: Variant) -> bool:
        return all(
            wanted is None or getattr(variant, name) == wanted
            for name, wanted in vars(self).items()
            if name != "device"
        )

    @property
    def rows(self) -> int:
        """Of a tile of ``gather_columns``."""
        assert self.run is not None
        assert self.groups is not None
        return 256 // self.groups * self.run

    def __str__(self) -> str:
        return "-".join(
            str(value) for name, value in vars(self).items() if name != "device" and value is not None
        )


KINDS = (
    Kind(HOPPER, "gather_columns", run=22, groups=4, table_shared=True, buffers=2),
    Kind(AMPERE, "gather_columns", run=22, groups=8, table_shared=True, buffers=1),
    Kind(GAMING, "gather_columns", run=20, groups=8, table_shared=False, buffers=2),
    Kind(TURING, "gather_columns", run=8, groups=4, table_shared=False, buffers=1),
    Kind(HOPPER, "gather_columns", run=8, groups=8, table_shared=True, buffers=2),
    Kind(HOPPER, "gather_table", lanes=8),
    Kind(HOPPER, "gather_table", lanes=1),
    Kind(TURING, "gather_table", lanes=8, table_shared=False),
    Kind(GAMING, "gather_columns", run=20, groups=4, table_shared=False, buffers=2),
)
INT64_KINDS = (KINDS[0], KINDS[3], KINDS[5])  # one of each way: compiling them all takes long
PATCH_KINDS = (
    Kind(HOPPER, "gather_columns", run=20, groups=8, table_shared=True, buffers=2),
    Kind(TURING, "gather_columns", run=20, groups=4, table_shared=False, buffers=1),
    Kind(GAMING, "gather_columns", run=8, groups=8, table_shared=False, buffers=2),
    Kind(HOPPER, "gather_table", lanes=8),
)


@contextmanager
def forced(
    builds: Path, kind: Kind, stream_left: bool | None = None, splits: int | None = None, seed: int = 0
) -> Iterator[tuple[EmulatedRuntime, list[Variant]]]:
    """An emulated device on which sums are made by variants of ``kind``, and a list of those used."""
    used: list[Variant] = []

    def choose(device: Device, work: Sums) -> Variant:
        found = list(variants(device, work))
        for wish in (
            kind.has,
            lambda v: stream_left is None or v.stream_left == stream_left,
            lambda v: splits is None or v.splits == splits,
        ):
            found = [v for v in found if wish(v)] or found
        used.append(min(found, key=lambda v: v.cycles))
        return used[-1]

    with (
        using(EmulatedRuntime(builds, kind.device, seed)) as runtime,
        patch.object(gather, "choose_variant", choose),
    ):
        yield runtime, used


def fits(table: FoldedTable, terms: int, accumulator: Any) -> bool:
    return accumulator is np.int64 or terms * table.max_abs < 2**31


def checked_gemm(runtime: EmulatedRuntime, table: FoldedTable, a: Any, b: Any, accumulator: Any) -> None:
    xp = runtime.xp
    out = gather.gemm(table, device_copy(xp, a), device_copy(xp, b), accumulator)
    expected = reference.gemm(table, a, b, accumulator)
    assert out.dtype == expected.dtype
    assert out.shape == expected.shape
    assert np.array_equal(xp.asnumpy(out), expected)


def device_copy(xp: Any, array: Any) -> Any:
    """On the device with the strides that it has."""
    order = sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))
    turned = xp.asarray(np.ascontiguousarray(array.transpose(order)))
    return turned.transpose(np.argsort(order).tolist()) if array.ndim else turned.reshape(())


sizes = st.one_of(st.integers(0, 20), st.sampled_from([31, 32, 33, 63, 64, 65, 255, 256, 257]))
long_sizes = st.one_of(
    sizes,
    st.sampled_from([639, 640, 641, 703, 704, 705, 1023, 1024, 1025, 1279, 1281, 1407, 1408, 1409, 1600]),
)
accumulators = st.sampled_from([np.int32, np.int64])


@settings(max_examples=50)
@given(
    st.sampled_from(KINDS),
    folded_tables(),
    seeds(),
    st.tuples(long_sizes, st.integers(0, 20), sizes),
    accumulators,
    st.sampled_from([True, False]),
    st.sampled_from([1, 2, 3]),
    st.tuples(layouts(), layouts()),
)
def test_gemm(
    builds: Path,
    kind: Kind,
    table: FoldedTable,
    seed: int,
    shape: tuple[int, int, int],
    accumulator: Any,
    stream_left: bool,
    splits: int,
    layout: tuple[str, str],
) -> None:
    m, k, n = shape if stream_left else shape[::-1]
    a = laid_out(integers(seed, (m, k), np.uint8), layout[0])
    b = laid_out(integers(seed + 1, (k, n), np.uint8), layout[1])
    accumulator = accumulator if fits(table, k, accumulator) else np.int64
    if accumulator is np.int64 and kind not in INT64_KINDS:
        kind = INT64_KINDS[seed % 3]
    with forced(builds, kind, stream_left, splits, seed) as (runtime, _):
        checked_gemm(runtime, table, a, b, accumulator)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("ends", [(0, 65535), (-30000, 35000), (0, 69071)])
def test_gemm_over_the_edges_of_tiles(builds: Path, kind: Kind, ends: tuple[int, int]) -> None:
    table = random_folded(1, *ends)
    with forced(builds, kind, True, 1) as (runtime, used):
        for extra in (-1, 0, 1):
            m, n = (kind.rows if kind.run else 1024) + extra, (kind.lanes or 64) + extra
            a, b = integers(1, (m, 3), np.uint8), integers(2, (3, n), np.uint8)
            checked_gemm(runtime, table, a, b, np.int32)
    assert all(v.stream_left and v.splits == 1 for v in used)
    assert ends[1] - ends[0] >= 65536 or all(map(kind.has, used))


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_entry_is_looked_up(builds: Path, kind: Kind) -> None:
    """The exhaustive table, entry by entry: all 256 x 256 operands, in both roles."""
    table = random_folded(2, -32768, 32767)
    every = np.arange(256, dtype=np.uint8)
    for stream_left in (True, False):
        with forced(builds, kind, stream_left, 1) as (runtime, _):
            checked_gemm(runtime, table, every[:, None], every[None], np.int32)


@pytest.mark.parametrize(
    ("kind", "accumulator"),
    [(kind, np.int32) for kind in KINDS] + [(kind, np.int64) for kind in INT64_KINDS],
    ids=str,
)
def test_largest_entries_stay_apart(builds: Path, kind: Kind, accumulator: Any) -> None:
    """Sums of packed 16-bit entries: each neighbour as full as it can be, or empty."""
    values = np.zeros((256, 256), np.int32)
    values[:, ::2] = 65535
    table = FoldedTable(values, 65535, (0, 255), (0, 255))
    a, b = np.full((40, 300), 7, np.uint8), np.tile(np.arange(17, dtype=np.uint8), (300, 1))
    with forced(builds, kind, True, 1) as (runtime, _):
        checked_gemm(runtime, table, a, b, accumulator)


@settings(max_examples=30)
@given(
    st.sampled_from(KINDS),
    seeds(),
    st.sampled_from(
        [
            ((), (2,)),
            ((2,), ()),
            ((3, 1), (2,)),
            ((1,), (4,)),
            ((2, 3), (2, 3)),
            ((0,), ()),
            ((), (0,)),
            ((1,), (1,)),
        ]
    ),
    st.tuples(*[st.integers(0, 5)] * 3),
    st.sampled_from([1, 2]),
    st.tuples(layouts(), layouts()),
)
def test_batches_broadcast(
    builds: Path,
    kind: Kind,
    seed: int,
    batches: tuple[tuple[int, ...], tuple[int, ...]],
    shape: tuple[int, int, int],
    splits: int,
    layout: tuple[str, str],
) -> None:
    m, k, n = shape
    a = laid_out(integers(seed, (*batches[0], m, k), np.uint8), layout[0])
    b = laid_out(integers(seed + 1, (*batches[1], k, n), np.uint8), layout[1])
    with forced(builds, kind, None, splits, seed) as (runtime, _):
        checked_gemm(runtime, random_folded(seed, -5, 60000), a, b, np.int32)


@pytest.mark.parametrize("kind", INT64_KINDS, ids=str)
@pytest.mark.parametrize("ends", ENTRY_RANGES)
def test_sums_beyond_the_safe_depth_are_exact(builds: Path, kind: Kind, ends: tuple[int, int]) -> None:
    """As if few entries filled 32 bits: more pieces, added in 64 bits."""
    table = random_folded(4, *ends)
    table.values[:16] = ends[1]

    def shallow(of: FoldedTable) -> Entries:
        return replace(entries(of), safe_depth=min(entries(of).safe_depth, 3))

    a, b = integers(1, (5, 8), np.uint8), integers(2, (8, 9), np.uint8)
    with patch.object(gather, "entries", shallow), forced(builds, kind) as (runtime, used):
        checked_gemm(runtime, table, a, b, np.int64)
    assert used[0].kernel == "gather_table" or used[0].piece <= 3


@pytest.mark.parametrize("device", [TURING, AMPERE, GAMING, HOPPER], ids=lambda device: device.name)
def test_the_chosen_variant_sums_a_large_product(builds: Path, device: Device) -> None:
    table = random_folded(6, -100, 65000)
    a, b = integers(1, (1700, 7), np.uint8), integers(2, (7, 150), np.uint8)
    with using(EmulatedRuntime(builds, device)) as runtime:
        checked_gemm(runtime, table, a, b, np.int32)


def test_blocks_take_several_tiles(builds: Path) -> None:
    """More tiles than a block that copied the table: each block goes on to its next one."""
    few = replace(HOPPER, multiprocessors=2)
    table = random_folded(7, 0, 65535)
    a, b = integers(1, (300, 5), np.uint8), integers(2, (5, 200), np.uint8)
    for kernel in ("gather_columns", "gather_table"):
        with forced(builds, Kind(few, kernel, table_shared=True), True, 1) as (runtime, used):
            checked_gemm(runtime, table, a, b, np.int32)
            assert used[0].tiles > used[0].blocks(few) == 2


@st.composite
def convolutions(draw: st.DrawFn) -> dict[str, Any]:
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    kernel = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    dilation = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    size = tuple(dilation[i] * (kernel[i] - 1) + 1 + draw(st.integers(0, 9)) for i in range(2))
    channels, filters = draw(st.integers(0, 3)), draw(st.sampled_from([0, 1, 2, 7, 8, 9, 16, 20, 65]))
    some = st.tuples(st.integers(0, 3), st.integers(0, 3))
    padding = draw(st.one_of(st.tuples(some, some), st.sampled_from(["same", "valid", 1])))
    return {
        "x_shape": (draw(st.integers(0, 3)), groups * channels, *size),
        "w_shape": (groups * filters, channels, *kernel),
        "stride": draw(st.tuples(st.integers(1, 3), st.integers(1, 3))),
        "dilation": dilation,
        "padding": padding,
        "groups": groups,
    }


def checked_conv2d(
    runtime: EmulatedRuntime,
    table: FoldedTable,
    arguments: dict[str, Any],
    pad: int,
    accumulator: Any,
    seed: int = 0,
    layout: tuple[str, str] = ("C", "C"),
    pad_on_device: bool = False,
) -> None:
    x = laid_out(integers(seed, arguments["x_shape"], np.uint8), layout[0])
    w = laid_out(integers(seed + 1, arguments["w_shape"], np.uint8), layout[1])
    where, xp = geometry(**arguments), runtime.xp
    if not fits(table, int(np.prod(w.shape[1:])), accumulator):
        accumulator = np.int64
    given = xp.asarray(np.uint8(pad)) if pad_on_device else pad
    out = gather.conv2d(table, device_copy(xp, x), device_copy(xp, w), where, given, accumulator)
    expected = reference.conv2d(table, x, w, where, pad, accumulator)
    assert out.dtype == expected.dtype
    assert out.shape == expected.shape
    assert np.array_equal(xp.asnumpy(out), expected)


@settings(max_examples=40)
@given(
    st.sampled_from(PATCH_KINDS),
    folded_tables(),
    seeds(),
    convolutions(),
    st.integers(0, 255),
    accumulators,
    st.booleans(),
    st.sampled_from([1, 2]),
    st.tuples(layouts(), layouts()),
    st.booleans(),
)
def test_conv2d(
    builds: Path,
    kind: Kind,
    table: FoldedTable,
    seed: int,
    arguments: dict[str, Any],
    pad: int,
    accumulator: Any,
    stream_left: bool,
    splits: int,
    layout: tuple[str, str],
    pad_on_device: bool,
) -> None:
    with forced(builds, kind, stream_left, splits, seed) as (runtime, _):
        checked_conv2d(runtime, table, arguments, pad, accumulator, seed, layout, pad_on_device)


@pytest.mark.parametrize("kind", PATCH_KINDS, ids=str)
@pytest.mark.parametrize(
    ("x_shape", "w_shape", "groups"), [((3, 5, 16, 17), (70, 5, 3, 3), 1), ((2, 4, 23, 19), (34, 2, 2, 3), 2)]
)
def test_conv2d_over_many_tiles(
    builds: Path, kind: Kind, x_shape: tuple[int, ...], w_shape: tuple[int, ...], groups: int
) -> None:
    arguments = {"x_shape": x_shape, "w_shape": w_shape, "padding": ((2, 1), (0, 3)), "groups": groups}
    with forced(builds, kind, True, 1) as (runtime, used):
        checked_conv2d(runtime, random_folded(3, 0, 65535), arguments, 9, np.int32)
    assert kind.has(used[0])
    assert used[0].stream_left


@pytest.mark.parametrize("kind", PATCH_KINDS, ids=str)
@pytest.mark.parametrize("groups", [1, 2])
def test_few_windows_are_fixed(builds: Path, kind: Kind, groups: int) -> None:
    arguments = {
        "x_shape": (3, 4, 6, 5),
        "w_shape": (90 * groups, 4 // groups, 3, 2),
        "padding": 1,
        "groups": groups,
    }
    arguments |= {"stride": (2, 3), "dilation": (1, 2)}
    with forced(builds, replace(kind, run=None), False, 1) as (runtime, used):
        checked_conv2d(runtime, random_folded(3, 0, 65535), arguments, 77, np.int32)
    assert not used[0].stream_left


@pytest.mark.parametrize("stream_left", [True, False])
@pytest.mark.parametrize("channels", [1, 2])
def test_windows_far_outside_the_image(builds: Path, stream_left: bool, channels: int) -> None:
    """Coordinates beyond 16 bits, for which the kernels are compiled with wider ones."""
    arguments = {"x_shape": (1, channels, 3, 40), "w_shape": (32 // channels**4, channels, 2, 2)}
    arguments |= {"padding": ((0, 0), (33000, 33000)), "stride": (1, 2357)}
    with forced(builds, PATCH_KINDS[0], stream_left) as (runtime, _):
        checked_conv2d(runtime, random_folded(3, 0, 65535), arguments, 5, np.int32)


@pytest.mark.parametrize("window", [(1, 1), (3, 3), (5, 5), (2, 7), (9, 4)])
@pytest.mark.parametrize("ends", [(0, 65535), (-40000, 20000), (-65535, 65535), ENTRY_RANGES[-1]])
def test_depthwise(emulated: EmulatedRuntime, window: tuple[int, int], ends: tuple[int, int]) -> None:
    arguments = {
        "x_shape": (2, 3, 23, 29),
        "w_shape": (6, 1, *window),
        "groups": 3,
        "padding": ((2, 3), (5, 4)),
    }
    arguments |= {"stride": (1, 2), "dilation": (2, 1)}
    for accumulator in (np.int32, np.int64):
        checked_conv2d(emulated, random_folded(7, *ends), arguments, 3, accumulator)
    assert set(emulated.launches) == {"gather_depthwise"}


def test_depthwise_over_many_tiles(emulated: EmulatedRuntime) -> None:
    arguments = {"x_shape": (5, 2, 30, 31), "w_shape": (2, 1, 3, 3), "groups": 2, "padding": "same"}
    checked_conv2d(emulated, random_folded(7, 0, 65535), arguments, 3, np.int32)


def test_a_channel_with_many_filters_is_no_depthwise_convolution(emulated: EmulatedRuntime) -> None:
    arguments = {"x_shape": (1, 2, 12, 12), "w_shape": (48, 1, 3, 3), "groups": 2}
    checked_conv2d(emulated, random_folded(7, 0, 65535), arguments, 3, np.int32)
    assert "gather_depthwise" not in emulated.launches


lookup_shapes = st.one_of(
    st.sampled_from([((), ()), ((3,), ()), ((2, 1), (3,)), ((0, 2), (2,)), ((4, 5), (4, 5))]),
    st.integers(0, 5000).map(lambda n: ((n,), (n,))),
)


@settings(max_examples=40)
@given(
    seeds(),
    lookup_shapes,
    st.sampled_from([(-5, 60000), (-5, 70000)]),
    st.booleans(),
    st.tuples(layouts(), layouts()),
)
def test_lookup(
    builds: Path,
    seed: int,
    shapes: tuple[tuple[int, ...], tuple[int, ...]],
    ends: tuple[int, int],
    many: bool,
    layout: tuple[str, str],
) -> None:
    table = random_folded(seed, *ends)
    a, b = (laid_out(integers(seed + i, shapes[i], np.uint8), layout[i]) for i in range(2))
    device = replace(HOPPER, multiprocessors=2)
    with (
        using(EmulatedRuntime(builds, device, seed)) as runtime,
        patch.object(gather, "_SHARED_LOOKUPS", 0 if many else 1 << 30),
    ):
        xp = runtime.xp
        # A first element left out: the address is not a multiple of anything.
        left, right = (device_copy(xp, side) for side in (a, b))
        out, expected = gather.lookup(table, left, right), reference.lookup(table, a, b)
        assert out.dtype == np.int32
        assert out.shape == expected.shape
        assert np.array_equal(xp.asnumpy(out), expected)
        if a.ndim == b.ndim == 1 and len(a) == len(b) and len(a) > 1:
            shifted = gather.lookup(table, xp.asarray(a)[1:], xp.asarray(b)[1:])
            assert np.array_equal(xp.asnumpy(shifted), expected[1:])


def test_lookup_of_every_entry(emulated: EmulatedRuntime) -> None:
    xp = emulated.xp
    every = np.arange(256, dtype=np.uint8)
    for ends in ENTRY_RANGES:
        table = random_folded(3, *ends)
        out = gather.lookup(table, xp.asarray(every[:, None]), xp.asarray(every))
        assert np.array_equal(xp.asnumpy(out), table.values)


def test_calls_can_be_captured_after_the_first(emulated: EmulatedRuntime) -> None:
    xp = emulated.xp
    table = random_folded(3, 0, 65535)
    a, b = xp.asarray(integers(1, (2, 1, 9, 5), np.uint8)), xp.asarray(integers(2, (3, 5, 7), np.uint8))
    x, w = xp.asarray(integers(3, (2, 4, 9, 8), np.uint8)), xp.asarray(integers(4, (6, 2, 3, 3), np.uint8))
    where = geometry(x_shape=x.shape, w_shape=w.shape, padding=1, groups=2)
    depthwise = geometry(x_shape=x.shape, w_shape=(4, 1, 3, 3), groups=4)
    calls = (
        lambda: gather.lookup(table, a[0, 0, :7, 0], b[0, 0]),
        lambda: gather.gemm(table, a, b, np.int64),
        lambda: gather.conv2d(table, x, w, where, 3, np.int32),
        lambda: gather.conv2d(table, x, w[:4, :1], depthwise, 3, np.int32),
    )
    for call in calls:
        first = call()
        emulated.capturing_now = True
        again = call()
        emulated.capturing_now = False
        assert np.array_equal(xp.asnumpy(again), xp.asnumpy(first))


def test_tables_are_copied_to_the_device_once(emulated: EmulatedRuntime) -> None:
    table = random_folded(3, 0, 65535)
    operand = emulated.xp.asarray(integers(1, (8, 8), np.uint8))
    with patch.object(emulated.xp, "asarray", side_effect=AssertionError):
        gather.gemm(table, operand, operand, np.int32)
        copies = emulated.constants_made
        gather.gemm(table, operand, operand, np.int32)
        assert emulated.constants_made == copies > 0


@pytest.mark.parametrize("groups", [4, 8])
@pytest.mark.parametrize("entry_bytes", [2, 4])
def test_no_two_threads_of_a_phase_meet_in_a_bank(
    emulated: EmulatedRuntime, groups: int, entry_bytes: int
) -> None:
    """Loads of 8 bytes are served 16 threads at a time, those and stores of 16 bytes 8 threads."""
    defines = {"GROUPS": groups, "ENTRY_BYTES": entry_bytes, "ROWS": 8, "BUFFERS": 1, "TABLE_SHARED": 0}
    kernel = emulated.kernel(PLACES, "places", defines | {"OUT_BYTES": 4, "PATCHES": 0})
    turns = 256 * entry_bytes // 8 * groups // 256
    pieces, vectors = (emulated.xp.empty((count, 256), np.int32) for count in (turns, 8 // groups))
    kernel((1, 1, 1), (256, 1, 1), (pieces, vectors))
    pieces, vectors = map(emulated.xp.asnumpy, (pieces, vectors))
    # A column is of 512 or 1,024 bytes, a whole number of rows of banks.
    assert all(len(set(phase % 16)) == 16 for phase in pieces.reshape(-1, 16))
    assert all(len(set(phase)) == 8 for phase in vectors.reshape(-1, 8))
    thread_groups = np.broadcast_to(np.arange(256) % groups, pieces.shape)
    done = set(zip(thread_groups.reshape(-1).tolist(), pieces.reshape(-1).tolist(), strict=True))
    assert done == {(group, piece) for group in range(groups) for piece in range(32 * entry_bytes)}
    assert np.array_equal(
        np.sort(vectors, axis=0), np.arange(256) % groups + np.arange(8 // groups)[:, None] * groups
    )
