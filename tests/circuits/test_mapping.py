"""Circuits in cells of a library: ABC's result is read again and computes the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from axsim.circuits import exact, kulkarni, map_cells, mapping
from axsim.circuits.formats.blif import read
from axsim.circuits.formats.options import ReadOptions
from axsim.errors import NetlistFileError, ToolUnavailableError

GENLIB = """GATE inverter 1 O=!a; PIN * INV 1 999 0.5 0.0 0.5 0.0
GATE nand 2 O=!(a*b); PIN * INV 1 999 1.0 0.0 1.0 0.0
GATE zero 0 O=CONST0;
GATE one 0 O=CONST1;
"""


def cell(name: str, area: int, function: str) -> str:
    arc = 'cell_rise(scalar) { values("0.1"); } cell_fall(scalar) { values("0.1"); } ' + (
        'rise_transition(scalar) { values("0.1"); } fall_transition(scalar) { values("0.1"); }'
    )
    pins = sorted(set(function) & {"A", "B"})
    inputs = "".join(f"pin({pin}) {{ direction : input; capacitance : 0.001; }} " for pin in pins)
    timing = "".join(f'timing() {{ related_pin : "{pin}"; {arc} }} ' for pin in pins)
    output = f'pin(Y) {{ direction : output; function : "{function}"; {timing} }}'
    return f"cell({name}) {{ area : {area}; {inputs} {output} }}"


LIBERTY = "\n".join(
    (
        'library(small) { time_unit : "1ns"; capacitive_load_unit (1,pf);',
        cell("INV", 3, "!A"),
        cell("NAND", 4, "!(A * B)"),
        cell("NOR", 5, "!(A + B)"),
        cell("AND", 6, "A * B"),
        cell("OR", 7, "A + B"),
        cell("XOR", 9, "A ^ B"),
        "}\n",
    )
)
AREAS = {"INV": 3, "NAND": 4, "NOR": 5, "AND": 6, "OR": 7, "XOR": 9}


@pytest.fixture
def _abc() -> None:
    try:
        mapping.find_program()
    except ToolUnavailableError as why:
        pytest.skip(str(why))


@pytest.fixture
def genlib(tmp_path: Path) -> Path:
    path = tmp_path / "my cells.genlib"
    path.write_text(GENLIB)
    return path


@pytest.mark.usefixtures("_abc")
@pytest.mark.parametrize("netlist", [exact(3), kulkarni(4), exact(2, 4)], ids=lambda n: n.name)
def test_mapped_circuits_compute_the_same(genlib: Path, netlist) -> None:
    mapped, text = mapping._mapped(netlist, genlib)
    again = read(text, ReadOptions(library=GENLIB))
    np.testing.assert_array_equal(again.exhaustive(), netlist.exhaustive())
    assert mapped.library == "my cells.genlib"
    assert mapped.area == mapped.cells["inverter"] + 2 * mapped.cells["nand"] > 0
    assert {name: text.count(f".gate {name} ") for name in mapped.cells} == mapped.cells


@pytest.mark.usefixtures("_abc")
def test_area_and_delay_of_one_gate(genlib: Path) -> None:
    found = map_cells(exact(1), genlib)
    assert (found.area, found.delay, dict(found.cells)) == (3.0, 1.5, {"inverter": 1, "nand": 1, "zero": 1})


@pytest.mark.usefixtures("_abc")
def test_liberty(tmp_path: Path) -> None:
    path = tmp_path / "small.lib"
    path.write_text(LIBERTY)
    found = map_cells(exact(3), path)
    assert found.area == sum(AREAS[name] * count for name, count in found.cells.items()) > 0
    assert found.delay > 0


@pytest.mark.usefixtures("_abc")
def test_a_file_that_is_no_library(tmp_path: Path) -> None:
    path = tmp_path / "prose.genlib"
    path.write_text("not a library\n")
    with pytest.raises(NetlistFileError, match=r"prose\.genlib: .* could not map exact1"):
        map_cells(exact(1), path)


def test_without_abc_it_is_said_what_to_install(genlib: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping, "PROGRAMS", ("no-such-program",))
    with pytest.raises(ToolUnavailableError, match=r"no-such-program is installed.*apt-get install yosys"):
        map_cells(exact(1), genlib)


def test_no_file() -> None:
    with pytest.raises(OSError, match=r"nowhere\.lib"):
        map_cells(exact(1), "nowhere.lib")
