"""Every variant of every kernel that host code can choose, as ``MACRO=1,OTHER=2``, macros sorted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

from axsim.engines.gpu.floats.engine import TILES
from axsim.engines.gpu.gather.plan import Sums, Variant, variants
from tests.cuda_emulator.emulated_runtime import DEVICES

Defines = Mapping[str, int | str]

_INDEXED: tuple[Defines, ...] = ({"PATCHES": 1, "INDEX_BYTES": 4}, {"PATCHES": 1, "INDEX_BYTES": 8})
_UNITS = (1, 2, 3, 4, 6, 8, 16, 32, 64)  # any number; how an entry is read depends on what divides it


def every_variant() -> dict[str, set[str]]:
    """For each source, its variants."""
    found: dict[str, set[str]] = {}
    for source, defines in _all():
        found.setdefault(source, set()).add(written(defines))
    return found


def written(defines: Defines) -> str:
    """As ``budgets.json`` and these variants have them."""
    return ",".join(f"{name}={value}" for name, value in sorted(defines.items()))


def _all() -> Iterator[tuple[str, Defines]]:
    for entry, out in product((2, 4), (4, 8)):
        sizes = {"ENTRY_BYTES": entry, "OUT_BYTES": out}
        for variant, patches in _planned(entry, out):
            yield f"{variant.kernel}.cu", {**variant.defines, **sizes, **patches}
        for patches in _INDEXED:
            yield "gather_depthwise.cu", {**sizes, **patches}
    for patches in ({"PATCHES": 0}, *_INDEXED):
        yield "gather_pack.cu", patches
    for entry, shared in ((2, 0), (2, 1), (4, 0)):
        yield "gather_lookup.cu", {"ENTRY_BYTES": entry, "TABLE_SHARED": shared}
    for accumulator in ("uint32", "uint64"):
        for unit in _UNITS:
            yield "factored.cu", {"UNIT": unit, "ACCUMULATOR": accumulator}
        for made in ("int32", "float"):
            yield "factored.cu", {"PRODUCT": made, "ACCUMULATOR": accumulator}
    for kind in range(3):
        for terms, tile in product((1, 2, 3), TILES):
            yield "float_forms.cu", {"AXSIM_KIND": kind, "AXSIM_TERMS": terms, "AXSIM_TILE": tile.number}
        for segments, wide in product((1, 2, 3), (0, 1)):
            yield (
                "float_segments.cu",
                {"AXSIM_KIND": kind, "AXSIM_SEGMENTS": segments, "AXSIM_WIDE": wide},
            )
    yield "float_multiply.cu", {}
    yield "quantize.cu", {}
    for real in ("float", "double"):
        yield "quantize.cu", {"FLOAT": real}
        yield "quantize.cu", {"FLOAT": real, "INTEGER": "int16"}
        for value, bias, index in product(
            ("int32", "int64", "float", "double"), ("float", "double"), ("uint32", "int64")
        ):
            yield "epilogue.cu", {"VALUE": value, "REAL": real, "BIAS": bias, "INDEX": index}


def _planned(entry: int, out: int) -> Iterator[tuple[Variant, Defines]]:
    """What the look-up kernels' planner has for narrow and wide work on every device."""
    for device, windows in product(DEVICES, (False, True)):
        for left, right in ((4096, 4096), (64, 4096)):
            for variant in variants(device, Sums(1, left, right, 4096, windows, entry, 65537, out)):
                streams_windows = windows and variant.stream_left
                for patches in _INDEXED if streams_windows else ({"PATCHES": 0},):
                    yield variant, patches
