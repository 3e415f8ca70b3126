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
    library = _library()
    return {
        name: _multiplier(name, circuit, library["citation"]) for name, circuit in library["circuits"].items()
    }


def fingerprints() -> dict[str, str]:
    """SHA-256 of each product table -> the circuit's name."""
    return {circuit["sha256"]: name for name, circuit in _library()["circuits"].items()}


@once
def _library() -> Any:
    return json.loads((files("axsim.multipliers") / "evoapprox8b.json").read_text(encoding="utf-8"))


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
        operand_order=published_order(*circuit["parameters"]),
    )


def published_order(first: str, second: str) -> str:
    """Which operand is which in the published files, whose C function has these parameters, in this order.

    >>> print(published_order("B", "A"))
    a, the left operand, is the first parameter of the published C function, which that file calls B, and the
    port B of the published Verilog file; b is A in both.
    """
    return (
        "a, the left operand, is the first parameter of the published C function, which that file calls "
        f"{first}, and the port {first.upper()} of the published Verilog file; b is {second.upper()} in both."
    )


def _simulate(name: str, sha256: str) -> ProductTable:
    table = ProductTable.from_netlist(load_library(name))
    if table.sha256 != sha256:
        raise TableError(
            f"{name}: the netlist is altered; the SHA-256 of its table is not that of the published one"
        )
    return table
