"""Ranges from what was seen."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from axsim.nn.observers import BINS, MSE, OBSERVERS, Entropy, MovingAverage, Observer, Percentile, Range, Seen
from axsim.quantization import Rule

AFFINE, SYMMETRIC = Rule.affine(8, signed=False), Rule.symmetric(8)


def found(observer: Observer, *batches: torch.Tensor, rule: Rule = AFFINE) -> Range:
    seen = Seen()
    for batch in batches:
        seen = observer.see(seen, batch)
    return observer.range(seen, rule)


def normal(count: int = 20000, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", OBSERVERS)
def test_nothing_zeros_and_no_numbers(name: str) -> None:
    observer = OBSERVERS[name]
    assert found(observer, torch.zeros(3)) == (0.0, 0.0)
    assert found(observer, torch.zeros(0)) == (0.0, 0.0)
    low, high = found(observer, torch.zeros(3), torch.tensor([0.0, 2.0]))
    assert low == 0
    assert 0 < high <= 2


@pytest.mark.parametrize("name", OBSERVERS)
def test_nan_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="x holds NaN or infinity"):
        found(OBSERVERS[name], torch.tensor([0.0, torch.nan]))


@pytest.mark.parametrize("name", OBSERVERS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_types(name: str, dtype: torch.dtype) -> None:
    low, high = found(OBSERVERS[name], normal().to(dtype))
    assert -6 < low < -2 < 2 < high < 6


@pytest.mark.parametrize("name", OBSERVERS)
def test_what_is_never_negative_has_zero_at_its_end(name: str) -> None:
    assert found(OBSERVERS[name], normal().relu())[0] == 0


def test_moving_average() -> None:
    batches = [torch.tensor([-1.0, 1.0]), torch.tensor([-3.0, 2.0]), torch.tensor([0.0, 5.0])]
    low, high = -1.0, 1.0
    for batch in batches[1:]:
        low, high = 0.9 * low + 0.1 * batch[0].item(), 0.9 * high + 0.1 * batch[1].item()
    assert found(MovingAverage(), *batches) == pytest.approx((low, high))


@given(st.integers(1, 4), st.floats(51, 100), st.floats(-2, 2), st.floats(-3, 3))
def test_percentiles_to_a_bin(parts: int, percentile: float, shift: float, power: float) -> None:
    x = (normal(4000) + shift) * 10**power
    batches = [x[i::parts] for i in range(parts)]
    width = 2 * 2 ** np.ceil(np.log2(x.abs().max().item())) / BINS
    share = percentile / 100
    low, high = found(Percentile(percentile), *batches)
    assert high == 0 or is_quantile(x, high, share, width)
    assert low == 0 or is_quantile(x, low, 1 - share, width)
    low, high = found(Percentile(percentile), *batches, rule=SYMMETRIC)
    assert low == -high
    assert is_quantile(x.abs(), high, share, width)


def is_quantile(x: torch.Tensor, number: float, share: float, width: float) -> bool:
    """Whether that share of the numbers lies below, to one number and the width of a bin."""
    below, above = (int((x < number - width).sum()), int((x > number + width).sum()))
    return below <= share * len(x) + 1 and above <= (1 - share) * len(x) + 1


def error(x: torch.Tensor, limits: Range, rule: Rule) -> float:
    scale, zero = rule.numbers(*limits)
    q = np.clip(np.rint(x.double().numpy() / scale) + zero, rule.qmin, rule.qmax)
    return float(np.mean((scale * (q - zero) - x.numpy()) ** 2))


@pytest.mark.parametrize("bits", [3, 4, 8])
@pytest.mark.parametrize("rectified", [True, False])
def test_least_mean_square(bits: int, rectified: bool) -> None:
    """Beside the range of all numbers, and every range of a fine grid."""
    rule = Rule.affine(bits, signed=False)
    x = torch.cat([normal(), torch.tensor([12.0])])  # one far out
    x = x.relu() if rectified else x
    mine = error(x, found(MSE(), x, rule=rule), rule)
    assert mine <= error(x, (x.min().item(), x.max().item()), rule)
    grid = [(low, high) for low in np.linspace(x.min().item(), 0, 40) for high in np.linspace(0.5, 12, 40)]
    assert mine <= 1.1 * min(error(x, limits, rule) for limits in grid)


@pytest.mark.parametrize("rule", [Rule.affine(4, signed=False), Rule.symmetric(5)])
def test_entropy_cuts_a_long_tail(rule: Rule) -> None:
    x = torch.cat([normal().relu(), torch.full((2,), 40.0)])
    low, high = found(Entropy(), x, rule=rule)
    assert low == 0
    assert 1 < high < 20


def test_batches_of_growing_numbers_count_alike() -> None:
    """A histogram that had to widen has the counts of one that did not."""
    x = normal()
    parts = [x[x.abs() < 0.01], x[(x.abs() >= 0.01) & (x.abs() < 1)], x[x.abs() >= 1]]
    seen = Seen()
    for part in parts:
        seen = Percentile().see(seen, part)
    whole = Percentile().see(Seen(), x)
    assert seen.limit == whole.limit
    assert seen.counts is not None
    assert whole.counts is not None
    assert np.array_equal(seen.counts, whole.counts)


def test_numbers_of_very_different_size() -> None:
    low, high = found(Percentile(100), torch.tensor([1e-30]), torch.tensor([1e30, -1e20]))
    assert low == pytest.approx(0, abs=1e28)
    assert high == pytest.approx(1e30)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MovingAverage(0.0), "momentum is 0.0"),
        (lambda: Percentile(50), "percentile is 50"),
        (lambda: Percentile(100.5), "percentile is 100.5"),
    ],
)
def test_settings_out_of_range(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]
