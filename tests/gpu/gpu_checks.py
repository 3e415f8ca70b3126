"""What must hold on a GPU: the CPU's numbers, from every engine, in whatever circumstances.

Every check takes the place to run in, so that the same code runs on a GPU and on the emulated one.
"""

from __future__ import annotations

import contextvars
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import patch

import numpy as np
from drawn_arrays import integers, random_table
from float_cases import multipliers, numbers_of
from gpu_places import Host, Kind, Place

import axsim
from axsim.engines.forms.factored_table import known_form
from axsim.engines.forms.folded import fold
from axsim.engines.gpu import factored, factored_terms
from axsim.engines.gpu.floats import engine as floats
from axsim.engines.gpu.gather import engine as gather
from axsim.engines.gpu.gather.plan import Sums, Variant, variants
from axsim.engines.gpu.runtime.interface import Device
from axsim.engines.isa import NATIVE_IS_BUILT
from axsim.engines.shapes.geometry import geometry
from axsim.multipliers import FloatMultiplier, Multiplier
from axsim.quantize import QuantParams, affine
from tests.gpu.gpu_oracle import float_sums, some, table_sums, table_windows

Shape = tuple[int, int, int]  # M, K, N
Types = tuple[type[Any], type[Any]]

U8, I8 = np.uint8, np.int8
TYPES: tuple[Types, ...] = ((U8, U8), (U8, I8), (I8, I8))
CPU = "native" if NATIVE_IS_BUILT else "reference"
GARBAGE = 1 << 26  # bytes of the allocator's memory that are filled with it

# T[0, 0] is not 0 and no two columns are equal, so that padding and mixed-up operands show.
DRAWN = {
    f"drawn{n}": Multiplier(f"drawn{n}", 8, 8, False, simulate=lambda n=n: random_table(n, high=2**n - 1))
    for n in (16, 17)
}

CONVOLUTIONS: dict[str, dict[str, Any]] = {
    "3x3": {"x": (2, 3, 9, 10), "w": (8, 3, 3, 3), "padding": 1},
    "7x7 stride 2": {"x": (1, 3, 23, 22), "w": (9, 3, 7, 7), "padding": 3, "stride": 2},
    "1x1": {"x": (3, 17, 5, 6), "w": (33, 17, 1, 1)},
    "stride by axis, padding by side": {
        "x": (2, 4, 11, 8),
        "w": (5, 4, 3, 2),
        "stride": (3, 2),
        "padding": ((0, 2), (1, 0)),
    },
    "dilated, same": {"x": (2, 2, 12, 9), "w": (7, 2, 3, 3), "dilation": (2, 3), "padding": "same"},
    "groups": {"x": (2, 6, 7, 7), "w": (12, 3, 3, 3), "groups": 2, "padding": 1},
    "depthwise": {"x": (2, 9, 13, 12), "w": (9, 1, 3, 3), "groups": 9, "padding": 1, "stride": 2},
    "depthwise, 5x5, two filters a channel": {
        "x": (1, 5, 9, 9),
        "w": (10, 1, 5, 5),
        "groups": 5,
        "padding": 2,
    },
    "few windows, many filters": {"x": (1, 4, 3, 3), "w": (150, 4, 3, 3)},
    "wider than a tile": {"x": (5, 2, 16, 15), "w": (65, 2, 2, 2)},
    "no images": {"x": (0, 3, 5, 5), "w": (4, 3, 3, 3)},
    "no channels": {"x": (2, 0, 5, 5), "w": (4, 0, 3, 3)},
}
BATCHES = (
    ((2, 3, 5, 7), (7, 4)),
    ((5, 7), (3, 7, 4)),
    ((2, 1, 5, 7), (3, 7, 4)),
    ((4, 1, 7), (4, 7, 1)),
    ((7,), (3, 7, 4)),
    ((2, 5, 7), (7,)),
    ((0, 5, 7), (7, 4)),
)
THROUGH_TABLES = (
    "float32[L40]",
    "float32[12N4]",
    "bfloat16[L40]",
    "bfloat16[mitchell8]",
    "float16[drum8_4]",
)
LAYOUTS = ("contiguous", "transposed", "every other", "offset", "reversed", "broadcast")


# --- comparing --------------------------------------------------------------------------------------------


