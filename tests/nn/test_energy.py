"""Published figures of energy, against the figures themselves."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import axsim
from axsim.multipliers.evoapprox import evoapprox
from axsim.multipliers.evoapprox_more import evoapprox_more
from axsim.nn.energy import EXACT, published_energy


def test_figures_of_one_circuit() -> None:
    energy = published_energy(axsim.get("JV3"))  # 0.034 mW, 0.58 ns; 1JFF: 0.391 mW, 1.43 ns
    assert energy is not None
    assert energy.picojoules is not None
    assert energy.picojoules == pytest.approx(0.034 * 0.58)
    assert energy.relative == pytest.approx(0.034 * 0.58 / (0.391 * 1.43))
    assert "published" in energy.source


def test_all_circuits_are_compared_with_the_exact_one_of_their_family() -> None:
    for name, circuit in {**evoapprox(), **evoapprox_more()}.items():
        energy = published_energy(circuit)
        assert energy is not None, name
        assert energy.family == EXACT[name[:5]]
    for name in EXACT.values():
        exact = axsim.get(name)
        assert exact.metrics().wce == 0
        assert published_energy(exact).relative == 1


def test_float_multipliers_have_the_fraction_of_the_whole_multiplier() -> None:
    assert published_energy(axsim.get("axfpm")).relative == 0.487
    assert published_energy(axsim.get("bfloat16")).relative == 0.4


@pytest.mark.parametrize("name", ["exact8", "drum8_4", "float32", "heap_like"])
def test_nothing_is_made_up(name: str) -> None:
    assert published_energy(axsim.get(name)) is None
