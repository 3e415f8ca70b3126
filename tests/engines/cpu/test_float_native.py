"""The compiled float engine gives the reference's numbers, bit for bit, on every instruction set there is."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
from float_cases import bits, drawn, multipliers, normal, numbers_of, same
from hypothesis import given, settings
from hypothesis import strategies as st

from axsim.circuits import exact as exact_gates
from axsim.engines.cpu import float_reference as reference
from axsim.engines.shapes.geometry import geometry
from axsim.engines.weights import Weights
from axsim.multipliers import get as resolve
from axsim.multipliers.floating import FloatMultiplier
from axsim.multipliers.significand import GateLevel, MaskedForm, Term
from axsim.threads import set_num_threads

_native = pytest.importorskip("axsim._native", reason="axsim was installed without its compiled module")
native = pytest.importorskip("axsim.engines.cpu.float_native")

ISAS = ("portable", "avx2", "avx512", "vbmi", "neon")
FAST = ("axfpm", "axfpm_normalized", "axfpm_mono", "heap_like", "float32", "bfloat16", "float16[drum8_4]")


def runs_here(isa: str) -> bool:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AXSIM_ISA", isa)
        try:
            return _native.isa() == isa
        except ValueError:
            return False


@pytest.fixture(params=[isa for isa in ISAS if runs_here(isa)])
def isa(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AXSIM_ISA", request.param)
    return request.param


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    set_num_threads(request.param)
    yield request.param
    set_num_threads(None)


def prepared_gemm(multiplier: FloatMultiplier, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The sums with prepared weights, not rounded."""
    return native.layer_gemm(multiplier, a, Weights(b), None, np.dtype(np.float64))


@cache
def matrices(name: str, kind: str) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Pairs of operands, each with the reference's sums."""
    multiplier, made = multipliers()[name], []
    for (m, k, n), seed in (((5, 7, 19), 1), ((13, 3, 6), 2), ((1, 9, 33), 3)):
        a, b = drawn(multiplier, (m, k), kind, seed), drawn(multiplier, (k, n), kind, seed + 9)
        made.append((a, b, reference.gemm(multiplier, a, b, rounded=False)))
    return made


@pytest.mark.parametrize("kind", ["ordinary", "wide", "special"])
@pytest.mark.parametrize("name", multipliers())
def test_gemm_equals_the_reference(name: str, kind: str, isa: str) -> None:
    for a, b, expected in matrices(name, kind):
        assert same(native.gemm(multipliers()[name], a, b, rounded=False), expected), (a.shape, b.shape)
        assert same(prepared_gemm(multipliers()[name], a, b), expected), (a.shape, b.shape)


@pytest.mark.parametrize("name", multipliers())
def test_multiply_equals_the_reference(name: str, isa: str) -> None:
    multiplier = multipliers()[name]
    x = numbers_of(multiplier.format)
    a, b = np.concatenate([x, normal(25)])[:, None], np.concatenate([x, normal(4, seed=1)])
    assert np.array_equal(bits(native.multiply(multiplier, a, b)), bits(multiplier(a, b)))


