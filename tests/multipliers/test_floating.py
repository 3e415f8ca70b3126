"""The named float multipliers: the vectors of Ax-FPM's authors, published figures, and names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import axsim
from axsim.circuits import tiled
from axsim.errors import UnknownMultiplierError
from axsim.multipliers import FloatMultiplier, floating, get, register
from axsim.multipliers.float_multiplier import SpecialValues
from axsim.multipliers.float_tables import axfpm_block, segment_record
from axsim.multipliers.floating import (
    FLOAT16,
    FLOAT32,
    FloatFormat,
    axbf16,
    axbf16_normalized,
    axfpm,
    float_names,
)
from axsim.multipliers.significand import GateLevel, Segmented, exact

SMALLEST = 1e-36


def resolve(name: str) -> floating.FloatMultiplier | None:
    return floating.resolve(name, get)


@pytest.fixture(scope="module")
def vectors(shared: Path) -> dict[str, np.ndarray]:
    with np.load(shared / "axfpm" / "vectors.npz") as file:
        return dict(file)


def exponent_field(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The exponent field that the authors' function gives the product, before anything is cut off."""
    fields = [(x.view(np.uint32) >> 23 & 255).astype(int) for x in (a, b)]
    return np.minimum(fields[0] + fields[1] - 127, 255) + 1


def classes(a: np.ndarray, b: np.ndarray) -> dict[str, np.ndarray]:
    """Every pair in exactly one class; the first three are those where the authors' code gives a number."""
    field = exponent_field(a, b)
    special = ~(np.isfinite(a) & np.isfinite(b))
    zero = ~special & ((abs(a.astype(float)) < SMALLEST) | (abs(b.astype(float)) < SMALLEST))
    rest = ~special & ~zero
    return {
        "zero operand": zero,
        "field 0": rest & (field == 0),
        "field 1 to 254": rest & (field > 0) & (field < 255),
        "field 255": rest & (field == 255),
        "field 256": rest & (field == 256),
        "field below 0": rest & (field < 0),
        "infinite or NaN operand": special,
    }


COMPARED = ("zero operand", "field 0", "field 1 to 254")


def test_vectors_fall_into_the_classes_that_are_expected(vectors: dict[str, np.ndarray]) -> None:
    found = classes(vectors["a"], vectors["b"])
    assert {name: int(members.sum()) for name, members in found.items()} == {
        "zero operand": 13_632,
        "field 0": 442,
        "field 1 to 254": 176_781,
        "field 255": 377,
        "field 256": 8_469,
        "field below 0": 0,
        "infinite or NaN operand": 299,
    }
    assert (sum(members.astype(int) for members in found.values()) == 1).all()
    # Nothing is left out for convenience: there the authors' code gives NaN, or a number of the wrong sign,
    assert np.isnan(vectors["result"][found["field 255"]]).all()
    assert (vectors["result_bits"][found["field 256"]] >> 31 == 1).all()
    wraps = found["field 256"]
    assert (np.signbit(vectors["a"][wraps]) == np.signbit(vectors["b"][wraps])).all()
    # or reads infinity and NaN as numbers.
    special = found["infinite or NaN operand"]
    assert np.isfinite(vectors["result"][special]).sum() == 296


@pytest.mark.parametrize("name", COMPARED)
def test_axfpm_equals_the_authors_function_bit_for_bit(vectors: dict[str, np.ndarray], name: str) -> None:
    members = classes(vectors["a"], vectors["b"])[name]
    result = axfpm()(vectors["a"][members], vectors["b"][members])
    assert np.array_equal(result.view(np.uint32), vectors["result_bits"][members])


def test_axfpm_significand_products_equal_the_authors(vectors: dict[str, np.ndarray]) -> None:
    a, b = ((vectors[x].view(np.uint32) & 0x7FFFFF) | 0x800000 for x in "ab")
    assert np.array_equal(axfpm().significand_product(a, b), vectors["integer_product"])


