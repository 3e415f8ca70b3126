"""Variants of the look-up kernels: every one fits its device, and the choice follows the shape."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axsim.engines.forms.folded import FoldedTable
from axsim.engines.gpu import choice
from axsim.engines.gpu.gather.plan import (
    _L2_BYTES,
    MOST_TILES,
    Sums,
    Variant,
    _balanced,
    choose_variant,
    variants,
)
from axsim.engines.gpu.gather.tables import entries
from axsim.engines.gpu.runtime.interface import Device
from tests.cuda_emulator.emulated_runtime import DEVICES, HOPPER

STATIC = 1 << 10  # of gather_columns.cu

sizes = st.one_of(st.integers(1, 5000), st.sampled_from([2**20, 2**31, 2**33]))


@st.composite
def works(draw: st.DrawFn) -> Sums:
    entry_bytes = draw(st.sampled_from([2, 4]))
    span = draw(st.integers(1, 65535) if entry_bytes == 2 else st.integers(65536, 2**32 - 1))
    return Sums(
        batch=draw(st.one_of(st.integers(1, 300), st.just(100_000))),
        left=draw(sizes),
        right=draw(sizes),
        depth=draw(st.one_of(st.integers(1, 5000), st.sampled_from([65537, 65538, 2**32]))),
        windows=draw(st.booleans()),
        entry_bytes=entry_bytes,
        safe_depth=(2**32 - 1) // span,
        out_bytes=draw(st.sampled_from([4, 8])),
    )


@given(st.sampled_from(DEVICES), works())
def test_every_variant_fits_the_device_and_covers_the_work(device: Device, work: Sums) -> None:
    found = list(variants(device, work))
    assert found
    for v in found:
        static = STATIC if v.kernel == "gather_columns" else 0
        assert v.shared + static <= device.shared_per_block
        stream, fixed = (work.left, work.right) if v.stream_left else (work.right, work.left)
        assert v.tiles == work.batch * -(-stream // v.rows) * -(-fixed // v.lanes) * v.splits
        assert (v.splits - 1) * v.piece < work.depth <= v.splits * v.piece
        assert v.piece < 2**31
        assert 1 <= v.blocks(device) <= v.tiles
        if v.kernel == "gather_columns" and work.out_bytes == 8:
            assert v.piece <= work.safe_depth
        if v.table_shared:
            assert work.entry_bytes == 2
            assert v.blocks(device) <= device.multiprocessors
        if work.windows and not v.stream_left:
            assert work.left <= work.right  # unfolded windows take no more than the weights


@given(st.sampled_from(DEVICES), works())
def test_the_choice_is_a_variant_that_a_launch_can_have(device: Device, work: Sums) -> None:
    if min(variants(device, work), key=lambda v: v.cycles).tiles > MOST_TILES:
        with pytest.raises(ValueError, match="tiles"):
            choose_variant(device, work)
        return
    chosen = choose_variant(device, work)
    assert chosen in list(variants(device, work))
    assert chosen.blocks(device) <= 2**31 - 1


def chosen(m: int, k: int, n: int, device: Device = HOPPER, **changes: object) -> Variant:
    given = {"batch": 1, "windows": False, "entry_bytes": 2, "safe_depth": 65537, "out_bytes": 4}
    return choose_variant(device, Sums(left=m, right=n, depth=k, **(given | changes)))  # type: ignore[arg-type]


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.name)
def test_figures_are_there_for_the_generation(device: Device) -> None:
    assert device.capability in _L2_BYTES
    assert device.capability in choice._MULTIPLY_ADDS


def test_the_second_level_cache_is_slower_than_hoppers_on_other_generations() -> None:
    """A kernel that reads its table from there takes longer then, in cycles."""
    (ada,) = (device for device in DEVICES if device.capability == (8, 9))
    work, cycles = Sums(1, 4096, 4096, 4096, False, 2, 65537, 4), []
    for device in (ada, replace(HOPPER, shared_per_block=ada.shared_per_block)):
        (v,) = (
            v
            for v in variants(device, work)
            if v.stream_left and (v.run, v.groups, v.buffers, v.splits) == (20, 8, 2, 1)
        )
        cycles.append(v.cycles / -(-v.tiles // device.multiprocessors))
    assert cycles[0] > 1.3 * cycles[1]


def test_large_products_interleave_columns() -> None:
    for device in DEVICES:
        assert chosen(4096, 4096, 4096, device).kernel == "gather_columns"
    assert chosen(4096, 4096, 4096).table_shared


@pytest.mark.parametrize(("m", "n"), [(1, 4096), (4096, 1), (4, 4000), (12, 12)])
def test_narrow_products_look_up_one_by_one(m: int, n: int) -> None:
    variant = chosen(m, 4096, n)
    assert variant.kernel == "gather_table"
    assert variant.stream_left == (m > n) or m == n


@pytest.mark.parametrize(("m", "k", "n"), [(64, 8192, 64), (1, 4096, 4096), (49, 4608, 512), (512, 512, 512)])
def test_small_outputs_occupy_many_multiprocessors(m: int, k: int, n: int) -> None:
    """Terms are split where there are fewer tiles than multiprocessors."""
    assert chosen(m, k, n).tiles >= HOPPER.multiprocessors / 4


@given(st.integers(1, 2000), st.integers(1, 200))
def test_terms_are_split_where_the_last_wave_is_fuller_for_it(tiles: int, multiprocessors: int) -> None:
    """No number of pieces that is left out would leave less of the GPU idle than all smaller ones."""
    kept = _balanced(tiles, multiprocessors)
    idle = [-tiles * s % multiprocessors / -(-tiles * s // multiprocessors) for s in range(1, 265)]
    assert kept == tuple(s for s in range(1, 265) if all(idle[s - 1] < before for before in idle[: s - 1]))


def test_a_wave_that_is_mostly_idle_is_filled() -> None:
    """Of 2048 rows and columns an A100 has fewer tiles than multiprocessors."""
    (ampere,) = (device for device in DEVICES if device.capability == (8, 0))
    variant = chosen(2048, 2048, 2048, ampere)
    assert variant.splits > 1
    waves = -(-variant.tiles // ampere.multiprocessors)
    assert variant.tiles > 0.95 * waves * ampere.multiprocessors


def test_the_longer_operand_streams() -> None:
    assert chosen(100_000, 64, 64).stream_left
    assert not chosen(64, 64, 100_000).stream_left


def test_windows_stream_unless_they_are_few() -> None:
    assert chosen(200_704, 576, 64, windows=True).stream_left
    assert not chosen(49, 4608, 4096, windows=True).stream_left
    assert all(v.stream_left for v in variants(HOPPER, Sums(1, 65, 64, 64, True, 2, 65537, 4)))


def test_the_most_rows_only_where_registers_allow() -> None:
    """22 rows of a thread leave no registers to address windows or the table's second-level copy."""
    for device in DEVICES:
        for windows in (False, True):
            for v in variants(device, Sums(1, 999, 9999, 99, windows, 2, 65537, 4)):
                if v.run > 20:
                    assert v.table_shared
                    assert not (windows and v.stream_left)


def test_too_many_tiles_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"68719476736 products of \(1, 1\).*parts of the batch"):
        chosen(1, 1, 1, batch=2**36)


@pytest.mark.parametrize(
    ("low", "high", "entry_bytes"),
    [(0, 65535, 2), (-3, 65532, 2), (0, 65536, 4), (-(2**31), 2**31 - 1, 4), (7, 7, 2)],
)
def test_entries_fit_their_type_and_sums(low: int, high: int, entry_bytes: int) -> None:
    values = np.full((256, 256), low, np.int32)
    values[3, 5] = high
    kept = entries(FoldedTable(values, max(abs(low), abs(high)), (0, 255), (0, 255)))
    assert (kept.offset, kept.entry_bytes) == (low, entry_bytes)
    span = max(high - low, 1)
    assert kept.safe_depth * span < 2**32 <= (kept.safe_depth + 1) * span
