"""Find the factors of all built-in 8x8 tables and write axsim/tables/factors.npz, which comes with axsim.

    python tools/build_factors.py [--out FILE]

Needs python-flint; takes about 20 seconds. Run it when a built-in multiplier is added or factoring improves.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from axsim.engines.forms.factored_table import factor_folded
from axsim.engines.forms.folded import fold
from axsim.multipliers import FloatMultiplier, get, list_multipliers
from axsim.progress import track
from axsim.tables.factor import Factors
from axsim.tables.factor_library import FILE, key, write_library

TYPES = (np.dtype(np.uint8), np.dtype(np.int8))


def main(out: Annotated[Path, typer.Option(help="File to write.")] = FILE) -> None:
    """Find the factors of all built-in 8x8 tables, for every pair of operand types."""
    multipliers = [m for m in map(get, list_multipliers()) if not isinstance(m, FloatMultiplier)]
    tables = {m.table.sha256: m.table for m in multipliers if m.a_bits == m.b_bits == 8}
    cases = [(table, a, b) for table in tables.values() for a, b in itertools.product(TYPES, TYPES)]
    entries: dict[str, Factors | None] = {}
    for table, a, b in track(cases, "factoring", len(cases)):
        entries[key(table.sha256, a.name, b.name)] = factor_folded(fold(table, a, b), a, b)
    write_library(out, entries)
    print(f"{sum(f is not None for f in entries.values())} of {len(entries)} have factors: {out}")


if __name__ == "__main__":
    typer.run(main)
