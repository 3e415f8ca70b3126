"""Expectation over transformation, for networks that answer at random or are not known for certain."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def passes(network: nn.Module) -> int:
    """How many networks one call asks: more than 1 where there is an :class:`EOT` or a :class:`MeanOf` in it.

    >>> import torch
    >>> one = torch.nn.Identity()
    >>> passes(one), passes(EOT(MeanOf([one, one]), 3)), passes(torch.nn.Sequential(EOT(one, 5), one))
    (1, 6, 5)
    """
    if isinstance(network, EOT):
        return network.samples * passes(network.network)
    if isinstance(network, MeanOf):
        return sum(passes(one) for one in network.networks)
    return max((passes(part) for part in network.children()), default=1)


class EOT(nn.Module):  # type: ignore[misc]
    """A network that answers with the mean of several answers of a random one.

    A. Athalye et al., "Synthesizing robust adversarial examples" (ICML 2018). Logits are means over the
    draws; so is the gradient of any attack: that of a loss of the mean logits, carried back through each
    draw. An attack on ``EOT(model)`` therefore follows the mean of the gradients; what it made is judged on
    ``model`` itself.

    Args:
        network: draws its randomness anew at each call.
        samples: how many draws. Every one counts as a query.

    Raises:
        ValueError: fewer than one sample.

    >>> import torch
    >>> noisy = torch.nn.Dropout(0.5)  # in training mode: drops at random
    >>> _ = torch.manual_seed(0)
    >>> with torch.no_grad():
    ...     one, mean = noisy(torch.ones(1, 2)), EOT(noisy, 4000)(torch.ones(1, 2))
    >>> bool((mean - 1).abs().max() < 0.1), bool((one - 1).abs().max() < 0.1)
    (True, False)
    """

    def __init__(self, network: nn.Module, samples: int) -> None:
        super().__init__()
        if isinstance(samples, bool) or not isinstance(samples, int) or samples < 1:
            raise ValueError(f"samples: a whole number from 1 was expected, {samples!r} came")
        self.network, self.samples = network, samples

    def forward(self, images: Tensor) -> Tensor:
        return torch.stack([self.network(images) for _ in range(self.samples)]).mean(0)


class MeanOf(nn.Module):  # type: ignore[misc]
    """The mean of several networks' logits: the expectation over which of them is there.

    For an attacker who does not know which of some circuits a network has; what it made is judged on the one
    that is there.

    Args:
        networks: for the same images and classes. Each counts as a query.

    Raises:
        ValueError: no network.

    >>> import torch
    >>> double = torch.nn.Linear(1, 1, bias=False)
    >>> _ = double.weight.data.fill_(2.0)
    >>> MeanOf([torch.nn.Identity(), double])(torch.ones(1, 1)).tolist()
    [[1.5]]
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        if not networks:
            raise ValueError("networks: at least one was expected, none came")
        self.networks = nn.ModuleList(networks)

    def forward(self, images: Tensor) -> Tensor:
        return torch.stack([network(images) for network in self.networks]).mean(0)
