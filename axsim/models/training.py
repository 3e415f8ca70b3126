"""Training a network: seeded, and going on after an interruption as if there had been none.

An epoch is a function of weights, optimiser and (seed, number of the epoch) alone, so that a run that goes on
from its checkpoint gives the same bits as one that was never interrupted, on one machine with the same
threads.
"""

from __future__ import annotations

import copy
import hashlib
import io
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from axsim.files import replace_file
from axsim.models.augmentation import AUGMENTATIONS
from axsim.models.recipe import Recipe
from axsim.progress import track

Images: TypeAlias = NDArray[np.uint8] | NDArray[np.float32] | Tensor
Labels: TypeAlias = NDArray[np.integer[Any]] | Tensor


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to.

    Attributes:
        epoch: its number, from 1.
        loss: mean over the training images, while they were learned.
        train_accuracy: share of them that were right, while they were learned.
        test_accuracy: share of the test images that are right after it; None where none were given.
        seconds: how long it took, test included.
    """

    epoch: int
    loss: float
    train_accuracy: float
    test_accuracy: float | None
    seconds: float

    def __str__(self) -> str:
        test = "" if self.test_accuracy is None else f", test {100 * self.test_accuracy:.2f} %"
        learned = f"loss {self.loss:.4f}, train {100 * self.train_accuracy:.2f} %"
        return f"epoch {self.epoch}: {learned}{test}, {self.seconds:.1f} s"


def train(
    model: nn.Module,
    images: Images,
    labels: Labels,
    recipe: Recipe | None = None,
    *,
    test: tuple[Images, Labels] | None = None,
    checkpoint: str | Path | None = None,
    show: bool = False,
    after_epoch: Callable[[Epoch], object] | None = None,
) -> list[Epoch]:
    """Train a network in place by cross entropy, and return what each epoch came to.

    Works with exact and with approximate layers, which bring their own gradients. The model ends in eval
    mode.

    Args:
        model: takes ``(N, C, H, W)`` float32, gives scores ``(N, classes)``.
        images: ``(N, C, H, W)``, uint8 (0 to 255 are taken as 0 to 1) or float32.
        labels: ``(N,)`` integers.
        recipe: how. Default: ``Recipe()``.
        test: images and labels to measure after each epoch; nothing is chosen by them. Default: none.
        checkpoint: a file that is written after each epoch, in one step. Where it exists, training goes on
            from there. Default: none.
        show: print a line for each epoch to standard error, and a moving bar where that is a terminal.
            Default: no.
        after_epoch: called with each new epoch, after its checkpoint is written. Default: none.

    Raises:
        ValueError: images and labels that do not fit together, no images, a label below 0 or beyond the
            scores, a checkpoint of another run (other settings, images or shapes of weights) or one that
            cannot be read, a loss that is no longer finite.
        OSError: the checkpoint cannot be written.

    >>> images = np.zeros((64, 1, 8, 8), np.uint8)
    >>> images[::2, :, :4] = 255                                # the even ones have ink above
    >>> labels = np.arange(64) % 2
    >>> from axsim.models import get
    >>> epochs = train(get("ffnn", size=8, classes=2, seed=0), images, labels, Recipe(epochs=5, batch=8))
    >>> epochs[-1].train_accuracy
    1.0
    """
    recipe = recipe or Recipe()
    run = _Run(model, recipe, *_checked(images, labels, "images"))
    tested = None if test is None else _checked(*test, "test images")
    path = None if checkpoint is None else Path(checkpoint)
    if path is not None and path.exists():
        run.load(path)
    while len(run.epochs) < recipe.epochs:
        start = time.perf_counter()
        loss, right = run.epoch(show)
        after = None if tested is None else _accuracy(model, *tested)
        run.epochs.append(Epoch(len(run.epochs) + 1, loss, right, after, time.perf_counter() - start))
        if path is not None:
            run.save(path)
        if show:
            print(run.epochs[-1], file=sys.stderr, flush=True)
        if after_epoch is not None:
            after_epoch(run.epochs[-1])
    model.eval()
    return run.epochs


def accuracy(model: nn.Module, images: Images, labels: Labels, batch: int = 500) -> float:
    """The share of images whose greatest score is that of their label.

    The network is asked in eval mode, without gradients; its mode is as before afterwards.

    Args:
        model: takes ``(N, C, H, W)`` float32, gives scores ``(N, classes)``.
        images: ``(N, C, H, W)``, uint8 (0 to 255 are taken as 0 to 1) or float32.
        labels: ``(N,)`` integers.
        batch: images of a call. Default: 500.

    Raises:
        ValueError: images and labels that do not fit together or to the scores, no images, or scores of NaN.

    >>> brightest = np.array([[[[0, 9, 0]]], [[[9, 0, 0]]], [[[0, 0, 9]]]], np.uint8)
    >>> round(accuracy(nn.Flatten(), brightest, np.array([1, 0, 1])), 3)   # pixels as scores
    0.667
    """
    return _accuracy(model, *_checked(images, labels, "images"), batch)


def fingerprint(images: Images, labels: Labels) -> str:
    """SHA-256 of shapes, types and values of images and labels, to tell that two runs saw the same."""
    digest = hashlib.sha256()
    for array in (np.asarray(images), np.asarray(labels, np.int64)):
        digest.update(f"{array.dtype} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


@dataclass
class _Run:
    """Training as far as it has come."""

    model: nn.Module
    recipe: Recipe
    images: Tensor
    labels: Tensor
    epochs: list[Epoch] = field(default_factory=list)

    def __post_init__(self) -> None:
        decayed = [p for p in self.model.parameters() if p.requires_grad and p.ndim >= 2]
        others = [p for p in self.model.parameters() if p.requires_grad and p.ndim < 2]
        groups = [
            {"params": decayed, "weight_decay": self.recipe.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        groups = [group for group in groups if group["params"]]
        rate = self.recipe.learning_rate
        self.optimizer = (
            torch.optim.AdamW(groups, lr=rate)
            if self.recipe.optimizer == "adam"
            else torch.optim.SGD(groups, lr=rate, momentum=0.9, nesterov=True)
        )

    def epoch(self, show: bool) -> tuple[float, float]:
        """One pass over the images: mean loss and share that was right."""
        number, count = len(self.epochs), len(self.images)
        per_epoch = -(-count // self.recipe.batch)
        total = per_epoch * self.recipe.epochs
        device = next(self.model.parameters()).device
        loss_sum, right = 0.0, 0
        self.model.train()
        with torch.random.fork_rng():
            torch.manual_seed(_epoch_seed(self.recipe.seed, number))
            steps: Iterator[Tensor] = iter(torch.randperm(count).split(self.recipe.batch))
            if show:
                steps = _bar(steps, f"epoch {number + 1}/{self.recipe.epochs}", per_epoch)
            for k, picked in enumerate(steps):
                for group in self.optimizer.param_groups:
                    group["lr"] = self.recipe.rate(number * per_epoch + k, total)
                x = AUGMENTATIONS[self.recipe.augment](self.images[picked])
                y = self.labels[picked].to(device)
                scores = self.model(_floats(x).to(device))
                _check_scores(scores, y)
                loss = functional.cross_entropy(scores, y, label_smoothing=self.recipe.label_smoothing)
                self.optimizer.zero_grad(set_to_none=True)
                loss.backward()
                self.optimizer.step()
                if not math.isfinite(value := loss.item()):
                    raise ValueError(
                        f"the loss became {value} in epoch {number + 1}, step {k + 1}; give a smaller "
                        f"learning_rate than {self.recipe.learning_rate}"
                    )
                loss_sum += value * len(picked)
                right += int((scores.detach().argmax(1) == y).sum())
        return loss_sum / count, right / count

    def settings(self) -> dict[str, Any]:
        """What must be the same for a checkpoint to be this run's."""
        return {"recipe": asdict(self.recipe), "images": self._fingerprint}

    @cached_property
    def _fingerprint(self) -> str:
        return fingerprint(self.images, self.labels)

    def save(self, path: Path) -> None:
        buffer = io.BytesIO()
        state = {
            "settings": self.settings(),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epochs": [asdict(epoch) for epoch in self.epochs],
        }
        torch.save(state, buffer)
        replace_file(path, buffer.getvalue())

    def load(self, path: Path) -> None:
        before = copy.deepcopy(self.model.state_dict())
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            settings, epochs = state["settings"], [Epoch(**epoch) for epoch in state["epochs"]]
        except Exception as problem:  # whatever torch's reader, zip or pickle make of a damaged file
            raise ValueError(
                f"the checkpoint {path} cannot be read ({type(problem).__name__}); remove it to begin anew"
            ) from problem
        if settings != self.settings():
            what = "recipe" if settings.get("recipe") != asdict(self.recipe) else "images"
            raise ValueError(
                f"the checkpoint {path} is of a run with another {what}; remove it, or give the same again"
            )
        try:
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError, KeyError) as problem:
            self.model.load_state_dict(before)
            raise ValueError(
                f"the checkpoint {path} is of another network: {str(problem).splitlines()[0]}"
            ) from problem
        self.epochs = epochs


