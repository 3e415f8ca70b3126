"""Attacks of Foolbox (J. Rauber et al., JOSS 5(53), 2020, doi 10.21105/joss.02607), by the names of its
classes.

Foolbox reads global random state, warns about what is harmless, and has five habits that would change a
result; they are put right here: HopSkipJump shares one step length among all images of a batch, C&W gives
back a black image where it found nothing, Boundary and HopSkipJump raise for a whole batch where one image
has no starting point, l2 steps along gradients shorter than 1e-12 shrink with them, and DeepFool walks away
from the boundary where the label shares the largest logit with another class.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from axsim.robustness.attacks.attack import Asked, Norm
from axsim.robustness.attacks.seeds import global_state
from axsim.robustness.balls import over_images, size, steepest

STARTS = 50
"""Random images that are tried as starting points where no other image of the batch will do."""


def foolbox() -> Any:
    """Foolbox, or an error that says how to get it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # it asks SciPy for a module that moved
            import foolbox as fb
    except ImportError as error:
        raise ImportError("this attack needs Foolbox: pip install 'axsim[robustness]'") from error
    return fb


def craft(
    asked: Asked,
    images: Tensor,
    labels: Tensor,
    *,
    norm: Norm,
    budget: float | None,
    generator: torch.Generator,
    kind: str,
    **settings: Any,
) -> Tensor:
    """What the Foolbox attack ``kind`` makes of the images."""
    attack = _attack(kind, settings)
    attacked = _LabelFirst(asked, labels) if "DeepFool" in kind else asked
    with _foolbox_model(attacked, images, generator) as model:
        _, made, _ = attack(model, images, labels, epsilons=budget if not _minimal(attack) else None)
    return _torch(made)


def carlini_wagner(
    asked: Asked,
    images: Tensor,
    labels: Tensor,
    *,
    norm: Norm,
    budget: float | None,
    generator: torch.Generator,
    **settings: Any,
) -> Tensor:
    """C&W-L2; an image for which nothing was found stays as it is (Foolbox would make it black)."""
    attack = foolbox().attacks.L2CarliniWagnerAttack(**settings)
    with _foolbox_model(asked, images, generator) as model:
        made = _torch(attack(model, images, labels, epsilons=None)[1])
    nothing = (made == 0).flatten(1).all(1)
    return torch.where(over_images(nothing), images, made)


def decision_based(
    asked: Asked,
    images: Tensor,
    labels: Tensor,
    *,
    norm: Norm,
    budget: float | None,
    generator: torch.Generator,
    kind: str,
    **settings: Any,
) -> Tensor:
    """Boundary and HopSkipJump, which need a wrongly classified image to start from.

    That is the nearest other image of the batch that the network takes for another class than the label, or
    else the first of up to :data:`STARTS` images of uniform noise that it does. Images without any stay as
    they are.
    """
    starts, found = starting_points(asked, images, labels, generator)
    rows = found.nonzero()[:, 0]
    made = images.clone()
    if not len(rows):
        return made
    inner = Asked(asked.network, len(rows))
    attack = (
        _hopskipjump(inner, labels[rows], settings)
        if kind == "HopSkipJumpAttack"
        else _attack(kind, settings)
    )
    with _foolbox_model(inner, images, generator) as model:
        some = attack(model, images[rows], labels[rows], starting_points=starts[rows], epsilons=None)[1]
    made[rows] = _torch(some)
    asked.queries[rows.cpu()] += inner.queries
    return made