def assert_same(kind: Kind, got: Any, expected: Any, what: str) -> None:
    """Fail unless the array is of the kind and holds these numbers, bit for bit; say where it does not."""
    expected = np.asarray(expected)
    assert kind.owns(got), f"{what}: a {type(got).__module__}.{type(got).__qualname__} came back"
    found = kind.host(got)
    assert found.shape == expected.shape, f"{what}: shape {found.shape}, expected {expected.shape}"
    assert found.dtype == expected.dtype, f"{what}: {found.dtype}, expected {expected.dtype}"
    wrong = different(found, expected)
    assert not wrong.any(), f"{what}: {where(wrong, found, expected)}"


def different(found: Host, expected: Host) -> Host:
    """Where two arrays differ; a NaN is a NaN, but 0.0 is not -0.0."""
    if found.dtype.kind != "f":
        return found != expected
    unsigned = np.dtype(f"u{found.itemsize}")
    return (found.view(unsigned) != expected.view(unsigned)) & ~(np.isnan(found) & np.isnan(expected))


def where(wrong: Host, found: Host, expected: Host) -> str:
    """How many numbers are wrong, and in which part of the array: the edge of a tile shows."""
    places = np.argwhere(wrong)
    first = tuple(map(int, places[0])) if wrong.ndim else ()
    box = [f"{low}..{high}" for low, high in zip(places.min(axis=0), places.max(axis=0), strict=True)]
    return (
        f"{len(places)} of {wrong.size} numbers differ, within [{', '.join(box)}] of {list(wrong.shape)}; "
        f"the first at {first}: {found[first]}, expected {expected[first]}"
    )


def legal(mult: Multiplier, seed: int, shape: tuple[int, ...], dtype: Any) -> Host:
    """Operands all over what the circuit takes."""
    values = integers(seed, shape, dtype)
    return values & U8(127) if mult.signed and dtype is U8 else values


def engines_of(mult: Multiplier, types: Types) -> list[str]:
    """Engines that make the sums of these operands on a GPU."""
    return ["auto", "gather"] + ["factored"] * (form_of(mult, types) is not None)


def form_of(mult: Multiplier, types: Types) -> Any:
    """The factors of the multiplier's table, if they are known."""
    a_type, b_type = map(np.dtype, types)
    return known_form(mult.table, fold(mult.table, a_type, b_type), a_type, b_type)


def integer_multiplier(name: str) -> Multiplier:
    """One of the registry, or a drawn one."""
    found = DRAWN.get(name) or axsim.get(name)
    assert isinstance(found, Multiplier)
    return found


def integer_names() -> list[str]:
    """All integer multipliers of the registry."""
    return [name for name in axsim.list_multipliers() if isinstance(axsim.get(name), Multiplier)]


def float_names() -> list[str]:
    """Of the registry, and drawn ones of every format, rounding and rule, as far as GPUs have kernels.

    No table is asked for: tests are collected by these names, before there is a folder to keep tables in.
    """
    return [name for name, mult in multipliers().items() if floats.supports(mult)] + list(THROUGH_TABLES)


def float_multiplier(name: str) -> FloatMultiplier:
    """One of these."""
    found = multipliers().get(name) or axsim.get(name)
    assert isinstance(found, FloatMultiplier)
    return found


# --- integers ---------------------------------------------------------------------------------------------


def check_every_pair(place: Place, name: str, all_types: tuple[Types, ...] = TYPES) -> None:
    """All pairs of operands, as elements and as products of a column by a row, through every engine."""
    mult, kind = integer_multiplier(name), place.kinds[0]
    for types in all_types:
        a, b = (np.arange(256, dtype=U8).view(dtype) for dtype in types)
        if mult.signed:
            a, b = (side[side < 128] if side.dtype == U8 else side for side in (a, b))
        a, b = a[:, None], b[None]
        expected = axsim.multiply(a, b, mult, engine=CPU)
        kind.poison(GARBAGE)
        what = f"{name}, {a.dtype} by {b.dtype}"
        on = kind.array(a), kind.array(b)
        assert_same(kind, axsim.multiply(*on, mult), expected, f"multiply, {what}")
        for engine in engines_of(mult, types):
            assert_same(kind, axsim.matmul(*on, mult, engine=engine), expected, f"matmul, {what}, {engine}")


