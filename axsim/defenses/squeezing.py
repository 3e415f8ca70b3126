"""Feature squeezing, a baseline: fewer grey levels, or a median filter, in front of a network.

W. Xu et al., "Feature squeezing: detecting adversarial examples in deep neural networks" (NDSS 2018, arXiv
1704.01155).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from axsim.defenses.dorefa import check_bits
from axsim.defenses.straight_through import round_to_levels


class BitDepth(nn.Module):  # type: ignore[misc]
    """Pixels in [0, 1] rounded to ``2**bits`` grey levels; straight through backwards.

    >>> import torch
    >>> BitDepth(1)(torch.tensor([0.2, 0.6]))
    tensor([0., 1.])
    """

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits = check_bits(bits)

    def forward(self, images: Tensor) -> Tensor:
        return round_to_levels(images, 2**self.bits - 1)

    def extra_repr(self) -> str:
        return f"bits={self.bits}"


class MedianSmoothing(nn.Module):  # type: ignore[misc]
    """Each pixel becomes the median of the ``size`` by ``size`` window around it, in each channel.

    Images are continued by reflection at their edges, the edge pixels repeated. Where ``size`` is even, the
    window reaches one pixel further up and to the left, and the larger of the two middle values is taken.
    (Both are what SciPy's ``median_filter`` does, which the paper's authors use.) The gradient goes to the
    pixel that was taken.

    >>> import torch
    >>> image = torch.tensor([[0.1, 0.2, 0.3], [0.4, 0.9, 0.6], [0.7, 0.8, 0.5]]).reshape(1, 1, 3, 3)
    >>> MedianSmoothing(3)(image)[0, 0, 1, 1].item()
    0.5
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ValueError(f"size: a whole number from 1 was expected, {size!r} came")
        self.size = size

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[2:]
        rows, columns = self._reflected(height), self._reflected(width)
        wide = images[:, :, rows.to(images.device)][:, :, :, columns.to(images.device)]
        windows = wide.unfold(2, self.size, 1).unfold(3, self.size, 1).flatten(4)
        return windows.sort(4).values[..., self.size**2 // 2]

    def _reflected(self, length: int) -> Tensor:
        """Which pixel of a line stands at each place of the longer line that windows run over."""
        before = self.size // 2
        place = torch.arange(-before, length + self.size - 1 - before) % (2 * length)
        return torch.minimum(place, 2 * length - 1 - place)

    def extra_repr(self) -> str:
        return f"size={self.size}"


def squeezing_distance(network: nn.Module, images: Tensor, squeezers: Sequence[nn.Module]) -> Tensor:
    """How much the network's probabilities change when images are squeezed: float32 (N,), in [0, 2].

    The largest, over the squeezers, of the l1 distance between the softmax of an image and of its squeezed
    version (the paper's joint detection). An image is taken for an attack where it exceeds a threshold that
    is chosen on clean ones.

    Raises:
        ValueError: no squeezers.
    """
    if not squeezers:
        raise ValueError("squeezers: at least one was expected, none came")
    plain = network(images).softmax(1)
    distances = [(plain - network(squeeze(images)).softmax(1)).abs().sum(1) for squeeze in squeezers]
    return torch.stack(distances).amax(0)
