"""Results of no network at all, for the tests of reports: every kind of thing that a report shows."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from axsim.robustness.cells import Cell
from axsim.robustness.checks import Verdict
from axsim.robustness.report.build import Reported
from axsim.robustness.report.layout import CurveSpec, Layout, Published, TableSpec
from axsim.robustness.store import Measured

ATTACKS: tuple[Any, ...] = ("fgsm", {"name": "cw", "steps": 100})
MULTIPLIERS = ("exact8", "axfpm", "mul8u_L40")
BUDGETS = (0, 0.1, 0.25, 0.5)
MACHINE = {
    "processor": "a processor of long name with many cores @ 2.00 GHz",
    "threads": 1,
    "torch": "2.13.0+cpu",
}


def cells() -> list[Cell]:
    return [
        Cell({"network": "lenet5", "attack": a, "multiplier": m, "budget": b, "seed": s, "images": 100})
        for a, m, b, s in itertools.product(ATTACKS, MULTIPLIERS, BUDGETS, (0, 1))
    ]


def measured(cell: Cell) -> Measured:
    settings = cell.settings
    if settings["attack"] == "fgsm" and settings["budget"] == 0.1 and settings["multiplier"] == "axfpm":
        trace = 'Traceback (most recent call last):\n  File "x.py"\nValueError: <b>no & such</b> `network`\n'
        return Measured(cell, None, trace, 1.0, MACHINE)
    slope = {"exact8": 160, "axfpm": 60, "mul8u_L40": 190}[settings["multiplier"]]
    count = max(0, int(97 - slope * settings["budget"]) - 2 * settings["seed"])
    results: dict[str, Any] = {
        "robust": {"count": count, "of": 100},
        "success": {"count": 100 - count, "of": 100},
        "norms": {"l2": 3.25 * settings["budget"], "psnr": float("inf") if settings["budget"] == 0 else 24.0},
        "none": {"count": 0, "of": 0},
    }
    if settings["budget"] == 0.25 and settings["seed"] == 0:
        draw = np.random.default_rng(0)
        image = np.zeros((1, 28, 28), np.float32)
        image[0, 4:24, 12:16] = 1
        other = np.clip(image + draw.uniform(-0.25, 0.25, image.shape), 0, 1).astype(np.float32)
        results["examples"] = [{"image": image, "adversarial": other, "caption": "a 1, taken for 7"}] * 2
    if settings["budget"] == 0.5:
        results["checks"] = [
            {"check": "restarts change little", "said": "held", "why": "0.2 points"},
            {"check": "iterative beats one step", "said": "failed", "why": "12 against 30 %"},
        ]
    return Measured(cell, results, "", 12.5, MACHINE)


def layout() -> Layout:
    published = tuple(
        Published({"attack": attack, "multiplier": m}, value, f"{value:g}")
        for attack, m, value in (("fgsm", "exact8", 43), ("fgsm", "axfpm", 12), ("cw", "axfpm", 1))
    )
    points = (Published({"attack": "fgsm", "multiplier": "mul8u_L40", "budget": 0.25}, 48, "48"),)
    where = {"budget": 0.25}
    return Layout(
        (
            TableSpec(
                "Table 2",
                ("attack",),
                ("multiplier",),
                "success",
                "%",
                where,
                published,
                "Table 2 of the paper",
                "A note.",
            ),
            TableSpec("Accuracy", ("attack", "network"), ("multiplier",), "robust", "%", {"budget": 0.5}),
            TableSpec("Noise", ("attack",), ("multiplier",), "norms.psnr", "dB", {"budget": 0}),
        ),
        (
            CurveSpec(
                "Robustness over the budget",
                "budget",
                "robust",
                ("multiplier",),
                ("attack",),
                "%",
                {},
                points,
                "Figure 4",
            ),
            CurveSpec("Size of the noise", "budget", "norms.l2", ("multiplier",), (), "", {"attack": "cw"}),
        ),
        "A. Author, A paper, 2021",
        {"multiplier": {"mul8u_L40": "M8 (L40)", "axfpm": "Ax-FPM"}},
    )


def reported() -> Reported:
    every = cells()
    note = "What a report of <everything> looks like; a & b.\n\nA second paragraph."
    together = [Verdict("success rises with the budget", "held", "0 to 81 %")]
    return Reported("A sample | report", note, every, [measured(c) for c in every[:-2]], layout(), together)
