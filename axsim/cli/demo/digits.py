"""LeNet-5 on handwritten digits, as trained, quantised, and through approximate multipliers."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.multipliers import Multiplier, get
from axsim.multipliers.evoapprox import evoapprox
from axsim.plots import new_figure
from axsim.progress import track
from axsim.results import print_table

FLOAT32, EXACT = "float32", "exact8"
MULTIPLIERS = (EXACT, *evoapprox(), "axfpm")
CALIBRATION = 256  # training images
PASSES = 5  # that are timed

LABEL_GAP_MW = 0.0135  # between the names of circuits of like power in the picture


@dataclass(frozen=True)
class DigitsResult:
    """One network of all that were asked.

    Attributes:
        multiplier: what every layer multiplies with; "float32" for the network as it was trained.
        accuracy: a fraction of ``images``.
        images: how many test images there are.
        power_mw: published, of the circuit; None where none is.
        energy: published, of all products, as a fraction of the exact circuit's; None where none is.
        seconds: of one pass over all images, the median of some.
        slowdown: that time beside float32's.
    """

    multiplier: str
    accuracy: float
    images: int
    power_mw: float | None
    energy: float | None
    seconds: float
    slowdown: float


def classify(names: Sequence[str] = MULTIPLIERS) -> list[DigitsResult]:
    """LeNet-5 as it was trained, then through each multiplier, by falling accuracy.

    Raises:
        ImportError: torch or scikit-learn is missing.
        RuntimeError: a layer did not multiply through its multiplier.
    """
    try:
        import axsim.nn
        from axsim import datasets, models
    except ImportError as missing:
        raise ImportError(
            f"the demonstration needs more: pip install 'axsim[torch,demo]' ({missing})"
        ) from None
    data, network = datasets.load("digits"), models.load("lenet5", "digits")
    images, labels = data.tensors("test")
    ranges = data.tensors("train", CALIBRATION)[0]
    exact_seconds = _seconds(network, images)
    accuracy = models.accuracy(network, images, labels)
    results = [DigitsResult(FLOAT32, accuracy, len(images), None, None, exact_seconds, 1.0)]
    for name in track(names, "classifying digits", len(names)):
        approx = axsim.nn.approximate(network, name, calibrate=[ranges])
        found = axsim.nn.summary(approx, images)
        if found.idle:
            raise RuntimeError(f"{', '.join(found.idle)} did not multiply through {name}")
        seconds = _seconds(approx, images)
        results.append(
            DigitsResult(
                name,
                models.accuracy(approx, images, labels),
                len(images),
                _power(name),
                next(iter(found.relative_energy.values()), None),
                seconds,
                seconds / exact_seconds,
            )
        )
    return [results[0], *sorted(results[1:], key=lambda r: (-r.accuracy, -(r.power_mw or np.inf)))]


def _power(name: str) -> float | None:
    multiplier = get(name)
    if not isinstance(multiplier, Multiplier) or multiplier.published is None:
        return None
    return float(multiplier.published["PDK45_PWR"]["value"])


def _seconds(network: Any, images: Any) -> float:
    """Of one pass, the median of some behind a first one."""
    import torch

    times = []
    with torch.no_grad():
        for _ in range(PASSES + 1):
            start = time.perf_counter()
            network(images)
            times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def print_results(results: Sequence[DigitsResult]) -> None:
    """The table."""
    print_table(
        f"LeNet-5 on {results[0].images} handwritten digits, every layer through one multiplier; energy of "
        "products beside the exact circuit's (published power x delay; Ax-FPM: as its paper has it)",
        ("multiplier", "accuracy (%)", "power (mW)", "energy", "seconds", "time / float32's"),
        [
            (
                {FLOAT32: "float32 (as trained)", EXACT: "exact8 (quantised)"}.get(
                    r.multiplier, r.multiplier
                ),
                f"{100 * r.accuracy:.2f}",
                "" if r.power_mw is None else f"{r.power_mw:.3f}",
                "" if r.energy is None else f"{r.energy:.3f}",
                f"{r.seconds:.4f}",
                f"{r.slowdown:.1f}",
            )
            for r in results
        ],
    )


def picture(results: Sequence[DigitsResult]) -> Any:
    """Accuracy against published power, one labelled point a circuit; and the time of each."""
    figure = new_figure(13, 5.4)
    axis, times = figure.subplots(1, 2, width_ratios=(2, 1))
    circuits = [r for r in results if r.power_mw is not None]
    _draw_accuracy(axis, circuits)
    for r, style in zip((r for r in results if r.power_mw is None), ("--", "-", ":"), strict=False):
        label = {FLOAT32: "float32", EXACT: "quantised, exact products"}.get(r.multiplier, r.multiplier)
        axis.axhline(100 * r.accuracy, color="gray", linestyle=style, linewidth=1, label=label)
    axis.legend(frameon=False, loc="lower right")
    shown = [r for r in results if r.multiplier != FLOAT32]
    bars = times.barh([_short(r) for r in shown], [r.slowdown for r in shown], color="#34618f")
    times.bar_label(bars, fmt="%.1f", fontsize=8, padding=3)
    times.axvline(1, color="gray", linestyle="--")
    times.invert_yaxis()
    times.margins(x=0.12, y=0.02)
    times.tick_params(axis="y", labelsize=8)
    times.set(xlabel="time / time in float32", title=f"One pass over {results[0].images} images")
    return figure


def _draw_accuracy(axis: Any, circuits: Sequence[DigitsResult]) -> None:
    powers = [r.power_mw or 0.0 for r in circuits]
    accuracies = [100 * r.accuracy for r in circuits]
    axis.scatter(powers, accuracies, color="#34618f", zorder=3)
    middle = np.median(accuracies)  # that is labelled above its point
    gap = 0.06 * (max(accuracies) - min(accuracies) + 1)
    for above in (True, False):
        points = [
            (r, p, a) for r, p, a in zip(circuits, powers, accuracies, strict=True) if (a >= middle) == above
        ]
        places = spread([p for _, p, _ in points], LABEL_GAP_MW)
        for (r, power, accuracy), place in zip(points, places, strict=True):
            axis.annotate(
                _short(r),
                (power, accuracy),
                xytext=(place, accuracy + (gap if above else -gap)),
                ha="center",
                va="bottom" if above else "top",
                fontsize=8,
                rotation=90,
                arrowprops={"arrowstyle": "-", "color": "gray", "linewidth": 0.5, "shrinkA": 0, "shrinkB": 3},
            )
    axis.set(
        xlabel="published power of the circuit (mW, 45 nm)",
        ylabel="test accuracy (%)",
        title="LeNet-5 on handwritten digits through 16 EvoApprox8b multipliers",
    )
    axis.margins(x=0.09, y=0.2)
    axis.grid(alpha=0.3)


def _short(result: DigitsResult) -> str:
    return result.multiplier.removeprefix("mul8u_")


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
