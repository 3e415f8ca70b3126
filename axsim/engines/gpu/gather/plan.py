"""Which kernel sums table entries on a given GPU, in which tiles: arithmetic alone, no GPU needed.

Two kernels: ``columns`` (gather_columns.cu) interleaves the entries of a tile's fixed operands for each
term, which costs the same for few rows as for many; then one load looks up 16 bytes of products. ``table``
(gather_table.cu) looks products up one by one. Either operand may be the one that streams, one is fixed.

What a variant costs is estimated in cycles of a multiprocessor, from the widths stated here; the sources say
how these come about. They are not yet measured, and wrong ones cost time, never exactness.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Literal

from axsim.engines.gpu.runtime.interface import Device

THREADS = 256
TABLE_BYTES = 1 << 17  # 65,536 entries of 16 bits
_BUFFER_BYTES = 1 << 15  # the interleaved entries of a term
_STATIC_BYTES = 1 << 10
# Of lanes in a tile of gather_columns.cu: the fewer, the more rows it has, and the less is read to fill.
_GROUPS = (8, 4)
# Rows of a thread there; there are fewer registers where windows or global memory are addressed, or both and
# a buffer is filled in two turns (eight groups).
_RUNS, _RUNS_WITH_ADDRESSES, _RUNS_WITH_MORE = (8, 16, 22), (8, 20), (8, 16)
_TABLE_RUN = 4

# A multiprocessor reads so many bytes from the second-level cache in a cycle while all of them do; by compute
# capability, for a T4, an A100, an RTX 3080 and 4090, an H100, a B200 and an RTX 5090.
_L2_BYTES = {
    (7, 5): 20.0, (8, 0): 24.0, (8, 6): 16.0, (8, 9): 13.0, (9, 0): 24.0, (10, 0): 20.0, (12, 0): 13.0,
}  # fmt: skip
_OUT_BYTES = 12.0  # ... and writes
_ATOMICS = 4.0  # additions to outputs in a cycle: half a sector of eight
_CLEAR_CYCLES = 4000.0  # a launch that clears the outputs before, and what writing them takes beside it
# Of a term, in which shared memory idles around barriers: by a model that runs the machine code
# (tools/gpu_idle.py); more where the table is read from further away, or windows are; and as often again, or
# almost, where a buffer is filled and looked up in by turns.
_IDLE_CYCLES, _IDLE_FOR_TABLE, _IDLE_FOR_WINDOWS, _IDLE_BY_TURNS = 75.0, 70.0, 160.0, 1.6
_SHARED_LOOKUPS = 9.0  # one by one, at random, in shared memory
_CACHED_LOOKUPS = 4.0  # ... in the first-level cache
_SPLIT_MARGIN = 1.03  # a split must promise so much: that additions meet at the same place costs time too
_LEAST_TERMS = 16  # of a piece, where terms are split to give all multiprocessors work
MOST_TILES = 2**31 - 1
DEPTHWISE_FILTERS = 16  # a channel with as many filters has lanes enough for the kernels planned here
_MOST_SPLITS = 264


@dataclass(frozen=True)
class Sums:
    """What is to be summed: ``batch`` products of matrices, (left, depth) by (depth, right).

    Attributes:
        windows: the left operand is an image batch's windows, which stream without being unfolded.
        entry_bytes: 2 or 4, for a table entry.
        safe_depth: so many entries fit a 32-bit sum.
        out_bytes: 4 where sums modulo 2**32 do, or 8.
    """

    batch: int
    left: int
    right: int
    depth: int
    windows: bool
    entry_bytes: int
    safe_depth: int
    out_bytes: int


@dataclass(frozen=True)
class Variant:
    """A kernel and its tiles.

    Attributes:
        kernel: the source and kernel, ``gather_columns`` or ``gather_table``.
        stream_left: whether the left operand is the one that streams.
        rows, lanes: operands of the stream, and fixed ones, in a tile.
        run: rows of a thread.
        groups: of lanes of a tile, each for its threads; 0 for ``gather_table``.
        splits, piece: into how many pieces the terms are split, and the most terms of one; where there are
            several, their sums are added.
        table_shared: whether each block copies the table to shared memory.
        buffers: of interleaved entries, 2 if one is filled while the other is used; 0 for ``gather_table``.
        shared: bytes of dynamic shared memory.
        tiles: how many there are, pieces counted.
        cycles: the estimated time.
    """

    kernel: Literal["gather_columns", "gather_table"]
    stream_left: bool
    rows: int
    lanes: int
    run: int
    groups: int
    splits: int
    piece: int
    table_shared: bool
    buffers: int
    shared: int
    tiles: int
    cycles: float

    @property
    def defines(self) -> dict[str, int]:
        """The macros that make the kernel this variant."""
        own = (
            {"LANES": self.lanes}
            if self.kernel == "gather_table"
            else {"ROWS": self.run, "GROUPS": self.groups, "BUFFERS": self.buffers}
        )
        return {**own, "TABLE_SHARED": int(self.table_shared)}

    @property
    def pitch(self) -> int:
        """Bytes that a thread's rows have in the packed stream."""
        return -(-self.run // 4) * 4

    def blocks(self, device: Device) -> int:
        """How many blocks share the tiles: where each copies the table first, one a multiprocessor."""
        return min(self.tiles, device.multiprocessors) if self.table_shared else self.tiles


@lru_cache(maxsize=1024)  # a network has few shapes, and choosing takes milliseconds
def choose_variant(device: Device, work: Sums) -> Variant:
    """The variant with the least estimated time among those that the device's shared memory allows.

    Raises:
        ValueError: the work has more tiles than a kernel counts.

    >>> h100 = Device("H100", (9, 0), 132, 227 << 10, 228 << 10, 50 << 20, 1.98e9)
    >>> variant = choose_variant(h100, Sums(1, 4096, 4096, 4096, False, 2, 65537, 4))
    >>> variant.kernel, variant.rows, variant.lanes, variant.table_shared
    ('gather_columns', 1408, 32, True)
    """
    best = min(variants(device, work), key=lambda variant: variant.cycles)
    if best.tiles > MOST_TILES:
        raise ValueError(
            f"{work.batch} products of ({work.left}, {work.depth}) by ({work.depth}, {work.right}) make "
            f"{best.tiles} tiles, expected at most {MOST_TILES}; call it for parts of the batch"
        )
    return best


def variants(device: Device, work: Sums) -> Iterator[Variant]:
    """All that the device can run, for work that is not empty."""
    # Fixed windows are unfolded: fewer bytes than the other operand has, or they must stream.
    for stream_left in (True, False) if not work.windows or work.left <= work.right else (True,):
        for kernel in (_columns, _table):
            yield from kernel(device, work, stream_left)


def _columns(device: Device, work: Sums, stream_left: bool) -> Iterator[Variant]:
    streams_windows = work.windows and stream_left
    for table_shared, groups in product((True, False) if work.entry_bytes == 2 else (False,), _GROUPS):
        lanes = groups * 16 // work.entry_bytes
        # As many rows as registers allow; fewer where tiles of so many cover the work badly.
        runs = _RUNS if table_shared and not streams_windows else _RUNS_WITH_ADDRESSES
        if streams_windows and not table_shared and groups == 8:
            runs = _RUNS_WITH_MORE
        for run in runs:
            rows = THREADS // groups * run
            for buffers in (2, 1):
                staged = (buffers + 1) * (THREADS // groups * -(-run // 4) * 4 + lanes)
                shared = table_shared * TABLE_BYTES + buffers * _BUFFER_BYTES + staged
                if shared + _STATIC_BYTES > device.shared_per_block:
                    continue
                # 128 bytes a cycle: entries, a warp's staged operands four at a time, stores of the fill, and
                # what it reads of the table, through the first-level cache too, for that is the same memory.
                filled = _BUFFER_BYTES * groups // 8
                stores = (_BUFFER_BYTES + filled) / 128
                look_up = rows * groups / 8 + THREADS / 32 * (-(-run // 4) + 3) + stores
                read = 0.0 if table_shared else filled / _l2_bytes(device)
                term = max(look_up, read) if buffers == 2 else look_up + read
                idle = (
                    _IDLE_CYCLES + _IDLE_FOR_TABLE * (not table_shared) + _IDLE_FOR_WINDOWS * streams_windows
                )
                term += idle if buffers == 2 else idle * _IDLE_BY_TURNS
                for splits, piece, tiles, cycles in _splits(
                    device, work, stream_left, rows, lanes, term, table_shared, work.safe_depth
                ):
                    yield Variant(
                        *("gather_columns", stream_left, rows, lanes, run, groups, splits, piece),
                        *(table_shared, buffers, shared, tiles, cycles),
                    )


def _table(device: Device, work: Sums, stream_left: bool) -> Iterator[Variant]:
    rows = THREADS * _TABLE_RUN
    shared = TABLE_BYTES if work.entry_bytes == 2 and device.shared_per_block >= TABLE_BYTES else 0
    used = min(rows, work.left if stream_left else work.right)
    for lanes in (8, 1):
        # Rows past the end repeat the last one: a whole warp then reads one entry, in one cycle.
        term = lanes * (used / (_SHARED_LOOKUPS if shared else _CACHED_LOOKUPS) + (rows - used) / 32)
        for splits, piece, tiles, cycles in _splits(
            device, work, stream_left, rows, lanes, term, bool(shared), MOST_TILES
        ):
            yield Variant(
                *("gather_table", stream_left, rows, lanes, _TABLE_RUN, 0, splits, piece),
                *(bool(shared), 0, shared, tiles, cycles),
            )


def _splits(
    device: Device,
    work: Sums,
    stream_left: bool,
    rows: int,
    lanes: int,
    term_cycles: float,
    table_shared: bool,
    safe_depth: int,
) -> Iterator[tuple[int, int, int, float]]:
    """Ways to split the terms: pieces, terms of a piece, tiles in all, and the estimated cycles."""
    stream, fixed = (work.left, work.right) if stream_left else (work.right, work.left)
    whole = work.batch * _pieces(stream, rows) * _pieces(fixed, lanes)
    most = MOST_TILES if work.out_bytes == 4 else min(safe_depth, MOST_TILES)
    least = _pieces(work.depth, most)
    useful = _balanced(whole, device.multiprocessors)
    cleared = _CLEAR_CYCLES + work.batch * work.left * work.right * work.out_bytes / (
        _OUT_BYTES * device.multiprocessors
    )
    for wanted in {least, *(s for s in useful if least < s <= work.depth // _LEAST_TERMS)}:
        piece = _pieces(work.depth, wanted)
        splits = _pieces(work.depth, piece)  # none is empty
        outputs = rows * lanes * (1 / _ATOMICS if splits > 1 else work.out_bytes / _OUT_BYTES)
        tiles = whole * splits
        waves = _pieces(tiles, device.multiprocessors)
        cycles = waves * (piece * term_cycles + outputs) + table_shared * TABLE_BYTES / _l2_bytes(device)
        if splits > 1:
            cycles = (cycles + cleared) * _SPLIT_MARGIN
        yield splits, piece, tiles, cycles


@lru_cache(maxsize=1024)
def _balanced(tiles: int, multiprocessors: int) -> tuple[int, ...]:
    """Into how many pieces the terms of so many tiles are worth splitting.

    Each number leaves less of the multiprocessors idle than all smaller ones, as tiles go in waves.

    >>> _balanced(96, 108)
    (1, 9)
    """
    found: list[int] = []
    least_idle = 1.0
    for splits in range(1, _MOST_SPLITS + 1):
        waves = _pieces(tiles * splits, multiprocessors)
        idle = 1 - tiles * splits / (multiprocessors * waves)
        if idle < least_idle:
            found.append(splits)
            least_idle = idle
    return tuple(found)


def _l2_bytes(device: Device) -> float:
    return _L2_BYTES.get(device.capability, min(_L2_BYTES.values()))


def _pieces(count: int, size: int) -> int:
    return -(-count // size)
