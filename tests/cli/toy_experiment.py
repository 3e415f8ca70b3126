"""A kind of experiment that costs nothing, for tests of the command line.

Apart from the tests, so that the processes of a sweep need not load pytest.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from axsim.robustness.cells import Cell
from axsim.robustness.checks import Verdict
from axsim.robustness.experiments import Experiment, Setting, number, one_of
from axsim.robustness.store import Shared


def measure(cell: Cell, shared: Shared) -> Mapping[str, Any]:
    time.sleep(cell["pause"])
    if cell["attack"] == "broken":
        raise RuntimeError("no such thing")
    crafted = shared.get({"images": cell["images"]}, lambda: {"x": np.arange(float(cell["images"]))})
    return {"rate": {"count": int(crafted["x"].sum()) % cell["images"], "of": cell["images"]}}


def toy() -> Experiment:
    attacks = ("broken", "fgsm", "pgd")
    settings = {
        "attack": Setting(one_of(lambda: attacks, "an attack")),
        "images": Setting(number(1, whole=True), 10),
        "seed": Setting(number(0, whole=True), 0),
        "pause": Setting(number(0), 0),
    }

    def checks(measured: Any) -> list[Verdict]:
        return [Verdict("all are there", "held", f"{len(measured)} cells")]

    return Experiment("toy", measure, settings, ("axsim.files",), checks=checks)