@pytest.mark.parametrize("name", ["field 255", "field 256"])
def test_overflow_is_a_signed_infinity(vectors: dict[str, np.ndarray], name: str) -> None:
    members = classes(vectors["a"], vectors["b"])[name]
    a, b = vectors["a"][members], vectors["b"][members]
    assert np.array_equal(axfpm()(a, b), np.copysign(np.inf, np.sign(a) * np.sign(b)))


def test_infinite_and_nan_operands_follow_ieee_754(vectors: dict[str, np.ndarray]) -> None:
    members = classes(vectors["a"], vectors["b"])["infinite or NaN operand"]
    a, b = vectors["a"][members], vectors["b"][members]
    with np.errstate(invalid="ignore"):
        assert np.array_equal(axfpm()(a, b), a * b, equal_nan=True)


def test_where_the_authors_function_raises(vectors: dict[str, np.ndarray]) -> None:
    a, b, kind = vectors["raise_a"], vectors["raise_b"], vectors["raise_kind"]
    found = classes(a, b)
    result = axfpm()(a, b)
    sign = np.signbit(a) ^ np.signbit(b)
    counts = {name: int(members.sum()) for name, members in found.items() if members.any()}
    assert counts == {"field 256": 11_277, "field below 0": 11_759, "infinite or NaN operand": 101}
    below = found["field below 0"]
    assert (kind[below] == 1).all()
    assert (result[below] == 0).all()
    assert np.array_equal(np.signbit(result[below]), sign[below])
    above = found["field 256"]
    assert (kind[above] == 2).all()
    assert (result[above] == -np.inf).all()
    special = found["infinite or NaN operand"]
    with np.errstate(over="ignore", invalid="ignore"):
        assert np.array_equal(result[special], (a * b)[special], equal_nan=True)


def test_examples_of_the_authors() -> None:
    a, b = np.float32([1, 1.5, 2, 3, 0.856]), np.float32([1, 1.5, 3, 2, 0.471])
    assert axfpm()(a, b).tolist() == [2.0, 3.0, 8.0, 12.0, float(np.float32(0.426080584526062))]


def test_a_tiny_or_zero_operand_gives_positive_zero() -> None:
    a, b = np.float32([0, -0.0, -1e-37, 5]), np.float32([1e30, 1e30, 3e38, -1e-40])
    for x, y in ((a, b), (b, a)):
        assert not axfpm()(x, y).view(np.uint32).any()
    assert resolve("float32")(0.0, 1e30) == resolve("float32[L40]")(0.0, 1e30) == 0.0


def test_axfpm_halves_the_products_of_49_bits_and_normalized_does_not() -> None:
    a, b = np.random.default_rng(1).random((2, 50_000), np.float32) + np.float32(0.5)
    plain, normalized = axfpm()(a, b), resolve("axfpm_normalized")(a, b)
    significands = [(x.view(np.uint32) & 0x7FFFFF) | 0x800000 for x in (a, b)]
    long = axfpm().significand_product(*significands) >> np.uint64(48) == 1
    assert 0.01 < long.mean() < 0.2
    assert np.array_equal(normalized[~long], plain[~long])
    assert np.array_equal(normalized[long], 2 * plain[long])


def figures(name: str, low: float) -> dict[str, float]:
    """Error figures over operands uniform on [low, 1]: NMED is mean |error| / largest |exact product|."""
    a, b = np.random.default_rng(2).uniform(low, 1, (2, 1_000_000)).astype(np.float32)
    exact = a.astype(np.float64) * b
    result = np.float64(resolve(name)(a, b))
    error = abs(result - exact)
    return {
        "mred": float((error / abs(exact)).mean()),
        "nmed": float(error.mean() / abs(exact).max()),
        "relative": float(error.mean() / abs(exact).mean()),
        "higher": float((abs(result) > abs(exact)).mean()),
    }


def test_figures_of_axfpm() -> None:
    assert figures("axfpm", -1)["higher"] == pytest.approx(0.958, abs=0.001)  # published: 96%
    assert figures("axfpm", -1)["mred"] == pytest.approx(0.41, abs=0.005)
    assert figures("axfpm_normalized", -1)["higher"] == pytest.approx(1, abs=1e-5)


