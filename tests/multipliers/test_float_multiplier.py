"""Float products: a slow oracle, IEEE 754 arithmetic of NumPy, special values, signs and scaling."""

from __future__ import annotations

import math
import pickle
import warnings

import numpy as np
import pytest
from float_cases import E4M3, SPARSE, bits, multipliers, numbers_of
from float_oracle import slow_product
from hypothesis import assume, example, given
from hypothesis import strategies as st

from axsim.multipliers import get as resolve
from axsim.multipliers.float_formats import BFLOAT16, FLOAT16
from axsim.multipliers.float_multiplier import FloatMultiplier, SpecialValues
from axsim.multipliers.floating import float_names
from axsim.multipliers.significand import Segmented, ax_fpm, exact, monolithic


@pytest.mark.parametrize("name", multipliers())
def test_products_equal_the_slow_definition(name: str) -> None:
    multiplier = multipliers()[name]
    x = numbers_of(multiplier.format)
    with np.errstate(over="ignore"):
        expected = np.array(
            [[slow_product(multiplier, float(a), float(b)) for b in x] for a in x], np.float32
        )
    result = multiplier(x[:, None], x[None, :])
    assert result.dtype == np.float32
    wrong = np.argwhere(bits(result) != bits(expected))
    assert len(wrong) == 0, [(x[i], x[j], result[i, j], expected[i, j]) for i, j in wrong[:3]]


def test_every_product_of_a_small_format() -> None:
    grid = np.concatenate([np.linspace(-250, 250, 20_001), np.linspace(-2, 2, 4_097)])
    x = np.unique(E4M3.round(grid)).astype(np.float32)
    assert len(x) == 2 * 15 * 8 + 1  # two signs, fields 0 to 14, both infinities but one zero
    small = FloatMultiplier("small", Segmented(4, SPARSE), E4M3)
    expected = [[slow_product(small, float(a), float(b)) for b in x] for a in x]
    assert np.array_equal(bits(small(x[:, None], x[None, :])), bits(expected))


