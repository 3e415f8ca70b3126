"""The straight-through estimator: the gradient of the exact product."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from axsim.nn.geometry import exact, exact_gradients
from axsim.nn.gradients.rule import KINDS, Product
from axsim.quantization import QuantParams


@dataclass(frozen=True)
class STE:
    """The exact product's gradient, as if the multiplier were exact and nothing had been quantised.

    Y. Bengio, N. Leonard, A. Courville, "Estimating or Propagating Gradients Through Stochastic Neurons for
    Conditional Computation", arXiv:1308.3432.

    Attributes:
        gain: what the gradients are multiplied by; or "measured": for each product the slope of the line
            through 0 that fits its approximate results to the exact ones by least squares,
            ``sum(approximate * exact) / sum(exact * exact)``. A multiplier that amplifies, as Ax-FPM does,
            has a gain above 1, which an optimiser or an attack that does not know it meets as wrong steps.
        clip: no gradient passes to activations that their range cut off: a little more or less of them
            changes nothing. A range that was taken from the activations themselves cuts nothing off.

    Raises:
        ValueError: ``gain`` is neither a finite number nor "measured".

    >>> STE(gain="measured").name, STE() == STE(gain=1.0)
    ('ste(gain=measured)', True)
    """

    gain: float | str = 1.0
    clip: bool = True

    def __post_init__(self) -> None:
        number = isinstance(self.gain, int | float) and math.isfinite(self.gain)
        if not number and self.gain != "measured":
            raise ValueError(f"gain is {self.gain!r}, expected a finite number or 'measured'")
        if not isinstance(self.clip, bool):
            raise ValueError(f"clip is {self.clip!r}, expected True or False")

    @property
    def name(self) -> str:
        """As in "ste" and "ste(gain=measured)"."""
        gain = [] if self.gain == 1 else [f"gain={self.gain}"]
        settings = [*gain, *([] if self.clip else ["clip=False"])]
        return f"ste({','.join(settings)})" if settings else "ste"

    @property
    def wants_output(self) -> bool:
        """Whether products are to hold their results."""
        return self.gain == "measured"

    def gradients(
        self, upstream: Tensor, product: Product, wanted: tuple[bool, bool]
    ) -> tuple[Tensor | None, Tensor | None]:
        """As ``GradientRule.gradients``. They can be differentiated again; a measured gain is constant."""
        if self.gain == "measured":
            upstream = upstream * measured_gain(product)
        elif self.gain != 1:
            upstream = upstream * float(self.gain)
        of_x, of_w = exact_gradients(upstream, product.x, product.w, product.geometry, wanted)
        if of_x is not None and self.clip and product.clips and product.a_params is not None:
            of_x = of_x * kept(product.x, product.a_params)
        return of_x, of_w


KINDS["ste"] = STE


def kept(x: Tensor, params: QuantParams) -> Tensor:
    """Where the range of ``params`` holds the activations, to half a step: a mask of x's shape.

    >>> kept(torch.tensor([-0.6, -0.4, 3.4, 3.6]), QuantParams(1.0, 0, 0, 3))
    tensor([False,  True,  True, False])
    """
    scale, zero = float(params.scale), int(params.zero_point)
    low, high = scale * (params.qmin - zero - 0.5), scale * (params.qmax - zero + 0.5)
    return (x >= low) & (x <= high)


def measured_gain(product: Product) -> Tensor:
    """``sum(approximate * exact) / sum(exact * exact)`` over a product's results, in float64; 1 if all are 0.

    It has no axes, and the type of x.
    """
    assert product.output is not None
    with torch.no_grad():
        right = exact(product.x, product.w, product.geometry).double()
        square = (right * right).sum()
        slope = (product.output.double() * right).sum() / square
        return torch.where(square > 0, slope, torch.ones_like(slope)).to(product.x.dtype)
