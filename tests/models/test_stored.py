"""Trained weights: those that are shipped, and any that are read and written."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from axsim import datasets, models
from axsim.datasets import jpeg
from axsim.errors import WeightsError
from axsim.models import load, record, save
from axsim.models.stored import SHIPPED

LEAST = {("lenet5", "mnist"): 0.985, ("lenet5_average", "mnist"): 0.985}


def shipped() -> list[tuple[str, str]]:
    return models.list_trained(SHIPPED)


def test_what_is_shipped() -> None:
    assert {("ffnn", "digits"), ("lenet5", "digits"), *LEAST} <= set(shipped())
    for path in SHIPPED.iterdir():
        assert path.suffix in (".safetensors", ".json")
        assert path.stat().st_size < 3e6, path


@pytest.mark.parametrize(("model", "dataset"), shipped())
def test_their_records_are_whole(model: str, dataset: str) -> None:
    made = record(model, dataset)
    network = load(model, dataset)
    assert made["parameters"] == sum(p.numel() for p in network.parameters())
    assert len(made["epochs"]) == made["recipe"]["epochs"]
    rounded = made.get("weights") == "float16"  # after the last epoch
    assert made["epochs"][-1]["test_accuracy"] == pytest.approx(
        made["accuracy"], abs=3e-3 if rounded else 1e-6
    )
    assert made["accuracy"] >= LEAST.get((model, dataset), 0.5)
    assert {"axsim", "numpy", "python", "torch"} <= set(made["versions"])
    assert {"processor", "threads"} <= set(made["machine"])
    assert "/" not in made["dataset"]["source"]
    assert not network.training


@pytest.mark.parametrize(("model", "dataset"), shipped())
def test_they_reach_their_stated_accuracy(model: str, dataset: str, request: pytest.FixtureRequest) -> None:
    """On a subset of the test images, the allowance being four standard errors of its size."""
    if dataset == "cifar10":
        pytest.importorskip("PIL", reason="decoding needs Pillow")
    folder = None if dataset == "digits" else request.getfixturevalue("shared") / "datasets"
    images, labels = some_images(dataset, folder)
    made = record(model, dataset)
    measured = models.accuracy(load(model, dataset), images, labels)
    if len(labels) == made["dataset"]["test_images"]:
        assert measured == pytest.approx(made["accuracy"], abs=2 / len(labels))
    else:
        error = np.sqrt(made["accuracy"] * (1 - made["accuracy"]) / len(labels))
        assert abs(measured - made["accuracy"]) < 4 * error


def some_images(dataset: str, folder: Path | None) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Test images, up to 2,000; of the JPEG copy of CIFAR-10 only 500 are decoded."""
    if dataset != "cifar10":
        data = datasets.load(dataset, folder)
        return data.test_images[:2000], data.test_labels[:2000]
    assert folder is not None
    with np.load(folder / "cifar10_jpeg.npz") as file:
        images = jpeg.decode(file["test_jpeg"].tobytes(), file["test_offsets"][:501], "test")
        return images, file["test_labels"][:500].astype(np.int64)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(models.get("ffnn", size=3, seed=0), tmp_path, "ffnn", "mine", {"options": {"size": 3}})
    return tmp_path


def test_what_is_saved_is_loaded(folder: Path) -> None:
    network = models.get("ffnn", size=3, seed=0)
    loaded = load("ffnn", "mine", folder)
    x = torch.rand(2, 1, 3, 3)
    assert torch.equal(loaded(x), network(x))
    assert models.list_trained(folder) == [("ffnn", "mine")]
    made = record("ffnn", "mine", folder)
    assert made["model"] == "ffnn"
    assert made["options"] == {"size": 3}


def test_half_the_file(tmp_path: Path) -> None:
    network = models.get("resnet20", size=8, in_channels=1, seed=0)
    with torch.no_grad():
        network.bn1.running_var.fill_(1e-3)
    whole = save(network, tmp_path, "resnet20", "whole", {"options": {"size": 8, "in_channels": 1}})
    half = save(network, tmp_path, "resnet20", "half", {"options": {"size": 8, "in_channels": 1}}, half=True)
    assert half.stat().st_size < 0.55 * whole.stat().st_size
    loaded = load("resnet20", "half", tmp_path).state_dict()
    assert {v.dtype for v in loaded.values()} == {torch.float32, torch.int64}
    for name, value in models.halved(network).state_dict().items():
        assert torch.equal(loaded[name], value)
    with torch.no_grad():
        network.bn1.running_var.fill_(1e5)
    for refused in (models.halved, lambda n: save(n, tmp_path, "resnet20", "half", {}, half=True)):
        with pytest.raises(ValueError, match=r"^bn1\.running_var holds numbers beyond those of float16"):
            refused(network)
    assert torch.equal(load("resnet20", "half", tmp_path).bn1.running_var, loaded["bn1.running_var"])