def test_figures_of_axfpm_mono() -> None:
    found = figures("axfpm_mono", 0)  # published: 0.33 and 0.08
    assert found["relative"] == pytest.approx(0.333, abs=0.002)
    assert found["nmed"] == pytest.approx(0.083, abs=0.001)


@pytest.mark.parametrize("low", [0, -1])
def test_figures_of_heap_like(low: float) -> None:
    found = figures("heap_like", low)  # published for HEAP: 0.12, 0.03, 34%
    assert found["mred"] == pytest.approx(0.119, abs=0.001)
    assert found["nmed"] == pytest.approx(0.029, abs=0.0005)
    assert found["higher"] == pytest.approx(0.36, abs=0.01)


def test_brackets_drive_segments_through_an_integer_multiplier() -> None:
    table = get("L40").table
    bfloat16 = resolve("bfloat16[L40]")
    product = bfloat16.significand_product(0b11001000, 0b10000001)
    assert product == table.values[0b11001000, 0b10000001]
    assert resolve("BFloat16[l40]").name == bfloat16.name == "bfloat16[mul8u_L40]"
    a, b = 0xABC123, 0x987654
    product = resolve("float32[L40]").significand_product(a, b)
    assert product == sum(
        int(table.values[a >> 8 * i & 255, b >> 8 * j & 255]) << 8 * (i + j)
        for i in range(3)
        for j in range(3)
    )


@pytest.mark.parametrize("fmt", ["float32", "bfloat16", "float16", "e4m3"])
def test_brackets_around_the_exact_multiplier_change_nothing(fmt: str) -> None:
    a, b = np.random.default_rng(3).normal(0, 2, (2, 5_000)).astype(np.float32)
    assert np.array_equal(resolve(f"{fmt}[exact8]")(a, b), resolve(fmt)(a, b))


def test_other_formats_by_name() -> None:
    assert resolve("e4m3").format == FloatFormat(4, 3)
    assert resolve("e8m23") is resolve("FLOAT32")
    assert resolve("float16[drum8_4]").format.name == "float16"


def test_every_listed_name_resolves_to_a_multiplier_of_that_name() -> None:
    for name in float_names():
        multiplier = resolve(name)
        assert multiplier.name == name
        assert resolve(name.upper()) is multiplier
        assert multiplier.source


@pytest.mark.parametrize("name", ["L40", "exact8", "float64", "float32[", "float64[L40]", "[L40]", ""])
def test_other_names_are_not_ours(name: str) -> None:
    assert resolve(name) is None


def test_unknown_or_unfit_multipliers_in_brackets_are_refused() -> None:
    with pytest.raises(UnknownMultiplierError, match="L4O"):
        resolve("float32[L4O]")
    with pytest.raises(ValueError, match="unsigned 8x8"):
        resolve("float32[exact8s]")
    with pytest.raises(ValueError, match="unsigned 8x8"):
        resolve("bfloat16[exact4]")


def test_a_name_follows_the_registry() -> None:
    register("test_floating_mine", lambda a, b: a * b & ~3)
    before = resolve("bfloat16[test_floating_mine]")
    register("test_floating_mine", lambda a, b: a * b & ~255, overwrite=True)
    after = resolve("bfloat16[test_floating_mine]")
    assert after(1.5, 1.0078125) != before(1.5, 1.0078125)


def test_names_are_of_float32_unless_they_say_otherwise() -> None:
    assert all(resolve(name).format == FLOAT32 for name in float_names() if "16" not in name)


@pytest.fixture(scope="module")
def bfloat16_vectors(shared: Path) -> dict[str, np.ndarray]:
    with np.load(shared / "axfpm" / "bfloat16_vectors.npz") as file:
        return dict(file)