@pytest.mark.parametrize("name", FAST)
def test_large_products_cross_every_block_boundary(name: str, isa: str, threads: int) -> None:
    multiplier = resolve(name)
    for m, k, n in ((67, 131, 35), (18, 260, 530), (133, 4, 300)):
        a, b = drawn(multiplier, (m, k), "ordinary", 1), drawn(multiplier, (k, n), "ordinary", 2)
        b[k // 2, n // 2] = 1e-30  # one column panel needs the checks, its neighbours do not
        a[m // 2, k // 2] = 1e-30
        expected = reference.gemm(multiplier, a, b, rounded=False)
        assert same(native.gemm(multiplier, a, b, rounded=False), expected), (m, k, n)
        assert same(prepared_gemm(multiplier, a, b), expected), (m, k, n)
        expected = reference.gemm(multiplier, b.T, a.T, rounded=False)
        assert same(native.gemm(multiplier, b.T, a.T), reference.round_sums(expected)), (n, k, m)
        bias = normal(m).astype(np.float64)
        biased = native.layer_gemm(multiplier, b.T, Weights(a.T), bias, np.dtype(np.float32))
        assert same(biased, reference.round_sums(expected + bias)), (n, k, m)


@given(
    name=st.sampled_from([*FAST, *sorted(multipliers())]),
    kind=st.sampled_from(["ordinary", "wide", "special"]),
    sizes=st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 40)),
    batch=st.sampled_from([((), ()), ((2,), ()), ((), (2,)), ((3, 1), (2,)), ((2, 1), (1, 3))]),
    strides=st.tuples(*[st.sampled_from([1, 2, -1])] * 4),
    fortran=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=150)