def test_tuples_among_the_options(tmp_path: Path) -> None:
    options = {"size": 3, "hidden": (4, 5)}
    save(models.get("ffnn", **options), tmp_path, "ffnn", "mine", {"options": options})
    assert load("ffnn", "mine", tmp_path).linear2.out_features == 5


def test_layouts_in_memory_do_not_matter(tmp_path: Path) -> None:
    network = models.get("lenet5_da", in_channels=3, size=8, seed=0).to(memory_format=torch.channels_last)
    save(network, tmp_path, "lenet5_da", "mine", {"options": {"in_channels": 3, "size": 8}})
    loaded = load("lenet5_da", "mine", tmp_path)
    assert torch.equal(loaded.conv1.weight, network.conv1.weight)


def test_the_users_cache_is_looked_at(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AXSIM_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    with pytest.raises(WeightsError, match=r"ffnn-mine.safetensors is not in .* or .*cache/models"):
        load("ffnn", "mine")
    (tmp_path / "cache" / "models").symlink_to(folder)
    assert load("ffnn", "mine").linear1.in_features == 9
    assert ("ffnn", "mine") in models.list_trained()


def test_missing_weights_say_what_there_is_and_how_to_make_them(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        load("resnet20", "mine", folder)
    said = str(caught.value)
    for part in (str(folder), "resnet20-mine.safetensors", "ffnn on mine", "tools/train.py resnet20 mine"):
        assert part in said


@pytest.mark.parametrize(
    "pair", [("resnet20", "digit"), ("lenet", "mnist"), ("mnist", "lenet5"), ("lenet5", "MNIST")]
)
def test_names_nearly_those_of_weights(pair: tuple[str, str]) -> None:
    with pytest.raises(
        WeightsError, match=r"did you mean ('resnet20', 'digits'|'lenet5', 'mnist')"
    ) as caught:
        load(*pair)
    assert "makes them" not in str(caught.value)


def test_what_no_network_is_called_cannot_be_trained(folder: Path) -> None:
    with pytest.raises(WeightsError, match=r"\(found: ffnn on mine\)$"):
        load("no_such", "mine", folder)


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("ffnn-mine.safetensors", lambda data: data[:-1], "SHA-256"),
        ("ffnn-mine.safetensors", lambda data: data[:-1] + bytes([data[-1] ^ 1]), "SHA-256"),
        ("ffnn-mine.json", lambda data: data[:-9], "is no JSON"),
        ("ffnn-mine.json", lambda data: b"[]", "none of weights"),
        ("ffnn-mine.json", lambda data: data.replace(b'"size": 3', b'"size": 4'), "of another network"),
        ("ffnn-mine.json", lambda data: data.replace(b'"sha256": "', b'"sha256": "0'), "SHA-256"),
    ],
)
def test_damage_is_seen(folder: Path, name: str, damage: object, message: str) -> None:
    path = folder / name
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(WeightsError, match=message):
        load("ffnn", "mine", folder)


def test_a_record_without_weights_and_the_other_way_round(folder: Path) -> None:
    (folder / "ffnn-mine.json").rename(folder / "gone.json")
    assert models.list_trained(folder) == []
    with pytest.raises(WeightsError, match=r"the record .*ffnn-mine.json cannot be read"):
        load("ffnn", "mine", folder)


@pytest.mark.parametrize("name", ["../x", "a-b", "", "a b"])
def test_names_that_are_no_file_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"letters, digits, .* were expected"):
        load(name, "mine", tmp_path)
    with pytest.raises(ValueError, match=r"letters, digits, .* were expected"):
        save(models.get("ffnn", size=3), tmp_path, "ffnn", name, {})
    assert list(tmp_path.iterdir()) == []


def test_a_record_that_json_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        save(models.get("ffnn", size=3), tmp_path, "ffnn", "mine", {"accuracy": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_npz_files(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    network = models.get("lenet5_da", size=8, seed=0)
    np.savez(path, **{k: v.numpy() for k, v in network.state_dict().items()})
    loaded = models.load_npz(models.get("lenet5_da", size=8, seed=1), path)
    assert all(torch.equal(v, loaded.state_dict()[k]) for k, v in network.state_dict().items())
    with pytest.raises(WeightsError, match="weights of another network"):
        models.load_npz(models.get("lenet5", size=8), path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"no readable \.npz"):
        models.load_npz(network, path)
    np.savez(path, weight=np.array([{}]))
    with pytest.raises(WeightsError, match=r"no readable \.npz"):
        models.load_npz(network, path)
    with pytest.raises(WeightsError, match="cannot be read"):
        models.load_npz(network, tmp_path / "none.npz")


def test_without_safetensors_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    with pytest.raises(ImportError, match=r"reading weights needs safetensors: pip install 'axsim\[torch\]'"):
        load("ffnn", "digits")


def test_records_are_json_for_people() -> None:
    text = (SHIPPED / "lenet5-mnist.json").read_text()
    assert json.loads(text)["dataset"]["name"] == "mnist"
    assert text.count("\n") > 20
