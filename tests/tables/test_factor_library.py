"""The factors that come with axsim."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from axsim.engines.forms.factored_table import prepare
from axsim.engines.forms.folded import fold
from axsim.errors import TableError
from axsim.multipliers import Multiplier, get, list_multipliers
from axsim.tables.factor import Factors
from axsim.tables.factor_library import FILE, key, library, read_library, write_library

TYPES = (np.dtype(np.uint8), np.dtype(np.int8))
WITHOUT = {
    *("mul8u_12N4", "mul8u_L40", "mitchell8", "mul8u_185Q", "mul8u_19DB", "mul8u_1CMB", "mul8u_2HH"),
    *("mul8u_NGR", "mul8u_PKY", "mul8u_YX7", "mul8u_ZFB"),
}
# Of these circuits those of some types of operands have few enough terms.
FOR_SOME = {
    "mul8u_DM1": [("int8", "int8")],
    "mul8u_QKX": [("uint8", "int8"), ("int8", "uint8"), ("int8", "int8")],
}


def factors(terms: int) -> Factors:
    rows = np.arange(terms * 256).reshape(terms, 256)
    return Factors(rows, -rows, np.arange(terms))


BUILT_IN = [
    m for m in map(get, list_multipliers()) if isinstance(m, Multiplier) and m.a_bits == m.b_bits == 8
]


@pytest.mark.parametrize("multiplier", BUILT_IN, ids=lambda multiplier: multiplier.name)
def test_every_built_in_table_is_there_and_right_for_all_types(multiplier: Multiplier) -> None:
    table = multiplier.table
    for a, b in itertools.product(TYPES, TYPES):
        found = library()[key(table.sha256, a.name, b.name)]
        without = multiplier.name in WITHOUT
        if multiplier.name in FOR_SOME:
            without = (a.name, b.name) not in FOR_SOME[multiplier.name]
        assert (found is None) == without
        if found is not None:
            prepare(found, fold(table, a, b))


def test_round_trip(tmp_path: Path) -> None:
    entries = {"b/uint8-int8": factors(3), "a/uint8-uint8": None, "c/int8-int8": factors(0), "d": factors(1)}
    path = tmp_path / "new" / "own.npz"
    write_library(path, entries)
    assert read_library(path) == entries
    again = tmp_path / "again.npz"
    write_library(again, dict(reversed(entries.items())))
    assert again.read_bytes() == path.read_bytes()


def test_the_file_that_comes_with_axsim_is_as_it_is_written(tmp_path: Path) -> None:
    write_library(tmp_path / "again.npz", library())
    assert read_library(tmp_path / "again.npz") == library()


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    data, path = FILE.read_bytes(), tmp_path / "damaged.npz"
    for content in (b"", b"hello", data[:100], data[: len(data) // 2], data[:-1], data[:500] + data[501:]):
        path.write_bytes(content)
        with pytest.raises(TableError, match=r"damaged\.npz cannot be read"):
            read_library(path)
    with pytest.raises(TableError, match=r"absent\.npz cannot be read"):
        read_library(tmp_path / "absent.npz")
    np.savez(path, keys=np.array(["a"]), terms=np.array([1]))
    with pytest.raises(TableError, match="left"):
        read_library(path)
    np.savez(
        path,
        keys=np.array(["a"]),
        terms=np.array([2]),
        left=np.ones((1, 4), int),
        right=np.ones((2, 4), int),
        log2_scales=np.zeros(2, int),
    )
    with pytest.raises(TableError, match="shapes"):
        read_library(path)
