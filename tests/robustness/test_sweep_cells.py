"""Cells: equal settings are one cell with one key, and the key changes with the code."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axsim.robustness.cells import Cell, canonical, code_hash

NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), PLAIN, max_size=4))
def test_settings_come_back_and_their_order_does_not_matter(settings: dict[str, Any]) -> None:
    cell = Cell(settings)
    assert cell.settings == settings
    turned = Cell(dict(reversed(settings.items())))
    assert (cell, hash(cell), cell.key("1")) == (turned, hash(turned), turned.key("1"))
    assert pickle.loads(pickle.dumps(cell)) == cell
    assert Cell(cell.settings) == cell
    assert cell.text.isascii()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (0, False),
        (1, "1"),
        (1, 1.5),
        (None, "null"),
        ([], {}),
        (0.1, 0.10000000000000002),
        ("", None),
    ],
)
def test_unlike_settings_are_other_cells(one: Any, other: Any) -> None:
    assert Cell({"x": one}) != Cell({"x": other})
    assert Cell({"x": one}).key("") != Cell({"x": other}).key("")


def test_like_numbers_are_one() -> None:
    assert Cell({"x": [1.0, -0.0]}) == Cell({"x": (1, 0)})


def test_the_key_is_of_settings_and_code() -> None:
    # A key is a file's name: a change of how it is made loses everybody's results.
    assert Cell({"seed": 0}).key("a") == "0c14890d4aa1bcee50537a20d95f166b7f2dc5874b6724e8ff461044bab19cf1"
    assert Cell({"seed": 0}).key("a") != Cell({"seed": 0}).key("b")


def test_settings_cannot_be_changed() -> None:
    cell = Cell({"attack": {"steps": 1}})
    cell.settings["attack"]["steps"] = 2
    assert cell["attack"] == {"steps": 1}
    with pytest.raises(AttributeError):
        cell.text = "{}"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("settings", "error", "told"),
    [
        ({"attack": {"steps": [1, np.int64(2)]}}, TypeError, r"attack\.steps\[1\] is a int64"),
        ({"budget": float("nan")}, ValueError, "budget is nan"),
        ({"budget": [float("inf")]}, ValueError, r"budget\[0\] is inf"),
        ({"a": {1: 2}}, TypeError, "a has the key 1, expected a str"),
        ([("a", 1)], TypeError, "expected a mapping"),
    ],
)
def test_what_is_not_plain_is_refused_by_its_place(settings: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        Cell(settings)


def test_a_cell_reads_well() -> None:
    cell = Cell({"attack": {"name": "cw", "steps": 10, "why": [1, 2]}, "budget": None, "network": "lenet5"})
    assert str(cell) == "attack=cw(steps=10, why=[1,2]), budget=null, network=lenet5"


def test_canonical_is_json_without_spaces() -> None:
    assert canonical({"b": "ü", "a": [True, 1e-9]}) == '{"a":[true,1e-09],"b":"\\u00fc"}'


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "code_that_matters"
    (folder / "inner").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "inner" / "attack.py").write_text("STEPS = 1\n")
    (folder / "settings.toml").write_text("steps = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    sys.modules.pop("code_that_matters", None)


def test_code_hash_knows_every_file_of_a_package(package: Path) -> None:
    before = code_hash("code_that_matters")
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "x.pyc").write_bytes(b"compiled")
    assert code_hash("code_that_matters") == before
    seen = {before}
    for name in ("inner/attack.py", "settings.toml", "inner/new.py"):
        (package / name).write_text("STEPS = 2\n")
        seen.add(code_hash("code_that_matters"))
    (package / "inner" / "new.py").rename(package / "inner" / "renamed.py")
    seen.add(code_hash("code_that_matters"))
    assert len(seen) == 5


def test_code_hash_of_several_modules() -> None:
    both = code_hash("axsim.files", "axsim.progress")
    assert both == code_hash("axsim.progress", "axsim.files")
    assert both not in (code_hash("axsim.files"), code_hash("axsim.progress"))


@pytest.mark.parametrize("name", ["sys", "axsim.nothing", "no_such_package.module", ""])
def test_code_without_a_file_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"no module '{name}'"):
        code_hash(name)
