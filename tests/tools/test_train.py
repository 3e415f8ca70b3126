"""tools/train.py, as it is called from a shell."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
import typer
from typer.testing import CliRunner, Result

from axsim import datasets, models

SCRIPT = Path(__file__).parents[2] / "tools" / "train.py"
QUICK = ("--epochs", "4", "--batch", "40", "--threads", "1", "--augment", "shift")


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    threads = torch.get_num_threads()
    import train

    yield train
    del sys.modules["train"]
    torch.set_num_threads(threads)


def run(tool: ModuleType, *arguments: object) -> Result:
    app = typer.Typer()
    app.command()(tool.main)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def weights(folder: Path, name: str = "lenet5-digits") -> bytes:
    return (folder / f"{name}.safetensors").read_bytes()


def test_weights_and_their_record(tool: ModuleType, tmp_path: Path) -> None:
    done = run(tool, "lenet5", "digits", "--out", tmp_path, *QUICK)
    assert done.exit_code == 0, done.output
    assert sorted(p.name for p in tmp_path.iterdir()) == ["lenet5-digits.json", "lenet5-digits.safetensors"]
    made = json.loads((tmp_path / "lenet5-digits.json").read_text())
    assert made["recipe"] == {**made["recipe"], "epochs": 4, "batch": 40, "augment": "shift", "seed": 0}
    assert [epoch["epoch"] for epoch in made["epochs"]] == [1, 2, 3, 4]
    assert made["machine"]["threads"] == 1
    assert made["options"] == {"in_channels": 1, "size": 8, "classes": 10}
    assert (made["parameters"], made["multiply_accumulates"]) == (9950, 26160)
    data = datasets.load("digits")
    measured = models.accuracy(models.load("lenet5", "digits", tmp_path), data.test_images, data.test_labels)
    assert measured == made["accuracy"]
    assert f"test accuracy {100 * measured:.2f} %" in done.output
    assert done.output.count("epoch ") == 4  # a line for each, where nothing is a terminal


def test_half_the_file(tool: ModuleType, tmp_path: Path) -> None:
    done = run(tool, "ffnn", "digits", "--out", tmp_path, "--epochs", "1", "--batch", "200", "--half")
    assert done.exit_code == 0, done.output
    made, data = models.record("ffnn", "digits", tmp_path), datasets.load("digits")
    loaded = models.load("ffnn", "digits", tmp_path)
    assert made["weights"] == "float16"
    assert all(torch.equal(p, p.half().float()) for p in loaded.parameters())
    assert models.accuracy(loaded, data.test_images, data.test_labels) == made["accuracy"]


KILLED = """
import os, signal, sys
from axsim.models import training
import train, typer

measure, calls = training._accuracy, []

def last_words(*arguments):
    calls.append(1)
    if len(calls) == 3:  # the third epoch is learned, and not yet written
        os.kill(os.getpid(), signal.SIGKILL)
    return measure(*arguments)

training._accuracy = last_words
typer.run(train.main)
"""


def test_after_a_kill_it_goes_on_to_the_same_weights(tool: ModuleType, tmp_path: Path) -> None:
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    given = ("lenet5", "digits", *QUICK, "--out")
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *given, str(killed)],
        env={**os.environ, "PYTHONPATH": str(SCRIPT.parent)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert [path.name for path in killed.iterdir()] == ["lenet5-digits.checkpoint"]
    assert run(tool, *given, killed, "--batch", "41").exit_code == 2  # not with other settings
    again = run(tool, *given, killed)
    assert again.exit_code == 0, again.output
    assert "going on from" in again.output
    assert "epoch 2:" not in again.output
    assert "epoch 3:" in again.output
    assert run(tool, *given, undisturbed).exit_code == 0
    assert weights(killed) == weights(undisturbed)
    records = [json.loads((f / "lenet5-digits.json").read_text()) for f in (killed, undisturbed)]
    for epoch in (*records[0]["epochs"], *records[1]["epochs"]):
        del epoch["seconds"]
    assert records[0] == records[1]


def test_fresh_begins_anew(tool: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "ffnn-digits.checkpoint").write_bytes(b"no checkpoint")
    given = ("ffnn", "digits", "--out", tmp_path, *QUICK)
    refused = run(tool, *given)
    assert refused.exit_code == 2
    assert "remove it to begin anew" in refused.output
    assert run(tool, *given, "--fresh").exit_code == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ffnn-digits.json", "ffnn-digits.safetensors"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("lenet", "digits"), "did you mean lenet5"),
        (("lenet5", "digit"), "did you mean digits"),
        (("lenet5", "digits", "--option", "width=3"), "lenet5 has no option 'width'"),
        (("lenet5", "digits", "--option", "width"), "NAME=VALUE was expected"),
        (("lenet5", "digits", "--epochs", "0"), "epochs is 0"),
        (("lenet5", "mnist", "--data", "/nowhere"), "mnist was not found in /nowhere"),
    ],
)
def test_wrong_input_is_one_message(
    tool: ModuleType, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = run(tool, *arguments, "--out", tmp_path)
    assert done.exit_code == 2
    assert message in done.output
    assert "Traceback" not in done.output
    assert list(tmp_path.iterdir()) == []


def test_options_of_the_network(tool: ModuleType, tmp_path: Path) -> None:
    done = run(tool, "ffnn", "digits", "--out", tmp_path, *QUICK, "--option", "hidden=[12, 11]")
    assert done.exit_code == 0, done.output
    assert models.load("ffnn", "digits", tmp_path).linear2.weight.shape == (11, 12)
    assert tool.option("pool=average") == ("pool", "average")
    assert tool.option("dropout=0.25") == ("dropout", 0.25)


def test_the_default_folder_is_where_load_looks(tool: ModuleType) -> None:
    assert tool.default_folder() == Path(os.environ["AXSIM_CACHE_DIR"]) / "models"


@pytest.mark.parametrize("name", models.list_models())
def test_every_network_has_a_recipe(tool: ModuleType, name: str) -> None:
    assert isinstance(tool.recipe_of(name, "cifar10"), models.Recipe)
    assert tool.recipe_of(name, "digits") == tool.DIGITS
    assert tool.recipe_of("resnet20", "cifar10").optimizer == "sgd"
