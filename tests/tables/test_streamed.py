"""Error figures of wide circuits: all operands in parts, or a sample with intervals."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

import axsim
from axsim.circuits import exact, truncated
from axsim.tables import compute
from axsim.tables.streamed import sample, stream


@pytest.mark.parametrize(
    "name", ["L40", "mul8s_1KVB", "exact8s", "trunc5_3", "exact4x7", "drum6_3", "mul8u_2AC"]
)
def test_streamed_figures_are_those_of_the_table(name: str) -> None:
    table = axsim.get(name).table
    mask = (1 << table.a_bits) - 1, (1 << table.b_bits) - 1
    streamed = stream(
        lambda a, b: table.values[a & mask[0], b & mask[1]].astype(np.int64),
        table.a_bits,
        table.b_bits,
        table.out_bits,
        table.signed,
    )
    assert asdict(streamed) == pytest.approx(asdict(compute(table)), rel=1e-9, abs=1e-12)


def test_wide_figures_in_closed_form() -> None:
    """Without its lowest bit, a product is 1 too small for a quarter of the operands."""
    figures = stream(lambda a, b: a * b & ~1, 11, 9, 20, signed=True)
    assert (figures.mae, figures.bias, figures.wce, figures.mse) == (0.25, -0.25, 1, 0.25)
    assert figures.error_variance == 0.1875


def test_intervals_hold_the_figures() -> None:
    circuit = truncated(8, 6)
    whole = compute(axsim.get("trunc8_6").table)
    found = sample(circuit, 8, 8, signed=False, samples=20_000, seed=3)
    for name in ("mae", "mre_percent", "ep_percent", "mse", "bias"):
        estimate = getattr(found, name)
        assert abs(estimate.value - getattr(whole, name)) < 2 * estimate.margin
        assert estimate.margin > 0
    assert found.wce_seen <= whole.wce
    assert found == sample(circuit, 8, 8, signed=False, samples=20_000, seed=3)
    assert "±" in str(found.mae)


def test_limits() -> None:
    with pytest.raises(ValueError, match="13 and 12 input bits"):
        stream(exact(13, 12), 13, 12, 25, signed=False)
    with pytest.raises(ValueError, match="32 and 32 input bits"):
        sample(exact(4), 32, 32, signed=False)
    with pytest.raises(ValueError, match="samples is 1"):
        sample(exact(4), 4, 4, signed=False, samples=1)


def test_multipliers_of_wide_circuits(tmp_path: object) -> None:
    mine = axsim.Multiplier("mine", 9, 9, False, simulate=lambda: 1 / 0, make_netlist=lambda: truncated(9, 2))
    assert mine.is_wide
    assert mine.metrics().wce == 1 + 2 * 2
    assert mine.sampled_metrics(samples=5000).wce_seen <= 5
    wider = axsim.Multiplier("wider", 16, 16, False, simulate=lambda: 1 / 0, make_netlist=lambda: exact(16))
    assert wider.sampled_metrics(samples=1000).mae.value == 0
    with pytest.raises(ValueError, match=r"wider: 32 input bits.*sampled_metrics"):
        wider.metrics()
