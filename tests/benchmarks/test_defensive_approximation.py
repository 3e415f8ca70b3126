"""The paper's figures, quickly: what each script prints and writes, and the statistics behind them."""

from __future__ import annotations

import importlib
import json
import math
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

import axsim

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "benchmarks.papers.defensive_approximation"


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    """The scripts are run from the root of the repository; these tests from anywhere."""
    monkeypatch.syspath_prepend(str(ROOT))


@pytest.fixture
def script(monkeypatch, tmp_path, capsys):
    """Run one script as ``python -m`` does; returns its JSON content and what it printed."""
    pytest.importorskip("matplotlib")

    def call(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, "--out", str(tmp_path), *arguments])
        with pytest.raises(SystemExit) as done:
            runpy.run_module(f"{PACKAGE}.{name}", run_name="__main__")
        assert done.value.code == 0
        assert sorted(p.name for p in tmp_path.iterdir()) == [f"{name}.json", f"{name}.png"]
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        return json.loads((tmp_path / f"{name}.json").read_text()), capsys.readouterr().out

    return call


def module(name):
    return importlib.import_module(f"{PACKAGE}.{name}")


@pytest.mark.parametrize("name", ["figure3", "figure15"])
def test_ax_fpm_scatter(script, name):
    content, printed = script(name, "--quick")
    assert content["settings"]["products"] == 1 << 18
    assert content["published"] == {"higher": 0.96}
    figures = content["figures"]
    assert figures["higher"] == pytest.approx(0.957, abs=0.002)
    assert figures["mred"] == pytest.approx(0.411, abs=0.003)
    assert figures["mean_signed_relative"] == pytest.approx(0.383, abs=0.003)
    assert "0.96" in printed


def test_bfloat16_scatter(script):
    content, _ = script("figure13", "--quick")
    figures = content["figures"]
    # Both operands and the product are rounded, each by at most 2**-8 of itself.
    assert 2.0**-10 < figures["mred"] < 3 * 2.0**-8
    assert abs(figures["mean_signed_relative"]) < 1e-4
    assert figures["higher"] == pytest.approx(0.5, abs=0.02)


def test_table_8(script):
    content, printed = script("table8", "--quick")
    measured = {(r["multiplier"], r["low"]): r for r in content["measured"]}
    assert len(measured) == 10
    for low in (-1, 0):
        mono = measured["axfpm_mono", low]
        # One AMA5 array replaces the significand of b, uniform on [1, 2), by 2.
        assert mono["mean_ratio"] == pytest.approx(1 / 3, abs=0.002)
        assert mono["nmed"] == pytest.approx(1 / 12, abs=0.001)
        assert mono["mred"] == pytest.approx(2 * math.log(2) - 1, abs=0.002)
        assert round(mono["mean_ratio"], 2) == content["published"]["mred"]["Ax-FPM"]
        assert round(mono["nmed"], 2) == content["published"]["nmed"]["Ax-FPM"]
        heap = measured["heap_like", low]
        assert heap["mred"] == pytest.approx(0.119, abs=0.001)
        assert heap["nmed"] == pytest.approx(0.029, abs=0.0005)
        assert heap["higher"] == pytest.approx(0.356, abs=0.005)
        assert measured["axfpm", low]["mred"] == pytest.approx(0.411, abs=0.003)
        assert measured["axfpm_normalized", low]["higher"] == 1
    assert "2 ln 2 - 1" in printed


def test_figure_4(script):
    content, _ = script("figure4", "--quick")
    similarity, exact, approximate = (
        [image[key] for image in content["images"]] for key in ("similarity", "exact", "approximate")
    )
    assert len(similarity) == 6
    assert similarity == sorted(similarity)
    assert similarity[0] < 0.05
    assert similarity[-1] > 0.99
    assert exact == sorted(exact)
    gains = np.subtract(approximate, exact)
    assert (np.diff(gains) > 0).all()
    random = np.array(content["mean_gains"])
    assert np.corrcoef(random.T)[0, 1] > 0.9


def test_figure_16(script):
    pytest.importorskip("torch")
    pytest.importorskip("sklearn", reason="digits come with scikit-learn (extra datasets)")
    content, printed = script("figure16", "--quick", "--dataset", "digits")
    maps = content["maps"]
    assert {m["images"] for m in maps.values()} == {50}
    # bfloat16 changes no product by a hundredth; Ax-FPM makes them larger, its correct rule more so.
    assert maps["bfloat16"]["gain"] == pytest.approx(1, abs=0.01)
    assert maps["bfloat16"]["correlation"] > 0.999
    assert 1 < maps["axfpm"]["gain"] < maps["axfpm_normalized"]["gain"]
    assert maps["axfpm"]["correlation"] < maps["axfpm_normalized"]["correlation"] < 1
    assert "times exact" in printed


