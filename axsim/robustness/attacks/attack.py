"""What an attack is, and what every attack keeps, whoever wrote it.

An attack gets a network, images and their labels and makes images that the network should take for something
else. It never judges itself: whether a crafted image fooled which network is for the measures to say. What
one rule can keep for all attacks is kept here: arguments are checked, the network is put into evaluation mode
and back, forward passes are counted image by image, the budget holds, and pixels stay in [0, 1].
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from axsim.robustness.attacks.eot import passes
from axsim.robustness.balls import over_images, size

Norm = Literal["linf", "l2", "l0"]


@dataclass(frozen=True)
class AttackResult:
    """What an attack made.

    Attributes:
        images: float32 (N, C, H, W) in [0, 1]. Where the attack found nothing: its best try, or the image
            itself.
        queries: int64 (N,), how often the network was asked about each image (forward passes).
        settings: everything that was set, as JSON can hold it.
    """

    images: Tensor
    queries: Tensor
    settings: Mapping[str, Any]


@runtime_checkable
class Attack(Protocol):
    """A way to craft images that fool a network.

    Attributes:
        name: as :func:`axsim.robustness.attacks.get` knows it.
        norm: how the noise is measured: "linf" (largest change of a value), "l2" (Euclidean), "l0" (pixels
            changed).
        gradient: whether it needs the network's gradient.
        minimal: whether it looks for the smallest noise by itself, so that no budget is needed.
    """

    @property
    def name(self) -> str: ...
    @property
    def norm(self) -> Norm: ...
    @property
    def gradient(self) -> bool: ...
    @property
    def minimal(self) -> bool: ...

    def __call__(
        self,
        network: nn.Module,
        images: Tensor,
        labels: Tensor,
        *,
        budget: float | None,
        generator: torch.Generator,
    ) -> AttackResult: ...


Craft = Callable[..., Tensor]
"""The heart of an attack: ``craft(asked, images, labels, *, norm, budget, generator, **settings)`` makes
images of images; nothing needs to be checked, counted or kept in it that :class:`NamedAttack` does."""


class Asked(nn.Module):  # type: ignore[misc]  # torch's types are not looked at
    """A network that counts how often it is asked about each image of a batch.

    Args:
        network: takes images, gives logits.
        count: how many images are attacked.
    """

    def __init__(self, network: nn.Module, count: int) -> None:
        super().__init__()
        self.network, self.passes = network, passes(network)
        self.queries = torch.zeros(count, dtype=torch.int64)

    def forward(self, images: Tensor, rows: Tensor | None = None) -> Tensor:
        """Logits of ``images``; ``rows`` says which image each is a variant of (default: all, in turn).

        Raises:
            ValueError: logits that are NaN or infinite. (-inf may stand for a class that is ruled out.)
        """
        count = len(self.queries)
        if rows is None:
            times, rest = divmod(len(images), count)
            if rest:
                raise RuntimeError(
                    f"{len(images)} images were asked about, which {count} they belong to is not told"
                )
            self.queries += times * self.passes
        else:
            self.queries += torch.bincount(rows.cpu(), minlength=count) * self.passes
        logits: Tensor = self.network(images)
        # Every class would be a wrong one, or the right one, by its place: neither is an answer.
        strange = ~(logits.detach() < math.inf).all(1)
        if bool(strange.any()):
            raise ValueError(
                "network: logits that are numbers were expected, NaN or inf came for "
                f"{int(strange.sum())} of {len(images)} images; "
                "torch.nan_to_num in the network can say what they count as"
            )
        return logits


@contextmanager
def at_rest(network: nn.Module) -> Iterator[None]:
    """The network in evaluation mode, its parameters without gradients; afterwards all is as it was."""
    modes = [(module, module.training) for module in network.modules()]
    wanted = [(p, p.requires_grad) for p in network.parameters()]
    try:
        network.eval()
        for parameter, _ in wanted:
            if parameter.is_leaf:
                parameter.requires_grad_(False)
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        for parameter, grad in wanted:
            if parameter.is_leaf:
                parameter.requires_grad_(grad)


@dataclass(frozen=True)
class NamedAttack:
    """An attack with its settings; made by :func:`axsim.robustness.attacks.get`.

    Attributes:
        name, norm, gradient, minimal: see :class:`Attack`.
        settings: the settings of its ``craft``.
        craft: what makes the images.
        batch: how many images are crafted at a time.
        notes: what else the result's settings say, such as a library's version.
    """

    name: str
    norm: Norm
    gradient: bool
    minimal: bool
    settings: Mapping[str, Any]
    craft: Craft = field(repr=False)
    batch: int = 250
    notes: Mapping[str, Any] = field(default_factory=dict)

    def __call__(
        self,
        network: nn.Module,
        images: Tensor,
        labels: Tensor,
        *,
        budget: float | None,
        generator: torch.Generator,
    ) -> AttackResult:
        """Craft images that ``network`` should take for something else than ``labels``.

        An attack that is ``minimal`` leaves images alone that the network gets wrong anyway; with a budget,
        an image that needs more noise than that comes back unchanged. Other attacks treat every image, and
        keep to the budget. Where numbers are drawn, they come in the order of the images, ``batch`` at a
        time: the same images with the same generator give the same bits; another order or batch gives others.

        Args:
            network: float32 (N, C, H, W) in [0, 1] to logits (N, classes). Put into evaluation mode
                meanwhile.
            images: float32 (N, C, H, W) in [0, 1].
            labels: int64 (N,), the right classes.
            budget: greatest noise, in the attack's norm; None only where the attack is ``minimal``. For "l0"
                the number of pixels (of all channels together) that may change.
            generator: a CPU generator; all that is random comes from it.

        Raises:
            TypeError: an argument of the wrong kind.
            ValueError: images outside [0, 1] or not finite, labels that are no classes, a budget below 0 or
                missing, a network that does not give logits, or some that are NaN or infinite.
            RuntimeError: the attack made pixels that are no numbers, or went beyond its budget.
        """
        check_images(images)
        check_labels(labels, len(images), images.device)
        budget = check_budget(budget, self)
        if not isinstance(generator, torch.Generator):
            raise TypeError(f"generator: a torch.Generator was expected, {type(generator).__name__} came")
        noted = {"attack": self.name, "norm": self.norm, "budget": budget, "batch": self.batch}
        settings = {**noted, **self.settings, **self.notes}
        made, queries = [images[:0]], [torch.zeros(0, dtype=torch.int64)]
        with at_rest(network):
            if len(images):
                check_network(network, images, labels)
            for at in range(0, len(images), self.batch):
                some, asked = self._batch(
                    network, images[at : at + self.batch], labels[at : at + self.batch], budget, generator
                )
                made.append(some)
                queries.append(asked)
        return AttackResult(torch.cat(made), torch.cat(queries), settings)

    def _batch(
        self,
        network: nn.Module,
        images: Tensor,
        labels: Tensor,
        budget: float | None,
        generator: torch.Generator,
    ) -> tuple[Tensor, Tensor]:
        images, asked = images.detach(), Asked(network, len(images))
        if budget == 0:
            return images.clone(), asked.queries
        rows = torch.arange(len(images), device=images.device)
        if self.minimal:
            with torch.no_grad():
                rows = rows[asked(images).argmax(1) == labels]
        made = images.clone()
        if len(rows):
            inner, start = Asked(network, len(rows)), images[rows]
            crafted = self.craft(
                inner,
                start.clone(),
                labels[rows],
                norm=self.norm,
                budget=budget,
                generator=generator,
                **self.settings,
            )
            crafted = crafted.detach().to(torch.float32)
            if not bool(torch.isfinite(crafted).all()):  # before they are clipped: that hides infinity
                raise RuntimeError(f"{self.name} made pixels that are no numbers: {self.settings}")
            crafted = crafted.clamp(0, 1)
            noise = size(crafted - start, self.norm)
            if self.minimal and budget is not None:
                crafted = torch.where(over_images(noise <= budget * (1 + 1e-6)), crafted, start)
            elif budget is not None and float(noise.max()) > _rounded(budget, start[0].numel()):
                most = float(noise.max())
                raise RuntimeError(
                    f"{self.name}: {self.norm} noise of {most:g}, beyond the budget {budget:g}"
                )
            made[rows] = crafted
            asked.queries[rows.cpu()] += inner.queries
        return made, asked.queries


def _rounded(budget: float, values: int) -> float:
    """The budget and what float32 may add to it: pixels near 1 are 6e-8 apart, however small their noise."""
    return budget * (1 + 1e-5) + 1.2e-7 * math.sqrt(values)


def check_images(images: Tensor, argument: str = "images") -> None:
    """Raise unless these are images as networks here take them: float32 (N, C, H, W), finite, in [0, 1]."""
    if not isinstance(images, Tensor):
        raise TypeError(f"{argument}: a torch tensor was expected, {type(images).__name__} came")
    if images.dtype != torch.float32:
        raise TypeError(
            f"{argument}: float32 was expected, {images.dtype} came; images.float() / 255 makes it of bytes"
        )
    if images.ndim != 4:
        raise ValueError(f"{argument}: shape (N, C, H, W) was expected, {tuple(images.shape)} came")
    if images.numel() and not bool(((images >= 0) & (images <= 1)).all()):
        low, high = float(images.min()), float(images.max())
        raise ValueError(
            f"{argument}: values in [0, 1] were expected, [{low:g}, {high:g}] came; "
            "put a scaling into the network where it wants other ones"
        )


def check_labels(labels: Tensor, count: int, device: Any) -> None:
    """Raise unless ``labels`` are ``count`` class numbers."""
    if not isinstance(labels, Tensor) or labels.dtype != torch.int64:
        came = labels.dtype if isinstance(labels, Tensor) else type(labels).__name__
        raise TypeError(f"labels: an int64 tensor was expected, {came} came")
    if labels.shape != (count,):
        raise ValueError(
            f"labels: one for each of {count} images was expected, shape {tuple(labels.shape)} came"
        )
    if labels.device != device:
        raise ValueError(f"labels: they are on {labels.device}, the images on {device}")
    if count and int(labels.min()) < 0:
        raise ValueError(f"labels: class numbers from 0 were expected, {int(labels.min())} came")


def check_budget(budget: Any, attack: NamedAttack) -> float | None:
    """The budget as a number; raises where it is none, below 0, or missing."""
    if budget is None:
        if attack.minimal:
            return None
        raise ValueError(f"budget: {attack.name} needs one (the greatest noise in {attack.norm}), None came")
    if isinstance(budget, bool) or not isinstance(budget, numbers.Real):
        raise TypeError(f"budget: a number was expected, {type(budget).__name__} came")
    value = float(budget)
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"budget: a number from 0 was expected, {budget} came")
    if attack.norm == "l0" and not value.is_integer():
        raise ValueError(f"budget: {attack.name} counts pixels: a whole number was expected, {budget} came")
    return value


def check_network(network: nn.Module, images: Tensor, labels: Tensor) -> int:
    """How many classes the network tells apart; raises where it gives no logits for these labels."""
    with torch.no_grad():
        logits = network(images[:1])
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != 1 or logits.shape[1] < 2:
        came = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(f"network: logits (N, classes) were expected, {came} came for one image")
    classes = int(logits.shape[1])
    if int(labels.max()) >= classes:
        raise ValueError(f"labels: {int(labels.max())} came, the network knows classes 0 to {classes - 1}")
    return classes
