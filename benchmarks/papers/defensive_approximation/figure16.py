"""Figure 16: heat maps of what the last convolution answers, exact and with Ax-FPM.

The figure is only drawn in the paper; what is shown is taken to be the features that the network goes by,
said to stand out more with Ax-FPM. Drawn here are ten digits, one of each class, and the mean over channels
of LeNet-5's second convolution after its ReLU, each map on a colour scale of its own: larger numbers alone
are no clearer picture. In figures, over many images: how much larger the maps become, how alike they stay
(correlation over the places of a map), and how much they stand out: the largest place over the mean one.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from axsim import datasets, models
from axsim.nn import approximate
from axsim.plots import new_figure, save_figure
from axsim.results import print_table, versions, write_json

IMAGES = 1000
QUICK_IMAGES = 50
CLASSES = 10
Maps = NDArray[np.float32]


@dataclass(frozen=True)
class Difference:
    """Heat maps through approximate products beside the exact ones; means over images.

    gain: size of a map over the exact one's. correlation: between the two, over the places of a map.
    contrast, exact_contrast: the largest place of a map over its mean.
    """

    images: int
    gain: float
    correlation: float
    contrast: float
    exact_contrast: float


def heat_maps(network: nn.Module, images: Tensor) -> Maps:
    """The mean over channels of the last convolution's responses after ReLU: (N, height, width)."""
    found: list[Tensor] = []

    def keep(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        found.append(functional.relu(output).mean(1))

    handle = network.get_submodule("conv2").register_forward_hook(keep)
    try:
        with torch.no_grad():
            network(images)
    finally:
        handle.remove()
    maps: Maps = found[0].numpy()
    return maps


def compare(maps: Maps, exact: Maps) -> Difference:
    """Maps of some images beside the exact ones of the same images."""
    flat, flat_exact = (m.reshape(len(m), -1).astype(np.float64) for m in (maps, exact))
    correlations = [np.corrcoef(a, b)[0, 1] for a, b in zip(flat, flat_exact, strict=True)]
    return Difference(
        len(maps),
        float((flat.mean(1) / flat_exact.mean(1)).mean()),
        float(np.mean(correlations)),
        float((flat.max(1) / flat.mean(1)).mean()),
        float((flat_exact.max(1) / flat_exact.mean(1)).mean()),
    )


def picture(images: Tensor, exact: Maps, maps: Maps) -> Any:
    """A column for each image: itself, its heat map, and that of the approximate network."""
    figure = new_figure(12, 4.2)
    panels = figure.subplots(3, len(images))
    rows = (("image", images[:, 0].numpy(), "gray"), ("exact", exact, "inferno"), ("Ax-FPM", maps, "inferno"))
    for line, (name, pictures, colours) in zip(panels, rows, strict=True):
        for panel, one in zip(line, pictures, strict=True):
            panel.imshow(one, cmap=colours, vmin=0)
            panel.set(xticks=[], yticks=[])
        line[0].set_ylabel(name)
    figure.suptitle("Mean response of LeNet-5's last convolution; each map has a colour scale of its own")
    return figure


def main(
    out: Annotated[Path, typer.Option(help="Folder for figure16.json and figure16.png.")] = Path("out"),
    dataset: Annotated[str, typer.Option(help="mnist, or digits, which comes along.")] = "mnist",
    images: Annotated[int, typer.Option(min=2, help="How many test images.")] = IMAGES,
    quick: Annotated[bool, typer.Option("--quick", help=f"At most {QUICK_IMAGES} images.")] = False,
) -> None:
    """Heat maps of the last convolution, exact and with Ax-FPM."""
    images = min(images, QUICK_IMAGES) if quick else images
    data = datasets.load(dataset)
    network = models.load("lenet5", dataset, Path(models.__file__).with_name("trained"))
    pixels, labels = data.tensors("test", images)
    exact = heat_maps(network, pixels)
    maps = {
        name: heat_maps(approximate(network, name, layers=nn.Conv2d), pixels)
        for name in ("axfpm", "axfpm_normalized", "bfloat16")
    }
    differences = {name: compare(found, exact) for name, found in maps.items()}
    print_table(
        f"Figure 16: heat maps of {images} images",
        ("", "size, times exact", "correlation", "contrast", "exact contrast"),
        [
            [name, *(f"{v:.3f}" for v in (d.gain, d.correlation, d.contrast, d.exact_contrast))]
            for name, d in differences.items()
        ],
    )
    content = {
        "settings": {"dataset": dataset, "network": "lenet5", "layer": "conv2", "images": images},
        "versions": versions(),
        "maps": {name: asdict(d) for name, d in differences.items()},
    }
    typer.echo(f"figures: {write_json(out / 'figure16.json', content)}")
    shown = [int(rows[0]) for c in range(CLASSES) if len(rows := (labels == c).nonzero()[:, 0])]
    drawn = picture(pixels[shown], exact[shown], maps["axfpm"][shown])
    typer.echo(f"picture: {save_figure(drawn, out / 'figure16.png')}")


if __name__ == "__main__":
    typer.run(main)
