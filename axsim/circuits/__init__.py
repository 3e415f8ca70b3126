"""Gate level: netlists, full-adder cells, multiplier arrays and families, their cost, and the BLIF format."""

from axsim.circuits.activity import Histograms, Samples, Uniform
from axsim.circuits.arrays import array_multiplier, baugh_wooley, exact
from axsim.circuits.builder import Builder
from axsim.circuits.cells import CELLS, FullAdder
from axsim.circuits.cost import Cost, cost, exact_like, transistor_count
from axsim.circuits.families import broken_array, drum, kulkarni, mitchell, truncated
from axsim.circuits.formats.blif import read_blif, write_blif
from axsim.circuits.library import library, load_library
from axsim.circuits.mapping import Mapped, map_cells
from axsim.circuits.netlist import Netlist
from axsim.circuits.tiling import tiled

__all__ = [
    "CELLS",
    "Builder",
    "Cost",
    "FullAdder",
    "Histograms",
    "Mapped",
    "Netlist",
    "Samples",
    "Uniform",
    "array_multiplier",
    "baugh_wooley",
    "broken_array",
    "cost",
    "drum",
    "exact",
    "exact_like",
    "kulkarni",
    "library",
    "load_library",
    "map_cells",
    "mitchell",
    "read_blif",
    "tiled",
    "transistor_count",
    "truncated",
    "write_blif",
]
