"""Accuracies by multiplier: what is in a cell, and that cells are kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("torch")
pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")

import axsim.nn
from axsim import datasets, models
from benchmarks import accuracy, training
from benchmarks.accuracy import Task

DIGITS = Task("LeNet-5, digits", "lenet5", "digits", test=100, train=192)


def test_a_cell_is_what_the_network_classifies(tmp_path: Path) -> None:
    made = accuracy.cell(tmp_path, DIGITS, "JV3")
    data, network = datasets.load("digits"), models.load("lenet5", "digits")
    approx = axsim.nn.approximate(network, "JV3", calibrate=[data.tensors("train", 192)[0]])
    test = data.tensors("test", 100)
    assert made["approximate"] == models.accuracy(approx, *test)
    models.train(approx, *data.tensors("train", 192), accuracy.RETRAINING)
    assert made["retrained"] == models.accuracy(approx, *test)
    assert made["arithmetic"].startswith("mul8u_JV3|a=affine8")
    assert accuracy.cell(tmp_path, DIGITS, None)["float32"] == models.accuracy(network, *test)


def test_cells_are_kept_and_those_of_other_settings_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = accuracy.run(tmp_path, [DIGITS], ["KEM"])
    monkeypatch.setattr(accuracy, "measure", lambda *_: pytest.fail("measured again"))
    monkeypatch.setattr(accuracy, "baseline", lambda *_: pytest.fail("measured again"))
    assert accuracy.run(tmp_path, [DIGITS], ["KEM"]) == first
    monkeypatch.setattr(accuracy, "CALIBRATION", 32)
    with pytest.raises(pytest.fail.Exception, match="measured again"):
        accuracy.run(tmp_path, [DIGITS], ["KEM"])


def test_rows_name_everything_and_missing_weights_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = accuracy.run(tmp_path, [DIGITS, Task("Nothing", "vit", "digits")], ["KEM", "bfloat16"])
    assert "Nothing is left out" in capsys.readouterr().out
    assert [(r["network"], r["multiplier"], r["images"]["test"]) for r in rows] == [
        ("LeNet-5, digits", "KEM", 100),
        ("LeNet-5, digits", "bfloat16", 100),
    ]
    accuracy.print_rows(rows)
    printed = capsys.readouterr().out
    assert "a=affine8,auto w=sign-magnitude8,tensor" in printed
    assert "floats" in printed
    panel = accuracy.picture(rows).axes[0]
    for points, what in zip(panel.collections[1:], ("approximate", "retrained"), strict=True):
        assert [height for _, height in points.get_offsets()] == [100 * r[what] for r in rows]


def test_training_by_rule_and_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(training, "CIRCUITS", ("JV3",))
    monkeypatch.setattr(training, "SEEDS", (0, 1))
    rows = training.measure_accuracy(tmp_path, [DIGITS])
    assert [(r["settings"]["gradient"], r["settings"]["recipe"]["seed"]) for r in rows] == [
        (rule, seed) for rule in training.RULES for seed in (0, 1)
    ]
    assert len({r["before"] for r in rows}) == 1
    assert len({r["loss"] for r in rows}) == len(rows)
    assert training.measure_accuracy(tmp_path, [DIGITS]) == rows
    training.print_accuracy(rows)
    assert "difference2d(16)" in capsys.readouterr().out
    axis = training.picture_of_accuracy(rows).axes[0]
    assert len(axis.collections) == len(training.RULES)


def test_steps_of_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "how", lambda quick: {"rounds": 3, "seconds": 0, "long": 0})
    monkeypatch.setattr(training, "get_num_threads", lambda: 1)
    monkeypatch.setattr(training, "CIRCUITS", ("L40",))
    monkeypatch.setattr(training, "BATCH", 2)
    done = CliRunner().invoke(training.app, ["--quick", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    rows = json.loads((tmp_path / "training_steps.json").read_text())["rows"]
    assert [r["what"] for r in rows] == ["torch float32", *(f"L40, {rule}" for rule in training.RULES)]
    assert all(r["ratio_to_float32"] > 0 for r in rows)
    assert (tmp_path / "training_steps.png").read_bytes().startswith(b"\x89PNG")
