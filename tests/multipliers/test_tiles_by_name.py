"""``tiled16[L40]``, and other circuits too wide for a table."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import axsim
from axsim.circuits import exact, tiled
from axsim.multipliers import Multiplier, registry


def test_it_is_the_tiled_circuit() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.integers(0, 1 << 16, (2, 2000))
    wide = axsim.get("tiled16[L40]")
    np.testing.assert_array_equal(wide(a, b), tiled(axsim.get("L40").netlist, 16)(a, b))
    assert (wide.a_bits, wide.b_bits, wide.out_bits, wide.is_wide) == (16, 16, 32, True)
    np.testing.assert_array_equal(wide.netlist(a, b), wide(a, b))
    np.testing.assert_array_equal(axsim.get("TILED16[l40]~")(b, a), wide(a, b))


def test_a_block_without_gates() -> None:
    wide = axsim.get("tiled24[drum8_4]")
    assert wide.netlist is None
    assert wide(8 << 16, 3) == 24 << 16
    assert wide.sampled_metrics(1000).wce_seen > 0


def test_narrow_ones_have_tables() -> None:
    assert axsim.get("tiled8[kulkarni4]").table == axsim.get("kulkarni8").table


@pytest.mark.parametrize("name", ["kulkarni10", "kulkarni12", "kulkarni14", "kulkarni16"])
def test_families_that_are_tiled(name: str) -> None:
    rng = np.random.default_rng(3)
    wide = axsim.get(name)
    assert wide.block is not None
    assert wide.a_bits % wide.block.a_bits == 0
    a, b = rng.integers(0, 1 << wide.a_bits, (2, 2000))
    np.testing.assert_array_equal(wide(a, b), wide.netlist(a, b))
    assert wide.out_bits == wide.netlist.out_bits


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("tiled16[exact8s]", ValueError, "expected an unsigned multiplier of at most 16 input bits"),
        ("tiled16[axfpm]", ValueError, "expected an unsigned multiplier"),
        ("tiled32[exact16]", ValueError, "expected an unsigned multiplier"),
        ("tiled32[L40]", ValueError, "beyond 64 bits"),
        ("tiled48[L40]", ValueError, "a multiple, up to 32"),
    ],
)
def test_what_cannot_be_tiled(name: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        axsim.get(name)


def test_a_wide_netlist_gets_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})
    mine = axsim.register("mine12", exact(12))
    assert isinstance(mine, Multiplier)
    assert axsim.get("mine12")(4095, 4095) == 4095 * 4095
    with pytest.raises(ValueError, match="a_bits is 8, but the product given has a_bits 12"):
        axsim.register("other", exact(12), a_bits=8)
    with pytest.raises(ValueError, match="taken"):
        axsim.register("mine12", exact(12))
    assert pickle.loads(pickle.dumps(mine))(3, 5) == 15


def test_no_table_of_a_wide_one() -> None:
    for name in ("tiled16[L40]", "exact12"):
        with pytest.raises(ValueError, match="a table"):
            axsim.get(name).table  # noqa: B018
