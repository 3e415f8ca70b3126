"""Exported circuits in other programs: the tool that tries all operands, and that it would see a fault."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

import pytest

from axsim.circuits.formats import verilog
from axsim.multipliers import get

TOOL = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "check_exports.py"))

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("iverilog", "vvp", "yosys"))), reason="needs iverilog, vvp and yosys"
)


@pytest.mark.parametrize("name", ["trunc4_2", "exact3x4", "exact4s", "bam4_h1_v2~"])
@pytest.mark.parametrize("format", ["Verilog", "BLIF"])
def test_all_products_are_those_of_the_table(format: str, name: str) -> None:
    multiplier = get(name)
    assert TOOL["differing"](multiplier, TOOL["FORMATS"][format](multiplier.netlist)) == 0


def test_a_wrong_product_is_counted() -> None:
    multiplier = get("exact3")
    text = verilog.write(get("trunc3_1").netlist).replace("module trunc3_1", "module exact3")
    products = TOOL["by_icarus"](text, multiplier.netlist, ".{left}(a), .{right}(b), .p(p)")
    assert TOOL["differing"](multiplier, products) == (get("trunc3_1").table.error != 0).sum() > 0
