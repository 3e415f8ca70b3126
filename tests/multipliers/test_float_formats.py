"""Float formats against NumPy's float16, bit arithmetic, and all values of small formats."""

from __future__ import annotations

import numpy as np
import pytest

from axsim.multipliers.float_formats import BFLOAT16, FLOAT16, FLOAT32, FloatFormat


def random_floats(n: int) -> np.ndarray:
    """Random bit patterns: every exponent, subnormals, infinities, NaN."""
    x = np.random.default_rng(1).integers(0, 2**32, n, dtype=np.uint32).view(np.float32)
    return x[~np.isnan(x)]


def test_float16_rounding_is_numpys() -> None:
    x = np.concatenate([random_floats(20_000), np.random.default_rng(2).normal(0, 1, 20_000).astype("f4")])
    x = np.concatenate([x, np.ldexp(x, -15), np.float32([65504, 65519.99, 65520, 2**-25, 2**-24 * 1.5])])
    with np.errstate(over="ignore", under="ignore"):
        expected = x.astype(np.float16)
    assert np.array_equal(FLOAT16.round(x), expected.astype(np.float64))


def test_float16_ties_go_to_even() -> None:
    halves = np.arange(0x7BFF, dtype=np.uint16).view(np.float16).astype(np.float64)
    ties = (halves[:-1] + halves[1:]) / 2  # between all neighbours, the subnormal ones too
    even = np.where(np.arange(len(ties)) % 2 == 0, halves[:-1], halves[1:])
    assert np.array_equal(FLOAT16.round(ties), even)
    assert np.array_equal(FLOAT16.round(-ties), -even)
    assert np.array_equal(FLOAT16.round(ties, "truncate"), halves[:-1])


@pytest.mark.parametrize("rounding", ["nearest-even", "truncate"])
def test_bfloat16_rounding_is_that_of_the_upper_half(rounding: str) -> None:
    u = random_floats(50_000).view(np.uint32).astype(np.uint64)
    if rounding == "nearest-even":
        u = u + 0x7FFF + ((u >> np.uint64(16)) & np.uint64(1))
    expected = (u & np.uint64(0xFFFF0000)).astype(np.uint32).view(np.float32)
    assert np.array_equal(BFLOAT16.round(random_floats(50_000), rounding).astype(np.float32), expected)


def test_float32_keeps_float32() -> None:
    x = random_floats(10_000)
    assert np.array_equal(FLOAT32.round(x).astype(np.float32).view(np.uint32), x.view(np.uint32))


@pytest.mark.parametrize("fmt", [FloatFormat(4, 3), FloatFormat(5, 2), FloatFormat(2, 1), FLOAT16])
def test_every_value_of_a_format_is_its_own_rounding_and_decomposes(fmt: FloatFormat) -> None:
    m = fmt.fraction_bits
    fields, fractions = np.divmod(np.arange((1 << (fmt.exponent_bits + m)) - (1 << m)), 1 << m)
    subnormal = fields == 0
    values = np.ldexp(
        (fractions + np.where(subnormal, 0, 1 << m)).astype(float),
        np.where(subnormal, 1, fields) - fmt.largest_exponent - m,
    )
    assert np.array_equal(fmt.round(values), values)
    assert values[-1] == fmt.largest
    assert values[1 << m] == fmt.smallest_normal
    exponent, significand = fmt.decompose(-values)
    assert np.array_equal(np.ldexp(significand.astype(float), exponent - m), values)
    assert (significand[1:] >> np.uint64(m) == 1).all()


def test_without_subnormals_the_exponent_has_no_lower_limit() -> None:
    tiny = np.array([1.75 * 2.0**-140])
    assert BFLOAT16.round(tiny, subnormals=False) == tiny
    assert BFLOAT16.round(tiny) == 0


def test_infinities_and_nan_pass_and_overflow_is_infinite() -> None:
    x = np.array([np.inf, -np.inf, np.nan, 3.4e38, -3.4e38])
    for rounding in ("nearest-even", "truncate"):
        y = FLOAT16.round(x, rounding)
        assert np.array_equal(y, [np.inf, -np.inf, np.nan, np.inf, -np.inf], equal_nan=True)


@pytest.mark.parametrize("name", ["float32", "bfloat16", "float16", "e4m3", "e5m2", "e8m15"])
def test_names_parse_back(name: str) -> None:
    fmt = FloatFormat.parse(name)
    assert fmt is not None
    assert fmt.name == name


def test_names_of_widths_that_have_a_name_mean_that_format() -> None:
    assert FloatFormat.parse("e8m7") == BFLOAT16
    assert FloatFormat.parse("e5m10") == FLOAT16
    assert FloatFormat.parse("float64") is None


@pytest.mark.parametrize(("exponent_bits", "fraction_bits"), [(1, 3), (9, 3), (8, 0), (8, 24)])
def test_widths_out_of_range_are_refused(exponent_bits: int, fraction_bits: int) -> None:
    with pytest.raises(ValueError, match="expected 2 to 8 and 1 to 23"):
        FloatFormat(exponent_bits, fraction_bits)