def float32_pairs(n: int) -> np.ndarray:
    """Random bit patterns, and pairs whose product lies at either end of the range; all finite."""
    rng = np.random.default_rng(6)
    x = rng.integers(0, 2**32, (2, n), dtype=np.uint32).view(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for k, edge in enumerate((2.0**-126, 2.0**-149, 3.4e38, 1.0)):
            part = slice(k * n // 5, (k + 1) * n // 5)
            x[1, part] = edge * rng.uniform(0.5, 2, n // 5) / x[0, part].astype(np.float64)
    return x[:, np.isfinite(x).all(axis=0)]


def test_float32_is_numpys_product_for_finite_operands() -> None:
    a, b = float32_pairs(200_000)
    with np.errstate(over="ignore", under="ignore"):
        expected = a * b
    assert np.isinf(expected).mean() > 0.05
    assert ((expected != 0) & (abs(expected) < 2.0**-126)).mean() > 0.05
    assert np.array_equal(bits(resolve("float32")(a, b)), bits(expected))


@given(st.floats(width=32), st.floats(width=32))
@example(1e-45, 0.5)
@example(2.0**-75, 2.0**-75)
@example(2.0**-75 * 1.5, 2.0**-75)
def test_float32_is_numpys_product(a: float, b: float) -> None:
    with np.errstate(all="ignore"):
        expected = np.float32(a) * np.float32(b)
    assert bits(resolve("float32")(np.float32(a), np.float32(b))) == bits(expected)


def test_float16_is_numpys_product() -> None:
    a, b = np.random.default_rng(7).integers(0, 2**16, (2, 100_000), dtype=np.uint16).view(np.float16)
    with np.errstate(all="ignore"):
        expected = a * b
    result = resolve("float16")(a, b)
    assert np.array_equal(bits(result), bits(expected.astype(np.float32)))


def test_bfloat16_is_the_exact_product_rounded_once() -> None:
    u = np.random.default_rng(8).integers(0, 2**16, (2, 100_000), dtype=np.uint32) << np.uint32(16)
    a, b = u.view(np.float32)
    with np.errstate(all="ignore"):
        exact_product = a * b  # 16 bits: exact in float32 unless it is subnormal or out of range
    normal = (abs(exact_product) >= 2.0**-126) & np.isfinite(exact_product)
    patterns = exact_product.view(np.uint32)
    rounded = (patterns + 0x7FFF + ((patterns >> 16) & 1)) & np.uint32(0xFFFF0000)
    result = resolve("bfloat16")(a, b)
    assert normal.mean() > 0.4
    assert np.array_equal(result.view(np.uint32)[normal], rounded[normal])
    assert not (result[np.isfinite(result)].view(np.uint32) & 0xFFFF).any()


def test_operands_are_rounded_to_the_format_first() -> None:
    a = np.float32([1 + 2**-8, 1 + 3 * 2**-8, 1.2345678, 3.4e38])
    rounded = BFLOAT16.round(a).astype(np.float32)
    assert rounded.tolist() == [1.0, 1.015625, 1.234375, math.inf]
    bfloat16 = resolve("bfloat16")
    assert np.array_equal(bfloat16(a, a[::-1]), bfloat16(rounded, rounded[::-1]))


@given(st.sampled_from(sorted(multipliers())), st.floats(width=32), st.floats(width=32))
def test_the_sign_is_the_exclusive_or(name: str, a: float, b: float) -> None:
    multiplier = multipliers()[name]
    product = multiplier(np.float32(a), np.float32(b))
    if np.isnan(product):
        return
    a_zero, b_zero = (multiplier.operand(np.float32(x)) == 0 for x in (a, b))
    positive_zero = multiplier.special.zero_sign == "positive" and (a_zero or b_zero)
    positive_zero |= multiplier.special.zero_sign == "all-positive" and product == 0
    for sign_a in (1, -1):
        for sign_b in (1, -1):
            signed = multiplier(np.float32(sign_a * a), np.float32(sign_b * b))
            expected = product if positive_zero else product * np.float32(sign_a * sign_b)
            assert bits(signed) == bits(expected)


@given(
    st.sampled_from(sorted(multipliers())),
    st.floats(0.5, 2, width=32),
    st.floats(0.5, 2, width=32),
    st.integers(-120, 120),
)
def test_scaling_an_operand_by_a_power_of_two_scales_the_product(
    name: str, a: float, b: float, k: int
) -> None:
    multiplier = multipliers()[name]
    fmt, x, y = multiplier.format, np.float32(a), np.float32(b)
    k = int(math.copysign(abs(k) % (fmt.largest_exponent - 3), k))
    product = float(multiplier(x, y))
    expected = math.ldexp(product, k)
    assume(min(a, b) * 2.0**k >= multiplier.special.zero_below)
    assume(all(fmt.smallest_normal <= value <= fmt.largest for value in (product, expected)))
    assert multiplier(np.ldexp(x, k), y) == multiplier(x, np.ldexp(y, k)) == expected


def test_zero_times_anything_is_zero_even_where_the_table_says_otherwise() -> None:
    assert SPARSE.values[0, 200] != 0
    multiplier = FloatMultiplier("sparse", Segmented(8, SPARSE), BFLOAT16)
    assert bits(multiplier(np.float32([0, -0.0, 0]), np.float32([1.5, 1.5, -2]))).tolist() == [
        0,
        0x80000000,
        0x80000000,
    ]


def test_overflow_is_infinite_under_truncation_too() -> None:
    truncating = FloatMultiplier("t", exact(11), FLOAT16, rounding="truncate")
    assert truncating(np.float32([300, -300]), np.float32(300)).tolist() == [math.inf, -math.inf]


def test_underflow_rules() -> None:
    a, b = np.float32(1.75 * 2**-10), np.float32([2**-4, 2**-5, 2**-6, -(2**-5)])
    expected = {
        "gradual": [1.75 * 2**-14, 1.75 * 2**-15, 1.75 * 2**-16, -1.75 * 2**-15],
        "flush": [1.75 * 2**-14, 0.0, 0.0, -0.0],
        "fraction": [1.75 * 2**-14, 0.75 * 2**-14, 0.0, -0.75 * 2**-14],
    }
    for underflow, values in expected.items():
        special = SpecialValues(underflow=underflow)
        multiplier = FloatMultiplier(underflow, exact(11), FLOAT16, special=special)
        assert np.array_equal(bits(multiplier(a, b)), bits(np.float32(values))), underflow


def test_flushing_looks_at_the_rounded_result() -> None:
    a, b = np.float32(1448 / 1024 * 2**-7), np.float32(1448 / 1024 * 2**-8)  # 1.9996 * 2**-15
    flush = SpecialValues(underflow="flush")
    assert FloatMultiplier("n", exact(11), FLOAT16, special=flush)(a, b) == 2**-14
    assert FloatMultiplier("t", exact(11), FLOAT16, rounding="truncate", special=flush)(a, b) == 0


def test_small_operands_count_as_zeros_up_to_the_threshold() -> None:
    special = SpecialValues(zero_below=1e-36)
    multiplier = FloatMultiplier("z", exact(24), special=special)
    above = np.float32(1e-36)
    above = above if float(above) >= 1e-36 else np.nextafter(above, np.float32(1))
    below = np.nextafter(above, np.float32(0))
    assert multiplier(np.float32([below, above]), np.float32(1)).tolist() == [0.0, float(above)]
    assert np.isnan(multiplier(below, np.float32(np.inf)))
    assert bits(multiplier(-below, np.float32(1))) == 0x80000000


def test_shapes_broadcast_and_scalars_stay_scalars() -> None:
    multiplier = resolve("axfpm")
    assert multiplier(np.ones((3, 1), "f4"), np.ones(4, "f4")).shape == (3, 4)
    assert multiplier(np.ones((0, 3), "f4"), np.ones(3, "f4")).shape == (0, 3)
    assert isinstance(multiplier(1.5, 2), np.float32)
    fortran = np.asfortranarray(np.random.default_rng(0).random((5, 6), np.float32))
    assert np.array_equal(multiplier(fortran[::2], fortran[::2]), multiplier(fortran, fortran)[::2])
    with pytest.raises(ValueError, match="broadcast"):
        multiplier(np.ones(3, "f4"), np.ones(4, "f4"))


def test_operands_are_left_alone() -> None:
    a = np.float32([1.2345678, 1e-40])
    a.setflags(write=False)
    resolve("axfpm")(a, a)
    resolve("bfloat16")(a, a)
    assert a.tolist() == np.float32([1.2345678, 1e-40]).tolist()


def test_no_warning_comes_from_special_values() -> None:
    x = np.float32([0, -0.0, 1e-45, 3e38, np.inf, -np.inf, np.nan])
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        for name in float_names():
            with np.errstate(all="warn"):
                resolve(name)(x[:, None], x)


@pytest.mark.parametrize("bad", [np.ones(2), np.float64(1.5), np.ones(2, int), "1.5", np.ones(2, complex)])
def test_other_types_are_refused(bad: object) -> None:
    with pytest.raises(TypeError, match=r"^b is .*expected float32 or float16"):
        resolve("float32")(np.float32(1), bad)


def test_significand_products_are_checked() -> None:
    multiplier = resolve("axfpm")
    assert multiplier.significand_product(0xFFFFFF, [0x800000, 1]).dtype == np.uint64
    with pytest.raises(ValueError, match=r"a holds .* expected 0 to 16777215"):
        multiplier.significand_product([1, 1 << 24], 1)
    with pytest.raises(ValueError, match="b holds"):
        multiplier.significand_product(1, -1)
    with pytest.raises(TypeError, match="b is float64"):
        multiplier.significand_product(1, 1.0)


def test_bad_definitions_are_refused() -> None:
    with pytest.raises(ValueError, match="multiplies 8 bits, expected 24"):
        FloatMultiplier("x", exact(8))
    with pytest.raises(ValueError, match="normaliser is 'none'"):
        FloatMultiplier("x", exact(24), normaliser="none")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="rounding is 'up'"):
        FloatMultiplier("x", exact(24), rounding="up")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="truncate"):
        FloatMultiplier("x", monolithic(24), normaliser="published")
    with pytest.raises(ValueError, match=r"at least 2\*\*47"):
        FloatMultiplier("x", exact(24), normaliser="published", rounding="truncate")
    with pytest.raises(ValueError, match="underflow is 'wrap'"):
        SpecialValues(underflow="wrap")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="zero_sign is"):
        SpecialValues(zero_sign="negative")  # type: ignore[arg-type]
    for zero_below in (-1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="zero_below is"):
            SpecialValues(zero_below=zero_below)


def test_published_works_for_other_formats() -> None:
    multiplier = FloatMultiplier("p", ax_fpm(8), BFLOAT16, "published", "truncate")
    x = numbers_of(BFLOAT16)
    expected = [[slow_product(multiplier, float(a), float(b)) for b in x] for a in x]
    assert np.array_equal(bits(multiplier(x[:, None], x)), bits(np.array(expected)))


def test_descriptions_name_what_matters() -> None:
    text = resolve("axfpm").describe()
    for part in ("axfpm", "float32 (1-8-23)", "published", "truncate", "1e-36", "fraction", "10.1145"):
        assert part in text
    assert "zeros only" in resolve("bfloat16").describe()
    assert resolve("float16").bits == 11


def test_pickles() -> None:
    for name in ("axfpm", "bfloat16[L40]"):
        multiplier = resolve(name)
        again = pickle.loads(pickle.dumps(multiplier))
        assert again == multiplier
        assert again(1.5, 1.75) == multiplier(1.5, 1.75)
