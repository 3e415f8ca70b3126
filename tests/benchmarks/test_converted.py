"""Whole converted models: a tiny run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from axsim.nn.layers import Approximate
from benchmarks import converted, timing


@pytest.mark.parametrize("training", [False, True])
def test_what_is_timed_goes_through_the_multipliers(training: bool) -> None:
    calls = converted.cases("lenet5", 2, training)
    assert list(calls) == [converted.FLOAT32, *converted.MULTIPLIERS]
    results: list[Any] = [call() for call in calls.values()]
    assert len({str(result.tolist()) for result in results}) == len(results)  # each by its own arithmetic


def test_training_changes_the_weights() -> None:
    model = converted.axsim.nn.approximate(converted.axsim.models.get("lenet5", seed=0), "L40")
    before = [p.clone() for p in model.parameters()]
    converted.step(model, *converted.inputs(model, 2))()
    assert all(not a.equal(b) for a, b in zip(before, model.parameters(), strict=True))
    assert any(isinstance(layer, Approximate) for layer in model.modules())


def test_a_tiny_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "REST", 0)
    monkeypatch.setattr(converted, "how", lambda quick: {"rounds": 3, "seconds": 0, "long": 0})
    monkeypatch.setattr(converted, "get_num_threads", lambda: 1)
    app = converted.typer.Typer()
    app.command()(converted.main)
    done = CliRunner().invoke(app, ["--quick", "--model", "lenet5", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    rows = json.loads((tmp_path / "converted.json").read_text())["rows"]
    assert {(row["pass"], row["batch"]) for row in rows} == {("forward", 1), ("forward", 32), ("step", 32)}
    assert all(row["ratio_to_float32"] > 0 for row in rows)
    assert CliRunner().invoke(app, ["--model", "lenet6", "--out", str(tmp_path)]).exit_code == 2