def check_matmul(place: Place, name: str, shape: Shape, types: Types, out_dtype: str = "int32") -> None:
    """A product of matrices through every engine, and through every compute_type of the factored one."""
    mult, kind, (m, k, n) = integer_multiplier(name), place.kinds[0], shape
    a, b = legal(mult, 1, (m, k), types[0]), legal(mult, 2, (k, n), types[1])
    expected = axsim.matmul(a, b, mult, out_dtype=out_dtype, engine=CPU)
    kind.poison(GARBAGE)
    on = kind.array(a), kind.array(b)
    what = f"{name}, {a.dtype} {a.shape} by {b.dtype} {b.shape}, {out_dtype}"
    for engine in engines_of(mult, types):
        got = axsim.matmul(*on, mult, out_dtype=out_dtype, engine=engine)
        assert_same(kind, got, expected, f"{what}, {engine}")
    form = form_of(mult, types)
    for compute_type in factored_terms.COMPUTE_TYPES if form is not None else ():
        if factored_terms.carries(form, compute_type):
            got = factored.gemm(form, *(x.view(U8) for x in on), out_dtype, compute_type)
            assert_same(kind, got, expected, f"{what}, factored {compute_type}")


def check_batches(place: Place, name: str, a_shape: tuple[int, ...], b_shape: tuple[int, ...]) -> None:
    """Stacks of matrices, broadcast; vectors."""
    mult, kind = integer_multiplier(name), place.kinds[0]
    a, b = legal(mult, 3, a_shape, U8), legal(mult, 4, b_shape, I8)
    expected = np.asarray(axsim.matmul(a, b, mult, engine=CPU))
    kind.poison(GARBAGE)
    on = kind.array(a), kind.array(b)
    for engine in engines_of(mult, (U8, I8)):
        got = axsim.matmul(*on, mult, engine=engine)
        assert_same(kind, got, expected, f"{name}, {a_shape} by {b_shape}, {engine}")


def check_conv2d(
    place: Place, name: str, case: str, types: Types = (U8, I8), out_dtype: str = "int32"
) -> None:
    """A convolution of integers with a bias through every engine."""
    mult, kind, (x_shape, w_shape, options) = integer_multiplier(name), place.kinds[0], convolution(case)
    x, w = legal(mult, 5, x_shape, types[0]), legal(mult, 6, w_shape, types[1])
    bias = integers(7, (w_shape[0],), np.int16)
    expected = axsim.conv2d(x, w, mult, bias=bias, out_dtype=out_dtype, engine=CPU, **options)
    kind.poison(GARBAGE)
    on = kind.array(x), kind.array(w)
    for engine in engines_of(mult, types):
        options |= {"bias": kind.array(bias), "out_dtype": out_dtype, "engine": engine}
        got = axsim.conv2d(*on, mult, **options)
        assert_same(kind, got, expected, f"{name}, {case}, {x.dtype} by {w.dtype}, {out_dtype}, {engine}")


def convolution(case: str) -> tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]:
    """Shapes of x and w, and the other arguments."""
    options = dict(CONVOLUTIONS[case])
    return options.pop("x"), options.pop("w"), options


def check_variants(place: Place, name: str, out_dtype: str, case: str, most: int | None = None) -> None:
    """A product or convolution through every kernel and tile that looks products up on this GPU.

    ``case`` is "matmul" or a convolution's; ``most`` limits how many variants are tried.
    """
    mult, kind = integer_multiplier(name), place.kinds[0]
    if case == "matmul":
        operands, options = (legal(mult, 8, (1475, 41), U8), legal(mult, 9, (41, 130), U8)), {}
    else:
        x_shape, w_shape, options = convolution(case)
        operands = legal(mult, 8, x_shape, U8), legal(mult, 9, w_shape, U8)
    call = axsim.matmul if case == "matmul" else axsim.conv2d
    expected = call(*operands, mult, out_dtype=out_dtype, engine=CPU, **options)
    on = [kind.array(x) for x in operands]
    for choose in VariantsInTurn(most):
        kind.poison(GARBAGE)
        with patch.object(gather, "choose_variant", choose):
            got = call(*on, mult, out_dtype=out_dtype, engine="gather", **options)
        assert_same(kind, got, expected, f"{name}, {case}, {out_dtype}, {choose.used}")


