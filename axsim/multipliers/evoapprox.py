"""The sixteen EvoApprox8b circuits: our netlists, with the figures that their authors published.

V. Mrazek, R. Hrbacek, Z. Vasicek, L. Sekanina, "EvoApprox8b: Library of approximate adders and multipliers
for circuit design and benchmarking of approximation methods", DATE 2017, doi 10.23919/DATE.2017.7926993.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from importlib.resources import files
from typing import Any

from axsim.circuits import load_library
from axsim.errors import TableError
from axsim.multipliers.integer import Multiplier
from axsim.once import once
from axsim.tables.product import ProductTable


@once
def evoapprox() -> Mapping[str, Multiplier]:
    """The multipliers ``mul8u_*`` by name, in the order of ``evoapprox8b.json``.

    >>> evoapprox()["mul8u_L40"].aliases
    ('L40',)
    """
    library = json.loads((files("axsim.multipliers") / "evoapprox8b.json").read_text(encoding="utf-8"))
    return {
        name: _multiplier(name, circuit, library["citation"]) for name, circuit in library["circuits"].items()
    }


def _multiplier(name: str, circuit: dict[str, Any], citation: str) -> Multiplier:
    return Multiplier(
        name=name,
        a_bits=8,
        b_bits=8,
        signed=False,
        simulate=partial(_simulate, name, circuit["sha256"]),
        make_netlist=partial(load_library, name),
        aliases=(name.removeprefix("mul8u_"),),
        source="; ".join(circuit["source"]),
        citation=citation,
        published=circuit["published"],
    )


def _simulate(name: str, sha256: str) -> ProductTable:
    table = ProductTable.from_netlist(load_library(name))
    if table.sha256 != sha256:
        raise TableError(
            f"{name}: the netlist is altered; the SHA-256 of its table is not that of the published one"
        )
    return table
