"""Attacks of Foolbox (J. Rauber et al., JOSS 5(53), 2020, doi 10.21105/joss.02607), by the names of its
classes.

Foolbox reads global random state, warns about what is harmless, and has three habits that would change a
result; they are put right here: HopSkipJump shares one step length among all images of a batch, C&W gives
back a black image where it found nothing, and Boundary and HopSkipJump raise for a whole batch where one
image has no starting point.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from axsim.robustness.attacks.attack import Asked, Norm
from axsim.robustness.attacks.seeds import global_state
from axsim.robustness.balls import over_images, size

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
    attack = getattr(foolbox().attacks, kind)(**settings)
    with _foolbox_model(asked, images, generator) as model:
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
    attack = _classes()[kind](**settings)
    inner = Asked(asked.network, len(rows))
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
def _foolbox_model(asked: Asked, images: Tensor, generator: torch.Generator) -> Iterator[Any]:
    """The network as Foolbox takes it, with global random state from the generator."""
    asked.eval()
    with global_state(generator), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # means of empty slices: figures that nobody reads
        yield foolbox().PyTorchModel(asked, bounds=(0, 1), device=images.device)


def _minimal(attack: Any) -> bool:
    return isinstance(attack, foolbox().attacks.base.MinimizationAttack)


def _torch(made: Any) -> Tensor:
    return made.raw if hasattr(made, "raw") else made


def _classes() -> dict[str, Any]:
    attacks = foolbox().attacks

    class HopSkipJump(attacks.HopSkipJumpAttack):  # type: ignore[misc, name-defined]
        """HopSkipJump whose estimated gradient has length 1 for each image, as in the paper (eq. 12)."""

        def approximate_gradients(self, *args: Any, **kwargs: Any) -> Any:
            gradients = super().approximate_gradients(*args, **kwargs)
            lengths = over_images(size(gradients.raw, "l2")).clamp_min(1e-12)
            return type(gradients)(gradients.raw / lengths)

    return {"BoundaryAttack": attacks.BoundaryAttack, "HopSkipJumpAttack": HopSkipJump}