class VariantsInTurn:
    """In the place of ``choose_variant``: one variant after the other, as it is iterated over.

    Attributes:
        used: the variant whose turn it is, once it was chosen.
    """

    def __init__(self, most: int | None) -> None:
        self.most, self.number, self.count = most, 0, 1
        self.used: Variant | None = None

    def __iter__(self) -> Iterator[VariantsInTurn]:
        while self.number < self.count:
            yield self
            self.number += 1

    def __call__(self, device: Device, work: Sums) -> Variant:
        unlike = {
            (v.kernel, v.stream_left, v.run, v.groups, v.lanes, v.table_shared, v.buffers, v.splits > 1): v
            for v in variants(device, work)
        }
        self.count = min(len(unlike), self.most or len(unlike))
        self.used = list(unlike.values())[self.number]
        return self.used


def check_large_matmul(place: Place, name: str, shape: Shape, types: Types, engine: str) -> None:
    """A large product, some rows of every tile against entries fetched by the array library."""
    mult, kind, xp, (m, k, n) = integer_multiplier(name), place.kinds[0], place.runtime.xp, shape
    on = [
        kind.array(legal(mult, 10 + i, s, t))
        for i, (s, t) in enumerate(zip(((m, k), (k, n)), types, strict=True))
    ]
    kind.poison(4 * m * n + GARBAGE)
    got = axsim.matmul(
        *on, mult, out_dtype="int64" if engine == "gather" and k > 30000 else "int32", engine=engine
    )
    rows = xp.asarray(np.array(some(m)))
    a, b = (x.view(U8) for x in on)
    values = xp.asarray(fold(mult.table, *map(np.dtype, types)).values)
    expected = xp.asnumpy(table_sums(xp, values, a[rows], b)).astype(got.dtype)
    assert_same(kind, got[rows], expected, f"{name}, {shape}, {engine}; rows {some(m)[:3]} ... {m - 1}")


def check_large_conv2d(
    place: Place, name: str, x: tuple[int, ...], w: tuple[int, ...], engine: str, **options: Any
) -> None:
    """A large convolution, some images against entries fetched by the array library."""
    mult, kind, xp = integer_multiplier(name), place.kinds[0], place.runtime.xp
    on = kind.array(legal(mult, 12, x, U8)), kind.array(legal(mult, 13, w, I8))
    where_ = geometry(x_shape=x, w_shape=w, **options)
    kind.poison(4 * x[0] * w[0] * math.prod(where_.output_size(*x[2:], *w[2:])) + GARBAGE)
    got = axsim.conv2d(*on, mult, engine=engine, **options)
    images = xp.asarray(np.array(some(x[0], 7)))
    values = xp.asarray(fold(mult.table, np.dtype(U8), np.dtype(I8)).values)
    expected = table_windows(xp, values, on[0][images], on[1].view(U8), where_, 0)
    assert_same(kind, got[images], xp.asnumpy(expected).astype(np.int32), f"{name}, {x} by {w}, {engine}")


# --- floats -----------------------------------------------------------------------------------------------


def check_quantised(place: Place, kind: Kind, name: str, engine: str) -> None:
    """Floats through an integer multiplier: quantised in every way, floats back, to the bit."""
    mult = integer_multiplier(name)
    random = np.random.default_rng(14)
    a, b = random.normal(size=(35, 40)).astype(np.float32), random.normal(size=(40, 21))
    a[::2] = np.rint(8 * a[::2]) / 8
    in_quarters = QuantParams(0.25, 1 if mult.signed else 120, *((-128, 127) if mult.signed else (0, 255)))
    x, w = random.normal(size=(2, 6, 9, 8)), random.normal(size=(8, 3, 3, 3)).astype(np.float32)
    bias = random.normal(size=8).astype(np.float32)
    channels = affine(b, axis=1, signed=mult.signed), affine(w, axis=0, signed=mult.signed)
    for a_quant, by in (
        (None, None),
        ("symmetric", "symmetric"),
        (affine(a * 0.8, signed=mult.signed), channels),
        (in_quarters, channels),  # many numbers are halfway between two integers
    ):
        b_quant, w_quant = by if isinstance(by, tuple) else (by, by)
        kind.poison(GARBAGE)
        what = f"{kind.name}, {name}, {engine}, {a_quant}"
        given = {"a_quant": a_quant, "b_quant": b_quant}
        got = axsim.matmul(kind.array(a), kind.array(b), mult, engine=engine, **given)
        assert_same(kind, got, axsim.matmul(a, b, mult, engine=CPU, **given), f"matmul, {what}")
        given = {"a_quant": a_quant, "b_quant": w_quant, "padding": 1, "stride": 2, "groups": 2}
        got = axsim.conv2d(kind.array(x), kind.array(w), mult, bias=kind.array(bias), engine=engine, **given)
        expected = axsim.conv2d(x, w, mult, bias=bias, engine=CPU, **given)
        assert_same(kind, got, expected, f"conv2d, {what}")
        if engine != "factored":
            given = {"a_quant": a_quant}
            got = axsim.multiply(kind.array(a), kind.array(a[:1]), mult, engine=engine, **given)
            assert_same(kind, got, axsim.multiply(a, a[:1], mult, engine=CPU, **given), f"multiply, {what}")


