"""The circuits that come with axsim, as BLIF files in ``axsim/circuits/library``."""

from __future__ import annotations

from importlib.resources import files

from axsim.circuits.formats.blif import read_blif
from axsim.circuits.netlist import Netlist

_FOLDER = files("axsim.circuits") / "library"


def library() -> tuple[str, ...]:
    """Return the names of the built-in circuits, in alphabetical order.

    >>> library()[:2]
    ('mul8u_12N4', 'mul8u_1446')
    """
    return tuple(
        sorted(file.name.removesuffix(".blif") for file in _FOLDER.iterdir() if file.name.endswith(".blif"))
    )


def load_library(name: str) -> Netlist:
    """Return a built-in circuit by its name; ValueError if there is none of that name.

    The 8x8 unsigned multipliers ``mul8u_*`` compute the functions of the same name in EvoApproxLib
    (V. Mrazek et al., EvoApprox8b, DATE 2017, pp. 258-261, doi 10.23919/DATE.2017.7926993). Their gates were
    synthesised for axsim from the product tables: gate counts say nothing about the published circuits.

    >>> load_library("mul8u_JV3")
    <Netlist mul8u_JV3: a[8], b[8] -> p[16], unsigned, 53 gates>
    """
    if name not in library():
        raise ValueError(f"no built-in circuit {name!r}; there are {', '.join(library())}")
    return read_blif((_FOLDER / f"{name}.blif").read_text(encoding="utf-8"))
