"""A photograph through approximate multipliers: blurred, and its edges found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import axsim
from axsim.plots import new_figure
from axsim.progress import track
from axsim.results import print_table

IMAGE_MULTIPLIERS = ("KEM", "GS2", "drum8_4", "mitchell8", "12N4", "L40", "17KS", "JV3")

# The binomial approximation of a Gaussian (sigma about 1), 5 x 5, as integers that sum to 256.
GAUSSIAN = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]).astype(np.uint8)

# Sobel's kernels, times 63: they fill the range of int8, as quantised weights do.
SOBEL_SCALE = 63
SOBEL_X = (SOBEL_SCALE * np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])).astype(np.int8)


@dataclass(frozen=True)
class ImageResult:
    """A photograph filtered with one multiplier, and how near it is to the exact result."""

    multiplier: str
    blurred: NDArray[np.uint8]
    edges: NDArray[np.uint8]
    blur_psnr: float
    blur_ssim: float
    edge_psnr: float
    edge_ssim: float


def blur(image: NDArray[np.uint8], mult: str) -> NDArray[np.uint8]:
    """Gaussian blur of a grey image ``(H, W)``, every product made by ``mult``."""
    sums = axsim.conv2d(image[None, None], GAUSSIAN[None, None], mult, padding="same")[0, 0]
    return np.asarray(np.clip((sums + 128) >> 8, 0, 255), np.uint8)


def sobel_edges(image: NDArray[np.uint8], mult: str) -> NDArray[np.uint8]:
    """Length of the Sobel gradient of a grey image ``(H, W)``, every product made by ``mult``."""
    kernels = np.stack([SOBEL_X, SOBEL_X.T])[:, None]
    dx, dy = axsim.conv2d(image[None, None], kernels, mult, padding="same")[0] / SOBEL_SCALE
    return np.asarray(np.clip(np.hypot(dx, dy) / 4, 0, 255).astype(np.uint8))


def photograph() -> NDArray[np.uint8]:
    """Scikit-learn's photograph of a temple in China, as grey levels ``(427, 640)`` uint8."""
    from sklearn.datasets import load_sample_image

    grey = load_sample_image("china.jpg") @ np.array([0.299, 0.587, 0.114])
    return np.asarray(np.rint(grey), np.uint8)


def filter_photograph(names: Sequence[str] = IMAGE_MULTIPLIERS) -> tuple[ImageResult, list[ImageResult]]:
    """Blur and edges of the photograph: the exact result, and one for each multiplier in ``names``."""
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    image = photograph()
    blurred, edges = blur(image, "exact8"), sobel_edges(image, "exact8")
    exact = ImageResult("exact8", blurred, edges, np.inf, 1.0, np.inf, 1.0)

    def quality(ours: NDArray[np.uint8], reference: NDArray[np.uint8]) -> tuple[float, float]:
        if np.array_equal(ours, reference):
            return np.inf, 1.0
        return float(peak_signal_noise_ratio(reference, ours)), float(structural_similarity(reference, ours))

    def result(name: str) -> ImageResult:
        ours_blurred, ours_edges = blur(image, name), sobel_edges(image, name)
        return ImageResult(
            name, ours_blurred, ours_edges, *quality(ours_blurred, blurred), *quality(ours_edges, edges)
        )

    return exact, [result(name) for name in track(names, "filtering the photograph", len(names))]


def picture(exact: ImageResult, results: Sequence[ImageResult]) -> Any:
    """All filtered photographs side by side: blur on the left, edges on the right."""
    figure = new_figure(16, 6.4)
    halves = figure.subfigures(1, 2, wspace=0.02)
    columns = 3
    rows = -(-(len(results) + 1) // columns)
    for half, kind in zip(halves, ("blur", "edges"), strict=True):
        half.suptitle({"blur": "Gaussian blur", "edges": "Sobel edges"}[kind], fontsize=14)
        axes = half.subplots(rows, columns).ravel()
        for axis in axes:
            axis.axis("off")
        for axis, result in zip(axes, (exact, *results), strict=False):
            axis.imshow(result.blurred if kind == "blur" else result.edges, cmap="gray", vmin=0, vmax=255)
            psnr, ssim = (
                (result.blur_psnr, result.blur_ssim)
                if kind == "blur"
                else (result.edge_psnr, result.edge_ssim)
            )
            quality = "" if result is exact else f"   {psnr:.1f} dB, SSIM {ssim:.3f}"
            axis.set_title(result.multiplier + quality, fontsize=9)
    return figure


def print_results(results: Sequence[ImageResult]) -> None:
    """The table of qualities."""
    print_table(
        "A photograph (427 x 640) against the exact filter",
        ("multiplier", "blur PSNR (dB)", "blur SSIM", "edges PSNR (dB)", "edges SSIM"),
        [
            (
                r.multiplier,
                f"{r.blur_psnr:.2f}",
                f"{r.blur_ssim:.4f}",
                f"{r.edge_psnr:.2f}",
                f"{r.edge_ssim:.4f}",
            )
            for r in results
        ],
    )