def _epoch_seed(seed: int, epoch: int) -> int:
    """A seed for one epoch that has nothing to do with those of other epochs and seeds."""
    return int(np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _bar(steps: Iterator[Tensor], description: str, total: int) -> Iterator[Tensor]:
    return track(steps, description, total) if sys.stderr.isatty() else steps


def _checked(images: Images, labels: Labels, name: str) -> tuple[Tensor, Tensor]:
    x, y = _tensor(images), _tensor(labels)
    if x.dtype not in (torch.uint8, torch.float32):
        raise ValueError(f"{name} are {x.dtype}; uint8 or float32 was expected")
    if y.is_floating_point() or y.ndim != 1 or len(y) != len(x):
        raise ValueError(
            f"labels of {name} are {y.dtype} {tuple(y.shape)}; integers ({len(x)},) were expected, one an "
            "image"
        )
    if not len(x):
        raise ValueError(f"there are no {name}")
    if (least := int(y.min())) < 0:
        raise ValueError(f"labels of {name} hold {least}; numbers of classes from 0 on were expected")
    return x, y.to(torch.int64)


def _tensor(values: Images | Labels) -> Tensor:
    if isinstance(values, np.ndarray) and not values.flags.writeable:
        values = values.copy()  # torch knows no read-only memory
    return torch.as_tensor(values)


def _check_scores(scores: Tensor, labels: Tensor) -> None:
    if scores.ndim != 2 or len(scores) != len(labels):
        raise ValueError(
            f"the model gives scores {tuple(scores.shape)} for {len(labels)} images; "
            f"({len(labels)}, classes) was expected"
        )
    if (most := int(labels.max())) >= scores.shape[1]:
        raise ValueError(
            f"labels hold {most}, and the model gives {scores.shape[1]} scores; give it more classes"
        )


def _floats(images: Tensor) -> Tensor:
    return images.to(torch.float32) / 255 if images.dtype == torch.uint8 else images


def _accuracy(model: nn.Module, images: Tensor, labels: Tensor, batch: int = 500) -> float:
    modes = {module: module.training for module in model.modules()}
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    model.eval()
    try:
        with torch.no_grad():
            right = 0
            for x, y in zip(images.split(batch), labels.split(batch), strict=True):
                scores = model(_floats(x).to(device)).cpu()
                _check_scores(scores, y)
                if scores.isnan().any():
                    raise ValueError("scores hold NaN, which no label is the greatest of")
                right += int((scores.argmax(1) == y).sum())
    finally:
        for module, training in modes.items():
            module.training = training
    return right / len(images)
