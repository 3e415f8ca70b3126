"""Sizes of noise, and the sets of images within a budget."""

from __future__ import annotations

import torch
from torch import Tensor


def size(noise: Tensor, norm: str) -> Tensor:
    """How large the noise of each image is: float32 (N,).

    Args:
        noise: float (N, C, H, W).
        norm: "linf": largest absolute value; "l2": Euclidean length; "l0": number of pixels with a change in
            any channel.

    Raises:
        ValueError: another norm.

    >>> import torch
    >>> noise = torch.zeros(1, 3, 2, 2)
    >>> noise[0, :, 0, 1] = torch.tensor([0.3, 0.0, -0.4])
    >>> [round(float(size(noise, norm)), 3) for norm in ("linf", "l2", "l0")]
    [0.4, 0.5, 1.0]
    """
    if norm == "linf":
        return noise.flatten(1).abs().amax(1)
    if norm == "l2":
        return noise.flatten(1).norm(dim=1)
    if norm == "l0":
        return (noise != 0).any(1).flatten(1).sum(1).to(torch.float32)
    raise ValueError(f"norm: 'linf', 'l2' or 'l0' was expected, {norm!r} came")


def over_images(values: Tensor) -> Tensor:
    """One value an image, shaped so that it spreads over the image: (N, 1, 1, 1)."""
    return values[:, None, None, None]


def project(images: Tensor, originals: Tensor, budget: Tensor, norm: str) -> Tensor:
    """The images, moved into the ball around ``originals`` and into [0, 1].

    Args:
        images, originals: float32 (N, C, H, W).
        budget: float32 (N,), the radius of each image's ball.
        norm: "linf" or "l2". (Clipping to [0, 1] afterwards moves a pixel towards its original, never away.)

    Returns:
        The nearest image for "linf"; for "l2" the one on the line to the original, then clipped.

    >>> import torch
    >>> grey, radius = torch.full((1, 1, 1, 2), 0.5), torch.tensor([0.25])
    >>> project(torch.tensor([[[[0.0, 0.6]]]]), grey, radius, "linf")
    tensor([[[[0.2500, 0.6000]]]])
    """
    noise = images - originals
    radius = over_images(budget)
    if norm == "linf":
        noise = torch.minimum(torch.maximum(noise, -radius), radius)
    elif norm == "l2":
        length = over_images(size(noise, "l2"))
        noise = noise * (radius / length.clamp_min(1e-30)).clamp(max=1)
    else:
        raise ValueError(f"norm: 'linf' or 'l2' was expected, {norm!r} came")
    return (originals + noise).clamp(0, 1)


def steepest(gradient: Tensor, norm: str) -> Tensor:
    """The direction of size 1 along which a function with this gradient rises most; 0 for a gradient of 0."""
    if norm == "linf":
        return gradient.sign()
    # Divided by the largest value first: squares of small gradients would vanish in float32.
    scaled = gradient / over_images(size(gradient, "linf").clamp_min(torch.finfo(gradient.dtype).tiny))
    return scaled / over_images(size(scaled, "l2").clamp_min(1e-12))