def check_float_multiplier(place: Place, name: str) -> None:
    """Numbers all over the format's range, special values too; a product, and a convolution."""
    mult, kind = float_multiplier(name), place.kinds[0]
    numbers = numbers_of(mult.format)
    random = np.random.default_rng(15)
    kind.poison(GARBAGE)
    with np.errstate(all="ignore"):
        expected = axsim.multiply(numbers[:, None], numbers, mult)
        got = axsim.multiply(kind.array(numbers[:, None]), kind.array(numbers), mult)
        assert_same(kind, got, np.asarray(expected), f"multiply, {name}")
        for a, b in (
            (normal(random, 33, 20), normal(random, 20, 18)),
            (normal(random, 2, 5, 9), normal(random, 9, 70)),
            (numbers.reshape(-1, 1), numbers.reshape(1, -1)),
            (random.choice(numbers[:7], (9, 12)), normal(random, 12, 5)),
        ):
            for out_dtype in ("float32", "float64"):
                expected = axsim.matmul(a, b, mult, out_dtype=out_dtype)
                got = axsim.matmul(kind.array(a), kind.array(b), mult, out_dtype=out_dtype)
                assert_same(kind, got, expected, f"matmul, {name}, {a.shape} by {b.shape}, {out_dtype}")
        x, w, bias = normal(random, 2, 4, 6, 5), normal(random, 6, 2, 3, 2), normal(random, 6)
        given = {"padding": ((1, 0), (2, 1)), "stride": (1, 2), "groups": 2}
        got = axsim.conv2d(kind.array(x), kind.array(w), mult, bias=kind.array(bias), **given)
        assert_same(kind, got, axsim.conv2d(x, w, mult, bias=bias, **given), f"conv2d, {name}")


def normal(random: np.random.Generator, *shape: int) -> Host:
    """Normal numbers of many magnitudes, float32."""
    return (random.normal(size=shape) * 2.0 ** random.integers(-6, 6, shape)).astype(np.float32)


def check_float_tiles(place: Place, name: str, shape: Shape, tile: int | None) -> None:
    """Shapes around the edges of tiles, each tile of ``float_forms.cu`` in its turn."""
    mult, kind, (m, k, n) = float_multiplier(name), place.kinds[0], shape
    random = np.random.default_rng(16)
    a, b = normal(random, m, k), normal(random, k, n)
    expected = axsim.matmul(a, b, mult)
    kind.poison(GARBAGE)
    on = kind.array(a), kind.array(b)
    chosen = (lambda *_: floats.TILES[tile]) if tile is not None else floats.choose_tile
    with patch.object(floats, "choose_tile", chosen):
        assert_same(kind, axsim.matmul(*on, mult), expected, f"{name}, {shape}, tile {tile}")


def check_large_float(place: Place, name: str, shape: Shape) -> None:
    """A large product, some rows of every tile against products one step in depth at a time."""
    mult, kind, xp, (m, k, n) = float_multiplier(name), place.kinds[0], place.runtime.xp, shape
    random = np.random.default_rng(17)
    a, b = (kind.array(random.standard_normal(s, np.float32)) for s in ((m, k), (k, n)))
    kind.poison(4 * m * n + GARBAGE)
    got = axsim.matmul(a, b, mult)
    rows = xp.asarray(np.array(some(m)))
    sums = float_sums(xp, lambda left, right: axsim.multiply(left, right, mult), a[rows], b)
    assert_same(kind, got[rows], xp.asnumpy(sums.astype(np.float32)), f"{name}, {shape}")


# --- circumstances ----------------------------------------------------------------------------------------


