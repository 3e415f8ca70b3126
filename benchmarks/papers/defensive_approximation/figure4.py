"""Figure 4: a filter convolved with six images of rising similarity to it, exact and with Ax-FPM.

The paper's point: Ax-FPM adds the more to a response, the more the input is like the filter. The filter
here is a 9 x 9 Gabor patch without a mean; the images are gratings under the same window, pixels 0 to 1,
turned from across the filter to along it, so that the last one is the filter (brightened: pixels are not
negative). Where the filter lies on the image, a convolution is the sum of 81 products pixel times weight: the
products are made by the multiplier, the sum in float64. One filter could be luck; the same is done for many
random ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from axsim.multipliers.floating import FloatMultiplier
from axsim.plots import new_figure, save_figure
from axsim.results import print_table, versions, write_json
from benchmarks.papers.defensive_approximation.common import float_multiplier

SIZE = 9
TURNS = (90.0, 60.0, 40.0, 25.0, 12.0, 0.0)  # degrees between image and filter
FILTERS = 1000
QUICK_FILTERS = 100
GROUPS = 10

X, Y = np.meshgrid(*[np.linspace(-1, 1, SIZE)] * 2)
WINDOW: NDArray[np.float64] = np.exp(-2 * (X * X + Y * Y))


@dataclass(frozen=True)
class Response:
    """What a filter answers to an image. similarity: cosine of the angle between the two, means removed."""

    similarity: float
    exact: float
    approximate: float

    @property
    def gain(self) -> float:
        """How much the approximate response exceeds the exact one."""
        return self.approximate - self.exact


def grating(angle: float, frequency: float, phase: float) -> NDArray[np.float64]:
    """A cosine grating under ``WINDOW``: angle and phase in radians, ``frequency``: periods a half patch."""
    along: NDArray[np.float64] = X * np.cos(angle) + Y * np.sin(angle)
    wave: NDArray[np.float64] = np.cos(2 * np.pi * frequency * along + phase)
    return wave * WINDOW


def make_filter(angle: float, frequency: float, phase: float) -> NDArray[np.float32]:
    """Weights from -1 to 1 that sum to zero: a grating less its mean."""
    weights = grating(angle, frequency, phase)
    weights -= WINDOW * (weights.sum() / WINDOW.sum())
    weights /= np.abs(weights).max()
    return weights.astype(np.float32)


def make_image(angle: float, frequency: float, phase: float) -> NDArray[np.float32]:
    """Pixels from 0 to 1: a grating around grey."""
    return (0.5 + 0.5 * grating(angle, frequency, phase)).astype(np.float32)


def respond(
    multiplier: FloatMultiplier, image: NDArray[np.float32], weights: NDArray[np.float32]
) -> Response:
    """Convolve where the filter covers the image; left operands are pixels, as in the authors' layers."""
    centred = image - image.mean(dtype=np.float64)
    cosine = np.vdot(centred, weights) / np.linalg.norm(centred) / np.linalg.norm(weights)
    return Response(
        similarity=float(cosine),
        exact=float(np.vdot(image.astype(np.float64), weights)),
        approximate=float(multiplier(image, weights).sum(dtype=np.float64)),
    )


def six(multiplier: FloatMultiplier) -> list[Response]:
    """The six images of the figure."""
    weights = make_filter(0.3, 1.0, 0.0)
    return [respond(multiplier, make_image(0.3 + np.deg2rad(turn), 1.0, 0.0), weights) for turn in TURNS]


def many(multiplier: FloatMultiplier, filters: int, seed: int) -> list[Response]:
    """Random filters, each with one image turned and shifted against it at random."""
    rng = np.random.default_rng(seed)
    responses = []
    for _ in range(filters):
        angle, turn = rng.uniform(0, np.pi), rng.uniform(0, np.pi / 2)
        frequency, phase, shift = rng.uniform(0.6, 1.4), rng.uniform(0, 2 * np.pi), rng.uniform(0, np.pi / 2)
        image = make_image(angle + turn, frequency, phase + shift)
        responses.append(respond(multiplier, image, make_filter(angle, frequency, phase)))
    return responses


