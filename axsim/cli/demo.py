"""The demonstration: real photographs and handwritten digits through approximate multipliers.

Everything it needs comes with scikit-learn and scikit-image (extra ``demo``); nothing is downloaded.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import axsim
from axsim.files import check_folder
from axsim.multipliers.evoapprox import evoapprox
from axsim.plots import new_figure, save_figure
from axsim.progress import track
from axsim.results import print_table

IMAGE_MULTIPLIERS = ("KEM", "GS2", "drum8_4", "mitchell8", "12N4", "L40", "17KS", "JV3")

LABEL_GAP_MW = 0.0105  # between the names of circuits of like power in the picture of digits

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


@dataclass(frozen=True)
class DigitsResult:
    """The test accuracy (a fraction) of one quantised network with one multiplier."""

    multiplier: str
    mae: float
    power_mw: float
    accuracy: float


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


@dataclass(frozen=True)
class DigitsNetwork:
    """A network with one hidden layer, trained exactly, and the held-out images to test it with."""

    weights: tuple[NDArray[np.float32], NDArray[np.float32]]
    biases: tuple[NDArray[np.float32], NDArray[np.float32]]
    images: NDArray[np.float32]
    labels: NDArray[np.int64]

    def accuracy(self, mult: str) -> float:
        """Share of the test images classified correctly when ``mult`` makes every product."""
        hidden = axsim.matmul(self.images, self.weights[0], mult) + self.biases[0]
        scores = axsim.matmul(np.maximum(hidden, 0), self.weights[1], mult) + self.biases[1]
        return float(np.mean(scores.argmax(axis=1) == self.labels))

    def float_accuracy(self) -> float:
        """The same in float32, without quantisation."""
        hidden = np.maximum(self.images @ self.weights[0] + self.biases[0], 0)
        scores = hidden @ self.weights[1] + self.biases[1]
        return float(np.mean(scores.argmax(axis=1) == self.labels))


def train_digits() -> DigitsNetwork:
    """Train 64-64-10 on 60 % of scikit-learn's 1,797 handwritten digits (8 x 8 pixels), in float32."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier

    digits = load_digits()
    images = (digits.data / 16).astype(np.float32)
    train_x, test_x, train_y, test_y = train_test_split(
        images, digits.target, test_size=0.4, random_state=0, stratify=digits.target
    )
    with warnings.catch_warnings():
        # Interrupted, scikit-learn only warns and returns what is half trained.
        warnings.filterwarnings("error", message="Training interrupted by user")
        try:
            network = MLPClassifier((64,), max_iter=500, tol=1e-3, random_state=0).fit(train_x, train_y)
        except UserWarning as interrupted:
            raise KeyboardInterrupt from interrupted
    (first, second), (first_bias, second_bias) = network.coefs_, network.intercepts_
    return DigitsNetwork((first, second), (first_bias, second_bias), test_x, test_y)


def classify_digits(network: DigitsNetwork) -> list[DigitsResult]:
    """Accuracy of the quantised network with each of the 16 EvoApprox8b circuits, by falling accuracy."""
    circuits = evoapprox().values()
    results = []
    for circuit in track(circuits, "classifying digits", len(circuits)):
        assert circuit.published is not None  # it is for all of this library
        power = circuit.published["PDK45_PWR"]["value"]
        results.append(
            DigitsResult(circuit.name, circuit.metrics().mae, power, network.accuracy(circuit.name))
        )
    return sorted(results, key=lambda r: (-r.accuracy, r.mae))


def photograph_picture(exact: ImageResult, results: Sequence[ImageResult]) -> Any:
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


def spread(positions: Sequence[float], gap: float) -> NDArray[np.float64]:
    """Positions at least ``gap`` apart, in the same order, with the least squared distance from those given.

    For labels of points that lie close together.
    """
    from sklearn.isotonic import isotonic_regression

    order = np.argsort(positions, kind="stable")
    gaps = gap * np.arange(len(order))
    apart = np.empty(len(order))
    if len(order):
        apart[order] = isotonic_regression(np.asarray(positions, np.float64)[order] - gaps) + gaps
    return apart


def digits_picture(results: Sequence[DigitsResult], float_accuracy: float) -> Any:
    """Accuracy against published power, one labelled point a circuit."""
    figure = new_figure(8, 5)
    axis = figure.subplots()
    axis.axhline(100 * float_accuracy, color="gray", linestyle="--", label="float32, no quantisation")
    axis.scatter(
        [r.power_mw for r in results], [100 * r.accuracy for r in results], color="#34618f", zorder=3
    )
    lowest = np.median([r.accuracy for r in results])  # that is labelled above its point
    for above in (True, False):
        shown = [r for r in results if (r.accuracy >= lowest) == above]
        for r, x in zip(shown, spread([r.power_mw for r in shown], LABEL_GAP_MW), strict=True):
            axis.annotate(
                r.multiplier.removeprefix("mul8u_"),
                (r.power_mw, 100 * r.accuracy),
                xytext=(x, 100 * r.accuracy + (0.16 if above else -0.16)),
                ha="center",
                va="bottom" if above else "top",
                fontsize=8,
                rotation=90,
                arrowprops={"arrowstyle": "-", "color": "gray", "linewidth": 0.5, "shrinkA": 0, "shrinkB": 3},
            )
    axis.set(
        xlabel="published power (mW, 45 nm)",
        ylabel="test accuracy (%)",
        title="Handwritten digits through 16 EvoApprox8b multipliers",
    )
    axis.margins(y=0.2)
    axis.grid(alpha=0.3)
    axis.legend(frameon=False, loc="lower right")
    return figure


def run(out: Path) -> None:
    """Run both parts, print their tables and write the two pictures into the folder ``out``."""
    check_folder(out, "--out")
    exact, results = filter_photograph()
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
    network = train_digits()
    float_accuracy = network.float_accuracy()
    digits = classify_digits(network)
    print_table(
        f"Handwritten digits: accuracy on {len(network.labels)} images",
        ("multiplier", "accuracy (%)", "MAE", "power (mW)"),
        [
            ("float32 (not quantised)", f"{100 * float_accuracy:.2f}", "", ""),
            *((d.multiplier, f"{100 * d.accuracy:.2f}", f"{d.mae:.2f}", f"{d.power_mw:.3f}") for d in digits),
        ],
    )
    pictures = (
        save_figure(photograph_picture(exact, results), out / "photograph.png"),
        save_figure(digits_picture(digits, float_accuracy), out / "digits.png"),
    )
    for picture in pictures:
        print(f"picture: {picture}")
