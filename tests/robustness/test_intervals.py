"""Wilson intervals, against SciPy."""

from __future__ import annotations

import math

import pytest
from scipy.stats import binomtest

from axsim.robustness.intervals import wilson


@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
def test_the_interval_is_scipys(level: float) -> None:
    for of in (1, 7, 100):
        for count in {0, 1, of // 2, of}:
            expected = binomtest(count, of).proportion_ci(level, "wilson")
            found = wilson(count, of, level)
            assert found.low == pytest.approx(expected.low, abs=1e-12)
            assert found.high == pytest.approx(expected.high, abs=1e-12)
            assert found.low <= found.value <= found.high


def test_nothing_counted() -> None:
    found = wilson(0, 0)
    assert math.isnan(found.value)
    assert (found.low, found.high) == (0, 1)
    assert str(found) == "none of 0"


def test_overlap() -> None:
    assert wilson(10, 50).overlaps(wilson(14, 50))
    assert not wilson(2, 50).overlaps(wilson(30, 50))


@pytest.mark.parametrize(("count", "of", "level"), [(-1, 5, 0.9), (6, 5, 0.9), (1, 5, 0.0), (1, 5, 1.0)])
def test_bad_arguments(count: int, of: int, level: float) -> None:
    with pytest.raises(ValueError, match="expected"):
        wilson(count, of, level)
