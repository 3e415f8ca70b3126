"""The cells are those of the literature."""

from __future__ import annotations

import pytest

from axsim.circuits import CELLS, FullAdder
from axsim.circuits.cells import get_cell

EXACT = CELLS["exact"]


def complement(truth: str) -> str:
    return truth.translate(str.maketrans("01", "10"))


def test_exact_cell_adds():
    for index in range(8):
        ones = index.bit_count()
        assert (EXACT.sum[index], EXACT.carry[index]) == (str(ones % 2), str(ones // 2))


@pytest.mark.parametrize(
    ("name", "sum_errors", "carry_errors"),
    [("exact", 0, 0), ("ama1", 2, 1), ("ama2", 2, 0), ("ama3", 3, 1), ("ama4", 3, 2), ("ama5", 4, 2)],
)
def test_wrong_entries_of_the_mirror_adders(name, sum_errors, carry_errors):
    cell = CELLS[name]
    assert sum(x != y for x, y in zip(cell.sum, EXACT.sum, strict=True)) == sum_errors
    assert sum(x != y for x, y in zip(cell.carry, EXACT.carry, strict=True)) == carry_errors


def test_relations_between_the_mirror_adders():
    a, b = "00001111", "00110011"
    assert CELLS["ama2"].sum == complement(EXACT.carry)
    assert CELLS["ama2"].carry == EXACT.carry
    assert CELLS["ama3"].carry == CELLS["ama1"].carry
    assert CELLS["ama3"].sum == complement(CELLS["ama3"].carry)
    assert CELLS["ama4"].carry == CELLS["ama5"].carry == a
    assert CELLS["ama5"].sum == b
    assert (CELLS["ama1"].sum, CELLS["ama4"].sum) == ("01000001", "01010001")
    assert CELLS["ama1"].carry == "00110111"


def test_or_cell():
    assert (CELLS["or"].sum, CELLS["or"].carry) == ("01111111", "00000000")


def test_every_cell_has_its_name_and_source():
    assert list(CELLS) == ["exact", "ama1", "ama2", "ama3", "ama4", "ama5", "or"]
    for name, cell in CELLS.items():
        assert cell.name == name
        assert cell.source
        assert get_cell(name) is get_cell(cell) is cell


def test_bad_cells():
    with pytest.raises(ValueError, match="unknown full-adder cell 'ama6'; the built-in ones are exact, ama1"):
        get_cell("ama6")
    with pytest.raises(ValueError, match="cell 'x': sum must be eight characters"):
        FullAdder("x", sum="0110", carry="00010111")
    with pytest.raises(ValueError, match="cell 'x': carry must be eight characters"):
        FullAdder("x", sum="00010111", carry="0001011x")
