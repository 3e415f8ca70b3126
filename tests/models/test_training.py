"""Training: it learns, gives the same again, and goes on where it was interrupted."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from axsim import datasets, models
from axsim.models import Recipe, accuracy, fingerprint, train

RECIPE = Recipe(epochs=4, batch=50, learning_rate=3e-3, augment="shift")


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Any:
    """Sums in an order that no thread decides."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def digits() -> datasets.Dataset:
    return datasets.load("digits")


class InterruptedRunError(Exception):
    """As by a kill, but seen."""


def network(seed: int = 0) -> nn.Module:
    model = models.get("lenet5", size=8, seed=seed)
    model.dropout = nn.Dropout(0.2)  # randomness of the layers is part of it
    model.linear2 = nn.Sequential(model.dropout, model.linear2)
    return model


def learn(digits: datasets.Dataset, model: nn.Module, recipe: Recipe = RECIPE, **options: Any) -> Any:
    return train(model, digits.train_images, digits.train_labels, recipe, **options)


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in model.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def test_it_learns(digits: datasets.Dataset) -> None:
    model = models.get("ffnn", size=8, seed=0)
    test = digits.test_images, digits.test_labels
    assert accuracy(model, *test) < 0.3
    history = learn(digits, model, Recipe(epochs=15, batch=32), test=test)
    assert [epoch.epoch for epoch in history] == list(range(1, 16))
    assert history[-1].loss < history[0].loss
    assert history[-1].test_accuracy == accuracy(model, *test) > 0.93
    assert not model.training


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_resumed_equals_undisturbed(digits: datasets.Dataset, tmp_path: Path, optimizer: Any) -> None:
    recipe = Recipe(epochs=4, batch=50, optimizer=optimizer, learning_rate=0.02, augment="crop-flip")
    undisturbed = network()
    expected = learn(digits, undisturbed, recipe)

    def interrupt(epoch: models.Epoch) -> None:
        if epoch.epoch == 2:
            raise InterruptedRunError

    checkpoint = tmp_path / "run.checkpoint"
    first = network()
    with pytest.raises(InterruptedRunError):
        learn(digits, first, recipe, checkpoint=checkpoint, after_epoch=interrupt)
    assert not same(weights(first), weights(undisturbed))
    second = network(seed=9)  # what it starts from does not matter any more
    torch.rand(7)
    history = learn(digits, second, recipe, checkpoint=checkpoint)
    assert same(weights(second), weights(undisturbed))
    assert [(e.epoch, e.loss, e.train_accuracy) for e in history] == [
        (e.epoch, e.loss, e.train_accuracy) for e in expected
    ]


def test_a_finished_run_is_only_read(digits: datasets.Dataset, tmp_path: Path) -> None:
    checkpoint = tmp_path / "run.checkpoint"
    model = network()
    learn(digits, model, checkpoint=checkpoint)
    written = checkpoint.read_bytes()
    again = network(seed=4)
    assert len(learn(digits, again, checkpoint=checkpoint)) == RECIPE.epochs
    assert same(weights(again), weights(model))
    assert checkpoint.read_bytes() == written
    assert [path.name for path in tmp_path.iterdir()] == ["run.checkpoint"]


def test_seeds(digits: datasets.Dataset) -> None:
    runs = []
    for seed in (0, 0, 1):
        model = network()
        learn(digits, model, Recipe(epochs=1, seed=seed))
        runs.append(weights(model))
    assert same(runs[0], runs[1])
    assert not same(runs[0], runs[2])


