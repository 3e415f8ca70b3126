"""The GPU's float kernels give the reference's numbers, bit for bit, on an emulated GPU."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from float_cases import bits, drawn, multipliers, normal, numbers_of, same
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from axsim.circuits import exact as exact_gates
from axsim.engines.cpu import float_reference as reference
from axsim.engines.gpu.floats import engine as floats
from axsim.engines.gpu.floats.problem import Problem, Strided
from axsim.engines.gpu.floats.rules import ordinary_exponents
from axsim.engines.shapes.geometry import geometry
from axsim.multipliers import get as resolve
from axsim.multipliers.float_formats import BFLOAT16, FLOAT32, FloatFormat
from axsim.multipliers.floating import FloatMultiplier
from axsim.multipliers.significand import GateLevel, MaskedForm, Segmented, Term
from axsim.tables.product import ProductTable
from tests.cuda_emulator.emulated_runtime import GAMING, HOPPER, TURING, EmulatedRuntime

FAST = ("axfpm", "axfpm_normalized", "heap_like", "float32", "bfloat16[exact8]", "float16[drum8_4]")
FORMS = ("axfpm", "heap_like", "float16")

one_gpu_for_all_examples = settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def gemm(runtime: EmulatedRuntime, multiplier: FloatMultiplier, a: Any, b: Any, **options: Any) -> np.ndarray:
    xp = runtime.xp
    return xp.asnumpy(floats.gemm(multiplier, xp.asarray(a), xp.asarray(b), **options))


def multiply(runtime: EmulatedRuntime, multiplier: FloatMultiplier, a: Any, b: Any) -> np.ndarray:
    xp = runtime.xp
    return xp.asnumpy(floats.multiply(multiplier, xp.asarray(a), xp.asarray(b)))


def conv2d(
    runtime: EmulatedRuntime, multiplier: FloatMultiplier, x: Any, w: Any, g: Any, **options: Any
) -> np.ndarray:
    xp = runtime.xp
    return xp.asnumpy(floats.conv2d(multiplier, xp.asarray(x), xp.asarray(w), g, **options))


@pytest.fixture
def few(emulated: EmulatedRuntime) -> EmulatedRuntime:
    """The emulated GPU with one multiprocessor, for which small outputs are as good as large ones."""
    emulated.device = replace(HOPPER, multiprocessors=1)
    return emulated


@pytest.mark.parametrize("name", multipliers())
def test_gemm_equals_the_reference(emulated: EmulatedRuntime, name: str) -> None:
    multiplier = multipliers()[name]
    for kind in ("ordinary", "wide", "special"):
        a, b = drawn(multiplier, (13, 9), kind, 1), drawn(multiplier, (9, 19), kind, 10)
        expected = reference.gemm(multiplier, a, b, rounded=False)
        assert same(gemm(emulated, multiplier, a, b, rounded=False), expected), kind


def test_forms_prefer_shared_memory_to_the_cache(emulated: EmulatedRuntime) -> None:
    """Or fewer blocks are on a multiprocessor than its registers allow."""
    axfpm = multipliers()["axfpm"]
    gemm(emulated, axfpm, *(drawn(axfpm, shape, "ordinary", 1) for shape in ((5, 9), (9, 4))))
    assert emulated.carveouts["float_forms"] == 100


@pytest.mark.parametrize("name", multipliers())
def test_multiply_equals_the_reference(emulated: EmulatedRuntime, name: str) -> None:
    multiplier = multipliers()[name]
    any_bits = np.random.default_rng(3).integers(0, 2**32, 60, dtype=np.uint32).view(np.float32)
    x = np.concatenate([numbers_of(multiplier.format), any_bits, normal(20)])
    assert np.array_equal(
        bits(multiply(emulated, multiplier, x[:, None], x)), bits(multiplier(x[:, None], x))
    )


@cache
def edges(name: str) -> np.ndarray:
    """Numbers beside every limit that kernels compare operands with."""
    multiplier = multipliers()[name]
    fmt = multiplier.format
    limits = [2.0**exponent for exponent in ordinary_exponents(multiplier)]
    limits += [fmt.smallest_normal, multiplier.special.zero_below, 2.0**-126, fmt.largest, 2.0**-149]
    limits += [fmt.smallest_normal * 2.0 ** -(fmt.fraction_bits + 1), 2.0 ** (fmt.smallest_exponent // 2), 1]
    with np.errstate(over="ignore", under="ignore"):
        at = np.float32(limits)
        beside = [
            np.nextafter(at, np.float32(0)),
            np.nextafter(at, np.float32(np.inf)),
            at * np.float32(1.75),
        ]
    x = np.concatenate([at, *beside])
    return np.concatenate([x, -x[::3]])


@pytest.mark.parametrize("name", multipliers())
def test_limits_of_the_fast_way(emulated: EmulatedRuntime, name: str) -> None:
    x = edges(name)
    multiplier = multipliers()[name]
    # Limits among themselves, and alone among numbers that hurt none: each tile of its own in depth.
    assert same(
        gemm(emulated, multiplier, x[:, None], x[None], rounded=False),
        reference.gemm(multiplier, x[:, None], x[None], rounded=False),
    )


@pytest.mark.parametrize("name", FAST)
def test_significands_at_the_edge_of_a_bit(emulated: EmulatedRuntime, name: str) -> None:
    """Significand products beside powers of two, where a product gets a bit more or less."""
    rng = np.random.default_rng(5)
    patterns = [
        0x800000,
        0x800001,
        0xFFFFFF,
        0xFFFFFE,
        0x888888,
        0xEEEEEE,
        0x911111,
        0xF11111,
        0xB504F3,
        0xB504F4,
    ]
    patterns += [*(0x800000 | 1 << rng.integers(0, 23, 12)), *(0xFFFFFF ^ 1 << rng.integers(0, 23, 12))]
    patterns += [*rng.integers(0xA00000, 0xC00000, 24)]
    x = (np.array(patterns) * 2.0**-23).astype(np.float32)
    multiplier = resolve(name)
    expected = reference.gemm(multiplier, x[:, None], x[None], rounded=False)
    assert same(gemm(emulated, multiplier, x[:, None], x[None], rounded=False), expected)
    tiny = x * np.float32(2.0**-70)  # not ordinary
    expected = reference.gemm(multiplier, tiny[:, None], x[None], rounded=False)
    assert same(gemm(emulated, multiplier, tiny[:, None], x[None], rounded=False), expected)


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize(("m", "n"), [(65, 63), (130, 128), (3, 64), (257, 5)])
def test_all_tiles(few: EmulatedRuntime, name: str, m: int, n: int) -> None:
    multiplier = resolve(name)
    k = 27
    a, b = drawn(multiplier, (m, k), "ordinary", 1), drawn(multiplier, (k, n), "ordinary", 2)
    a[m // 2, k // 2] = b[k - 1, n // 2] = 3e38  # tiles of depth beside these are ordinary
    expected = reference.gemm(multiplier, a, b, rounded=False)
    assert same(gemm(few, multiplier, a, b, rounded=False), expected)


def test_the_tile_that_suits_the_output() -> None:
    def number(rows: int, columns: int, multiprocessors: int) -> int:
        problem = Problem(
            rows=rows, columns=columns, depth=1, batches=1, inner=1, patch_outer=0, patch_inner=0,
            filter_outer=0, filter_inner=0, out_batch=0, channel_stride=1, x_stride=1, width=rows,
            out_width=rows, column_stride=1, depth_stride=1, out_pixel=1, out_column=1,
            patches_by_depth=False, filters_by_depth=False, rounded=True,
        )  # fmt: skip
        return floats.choose_tile(problem, multiprocessors).number

    assert number(4096, 4096, 132) == 0
    assert number(64, 64, 1) == 0
    assert number(300, 300, 132) == 1  # 25 of the large ones would leave most multiprocessors idle
    assert number(10**6, 1, 132) == 2


@pytest.mark.parametrize("device", [TURING, GAMING], ids=["7.5", "8.6"])
def test_forms_of_three_terms_fit_the_least_shared_memory(emulated: EmulatedRuntime, device: Any) -> None:
    emulated.device = replace(device, multiprocessors=1)
    multiplier = resolve("heap_like")
    for m, n in ((64, 64), (257, 3), (20, 20)):
        a, b = normal(m, 9), normal(9, n, seed=1)
        assert same(gemm(emulated, multiplier, a, b), reference.gemm(multiplier, a, b))


@given(
    name=st.sampled_from(FAST),
    kind=st.sampled_from(["ordinary", "wide", "special"]),
    sizes=st.tuples(st.integers(0, 34), st.integers(0, 20), st.integers(0, 34)),
    batch=st.sampled_from(
        [
            ((), ()),
            ((2,), ()),
            ((), (2,)),
            ((3, 1), (2,)),
            ((2, 1), (1, 3)),
            ((2, 3), (3,)),
            ((1, 2, 1, 2), (2, 1, 3, 1)),
        ]
    ),
    strides=st.tuples(*[st.sampled_from([1, 2, -1])] * 4),
    transposed=st.tuples(st.booleans(), st.booleans()),
    seed=st.integers(0, 2**32 - 1),
)
@one_gpu_for_all_examples
def test_gemm_of_any_shape_and_layout(
    emulated: EmulatedRuntime,
    name: str,
    kind: str,
    sizes: tuple[int, int, int],
    batch: tuple[tuple[int, ...], tuple[int, ...]],
    strides: tuple[int, int, int, int],
    transposed: tuple[bool, bool],
    seed: int,
) -> None:
    xp, multiplier = emulated.xp, resolve(name)
    m, k, n = sizes
    made = []
    for lead, rows, columns, steps, flip, extra in (
        (batch[0], m, k, strides[:2], transposed[0], 0),
        (batch[1], k, n, strides[2:], transposed[1], 1),
    ):
        shape = (*lead, rows * abs(steps[0]), columns * abs(steps[1]))
        x = drawn(multiplier, shape, kind, seed + extra)
        on_device = xp.asarray(x)
        if flip:
            on_device = xp.ascontiguousarray(on_device.swapaxes(-1, -2)).swapaxes(-1, -2)
        index = (..., slice(None, None, steps[0]), slice(None, None, steps[1]))
        made.append((on_device[index], x[index]))
    (a, host_a), (b, host_b) = made
    assert same(xp.asnumpy(floats.gemm(multiplier, a, b)), reference.gemm(multiplier, host_a, host_b))


@given(
    name=st.sampled_from(FAST),
    kind=st.sampled_from(["ordinary", "special"]),
    images=st.integers(0, 3),
    groups=st.integers(1, 3),
    channels=st.integers(1, 3),
    filters=st.integers(1, 6),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    padding=st.one_of(st.just("same"), st.tuples(*[st.tuples(st.integers(2, 4), st.integers(2, 4))] * 2)),
    channels_last=st.booleans(),
    rounded=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
@one_gpu_for_all_examples
def test_conv2d_of_any_geometry(
    emulated: EmulatedRuntime,
    name: str,
    kind: str,
    images: int,
    groups: int,
    channels: int,
    filters: int,
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    padding: object,
    channels_last: bool,
    rounded: bool,
    seed: int,
) -> None:
    multiplier = resolve(name)
    x = drawn(multiplier, (images, groups * channels, *size), kind, seed)
    w = drawn(multiplier, (groups * filters, channels, *kernel), kind, seed + 1)
    g = geometry(
        x_shape=x.shape, w_shape=w.shape, stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    xp = emulated.xp
    pixels = xp.asarray(x)
    if channels_last:
        pixels = xp.ascontiguousarray(pixels.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    result = xp.asnumpy(floats.conv2d(multiplier, pixels, xp.asarray(w), g, rounded=rounded))
    assert same(result, reference.conv2d(multiplier, x, w, g, rounded=rounded))


@pytest.mark.parametrize("name", ["axfpm", "bfloat16[exact8]"])
def test_conv2d_larger_than_a_tile(few: EmulatedRuntime, name: str) -> None:
    multiplier = resolve(name)
    x, w = normal(3, 4, 14, 15), normal(70, 2, 3, 3, seed=1)
    w = np.concatenate([w, -w])
    g = geometry(x_shape=x.shape, w_shape=w.shape, padding=1, groups=2, stride=(1, 2))
    assert same(conv2d(few, multiplier, x, w, g), reference.conv2d(multiplier, x, w, g))


def test_a_padded_pixel_is_an_operand(emulated: EmulatedRuntime) -> None:
    x, w = np.ones((1, 1, 1, 1), "f4"), np.full((1, 1, 3, 3), np.inf, "f4")
    g = geometry(x_shape=x.shape, w_shape=w.shape, padding=1)
    assert np.isnan(conv2d(emulated, resolve("float32"), x, w, g)).all()  # 0 times infinity


@pytest.mark.parametrize("name", ["float32", "bfloat16[exact8]"])
def test_sums_run_in_ascending_order(emulated: EmulatedRuntime, name: str) -> None:
    k = 40
    a = np.zeros((1, k), np.float32)
    a[0, [0, 1, 13, 14, 39]] = 1e30, 1, -1e30, 1, 2
    assert gemm(emulated, resolve(name), a, np.ones((k, 20), "f4")).tolist() == [[3.0] * 20]


def test_empty_sums_are_positive_zeros(emulated: EmulatedRuntime) -> None:
    for name in ("axfpm", "bfloat16[exact8]"):
        result = gemm(emulated, resolve(name), normal(3, 0), normal(0, 40))
        assert result.shape == (3, 40)
        assert not result.view(np.uint32).any()
        assert gemm(emulated, resolve(name), normal(2, 0, 3), normal(3, 2)).shape == (2, 0, 2)
        assert multiply(emulated, resolve(name), normal(0, 3), normal(3)).shape == (0, 3)


def test_blocks_take_more_than_one_part(emulated: EmulatedRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floats, "_MOST_BLOCKS", 2)
    a, b = normal(3, 40, 9), normal(3, 9, 35, seed=1)
    for name in ("axfpm", "bfloat16[exact8]"):
        multiplier = resolve(name)
        assert same(gemm(emulated, multiplier, a, b), reference.gemm(multiplier, a, b))


@pytest.mark.parametrize(("fmt", "scale"), [(BFLOAT16, 1.3), (FLOAT32, 1.006)])
def test_tables_of_large_cells(emulated: EmulatedRuntime, fmt: FloatFormat, scale: float) -> None:
    """Cells that uint16 does not hold; or that it does, but uint32 not their sums over segments."""
    table = ProductTable.from_function(lambda a, b: (a * b * scale).astype(int), 8, 8, out_bits=17)
    multiplier = FloatMultiplier("large", Segmented(fmt.significand_bits, table), fmt)
    a, b = normal(5, 6), normal(6, 9, seed=1)
    a[0, :2] = b[:3, 0] = np.nextafter(np.float32(2), np.float32(0))
    assert same(gemm(emulated, multiplier, a, b), reference.gemm(multiplier, a, b))
    assert same(multiply(emulated, multiplier, a[:, :5], b[:5, :5]), multiplier(a[:, :5], b[:5, :5]))


def test_the_authors_products(emulated: EmulatedRuntime, shared: Path) -> None:
    vectors = np.load(shared / "axfpm" / "vectors.npz")
    a, b, result = vectors["a"], vectors["b"], vectors["result"]
    axfpm = resolve("axfpm")
    products = multiply(emulated, axfpm, a, b)
    assert np.array_equal(bits(products), bits(axfpm(a, b)))

    field = sum((x.view(np.uint32) >> 23 & 255).astype(int) for x in (a, b)) - 126
    tiny = np.minimum(abs(a.astype(float)), abs(b.astype(float))) < 1e-36
    known = np.isfinite(a) & np.isfinite(b) & (tiny | ((field >= 0) & (field < 255)))
    assert known.sum() > 190_000
    assert np.array_equal(bits(products[known]), bits(result[known]))

    a, b, result = (x[known][::400] for x in (a, b, result))
    sums = gemm(emulated, axfpm, a[:, None, None], b[:, None, None])
    assert np.array_equal(bits(sums.ravel()), bits(result + np.float32(0)))


@pytest.mark.parametrize("name", ["axfpm", "float32[L40]"])
def test_calls_can_be_captured_after_the_first(emulated: EmulatedRuntime, name: str) -> None:
    xp, multiplier = emulated.xp, resolve(name)
    a, b = xp.asarray(normal(2, 5, 6)), xp.asarray(normal(2, 6, 7))
    x, w = xp.asarray(normal(1, 4, 5, 5)[:, :, ::-1]), xp.asarray(normal(3, 4, 2, 2))
    g = geometry(x_shape=x.shape, w_shape=w.shape)

    def calls() -> list[Any]:
        return [
            floats.gemm(multiplier, a[..., ::2], b[:, ::2]),
            floats.multiply(multiplier, a, a[0]),
            floats.conv2d(multiplier, x[:, :, ::-1], w, g),
        ]

    first = calls()
    emulated.capturing_now = True
    captured = calls()
    emulated.capturing_now = False
    for one, other in zip(first, captured, strict=True):
        assert same(xp.asnumpy(one), xp.asnumpy(other))


def test_multiply_takes_scalars(emulated: EmulatedRuntime) -> None:
    axfpm = resolve("axfpm")
    result = multiply(emulated, axfpm, np.float32(1.5), np.float32(1.5))
    assert (result.shape, float(result)) == ((), 3.0)
    assert same(multiply(emulated, axfpm, normal(70000), np.float32(3)), axfpm(normal(70000), np.float32(3)))


def test_multipliers_without_kernels_are_refused(emulated: EmulatedRuntime) -> None:
    gates = FloatMultiplier("gates", GateLevel(exact_gates(8)), BFLOAT16)
    four = FloatMultiplier("four", MaskedForm(8, (Term(1, 1, 255),) * 4), BFLOAT16)
    x = normal(1, 1, 2, 2)
    g = geometry(x_shape=x.shape, w_shape=x.shape)
    for multiplier in (gates, four):
        assert not floats.supports(multiplier)
        for call in (
            lambda m: gemm(emulated, m, normal(2, 2), normal(2, 2)),
            lambda m: multiply(emulated, m, normal(2), normal(2)),
            lambda m: conv2d(emulated, m, x, x, g),
        ):
            with pytest.raises(
                ValueError, match=rf"{multiplier.name}: the GPU engine has no kernel .*reference"
            ):
                call(multiplier)
    assert all(floats.supports(multiplier) for multiplier in multipliers().values())


def test_arrays_without_gaps_are_not_copied(emulated: EmulatedRuntime) -> None:
    xp = emulated.xp
    x = xp.asarray(normal(2, 3, 4, 5))
    for view in (x, x.transpose(0, 2, 3, 1), x.transpose(3, 1, 0, 2), x[1], x[:1]):
        strided = Strided.of(emulated, view)
        assert np.may_share_memory(strided.memory, x)
        lengthened = [s for s, n in zip(view.strides, view.shape, strict=True) if n > 1]
        assert [4 * s for s, n in zip(strided.strides, view.shape, strict=True) if n > 1] == lengthened
    for gaps in (x[..., ::2], x[:, :, ::-1], x[:, 1:]):
        strided = Strided.of(emulated, gaps)
        assert not np.may_share_memory(strided.memory, x)
        assert strided.memory.flags.c_contiguous


def test_axes_beyond_int32_are_refused() -> None:
    lengths = dict.fromkeys(Problem.__dataclass_fields__, 1)
    Problem(**lengths).arguments()
    Problem(**lengths | {"rows": 2**40, "x_stride": 2**40}).arguments()
    for longest in (2**31 - 1, 2**31):
        with pytest.raises(ValueError, match=rf"depth of the product is {longest}.*split it"):
            Problem(**lengths | {"depth": longest}).arguments()
