"""The benchmark of matrix products measures what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import axsim
from axsim.threads import get_num_threads
from benchmarks import gemm, operations, timing
from benchmarks.operations import FLOAT32, of_product


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gemm, "QUICK_SQUARES", ((8, 8, 8), (16, 16, 16)))
    monkeypatch.setattr(gemm, "MAIN", (16, 16, 16))
    monkeypatch.setattr(gemm, "CONVOLUTION", (32, 9, 8))
    monkeypatch.setattr(gemm, "get_num_threads", lambda: 2)
    monkeypatch.setattr(timing, "REST", 0)
    monkeypatch.setattr(timing, "BLOCK", 1e-5)


def test_everything_timed_multiplies_the_same_operands() -> None:
    pytest.importorskip("axsim._native", reason="axsim was installed without its compiled module")
    timed = gemm.calls(of_product(8, 5, 7, floats=False), [("exact8", "auto"), ("L40", "native")])
    exact = timed["exact8", "auto"]()
    assert exact.shape == (8, 7)
    np.testing.assert_array_equal(timed[gemm.NUMPY, ""](), exact)
    np.testing.assert_array_equal(timed[gemm.GATHER, ""](), timed["L40", "native"]())
    if (FLOAT32, "") in timed:
        assert (timed["torch int8", ""]().numpy() - exact).astype(np.uint8).sum() == 0  # equal modulo 256
    floats = gemm.calls(of_product(8, 5, 7, floats=True), [("float32", "auto")])
    np.testing.assert_allclose(floats["float32", "auto"](), floats[gemm.NUMPY, ""](), rtol=1e-5, atol=1e-6)
    assert (gemm.GATHER, "") not in floats


def test_what_is_timed_where() -> None:
    main = gemm.axsims(gemm.MAIN, ("exact8", *gemm.CIRCUITS), floats=False)
    assert {name for name, engine in main if engine == "auto"} == {"exact8", *gemm.CIRCUITS}
    assert len(gemm.CIRCUITS) == 16
    assert {engine for name, engine in main if name == "mul8u_JQQ"} == {
        "auto",
        "native",
        "factored",
        "reference",
    }
    assert ("mul8u_L40", "factored") not in main
    assert len(main) == len(set(main))
    large = gemm.axsims((17, 16, 16), ("exact8", *gemm.CIRCUITS), floats=False)
    assert sorted(large) == [(name, "auto") for name in sorted(gemm.SOME)]
    assert set(gemm.SOME) <= set(axsim.list_multipliers())


@pytest.mark.parametrize("floats", [False, True])
@pytest.mark.parametrize("torch", [False, True])
def test_the_whole_benchmark(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    floats: bool,
    torch: bool,
) -> None:
    pytest.importorskip("axsim._native", reason="axsim was installed without its compiled module")
    if torch:
        pytest.importorskip("torch")
    else:
        monkeypatch.setattr(operations, "torch_or_none", lambda: None)
    before = get_num_threads()
    gemm.main(floats=floats, quick=True, out=tmp_path)
    assert get_num_threads() == before
    stem = "gemm_float" if floats else "gemm"
    content = json.loads((tmp_path / f"{stem}.json").read_text())
    rows = content["rows"]
    assert content["machine"]["cpu"]
    assert {r["threads"] for r in rows} == {1, 2}
    named = {r["what"] for r in rows if r["shape"] == [16, 16, 16]}
    assert named >= ({"axfpm", "float32[mul8u_L40]"} if floats else {"exact8", *gemm.CIRCUITS, gemm.GATHER})
    baseline = FLOAT32 if torch else gemm.NUMPY
    assert {r["ratio_to_float32"] for r in rows if r["what"] == baseline} == {1.0}
    for r in rows:
        products = np.prod(r["shape"]) / r["seconds"]["median"]
        assert r["products_per_second"] == pytest.approx(products)
        chosen = {"native", "factored"} if r["engine"] == "auto" and not floats else {""}
        assert r["choice"] in chosen
    assert (tmp_path / f"{stem}.png").read_bytes().startswith(b"\x89PNG")
    said = capsys.readouterr().out
    if not floats:
        assert "geometric mean over 16 circuits at 16^3, engine auto: " in said
        assert f"times the speed of {baseline}" in said


def test_the_summary_counts_choices_and_averages_circuits() -> None:
    def row(what: str, engine: str, seconds: float, ratio: float, choice: str = "") -> dict[str, Any]:
        return {
            "shape": gemm.MAIN,
            "threads": 1,
            "what": what,
            "engine": engine,
            "choice": choice,
            "ratio_to_float32": ratio,
            "seconds": {"median": seconds},
        }

    rows = [
        row(FLOAT32, "", 1.0, 1.0),
        row("exact8", "auto", 1.0, 7.0, "native"),
        row("exact8", "native", 1.0, 1.0),
        row("exact8", "factored", 0.95, 1.0),  # near
        row("mul8u_JQQ", "auto", 0.5, 2.0, "native"),
        row("mul8u_JQQ", "native", 0.5, 2.0),
        row("mul8u_JQQ", "factored", 0.4, 2.0),  # better by far
        row("mul8u_KEM", "auto", 2.0, 0.5, "factored"),
        row("mul8u_KEM", "native", 3.0, 0.3),
        row("mul8u_KEM", "factored", 2.0, 0.5),
        row("mul8u_L40", "auto", 2.0, 8.0, "native"),
        row("mul8u_L40", "native", 2.0, 1.0),
    ]
    assert gemm.summary(rows) == {
        "1": {
            "circuits": 3,
            "beside": FLOAT32,
            "geometric_mean_ratio": pytest.approx(2.0),
            "choices": 3,
            "choices_near_best": 2,
        }
    }