@pytest.mark.parametrize("kind", ["form", "table"])
def test_axbf16_equals_the_authors_function_bit_for_bit(
    bfloat16_vectors: dict[str, np.ndarray], kind: str
) -> None:
    multiplier = {
        "form": axbf16,
        "table": lambda: replace(axbf16(), significand=Segmented(8, segment_record().table)),
    }[kind]()
    a, b = bfloat16_vectors["a"], bfloat16_vectors["b"]
    assert not bfloat16_vectors["raised"].any()
    assert np.array_equal(multiplier(a, b).view(np.uint32), bfloat16_vectors["result_bits"])


def test_gates_of_axbf16() -> None:
    gates = GateLevel(tiled(axfpm_block(), 8))
    a, b = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    assert np.array_equal(gates(a, b), axbf16().significand_product(a, b))
    simulated = replace(axbf16_normalized(), significand=gates)
    x, y = (1 + side[::9, ::7].astype(np.float32) / 256 for side in (a, b))
    assert np.array_equal(simulated(x, y), axbf16_normalized()(x, y))


@pytest.mark.parametrize("name", ["axbf16", "axbf16_normalized"])
@pytest.mark.parametrize("engine", ["native", "reference"])
def test_engines_make_the_same_of_axbf16(
    bfloat16_vectors: dict[str, np.ndarray], name: str, engine: str
) -> None:
    if engine == "native":
        pytest.importorskip("axsim._native", reason="axsim was installed without its compiled module")
    a, b = bfloat16_vectors["a"], bfloat16_vectors["b"]
    expected = get(name)(a, b)
    assert np.array_equal(axsim.multiply(a, b, name, engine=engine).view(np.uint32), expected.view(np.uint32))
    sums = axsim.matmul(a.reshape(-1, 1, 60), b.reshape(-1, 60, 1), name, engine=engine, out_dtype="float64")
    ascending = np.cumsum(expected.reshape(-1, 60), axis=1, dtype=np.float64)[:, -1]
    assert np.array_equal(sums[:, 0, 0], ascending)


def test_axbf16_normalized_is_twice_as_large_where_the_product_has_17_bits() -> None:
    significands = np.arange(128, 256, dtype=np.float32) / 128
    a, b = np.meshgrid(significands, significands, indexing="ij")
    slipped = axbf16().significand_product((a * 128).astype(int), (b * 128).astype(int)) >= 1 << 16
    ours, authors = axbf16_normalized()(a, b), axbf16()(a, b)
    assert slipped.sum() > 500
    assert np.array_equal(ours, np.where(slipped, 2 * authors, authors))


def test_limits_of_axbf16() -> None:
    tiny = np.float32(2.0**-62)
    for name in ("axbf16", "axbf16_normalized"):
        m = get(name)
        assert m(-tiny, tiny) == -(2.0**-123)  # 1 * 1 = 2
        assert m(-tiny, tiny / 4) == -(2.0**-125)
        below = m(-tiny, tiny / 8)
        assert below == 0
        assert not np.signbit(below)
        assert not np.signbit(m(-np.float32(0), np.float32(1)))
        assert m(np.float32(-1e30), np.float32(1e30)) == -np.inf
        assert np.isnan(m(np.float32(np.nan), np.float32(1)))
        # Operands are cut off, not rounded; one that is barely not small stays, whatever is left of it.
        assert m(np.float32(2 - 2.0**-20), np.float32(1)) == m(np.float32(2 - 2.0**-7), np.float32(1))
        least = np.nextafter(np.float32(1e-36), np.float32(1))
        assert m(least, np.float32(1)) > 0
        assert m(np.float32(0.99e-36), np.float32(1)) == 0


def test_operands_are_cut_off_only_where_exponents_are_those_of_float32() -> None:
    with pytest.raises(ValueError, match="float16 has another range of exponents"):
        FloatMultiplier("f", exact(11), FLOAT16, operand_rounding="truncate")


@pytest.mark.parametrize(("underflow", "below"), [("gradual", 2.0**-120), ("flush", 3.0)])
def test_what_cannot_be_flushed_is_refused(underflow: str, below: float) -> None:
    with pytest.raises(ValueError, match="flush_below is"):
        SpecialValues(underflow=underflow, flush_below=below)
