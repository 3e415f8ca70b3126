"""The speed benchmark measures what it says."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the benchmarks compare with torch")

import axsim
from axsim.threads import get_num_threads
from benchmarks import gemm
from benchmarks.timing import interleaved


def test_calls_take_turns_and_medians_are_theirs() -> None:
    order: list[str] = []

    def call(name: str, seconds: float) -> None:
        order.append(name)
        time.sleep(seconds)

    times = interleaved(
        {"quick": lambda: call("quick", 0.001), "slow": lambda: call("slow", 0.02)}, rounds=4, seconds=10
    )
    assert order == ["quick", "slow"] * 5  # the first time untimed
    assert times["slow"].rounds == 4
    assert times["quick"].lower <= times["quick"].median <= times["quick"].upper
    assert times["slow"].median >= 0.02 > times["quick"].lower


def test_no_round_is_begun_after_the_time_is_up() -> None:
    assert interleaved({"x": lambda: time.sleep(0.01)}, rounds=1000, seconds=0)["x"].rounds == 3


def test_everything_timed_multiplies_the_same_operands() -> None:
    timed = gemm.calls((8, 5, 7), ("exact8", "L40"), floats=False)
    exact = timed["exact8"]()
    assert exact.shape == (8, 7)
    assert (timed["torch int8"]().numpy() - exact).astype(np.uint8).sum() == 0  # equal modulo 256
    np.testing.assert_array_equal(timed[gemm.GATHER](), timed["L40"]())
    floats = gemm.calls((8, 5, 7), ("float32",), floats=True)
    np.testing.assert_allclose(floats["float32"](), floats[gemm.FLOAT32]().numpy(), rtol=1e-6)


@pytest.mark.parametrize("floats", [False, True])
def test_the_whole_benchmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, floats: bool) -> None:
    monkeypatch.setattr(gemm, "QUICK_SQUARES", ((8, 8, 8), (16, 16, 16)))
    monkeypatch.setattr(gemm, "MAIN", (16, 16, 16))
    monkeypatch.setattr(gemm, "CONVOLUTION", (32, 9, 8))
    before = get_num_threads()
    gemm.main(floats=floats, quick=True, out=tmp_path)
    assert get_num_threads() == before
    stem = "gemm_float" if floats else "gemm"
    rows = json.loads((tmp_path / f"{stem}.json").read_text())["rows"]
    named = {r["name"] for r in rows if r["shape"] == [16, 16, 16]}
    assert named >= ({"axfpm", "float32[mul8u_L40]"} if floats else {"exact8", "mul8u_L40", "torch int8"})
    assert {r["ratio_to_float32"] for r in rows if r["name"] == gemm.FLOAT32} == {1.0}
    assert all(name in axsim.list_multipliers() for name in gemm.QUICK_INTEGER)
    assert (tmp_path / f"{stem}.png").read_bytes().startswith(b"\x89PNG")
