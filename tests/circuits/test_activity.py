"""How often nets toggle, against plain loops over operand pairs."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from axsim.circuits import Histograms, Netlist, Samples, Uniform, baugh_wooley, exact, kulkarni
from axsim.circuits.activity import SAMPLES, ones, toggles
from axsim.errors import NetlistError


def nets_of(netlist: Netlist, a: int, b: int) -> list[int]:
    """The values of all nets for one operand pair, gate by gate."""
    left, right = netlist.operands
    values = [0, 1]
    for bus, width in netlist.inputs.items():
        operand = {left: a, right: b}[bus]
        values += [operand >> bit & 1 for bit in range(width)]
    for op, (x, y) in zip(netlist.ops.tolist(), netlist.sources.tolist(), strict=True):
        values.append(op >> (2 * values[x] + values[y]) & 1)
    return values


def expected(netlist: Netlist, weights: dict[tuple[int, int], float]) -> np.ndarray:
    total = np.zeros(netlist.first_gate + netlist.n_gates)
    for (a, b), weight in weights.items():
        total += weight * np.array(nets_of(netlist, a, b))
    return total / sum(weights.values())


@pytest.mark.parametrize("netlist", [exact(3, 4), baugh_wooley(3), kulkarni(4)], ids=lambda n: n.name)
def test_uniform_operands(netlist: Netlist) -> None:
    pairs = product(range(1 << netlist.a_bits), range(1 << netlist.b_bits))
    np.testing.assert_array_equal(ones(netlist), expected(netlist, dict.fromkeys(pairs, 1.0)))


def test_histograms_are_indexed_by_bit_patterns() -> None:
    netlist, rng = baugh_wooley(3, 2), np.random.default_rng(5)
    a, b = rng.random(8), rng.integers(0, 9, 4)
    weights = {(i, j): a[i] * b[j] for i, j in product(range(8), range(4))}
    np.testing.assert_allclose(ones(netlist, Histograms(a, b)), expected(netlist, weights), rtol=1e-12)


def test_samples_are_values_and_correlated() -> None:
    netlist = baugh_wooley(3)
    same = np.arange(-4, 4)
    found = ones(netlist, Samples(same, same))
    np.testing.assert_allclose(found, expected(netlist, {(a & 7, a & 7): 1.0 for a in same.tolist()}))
    assert not np.allclose(found, ones(netlist))


def test_operands_that_never_change_toggle_nothing() -> None:
    assert toggles(exact(4), Samples([5, 5], [3, 3])).tolist() == [0.0] * exact(4).n_gates
    assert toggles(exact(4), Histograms(np.eye(16)[5], np.eye(16)[3])).max() == 0


def test_more_operand_pairs_than_one_chunk_holds() -> None:
    netlist = exact(9, 8)
    pairs = np.divmod(np.arange(1 << 17), 256)
    np.testing.assert_allclose(ones(netlist), ones(netlist, Samples(*pairs)), atol=1e-12)
    weighted = ones(netlist, Histograms(np.ones(512), np.ones(256)))
    np.testing.assert_allclose(ones(netlist), weighted, atol=1e-12)


def test_wide_circuits_are_sampled_near_the_truth() -> None:
    netlist = exact(12)
    p = ones(netlist)
    assert (ones(netlist) == p).all()
    assert np.abs(p[2:26] - 0.5).max() < 5 * 0.5 / SAMPLES**0.5
    partial = p[netlist.first_gate]  # a partial product
    assert abs(partial - 0.25) < 0.01
    always = np.eye(4096)[4095]
    assert (ones(netlist, Histograms(always, always))[2:26] == 1).all()


def test_bits_of_the_last_word_that_stand_for_nothing_do_not_count() -> None:
    not_gate = Netlist("n", {"a": 1, "b": 1}, {"p": (4,)}, [3], [(2, 0)])
    assert ones(not_gate, Samples([1, 1, 1], [0, 0, 0]))[4] == 0


@pytest.mark.parametrize(
    ("statistics", "says"),
    [
        (Histograms([1, 2, 3], np.ones(4)), r"histogram of a has shape \(3,\), expected \(4,\)"),
        (Histograms(np.ones(4), [1, -1, 1, 1]), "histogram of b must hold finite numbers"),
        (Histograms(np.zeros(4), np.ones(4)), "histogram of a .* not all 0"),
        (Histograms(np.ones(4), [1, np.nan, 1, 1]), "histogram of b"),
        (Samples([1, 2], [1]), r"shapes \(2,\) of a and \(1,\) of b"),
        (Samples([], []), "expected equal ones, not empty"),
        (Samples([4], [1]), "operand 'a' has values from 4 to 4"),
    ],
)
def test_what_does_not_fit_is_refused(statistics: Histograms | Samples, says: str) -> None:
    with pytest.raises((ValueError, TypeError), match=says):
        ones(exact(2), statistics)


def test_circuits_of_other_forms_are_refused() -> None:
    with pytest.raises(NetlistError, match="two input buses"):
        ones(Netlist("n", {"a": 1}, {"p": (2,)}, [], []), Uniform())
