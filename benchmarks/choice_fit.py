"""The constants of ``axsim.engines.cpu.choice``, fitted to what ``benchmarks.choice`` timed.

    python -m benchmarks.choice_fit [FILE]

The times of a product that is looked up, and of one made of factors, are sums of constants that count more or
less by the shape of the work. They are fitted to the times on one thread, in ratios, with losses that let
single disturbed times pass. Tables of many factors are left out: there nothing is to be decided.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from scipy.optimize import least_squares

from axsim.engines.cpu.choice import SMALL, LookUps, Products, look_up_amounts, product_amounts
from axsim.engines.shapes.work import Work
from benchmarks.choice import RESULTS

Floats = NDArray[np.float64]

MOST_WORDS = 8.0  # exact products of words, beyond which look-ups win by far
DISTURBED = 0.15  # a time that is so far off, in the logarithm, counts less


def fitted(amounts: Floats, picoseconds: Floats) -> Floats:
    """The constants whose sum, each times its amount, is nearest to the times in ratio; to two digits."""
    start = np.log(np.median(picoseconds) / np.median(amounts, axis=0) / amounts.shape[1])
    found = least_squares(
        lambda logs: np.log(amounts @ np.exp(logs) / picoseconds), start, loss="soft_l1", f_scale=DISTURBED
    )
    return np.array([float(f"{constant:.2g}") for constant in np.exp(found.x)])


def look_ups(rows: list[dict[str, Any]], isa: str) -> LookUps:
    """What look-ups with that instruction set take."""
    here = [row for row in single(rows) if isa in row["isas"] and not Work(*row["work"]).depthwise]
    amounts = np.array([look_up_amounts(Work(*row["work"])) for row in here])
    return LookUps(*fitted(amounts, np.array([_picoseconds(row, isa, "native") for row in here])).tolist())


def products(rows: list[dict[str, Any]], kernels: str) -> Products:
    """What the products of factors take with kernels of that name."""
    amounts, times = [], []
    for row in single(rows):
        for isa, found in row["isas"].items():
            if found["kernels"][1] == kernels and found["words"] is not None and found["words"] <= MOST_WORDS:
                amounts.append(product_amounts(found["words"], found["terms"], Work(*row["work"])))
                times.append(_picoseconds(row, isa, "factored native"))
    return Products(*fitted(np.array(amounts), np.array(times)).tolist())


def depthwise(rows: list[dict[str, Any]]) -> float:
    """What a look-up of the depthwise kernel takes, whatever the instruction set."""
    times = [
        _picoseconds(row, isa, "native")
        for row in single(rows)
        if Work(*row["work"]).depthwise
        for isa in row["isas"]
    ]
    return float(f"{np.median(times):.2g}")


def single(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Those of one thread that the rule decides."""
    return (row for row in rows if row["threads"] == 1 and Work(*row["work"]).products >= SMALL)


def _picoseconds(row: dict[str, Any], isa: str, engine: str) -> float:
    return float(row["isas"][isa]["seconds"][engine][1]) * 1e12 / Work(*row["work"]).products


def main(file: Annotated[Path, typer.Argument(help="The file of benchmarks.choice.")] = RESULTS) -> None:
    """Print the constants that a file of times gives."""
    rows = json.loads(file.read_text(encoding="utf-8"))["cases"]
    kernels = [found["kernels"] for row in rows for found in row["isas"].values()]
    for isa in dict.fromkeys(look for look, _ in kernels):
        print(f'"{isa}": {look_ups(rows, isa)}')
    for name in dict.fromkeys(made for _, made in kernels):
        print(f'"{name}": {products(rows, name)}')
    print(f"DEPTHWISE = {depthwise(rows)}")


if __name__ == "__main__":
    typer.run(main)