def starting_points(
    asked: Asked, images: Tensor, labels: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Images that the network takes for another class than the label, and for which images one was found.

    Returns:
        float32 (N, C, H, W) and bool (N,).
    """
    with torch.no_grad():
        taken_for = asked(images).argmax(1)
        distances = torch.cdist(images.flatten(1), images.flatten(1))
        distances[taken_for[None, :] == labels[:, None]] = torch.inf
        nearest = distances.argmin(1)
        found = torch.isfinite(distances.gather(1, nearest[:, None])[:, 0])
        starts = torch.where(over_images(found), images[nearest], images)
        for _ in range(STARTS):
            rows = (~found).nonzero()[:, 0]
            if not len(rows):
                break
            tried = torch.rand((len(rows), *images.shape[1:]), generator=generator).to(images.device)
            fooling = asked(tried, rows).argmax(1) != labels[rows]
            starts[rows[fooling]], found[rows[fooling]] = tried[fooling], True
        # Asked once more, in the batch that the attack will see: sums of other batches may differ in the last
        # bit.
        while bool(found.any()):
            rows = found.nonzero()[:, 0]
            fooling = asked(starts[rows], rows).argmax(1) != labels[rows]
            if bool(fooling.all()):
                break
            found[rows[~fooling]] = False
    return starts, found


@contextmanager
def _foolbox_model(asked: nn.Module, images: Tensor, generator: torch.Generator) -> Iterator[Any]:
    """The network as Foolbox takes it, with global random state from the generator."""
    asked.eval()
    with global_state(generator), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # means of empty slices: figures that nobody reads
        yield foolbox().PyTorchModel(asked, bounds=(0, 1), device=images.device)


def _minimal(attack: Any) -> bool:
    return isinstance(attack, foolbox().attacks.base.MinimizationAttack)


def _torch(made: Any) -> Tensor:
    return made.raw if hasattr(made, "raw") else made


def _attack(kind: str, settings: dict[str, Any]) -> Any:
    """Foolbox's attack of this kind; those that step along an l2 gradient with steps that do not shrink."""
    attacks = foolbox().attacks
    its: Any = getattr(attacks, kind)
    if not issubclass(its, attacks.gradient_descent_base.L2BaseGradientDescent):
        return its(**settings)

    class WholeSteps(its):  # type: ignore[misc]
        def normalize(self, gradients: Any, *, x: Any, bounds: Any) -> Any:
            usual = super().normalize(gradients, x=x, bounds=bounds).raw
            short = size(gradients.raw, "l2") < 1e-12
            return type(gradients)(torch.where(over_images(short), steepest(gradients.raw, "l2"), usual))

    return WholeSteps(**settings)


def _hopskipjump(asked: Asked, labels: Tensor, settings: dict[str, Any]) -> Any:
    """Foolbox's HopSkipJump with :func:`estimated_gradient`."""
    attacks = foolbox().attacks

    class HopSkipJump(attacks.HopSkipJumpAttack):  # type: ignore[misc, name-defined]
        def approximate_gradients(self, _: Any, points: Any, steps: int, delta: Any) -> Any:
            return type(points)(estimated_gradient(asked, points.raw, labels, steps, delta.raw))

    return HopSkipJump(**settings)


class _LabelFirst(nn.Module):  # type: ignore[misc]
    """The network, with the label's logit the next larger number where another class's equals it at the top.

    DeepFool takes the last of the largest logits for the class to leave, which then is not the label.
    """

    def __init__(self, asked: Asked, labels: Tensor) -> None:
        super().__init__()
        self.asked, self.labels = asked, labels

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.asked(images)
        own, values = self.labels[:, None], logits.detach()
        most = values.amax(1, keepdim=True)
        shared = (values == most).sum(1, keepdim=True) > 1
        raised = torch.nextafter(most, torch.full_like(most, torch.inf)) - most
        raised = torch.where(shared & (values.gather(1, own) == most), raised, 0)
        return logits + torch.zeros_like(values).scatter(1, own, raised)


def estimated_gradient(asked: Asked, points: Tensor, labels: Tensor, steps: int, radius: Tensor) -> Tensor:
    """The direction in which the network is fooled most, from its decisions: float32 (N, C, H, W), each of
    length 1.

    J. Chen et al., "HopSkipJumpAttack" (IEEE S&P 2020), equations 12 and 16: the mean of random directions
    ``u``, each weighted by 1 where a step along it fools and -1 where not, less the mean of these weights.
    Many directions go through the network at a time.

    Args:
        points: float32 (N, C, H, W), on the boundary.
        labels: int64 (N,).
        steps: directions for each point.
        radius: float32 (N,), how far the steps go.
    """
    count, at_a_time = len(points), max(1, 512 // len(points))
    weighted, plain = torch.zeros_like(points), torch.zeros_like(points)
    total = torch.zeros(count, device=points.device)
    far = radius[None, :, None, None, None]
    for start in range(0, steps, at_a_time):
        some = min(at_a_time, steps - start)
        noise = torch.randn((some, *points.shape)).to(points.device)
        noise = noise / noise.flatten(2).norm(dim=2)[:, :, None, None, None].clamp_min(1e-12)
        tried = (points + far * noise).clamp(0, 1)
        with torch.no_grad():
            said = asked(tried.flatten(0, 1)).argmax(1).reshape(some, count)
        weight = torch.where(said != labels, 1.0, -1.0)
        directions = (tried - points) / (far + 1e-8)
        weighted += (weight[:, :, None, None, None] * directions).sum(0)
        plain += directions.sum(0)
        total += weight.sum(0)
    mean = total / steps
    mean = torch.where(mean.abs() == 1, 0, mean)  # all alike: their mean would leave nothing
    gradient = (weighted - over_images(mean) * plain) / steps
    return gradient / over_images(size(gradient, "l2")).clamp_min(1e-12)