def mean_gains(responses: list[Response]) -> list[tuple[float, float]]:
    """Mean similarity and mean gain of GROUPS equally large groups, by rising similarity."""
    ordered = sorted(responses, key=lambda r: r.similarity)
    groups = np.array_split(np.array([(r.similarity, r.gain) for r in ordered]), GROUPS)
    return [(float(similarity), float(gain)) for similarity, gain in (group.mean(axis=0) for group in groups)]


def picture(responses: list[Response], random: list[Response]) -> Any:
    """Filter and images above; the six responses and the gains of the random filters below."""
    figure = new_figure(12, 7)
    top, bottom = figure.subfigures(2, 1, height_ratios=(1, 2.2))
    panels = top.subplots(1, 7)
    panels[0].imshow(make_filter(0.3, 1.0, 0.0), cmap="RdBu_r", vmin=-1, vmax=1)
    panels[0].set_title("filter (red +, blue −)", fontsize=10)
    for panel, turn, response in zip(panels[1:], TURNS, responses, strict=True):
        panel.imshow(make_image(0.3 + np.deg2rad(turn), 1.0, 0.0), cmap="gray", vmin=0, vmax=1)
        panel.set_title(f"similarity {response.similarity:.2f}", fontsize=10)
    for panel in panels:
        panel.set(xticks=[], yticks=[])

    left, right = bottom.subplots(1, 2)
    position = np.arange(len(responses))
    exact, approximate = [r.exact for r in responses], [r.approximate for r in responses]
    left.bar(position - 0.2, exact, 0.38, color="#34618f", label="exact")
    left.bar(position + 0.2, approximate, 0.38, color="#c0392b", label="Ax-FPM")
    left.set_xticks(position, [f"{r.similarity:.2f}" for r in responses])
    left.axhline(0, color="black", linewidth=0.6)
    left.set(xlabel="similarity of image and filter", ylabel="response", title="The six images")
    left.legend(loc="upper left")

    right.scatter([r.similarity for r in random], [r.gain for r in random], s=6, color="#c9a227", alpha=0.6)
    right.plot(
        *zip(*mean_gains(random), strict=True), "o-", color="#c0392b", label=f"mean of each {100 // GROUPS} %"
    )
    right.axhline(0, color="black", linewidth=0.6)
    right.set(
        xlabel="similarity of image and filter",
        ylabel="Ax-FPM − exact",
        title=f"{len(random):,} random filters",
    )
    right.legend(loc="upper left")
    for axis in (left, right):
        axis.grid(alpha=0.25)
    return figure


def main(
    out: Annotated[Path, typer.Option(help="Folder for figure4.json and figure4.png.")] = Path("out"),
    filters: Annotated[int, typer.Option(min=GROUPS, help="How many random filters.")] = FILTERS,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random filters.")] = 1,
    quick: Annotated[bool, typer.Option("--quick", help=f"At most {QUICK_FILTERS} random filters.")] = False,
) -> None:
    """Responses of a filter to six images of rising similarity, exact and with Ax-FPM."""
    filters = min(filters, QUICK_FILTERS) if quick else filters
    multiplier = float_multiplier("axfpm")
    responses, random = six(multiplier), many(multiplier, filters, seed)
    headings = ("similarity", "exact", "Ax-FPM", "Ax-FPM - exact")
    print_table(
        "Figure 4: a filter and six images",
        headings,
        [[f"{v:.3f}" for v in (r.similarity, r.exact, r.approximate, r.gain)] for r in responses],
    )
    print_table(
        f"{filters} random filters, in tenths by similarity",
        ("mean similarity", "mean of Ax-FPM - exact"),
        [[f"{v:.3f}" for v in pair] for pair in mean_gains(random)],
    )
    content = {
        "settings": {"size": SIZE, "turns": TURNS, "filters": filters, "seed": seed, "multiplier": "axfpm"},
        "versions": versions(),
        "images": [
            {"similarity": r.similarity, "exact": r.exact, "approximate": r.approximate} for r in responses
        ],
        "mean_gains": mean_gains(random),
    }
    typer.echo(f"figures: {write_json(out / 'figure4.json', content)}")
    typer.echo(f"picture: {save_figure(picture(responses, random), out / 'figure4.png')}")


if __name__ == "__main__":
    typer.run(main)