def operations() -> dict[str, tuple[list[Host], Callable[..., Any]]]:
    """One call through each engine: its operands, and what takes them, wherever they are."""
    random = np.random.default_rng(18)
    a, b = integers(19, (67, 9), U8), integers(20, (9, 34), I8)
    x, w = integers(21, (2, 4, 9, 9), U8), integers(22, (8, 4, 3, 3), I8)
    fa, fb = normal(random, 40, 17), normal(random, 17, 36)
    fx, fw = normal(random, 2, 4, 6, 6), normal(random, 6, 2, 3, 3)

    def through(operation: Callable[..., Any], mult: str, **options: Any) -> Callable[..., Any]:
        return lambda *operands, **more: operation(*operands, mult, **{**options, **more})

    return {
        "look-ups": ([a, a[:1].copy()], through(axsim.multiply, "L40")),
        "gather": ([a, b], through(axsim.matmul, "L40")),
        "gather, windows": ([x, w], through(axsim.conv2d, "L40", padding=1, stride=2)),
        "depthwise": ([x, w[:, :1].copy()], through(axsim.conv2d, "L40", padding=1, groups=4)),
        "factored": ([a, b], through(axsim.matmul, "JQQ")),
        "factored, windows": ([x, w], through(axsim.conv2d, "1446", padding=1)),
        "quantised": ([fa, fb], through(axsim.matmul, "1446")),
        "quantised, windows": ([fx, fw], through(axsim.conv2d, "L40", padding=1, groups=2)),
        "axfpm": ([fa, fb], through(axsim.matmul, "axfpm")),
        "axfpm, windows": ([fx, fw], through(axsim.conv2d, "axfpm", padding=1, groups=2)),
        "float products": ([fa, fa[:1].copy()], through(axsim.multiply, "axfpm")),
        "segments": ([fa, fb], through(axsim.matmul, "float32[L40]")),
    }


def engine_for(operation: str) -> dict[str, str]:
    """The engine that an operation is meant to take on the GPU."""
    return {"engine": "factored"} if operation.startswith("factored") else {}


def on_cpu(operation: str, operands: list[Host]) -> Any:
    """The CPU's result."""
    return np.asarray(operations()[operation][1](*operands))


def others(operands: list[Host], seed: int) -> list[Host]:
    """Other values of the same shapes and types."""
    random = np.random.default_rng(seed)
    return [random.permutation(x.reshape(-1)).reshape(x.shape) for x in operands]


def check_layouts(place: Place, kind: Kind, operation: str) -> None:
    """Operands of every memory layout; results of the operands' kind, results of no element among them."""
    operands, call = operations()[operation]
    more = engine_for(operation)
    for layout in LAYOUTS:
        if layout == "reversed" and not kind.reverses:
            continue
        for i in range(len(operands)):
            host = list(operands)
            on = [kind.array(x) for x in operands]
            on[i], host[i] = laid_out(kind, operands[i], layout)
            kind.poison(GARBAGE)
            what = f"{kind.name}, {operation}, operand {i} {layout}"
            assert_same(kind, call(*on, **more), on_cpu(operation, host), what)
    if operation in ("gather", "factored", "axfpm", "segments"):
        host = [operands[0][:0], operands[1]]
        got = call(*(kind.array(x) for x in host), **more)
        assert_same(kind, got, on_cpu(operation, host), f"{kind.name}, {operation}, no rows")


def laid_out(kind: Kind, host: Host, layout: str) -> tuple[Any, Host]:
    """The array on the GPU in a layout, and what it then holds."""
    if layout == "transposed":
        return kind.array(host.swapaxes(-1, -2)).swapaxes(-1, -2), host
    if layout == "every other":
        wide = np.repeat(host, 2, axis=-1)
        wide[..., 1::2] = 1
        return kind.array(wide)[..., ::2], host
    if layout == "offset":
        behind_one = np.concatenate([host.reshape(-1)[:1], host.reshape(-1)])
        return kind.array(behind_one)[1:].reshape(host.shape), host
    if layout == "reversed":
        return kind.array(host[::-1])[::-1], host
    if layout == "broadcast":
        first = np.ascontiguousarray(np.broadcast_to(host[:1], host.shape))
        return kind.broadcast(kind.array(host[:1]), host.shape), first
    return kind.array(host), host


