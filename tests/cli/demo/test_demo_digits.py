"""The digits of the demonstration, and its picture of them."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest

from axsim.cli.demo import digits
from axsim.multipliers.evoapprox import evoapprox

Text = pytest.importorskip("matplotlib.text").Text
torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def results() -> list[digits.DigitsResult]:
    return digits.classify()


def test_every_network_is_shown_the_trained_one_first(results: list[digits.DigitsResult]) -> None:
    assert results[0].multiplier == digits.FLOAT32
    assert sorted(r.multiplier for r in results[1:]) == sorted(["exact8", *evoapprox(), "axfpm"])
    assert [r.accuracy for r in results[1:]] == sorted((r.accuracy for r in results[1:]), reverse=True)
    assert {r.images for r in results} == {719}


def test_figures_are_those_of_the_networks_themselves(results: list[digits.DigitsResult]) -> None:
    import axsim.nn
    from axsim import datasets, models

    by_name = {r.multiplier: r for r in results}
    data, network = datasets.load("digits"), models.load("lenet5", "digits")
    images, labels = data.tensors("test")
    assert by_name["float32"].accuracy == models.accuracy(network, images, labels)
    jv3 = axsim.nn.approximate(network, "JV3", calibrate=[data.tensors("train", 256)[0]])
    found = by_name["mul8u_JV3"]
    assert found.accuracy == models.accuracy(jv3, images, labels) < by_name["exact8"].accuracy
    assert found.power_mw == 0.034
    assert found.energy == pytest.approx(0.034 * 0.58 / (0.391 * 1.43))
    assert (by_name["axfpm"].power_mw, by_name["axfpm"].energy) == (None, pytest.approx(0.487))
    assert (by_name["exact8"].power_mw, by_name["exact8"].energy) == (None, None)
    assert abs(by_name["exact8"].accuracy - by_name["float32"].accuracy) < 0.01
    assert by_name["mul8u_1JFF"].accuracy == by_name["exact8"].accuracy


def test_a_multiplier_that_is_not_used_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from axsim.nn.layers import ApproxLinear

    own = ApproxLinear.forward

    def exact_but_in_calibration(layer: Any, x: Any) -> Any:
        return own(layer, x) if layer.watched is not None else torch.nn.Linear.forward(layer, x)

    monkeypatch.setattr(ApproxLinear, "forward", exact_but_in_calibration)
    with pytest.raises(RuntimeError, match="linear1, linear2 did not multiply through KEM"):
        digits.classify(["KEM"])


def test_points_and_names_are_where_they_belong(results: list[digits.DigitsResult]) -> None:
    figure = digits.picture(results)
    axis, times = figure.axes
    circuits = [r for r in results if r.power_mw is not None]
    points = axis.collections[0].get_offsets()
    np.testing.assert_allclose(points, [(r.power_mw, 100 * r.accuracy) for r in circuits])
    named = [text for text in axis.texts if text.get_text()]
    assert {t.get_text(): t.xy for t in named} == {
        r.multiplier.removeprefix("mul8u_"): (r.power_mw, 100 * r.accuracy) for r in circuits
    }
    assert [bar.get_width() for bar in times.patches] == [r.slowdown for r in results[1:]]
    figure.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in named]  # without the lines to the points
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


def test_the_table_names_what_it_is(
    results: list[digits.DigitsResult], capsys: pytest.CaptureFixture[str]
) -> None:
    digits.print_results(results)
    printed: Any = capsys.readouterr().out
    assert [r.multiplier for r in results if r.multiplier not in printed] == []
    assert "719 handwritten digits" in printed


@pytest.mark.parametrize("positions", [[], [3.0], [1, 1, 1], [5, 0, 4.9, 5.1, 9], [0, 10, 0.1, 9.9]])
def test_positions_spread_no_more_than_they_must(positions: list[float]) -> None:
    found = digits.spread(positions, 0.5)
    order = np.argsort(positions, kind="stable")
    assert np.all(np.diff(found[order]) >= 0.5 - 1e-12)
    assert found.sum() == pytest.approx(sum(positions))
    for k, x in enumerate(positions):
        if all(abs(x - y) >= 1 for y in positions[:k] + positions[k + 1 :]):
            assert found[k] == pytest.approx(x)


def test_the_least_distance_moves_both_neighbours() -> None:
    assert digits.spread([0, 5, 5.5, 6], 1).tolist() == [0.0, 4.5, 5.5, 6.5]
