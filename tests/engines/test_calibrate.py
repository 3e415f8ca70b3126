"""Measuring costs: the fit on made-up times, and one small run."""

from __future__ import annotations

import numpy as np
import pytest

import axsim
from axsim.engines import calibrate, factored
from axsim.engines.costs import FEATURES


def test_costs_are_found_from_exact_times() -> None:
    random = np.random.default_rng(0)
    costs = np.array([1e-5, 3e-11, 0.0, 2e-9])
    amounts = np.column_stack([np.ones(12), *random.integers(1, 10**7, (3, 12))])
    rows = [(tuple(row), float(row @ costs)) for row in amounts]
    np.testing.assert_allclose(calibrate.fit(rows), costs, rtol=1e-6, atol=1e-16)


def test_costs_are_never_negative() -> None:
    found = calibrate.fit([((1, n), 10.0 - n) for n in range(1, 9)])  # falls as the amount grows
    assert found[1] == 0
    assert found[0] > 0


def test_every_engine_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrate, "GEMMS", ((8, 8, 8), (20, 9, 4), (40, 30, 20), (3, 50, 60), (64, 64, 9)))
    monkeypatch.setattr(
        calibrate, "CONVOLUTIONS", ((1, 2, 8, 4, 3, 1), (1, 4, 6, 4, 3, 4), (2, 3, 9, 5, 1, 1))
    )
    monkeypatch.setattr(factored, "int8_is_exact", lambda: False)
    measured = calibrate.calibrate((axsim.get("exact8"), axsim.get("JQQ")))
    assert measured.keys() == {"matmul", "conv2d"}
    for engines in measured.values():
        assert engines.keys() == {"native", "factored native", "factored float32", "factored float64"}
        for engine, costs in engines.items():
            assert len(costs) == FEATURES[engine]
            assert min(costs) >= 0
            assert max(costs) > 0