def check_stream(place: Place, kind: Kind, operation: str) -> None:
    """On a stream of the caller's that is still busy when the operands' values are written on it."""
    operands, call = operations()[operation]
    more = engine_for(operation)
    late = others(operands, 23)
    sources = [kind.array(x) for x in late]
    call(*(kind.array(x) for x in operands), **more)  # compiles
    with kind.other_stream():
        on = [kind.array(x) for x in operands]
        kind.poison(GARBAGE)
        kind.delay()
        for array, source in zip(on, sources, strict=True):
            array[...] = source
        got = call(*on, **more)
        host = kind.host(got)
    assert_same(kind, kind.array(host), on_cpu(operation, late), f"{kind.name}, {operation}, other stream")


def check_graph(place: Place, kind: Kind, operation: str) -> None:
    """Captured into a graph, and replayed with other values of the operands."""
    operands, call = operations()[operation]
    more = engine_for(operation)
    on = [kind.array(x) for x in operands]
    replay, result = kind.captured(lambda: call(*on, **more))
    for seed in (24, 25):
        values = others(operands, seed)
        for array, source in zip(on, values, strict=True):
            array[...] = kind.array(source)
        result[...] = 77
        kind.poison(GARBAGE)  # what the graph needs is not given to others
        replay()
        assert_same(kind, result, on_cpu(operation, values), f"{kind.name}, {operation}, replayed graph")


def check_record_stream(place: Place, kind: Kind, operation: str) -> None:
    """A result that a busy side stream still reads when it is dropped: torch keeps its memory till then."""
    torch, (operands, call) = kind.torch, operations()[operation]  # type: ignore[attr-defined]
    result = call(*(kind.array(x) for x in operands), **engine_for(operation))
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        kind.delay()
        copy = result.clone()
    result.record_stream(side)
    shape, dtype = result.shape, result.dtype
    del result
    garbage = [torch.empty(shape, dtype=dtype, device="cuda").fill_(77) for _ in range(8)]
    side.synchronize()
    assert len(garbage) == 8
    assert_same(kind, copy, on_cpu(operation, operands), f"{kind.name}, {operation}, on a side stream")


def check_threads(place: Place, kind: Kind) -> None:
    """Several Python threads at once, each on a stream of its own, with operands of its own."""
    todo = [(name, seed) for seed in range(4) for name in operations()]
    cases = [(name, others(operations()[name][0], seed)) for name, seed in todo]
    expected = [on_cpu(name, operands) for name, operands in cases]

    def run(case: tuple[str, list[Host]]) -> Host:
        name, operands = case
        with kind.other_stream():
            on = [kind.array(x) for x in operands]
            return kind.host(operations()[name][1](*on, **engine_for(name)))

    with ThreadPoolExecutor(place.threads) as pool:
        # Each with the runtime of the place, which a context variable may hold.
        futures = [pool.submit(contextvars.copy_context().run, run, case) for case in cases]
        for (name, _), future, right in zip(cases, futures, expected, strict=True):
            what = f"{kind.name}, {name}, {place.threads} threads"
            assert_same(kind, kind.array(future.result()), right, what)


def check_refusals(place: Place, kind: Kind) -> None:
    """What cannot be is refused as on the CPU, with the same words."""
    byte, wide = np.ones((2, 2), U8), np.ones((1, 40000), U8)
    nan = np.array([[1.0, np.nan]], np.float32)
    for operands, options in (
        ([byte, wide], {}),
        ([wide, wide.T.copy()], {}),
        ([nan, nan.T.copy()], {}),
        ([byte, byte], {"engine": "fastest"}),
        ([byte, byte], {"out_dtype": "float32"}),
        ([byte + U8(199), byte], {"mult": "exact8s"}),
    ):
        on = [kind.array(x) for x in operands]
        cpu = refusal(lambda operands=operands, options=options: axsim.matmul(*operands, **options))
        gpu = refusal(lambda on=on, options=options: axsim.matmul(*on, **options))
        if "engine" in options:  # each names its own engines
            cpu, gpu = ((error, text.split(",")[0]) for error, text in (cpu, gpu))
        assert gpu == cpu


def refusal(call: Callable[[], Any]) -> tuple[type[Exception], str]:
    """The error that a call raises."""
    try:
        call()
    except (TypeError, ValueError) as error:
        return type(error), str(error)
    raise AssertionError("nothing was refused")
