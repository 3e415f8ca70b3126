"""The other EvoApprox8b circuits, 24 unsigned and 13 signed: published functions as tables, and figures.

A table is kept as the coefficients of its function as a sum of products of operand bits,
``T[a, b] = sum over sets s of bits c[s] * (all bits of s are 1)``. Most are 0, so that all 37 take 40 KB; a
Moebius transform makes the table of them, and its SHA-256 is checked.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from functools import partial
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.errors import TableError
from axsim.multipliers.evoapprox import published_order
from axsim.multipliers.integer import Multiplier
from axsim.once import once
from axsim.tables.product import ProductTable

_FOLDER = files("axsim.multipliers")


@once
def evoapprox_more() -> Mapping[str, Multiplier]:
    """The multipliers ``mul8u_*`` and ``mul8s_*`` of which axsim has tables and no circuits, by name.

    >>> list(evoapprox_more())[-1], evoapprox_more()["mul8s_1KV8"].published["PDK45_PWR"]["text"]
    ('mul8s_1L2H', '0.425')
    """
    library = _library()
    return {
        name: _multiplier(name, circuit, library["citations"][circuit["citation"]])
        for name, circuit in library["circuits"].items()
    }


def fingerprints() -> dict[str, str]:
    """SHA-256 of each product table -> the circuits' names, with commas between those of one function."""
    found: dict[str, str] = {}
    for name, circuit in _library()["circuits"].items():
        sha256 = circuit["sha256"]
        found[sha256] = f"{found[sha256]}, {name}" if sha256 in found else name
    return found


@once
def _library() -> Any:
    return json.loads((_FOLDER / "evoapprox8b_more.json").read_text(encoding="utf-8"))


def _multiplier(name: str, circuit: dict[str, Any], citation: str) -> Multiplier:
    return Multiplier(
        name=name,
        a_bits=8,
        b_bits=8,
        signed=name.startswith("mul8s"),
        simulate=partial(_table, name, circuit["sha256"]),
        aliases=(name.partition("_")[2],),
        source="; ".join(circuit["source"]),
        citation=citation,
        published=circuit["published"],
        operand_order=published_order(*circuit["parameters"]),
    )


def _table(name: str, sha256: str) -> ProductTable:
    signed = name.startswith("mul8s")
    try:
        with (_FOLDER / "evoapprox8b_more.npz").open("rb") as file, np.load(file, allow_pickle=False) as kept:
            values = from_coefficients(kept[name])
        table = ProductTable(values, 8, 8, 16, signed)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, zlib.error) as problem:
        raise TableError(f"{name}: its table cannot be read, install axsim again: {problem}") from problem
    if table.sha256 != sha256:
        raise TableError(f"{name}: the table is altered; its SHA-256 is not that of the published one")
    return table


def from_coefficients(coefficients: NDArray[np.int32]) -> NDArray[np.int64]:
    """The table, int64 (256, 256), of 65,536 coefficients, one for each set of bits of ``256 * a + b``.

    >>> only_the_top_bits = np.zeros(65536, np.int32)
    >>> only_the_top_bits[0x8080] = 16384
    >>> from_coefficients(only_the_top_bits)[[127, 128, 255], [255, 128, 200]]
    array([    0, 16384, 16384])
    """
    values = coefficients.astype(np.int64)
    for bit in range(16):
        halves = values.reshape(-1, 2, 1 << bit)
        halves[:, 1] += halves[:, 0]
    return values.reshape(256, 256)
