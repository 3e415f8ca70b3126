"""Building and checking table files from a plan."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from axsim.errors import TableError
from axsim.tables import ProductTable, TableRecord, list_tables, read_tables, write_tables
from axsim.tables.build import Plan, build_tables, check_tables
from axsim.tables.factor import Factors


def make(k: int) -> TableRecord:
    values = np.multiply.outer(np.arange(8), np.arange(8)) & -k
    return TableRecord(f"cut{k}", ProductTable.from_array(values), {"source": f"test {k}"})


def plan_of(files: dict[str, Iterable[int]]) -> Plan:
    return {file: {f"cut{k}": partial(make, k) for k in ks} for file, ks in files.items()}


PLAN = plan_of({"one.h5": (1, 2), "two.h5": (4,)})


def edit(path: Path, **changed: TableRecord | None) -> None:
    """Replace or leave out records of a file, which stays a whole one."""
    records = read_tables(path) | changed
    write_tables(path, [record for record in records.values() if record])


def test_what_is_built_passes_the_check(tmp_path: Path) -> None:
    assert build_tables(PLAN, tmp_path / "new") == [tmp_path / "new" / "one.h5", tmp_path / "new" / "two.h5"]
    assert read_tables(tmp_path / "new" / "one.h5") == {"cut1": make(1), "cut2": make(2)}
    assert check_tables(PLAN, tmp_path / "new") == []


def test_building_again_gives_the_same_bytes(tmp_path: Path) -> None:
    def build(**options: int) -> list[bytes]:
        return [path.read_bytes() for path in build_tables(PLAN, tmp_path, **options)]

    first = build()
    assert build() == first
    assert build(jobs=2) == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.h5", "two.h5"]


def test_processes_check_alike(tmp_path: Path) -> None:
    build_tables(PLAN, tmp_path)
    edit(tmp_path / "one.h5", cut2=None)
    assert check_tables(PLAN, tmp_path, jobs=2) == check_tables(PLAN, tmp_path) != []


def test_some_tables_are_replaced_and_the_others_kept(tmp_path: Path) -> None:
    build_tables(PLAN, tmp_path)
    whole = (tmp_path / "one.h5").read_bytes()
    edit(tmp_path / "one.h5", cut1=TableRecord("cut1", make(4).table))
    build_tables(plan_of({"one.h5": (1,)}), tmp_path, keep_others=True)
    assert (tmp_path / "one.h5").read_bytes() == whole
    build_tables(plan_of({"one.h5": (1,)}), tmp_path)
    assert list_tables(tmp_path / "one.h5") == ("cut1",)


def test_keeping_tables_of_a_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "one.h5").write_bytes(b"hello")
    with pytest.raises(TableError, match=r"one\.h5"):
        build_tables(PLAN, tmp_path, keep_others=True)
    assert (tmp_path / "one.h5").read_bytes() == b"hello"
    assert not (tmp_path / "two.h5").exists()
    build_tables(PLAN, tmp_path)
    assert check_tables(PLAN, tmp_path) == []


def test_check_lists_each_difference(tmp_path: Path) -> None:
    build_tables(PLAN, tmp_path)
    values = make(1).table.values.astype(int)
    values[7, 7] += 1
    values[7, 6] += 1
    altered = TableRecord("cut1", ProductTable.from_array(values), {"source": "test 2", "extra": 1})
    edit(tmp_path / "one.h5", cut1=altered, cut2=None, cut8=make(8))
    (tmp_path / "two.h5").unlink()
    before = (tmp_path / "one.h5").read_bytes()
    found = check_tables(PLAN, tmp_path)
    assert [line.removeprefix(f"{tmp_path}/") for line in found] == [
        f"one.h5: cut1: 2 of 64 products differ: {altered.table} stands there, {make(1).table} is expected",
        "one.h5: cut1: attribute extra is 1, expected None",
        "one.h5: cut1: attribute source is 'test 2', expected 'test 1'",
        "one.h5: cut2: missing",
        "one.h5: cut8: stale: no longer built",
        "two.h5: its tables cannot be read: No such file or directory",
    ]
    assert (tmp_path / "one.h5").read_bytes() == before
    assert not (tmp_path / "two.h5").exists()


def test_check_reports_other_widths_and_signs(tmp_path: Path) -> None:
    build_tables(PLAN, tmp_path)
    narrow = TableRecord("cut1", ProductTable.from_array(np.zeros((4, 8), int)), {"source": "test 1"})
    signed = TableRecord(
        "cut2", ProductTable.from_array(make(2).table.values, signed=True, out_bits=7), {"source": "test 2"}
    )
    edit(tmp_path / "one.h5", cut1=narrow, cut2=signed)
    first, second = check_tables(PLAN, tmp_path)
    assert "cut1: other widths: ProductTable(2x3" in first
    assert "cut2: 0 of 64 products differ: ProductTable(3x3 -> 7 bits, signed" in second


def test_check_of_some_tables_says_nothing_of_the_others(tmp_path: Path) -> None:
    build_tables(PLAN, tmp_path)
    edit(tmp_path / "one.h5", cut2=TableRecord("cut2", make(4).table))
    assert check_tables(plan_of({"one.h5": (1,)}), tmp_path, allow_others=True) == []
    assert len(check_tables(plan_of({"one.h5": (1,)}), tmp_path)) == 1


@pytest.mark.parametrize("damage", [b"", b"hello", None])
def test_check_reports_damaged_files(tmp_path: Path, damage: bytes | None) -> None:
    path = build_tables(PLAN, tmp_path)[0]
    data = path.read_bytes()
    path.write_bytes(data[:-1] if damage is None else damage)
    found = check_tables(PLAN, tmp_path)
    assert len(found) == 1
    assert "one.h5: its tables cannot be read" in found[0]


def test_no_processes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="jobs is 0"):
        build_tables(PLAN, tmp_path, jobs=0)
    assert list(tmp_path.iterdir()) == []


def test_progress_goes_to_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build_tables(PLAN, tmp_path)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "3/3" in captured.err


def test_check_compares_factors(tmp_path: Path) -> None:
    ramp = np.arange(4)
    table = ProductTable.from_array(np.multiply.outer(ramp, 2 * ramp))
    one, two = (
        TableRecord("same", table, {}, Factors([ramp * left], [ramp * right], [0]))
        for left, right in ((1, 2), (2, 1))
    )
    plan: Plan = {"one.h5": {"same": partial(copy, one)}}
    write_tables(tmp_path / "one.h5", [one])
    assert check_tables(plan, tmp_path) == []
    write_tables(tmp_path / "one.h5", [two])
    assert "other factors: in 1 terms, expected in 1 terms" in check_tables(plan, tmp_path)[0]
    write_tables(tmp_path / "one.h5", [TableRecord("same", table)])
    assert "other factors: none, expected in 1 terms" in check_tables(plan, tmp_path)[0]
