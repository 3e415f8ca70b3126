"""Gate level: netlists, full-adder cells, multiplier arrays and families, and the BLIF format."""

from axsim.circuits.arrays import array_multiplier, baugh_wooley, exact
from axsim.circuits.builder import Builder
from axsim.circuits.cells import CELLS, FullAdder
from axsim.circuits.cost import transistor_count
from axsim.circuits.families import broken_array, drum, kulkarni, mitchell, truncated
from axsim.circuits.formats.blif import read_blif, write_blif
from axsim.circuits.library import library, load_library
from axsim.circuits.netlist import Netlist
from axsim.circuits.tiling import tiled

__all__ = [
    "CELLS",
    "Builder",
    "FullAdder",
    "Netlist",
    "array_multiplier",
    "baugh_wooley",
    "broken_array",
    "drum",
    "exact",
    "kulkarni",
    "library",
    "load_library",
    "mitchell",
    "read_blif",
    "tiled",
    "transistor_count",
    "truncated",
    "write_blif",
]