def test_torchs_own_generator_stays_where_it_is(digits: datasets.Dataset) -> None:
    before = torch.random.get_rng_state()
    learn(digits, network(), Recipe(epochs=1))
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recipe": Recipe(epochs=4, batch=49)}, "another recipe"),
        ({"images": 700}, "another images"),
        ({"model": "ffnn"}, "of another network"),
    ],
)
def test_a_checkpoint_of_another_run(
    digits: datasets.Dataset, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    checkpoint = tmp_path / "run.checkpoint"
    learn(digits, network(), RECIPE, checkpoint=checkpoint)
    model = models.get("ffnn", size=8) if "model" in change else network()
    before, count = weights(model), change.get("images", len(digits.train_images))
    with pytest.raises(ValueError, match=message):
        train(
            model,
            digits.train_images[:count],
            digits.train_labels[:count],
            change.get("recipe", RECIPE),
            checkpoint=checkpoint,
        )
    assert same(weights(model), before)


@pytest.mark.parametrize("damage", ["cut", "empty", "other", "pickle"])
def test_a_damaged_checkpoint(digits: datasets.Dataset, tmp_path: Path, damage: str) -> None:
    checkpoint = tmp_path / "run.checkpoint"
    learn(digits, network(), checkpoint=checkpoint)
    data = checkpoint.read_bytes()
    object_file = io.BytesIO()
    torch.save({"settings": Path("/")}, object_file)  # an object that weights_only refuses
    new = {
        "cut": data[: len(data) // 2],
        "empty": b"",
        "other": b"something",
        "pickle": object_file.getvalue(),
    }
    checkpoint.write_bytes(new[damage])
    with pytest.raises(ValueError, match=r"run.checkpoint cannot be read .*; remove it to begin anew"):
        learn(digits, network(), checkpoint=checkpoint)


def test_a_loss_that_is_lost(digits: datasets.Dataset) -> None:
    with pytest.raises(ValueError, match=r"the loss became (nan|inf) in epoch 1.*smaller learning_rate"):
        learn(digits, network(), Recipe(epochs=3, optimizer="sgd", learning_rate=1e30))


def test_batch_norm_in_training_and_not_in_accuracy(digits: datasets.Dataset) -> None:
    model = models.ResNet((4,), (1,), "pad", in_channels=1)
    before = weights(model)
    accuracy(model, digits.test_images[:50], digits.test_labels[:50])
    assert same(weights(model), before)
    assert model.training
    learn(digits, model, Recipe(epochs=1, batch=500))
    assert not torch.equal(model.bn1.running_mean, before["bn1.running_mean"])


def test_uint8_and_float_images_are_the_same(digits: datasets.Dataset) -> None:
    runs = []
    for images in (digits.train_images, digits.as_float().train_images):
        model = network()
        train(model, images, digits.train_labels, Recipe(epochs=1, augment="shift"))
        runs.append(weights(model))
    assert same(*runs)


def test_read_only_arrays(digits: datasets.Dataset) -> None:
    images, labels = digits.train_images[:60].copy(), digits.train_labels[:60].copy()
    images.flags.writeable = labels.flags.writeable = False
    train(network(), images, labels, Recipe(epochs=1))


def test_show_prints_one_line_an_epoch(digits: datasets.Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    learn(digits, network(), Recipe(epochs=2), show=True, test=(digits.test_images, digits.test_labels))
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["epoch 1", "epoch 2"]
    assert all(" test " in line for line in lines)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((2, 1, 8, 8)), [0, 1], "images are torch.float64; uint8 or float32 was expected"),
        (np.zeros((2, 1, 8, 8), np.uint8), [0, 1, 2], r"labels of images .*integers \(2,\) were expected"),
        (np.zeros((2, 1, 8, 8), np.uint8), [0.5, 1.0], "integers"),
        (np.zeros((0, 1, 8, 8), np.uint8), np.zeros(0, int), "there are no images"),
        (np.zeros((2, 1, 8, 8), np.uint8), [-1, 0], "hold -1"),
    ],
)
def test_images_and_labels_that_do_not_fit(images: Any, labels: Any, message: str) -> None:
    for call in (train, accuracy):
        with pytest.raises(ValueError, match=message):
            call(network(), images, np.asarray(labels))  # type: ignore[operator]


def test_labels_beyond_the_scores(digits: datasets.Dataset) -> None:
    model = models.get("ffnn", size=8, classes=5)
    for call in (train, accuracy):
        with pytest.raises(ValueError, match="labels hold 9, and the model gives 5 scores"):
            call(model, digits.test_images, digits.test_labels)  # type: ignore[operator]
        with pytest.raises(ValueError, match=r"gives scores \(50, 2, 32\) for 50 images"):
            call(
                nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.Unflatten(1, (2, 32))),
                digits.test_images[:50],
                digits.test_labels[:50],
            )  # type: ignore[operator]


def test_scores_of_nan_are_no_accuracy(digits: datasets.Dataset) -> None:
    model = models.get("ffnn", size=8)
    nn.init.constant_(model.linear1.bias, float("nan"))
    with pytest.raises(ValueError, match="scores hold NaN"):
        accuracy(model, digits.test_images, digits.test_labels)
    assert model.training


def test_fingerprints_tell_arrays_apart() -> None:
    x, y = np.arange(8, dtype=np.uint8).reshape(2, 1, 2, 2), np.array([0, 1])
    prints = {
        fingerprint(x, y),
        fingerprint(x[::-1], y),
        fingerprint(x, y[::-1]),
        fingerprint(x.reshape(2, 1, 4, 1), y),
        fingerprint(x.astype(np.float32), y),
    }
    assert len(prints) == 5
    assert fingerprint(torch.from_numpy(x), torch.from_numpy(y)) == fingerprint(x, y.astype(np.uint8))
