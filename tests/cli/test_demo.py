"""The demonstration's parts, and its pictures."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import correlate

from axsim.cli import demo
from axsim.multipliers.evoapprox import evoapprox

Text = pytest.importorskip("matplotlib.text").Text

EVOAPPROX = list(evoapprox())


@pytest.fixture(scope="module")
def network() -> demo.DigitsNetwork:
    return demo.train_digits()


def test_exact_filters_are_the_usual_ones() -> None:
    image = demo.photograph()
    wide = image.astype(np.int64)
    blurred = (correlate(wide, demo.GAUSSIAN.astype(np.int64), mode="constant") + 128) >> 8
    np.testing.assert_array_equal(demo.blur(image, "exact8"), blurred)
    kernel = demo.SOBEL_X // demo.SOBEL_SCALE
    dx, dy = (correlate(wide, k.astype(np.int64), mode="constant") for k in (kernel, kernel.T))
    np.testing.assert_array_equal(
        demo.sobel_edges(image, "exact8"), np.clip(np.hypot(dx, dy) / 4, 0, 255).astype(np.uint8)
    )


def test_quality_falls_with_the_multiplier() -> None:
    exact, results = demo.filter_photograph(["exact8", "KEM", "JV3"])
    assert exact.blur_ssim == results[0].blur_ssim == 1
    psnr = [r.blur_psnr for r in results]
    assert psnr[0] == np.inf
    assert psnr[1] > 50 > 20 > psnr[2] > 5


def test_digits_are_learned_and_survive_quantisation(network: demo.DigitsNetwork) -> None:
    assert network.float_accuracy() > 0.95
    assert abs(network.accuracy("exact8") - network.float_accuracy()) < 0.01
    assert network.accuracy("JV3") < network.accuracy("exact8")


def test_interrupted_training_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.neural_network import MLPClassifier

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(MLPClassifier, "_backprop", interrupted)
    with pytest.raises(KeyboardInterrupt):
        demo.train_digits()


def test_all_sixteen_circuits_are_shown(network: demo.DigitsNetwork) -> None:
    results = demo.classify_digits(network)
    assert sorted(r.multiplier for r in results) == sorted(EVOAPPROX)
    assert [r.accuracy for r in results] == sorted((r.accuracy for r in results), reverse=True)
    figure = demo.digits_picture(results, 0.9)
    axis = figure.axes[0]
    points = axis.collections[0].get_offsets()
    np.testing.assert_allclose(points, [(r.power_mw, 100 * r.accuracy) for r in results])
    assert {t.get_text(): t.xy for t in axis.texts} == {
        r.multiplier.removeprefix("mul8u_"): (r.power_mw, 100 * r.accuracy) for r in results
    }
    figure.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in axis.texts]  # without the lines to the points
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


def test_the_whole_demonstration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demo.run(tmp_path)
    printed = capsys.readouterr().out
    assert [name for name in (*demo.IMAGE_MULTIPLIERS, *EVOAPPROX) if name not in printed] == []
    for picture in ("photograph.png", "digits.png"):
        assert str(tmp_path / picture) in printed
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("positions", [[], [3.0], [1, 1, 1], [5, 0, 4.9, 5.1, 9], [0, 10, 0.1, 9.9]])
def test_positions_spread_no_more_than_they_must(positions: list[float]) -> None:
    found = demo.spread(positions, 0.5)
    order = np.argsort(positions, kind="stable")
    assert np.all(np.diff(found[order]) >= 0.5 - 1e-12)
    assert found.sum() == pytest.approx(sum(positions))
    for k, x in enumerate(positions):
        if all(abs(x - y) >= 1 for y in positions[:k] + positions[k + 1 :]):
            assert found[k] == pytest.approx(x)


def test_the_least_distance_moves_both_neighbours() -> None:
    assert demo.spread([0, 5, 5.5, 6], 1).tolist() == [0.0, 4.5, 5.5, 6.5]