def test_gemm_of_any_shape_and_layout(
    name: str,
    kind: str,
    sizes: tuple[int, int, int],
    batch: tuple[tuple[int, ...], tuple[int, ...]],
    strides: tuple[int, int, int, int],
    fortran: bool,
    seed: int,
) -> None:
    multiplier = multipliers().get(name) or resolve(name)
    m, k, n = sizes
    a = drawn(multiplier, (*batch[0], m * abs(strides[0]), k * abs(strides[1])), kind, seed)
    b = drawn(multiplier, (*batch[1], k * abs(strides[2]), n * abs(strides[3])), kind, seed + 1)
    if fortran:
        a, b = np.asfortranarray(a), np.asfortranarray(b)
    a, b = a[..., :: strides[0], :: strides[1]], b[..., :: strides[2], :: strides[3]]
    a.setflags(write=False)
    result = native.gemm(multiplier, a, b)
    assert result.dtype == np.float32
    assert same(result, reference.gemm(multiplier, a, b))


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
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=100)
def test_conv2d_of_any_geometry(
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
    seed: int,
) -> None:
    multiplier = resolve(name)
    x = drawn(multiplier, (images, groups * channels, *size), kind, seed)
    w = drawn(multiplier, (groups * filters, channels, *kernel), kind, seed + 1)
    g = geometry(
        x_shape=x.shape, w_shape=w.shape, stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    expected = reference.conv2d(multiplier, x, w, g, rounded=False)
    assert same(native.conv2d(multiplier, x, w, g, rounded=False), expected)
    weights, bias, dtype = Weights(w), normal(len(w), seed=seed).astype(np.float64), np.dtype(np.float32)
    biased = reference.round_sums(expected + bias[:, None, None])
    for _ in range(2):  # the streams that were made, too
        assert same(native.layer_conv2d(multiplier, x, weights, g, bias, dtype), biased)
    flipped = x[:, :, ::-1]
    assert same(native.conv2d(multiplier, flipped, w, g), reference.conv2d(multiplier, flipped, w, g))


@pytest.mark.parametrize("name", ["axfpm", "float16[drum8_4]"])
def test_conv2d_larger_than_a_tile(name: str, isa: str, threads: int) -> None:
    multiplier = resolve(name)
    x, w = normal(3, 20, 12, 13), normal(18, 20, 3, 3, seed=1)
    g = geometry(x_shape=x.shape, w_shape=w.shape, padding=1)
    expected = reference.conv2d(multiplier, x, w, g, rounded=False)
    assert same(native.conv2d(multiplier, x, w, g, rounded=False), expected)


@pytest.mark.parametrize("name", FAST)
def test_multiply_of_many(name: str, isa: str, threads: int) -> None:
    multiplier = resolve(name)
    rng = np.random.default_rng(4)
    a, b = rng.integers(0, 2**32, (2, 1024 * 3 + 5), dtype=np.uint32).view(np.float32)
    assert np.array_equal(bits(native.multiply(multiplier, a, b)), bits(multiplier(a, b)))
    many = native.multiply(multiplier, np.full((500, 1), 1.5, np.float32), b[:1000])
    assert (bits(many) == bits(multiplier(1.5, b[:1000]))).all()


def test_multiply_broadcasts_and_takes_scalars() -> None:
    axfpm = resolve("axfpm")
    a, b = normal(3, 1, 5), normal(4, 1, seed=1)
    assert np.array_equal(native.multiply(axfpm, a, b), axfpm(a, b))
    result = native.multiply(axfpm, np.float32(1.5), np.float32(1.5))
    assert (result.shape, result.item()) == ((), 3.0)
    assert native.multiply(axfpm, normal(0, 3), normal(3)).shape == (0, 3)


def test_empty_sums_are_positive_zeros(threads: int) -> None:
    for name in ("axfpm", "bfloat16[exact8]"):
        result = native.gemm(resolve(name), normal(3, 0), normal(0, 40))
        assert result.shape == (3, 40)
        assert not result.view(np.uint32).any()
        assert native.gemm(resolve(name), normal(2, 0, 3), normal(3, 2)).shape == (2, 0, 2)


def test_sums_run_in_ascending_order_across_blocks(isa: str) -> None:
    k = 300
    a = np.zeros((1, k), np.float32)
    a[0, [0, 1, 130, 131, 299]] = 1e30, 1, -1e30, 1, 2
    for name in ("float32", "bfloat16[exact8]"):
        assert native.gemm(resolve(name), a, np.ones((k, 20), "f4")).tolist() == [[3.0] * 20]


def test_a_thread_that_flushes_subnormal_numbers_changes_nothing(isa: str) -> None:
    torch = pytest.importorskip("torch")
    a, b = np.float32([[1e-30, 2e-39]]), np.float32([[1e-10], [3e-1]])
    multiplier = resolve("float32")
    expected = reference.gemm(multiplier, a, b)
    assert 0 < expected.item() < 1.2e-38
    if not torch.set_flush_denormal(True):
        pytest.skip("the processor cannot flush subnormal numbers")
    try:
        sums = native.gemm(multiplier, a, b, rounded=False)
        products = native.multiply(multiplier, a, b.T)
    finally:
        torch.set_flush_denormal(False)
    assert sums.item() == reference.gemm(multiplier, a, b, rounded=False).item()
    assert np.array_equal(bits(products), bits(multiplier(a, b.T)))


def test_multipliers_without_kernels_are_refused() -> None:
    gates = FloatMultiplier("gates", GateLevel(exact_gates(8)), resolve("bfloat16").format)
    four = FloatMultiplier("four", MaskedForm(8, (Term(1, 1, 255),) * 4), resolve("bfloat16").format)
    for multiplier in (gates, four):
        assert not native.supports(multiplier)
        with pytest.raises(ValueError, match=r"no kernel for .* engine=\"reference\""):
            native.gemm(multiplier, normal(2, 2), normal(2, 2))
        assert reference.gemm(multiplier, normal(2, 2), normal(2, 2)).shape == (2, 2)
    assert all(native.supports(multiplier) for multiplier in multipliers().values())


def test_the_instruction_set_can_be_forced_but_not_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AXSIM_ISA", "portable")
    assert _native.isa() == "portable"
    monkeypatch.setenv("AXSIM_ISA", "sse9")
    with pytest.raises(ValueError, match="AXSIM_ISA is 'sse9', which is no instruction set"):
        native.gemm(resolve("axfpm"), normal(2, 2), normal(2, 2))
    for isa in ISAS:
        if not runs_here(isa):
            monkeypatch.setenv("AXSIM_ISA", isa)
            with pytest.raises(ValueError, match=f"AXSIM_ISA is '{isa}', which this processor"):
                native.multiply(resolve("axfpm"), normal(2), normal(2))
    monkeypatch.setenv("AXSIM_ISA", "")
    assert _native.isa() in ISAS