def test_heat_maps_are_compared_place_by_place():
    figure16 = module("figure16")
    exact = np.array([[[0, 1], [2, 5]], [[4, 2], [2, 0]]], np.float32)
    same = figure16.compare(3 * exact, exact)
    assert (same.images, same.gain, same.contrast, same.exact_contrast) == (2, 3, 2.25, 2.25)
    assert same.correlation == pytest.approx(1)
    turned = figure16.compare(5 - exact, exact)
    assert turned.correlation == pytest.approx(-1)


def test_number_of_threads_and_blocks_changes_nothing(monkeypatch):
    streaming, common = module("streaming"), module("common")
    monkeypatch.setattr(streaming, "BLOCK", 1000)
    multiplier = common.float_multiplier("axfpm")
    one, three = (streaming.stream(multiplier, -1, 1, 9_500, seed=5, threads=n) for n in (1, 3))
    assert one.figures() == three.figures()
    np.testing.assert_array_equal(one.scatter.counts, three.scatter.counts)
    assert one.products == 9_500
    assert one.scatter.counts.sum() + one.scatter.beyond == 9_500
    assert one.scatter.beyond < 10


def test_statistics_are_those_of_their_definitions(monkeypatch):
    streaming, common = module("streaming"), module("common")
    multiplier = common.float_multiplier("heap_like")
    exact, ours = streaming._products(multiplier, -2, 3, 5000, np.random.default_rng([8, 0]))
    found = streaming.stream(multiplier, -2, 3, 5000, seed=8).figures()
    error = np.abs(ours - exact)
    assert found["products"] == 5000
    assert found["higher"] == np.mean(np.abs(ours) > np.abs(exact))
    assert found["mred"] == pytest.approx(np.mean(error / np.abs(exact)))
    assert found["nmed"] == pytest.approx(error.mean() / 9)
    assert found["mean_ratio"] == pytest.approx(error.mean() / np.abs(exact).mean())
    signed = np.mean((np.abs(ours) - np.abs(exact)) / np.abs(exact))
    assert found["mean_signed_relative"] == pytest.approx(signed)


def test_relative_errors_leave_out_exact_zeros():
    streaming = module("streaming")
    sums = streaming._sums(np.array([0.0, 0.0, 2.0]), np.array([0.0, 1.0, 3.0]))
    assert (sums.products, sums.nonzero, sums.higher) == (3, 1, 2)
    assert (sums.relative, sums.signed_relative, sums.absolute, sums.exact) == (0.5, 0.5, 2.0, 2.0)


def test_histogram_counts_like_numpy_and_leaves_out_what_lies_outside():
    streaming = module("streaming")
    rng = np.random.default_rng(2)
    x, y = rng.uniform(-1, 1, (2, 10_000))
    edges = np.linspace(-1, 1, streaming.BINS + 1)
    expected, _, _ = np.histogram2d(x, y, bins=(edges, edges))
    np.testing.assert_array_equal(streaming._histogram(x, y, edges, edges), expected)
    outside = np.array([-1.0001, 1.0001, 7.0, -7.0])
    assert streaming._histogram(outside, np.zeros(4), edges, edges).sum() == 0
    assert streaming._histogram(np.zeros(4), outside, edges, edges).sum() == 0


def test_bad_arguments_are_refused():
    streaming, common = module("streaming"), module("common")
    multiplier = common.float_multiplier("float32")
    with pytest.raises(ValueError, match="low < high, got products=5, low=1, high=1"):
        streaming.stream(multiplier, 1, 1, 5, seed=0)
    with pytest.raises(ValueError, match="no float multiplier is called 'L40'"):
        common.float_multiplier("L40")


def test_exact_multiplier_has_no_spread(monkeypatch):
    """All errors zero: the histogram still has a range, and nothing is divided by zero."""
    streaming = module("streaming")
    monkeypatch.setattr(axsim, "multiply", lambda a, b, mult: a.astype(np.float64) * b)
    found = streaming.stream(axsim.get("float32"), 0, 1, 1000, seed=1)
    assert found.figures() == {"products": 1000} | dict.fromkeys(
        ("higher", "mred", "nmed", "mean_ratio", "mean_signed_relative"), 0.0
    )
