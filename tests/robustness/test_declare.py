"""Experiment files: axes become cells, and whatever is misspelt is told by file, key and near name."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("foolbox", reason="attacks need foolbox (extra robustness)")
pytest.importorskip("filelock", reason="sweeps need filelock (extra robustness)")

from axsim.robustness import experiments
from axsim.robustness.cells import Cell
from axsim.robustness.declare import DeclarationError, read_declaration
from axsim.robustness.experiments import Experiment, Setting, number, one_of
from axsim.robustness.kinds import transfer

ATTACKS = ("fgsm", "pgd", "cw", "hopskipjump")


def attack(value: Any) -> Any:
    if isinstance(value, dict):
        return {**value, "name": one_of(lambda: ATTACKS, "an attack")(value.get("name"))}
    return one_of(lambda: ATTACKS, "an attack")(value)


def together(cell: Cell) -> None:
    if cell["attack"] == "hopskipjump" and cell["budget"] is not None and cell["budget"] > 1:
        raise ValueError("hopskipjump has no budget above 1")


@pytest.fixture(autouse=True)
def kind(monkeypatch: pytest.MonkeyPatch) -> Experiment:
    monkeypatch.setattr(experiments, "_kinds", {})
    return experiments.register(
        Experiment(
            "toy",
            lambda cell, shared: {},
            {
                "network": Setting(one_of(lambda: ("lenet5", "ffnn"), "a network"), "lenet5"),
                "multiplier": Setting(one_of(lambda: ("exact8", "axfpm", "mul8u_L40"), "a multiplier")),
                "attack": Setting(attack),
                "budget": Setting(number(0), 1),
                "seed": Setting(number(0, whole=True), 0),
                "images": Setting(number(1, whole=True), 1000),
            },
            ("axsim.files",),
            together,
        )
    )


PLAIN = """
kind = "toy"
title = "A toy"
note = "Nothing."
[settings]
images = 50
[axes]
multiplier = ["exact8", "axfpm"]
attack = ["fgsm", { name = "cw", steps = 10 }]
seed = [0, 1]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "toy.toml"
    path.write_text(text)
    return path


def test_axes_become_cells_in_the_files_order(tmp_path: Path) -> None:
    found = read_declaration(write(tmp_path, PLAIN))
    combinations = itertools.product(["exact8", "axfpm"], ["fgsm", {"name": "cw", "steps": 10}], [0, 1])
    assert found.cells == tuple(
        Cell({"network": "lenet5", "images": 50, "budget": 1, "multiplier": m, "attack": a, "seed": s})
        for m, a, s in combinations
    )
    assert (found.title, found.note, found.experiment.kind) == ("A toy", "Nothing.", "toy")


def test_images_from_the_command_line(tmp_path: Path) -> None:
    found = read_declaration(write(tmp_path, PLAIN), images=7)
    assert {cell["images"] for cell in found.cells} == {7}
    in_axes = PLAIN.replace("images = 50", "").replace("seed = [0, 1]", "images = [50, 60]")
    assert [cell["images"] for cell in read_declaration(write(tmp_path, in_axes)).cells] == [50, 60] * 4
    assert {cell["images"] for cell in read_declaration(write(tmp_path, in_axes), images=7).cells} == {7}
    with pytest.raises(DeclarationError, match="--images: 0 came, a whole number from 1 on was expected"):
        read_declaration(write(tmp_path, PLAIN), images=0)


def test_exclusions(tmp_path: Path) -> None:
    text = (
        PLAIN
        + '[[exclude]]\nmultiplier = "axfpm"\nattack = "cw"\n[[exclude]]\nseed = [1, 2]\nattack = "fgsm"\n'
    )
    found = {
        (c["multiplier"], str(c["attack"]), c["seed"]) for c in read_declaration(write(tmp_path, text)).cells
    }
    cw = "{'name': 'cw', 'steps': 10}"
    assert found == {
        ("exact8", "fgsm", 0),
        ("axfpm", "fgsm", 0),
        ("exact8", cw, 0),
        ("exact8", cw, 1),
    }


def test_blocks_go_before_what_stands_above(tmp_path: Path) -> None:
    text = PLAIN + (
        '[[exclude]]\nmultiplier = "axfpm"\nseed = 1\n'
        "[[block]]\naxes.budget = [0.5, 1]\nsettings.seed = 3\n"
        '[[block]]\nsettings.attack = "pgd"\nsettings.network = "ffnn"\n[[block.exclude]]\nseed = 0\n'
    )
    cells = read_declaration(write(tmp_path, text)).cells
    assert len(cells) == 2 * 2 * 2 + 1
    assert {(c["seed"], c["budget"]) for c in cells[:8]} == {(3, 0.5), (3, 1)}
    assert [(c["network"], c["attack"], c["multiplier"], c["seed"]) for c in cells[8:]] == [
        ("ffnn", "pgd", "exact8", 1)
    ]


def test_cells_that_two_blocks_make_count_once(tmp_path: Path) -> None:
    text = PLAIN + "[[block]]\n[[block]]\naxes.seed = [1, 2]\n"
    assert len(read_declaration(write(tmp_path, text)).cells) == 8 + 4


BLOCK = "[[block]]\nsettings.sede = 1\n"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('kind = "toy"', "", "kind: it is not there"),
        (
            'kind = "toy"',
            'kind = "toi"',
            "kind: 'toi' is not the name of a kind of experiment: did you mean toy",
        ),
        ('title = "A toy"', "title = 3", "title: 3 came, a text was expected"),
        ("[settings]", "[setings]", "setings: not known here: did you mean settings?"),
        ("images = 50", "imags = 50", "settings.imags: not known here: did you mean images?"),
        ("images = 50", "images = 0", "settings.images: 0 came, a whole number from 1 on was expected"),
        ("images = 50", "images = nan", "settings.images: nan came"),
        ("images = 50", "budget = -0.5", "settings.budget: -0.5 came, a number from 0 on was expected"),
        ("images = 50", "seed = 5", "axes.seed: it is in settings too"),
        (
            '"exact8", "axfpm"',
            '"exact8", "axfmp"',
            "axes.multiplier[1]: 'axfmp' is not the name of a multiplier",
        ),
        ('"exact8", "axfpm"', '"exact8", "AXFPM"', "did you mean axfpm?"),
        ('name = "cw"', 'name = "wc"', "axes.attack[1]: 'wc' is not the name of an attack"),
        (
            '["fgsm", ',
            '["hopskipjmp", ',
            "axes.attack[0]: 'hopskipjmp' is not the name of an attack: did you mean",
        ),
        ("seed = [0, 1]", "seed = 0", "axes.seed: 0 came, a list of values was expected; a single one goes"),
        ("seed = [0, 1]", "seed = []", "axes.seed: [] came"),
        ("seed = [0, 1]", "seed = [1, 1.0]", "axes.seed[1]: 1.0 is there already"),
        ("seed = [0, 1]", "seed = [true]", "axes.seed[0]: True came"),
        ("multiplier =", "network =", "axes.network[0]: 'exact8' is not the name of a network"),
        ('multiplier = ["exact8", "axfpm"]', "", "settings.multiplier: 'toy' needs it, and it is not there"),
        ("", "[[exclude]]\nsede = 1\n", "exclude[0].sede: not known here: did you mean seed?"),
        ("", "[[exclude]]\nseed = 5\n", "exclude[0]: it excludes no cell"),
        ("", "[[exclude]]\n", "exclude[0]: it names no setting"),
        ("", "[[exclude]]\nseed = [0, 1]\n", "exclude: no cell is left"),
        ("", BLOCK, "block[0].settings.sede: not known here: did you mean seed?"),
        ("", "[[block]]\ntitle = 'x'\n", "block[0].title: not known here"),
        (
            "",
            "[labels.multiplier]\naxfmp = 'DA'\n",
            "labels.multiplier.axfmp: not known here: did you mean axfpm?",
        ),
        ("", "[report]\ntabels = []\n", "report.tabels: not known here: did you mean tables?"),
        ('["fgsm", ', '["hopskipjump", ', "axes: attack=hopskipjump"),
        ("seed = [0, 1]", "seed = [0, 1", "no TOML: "),
    ],
)
def test_what_is_wrong_is_told_by_file_and_key(tmp_path: Path, old: str, new: str, told: str) -> None:
    text = PLAIN.replace(old, new, 1) if old else PLAIN + new
    if told.startswith("axes: attack"):
        text = text.replace("images = 50", "images = 50\nbudget = 2")
    path = write(tmp_path, text)
    with pytest.raises(DeclarationError) as error:
        read_declaration(path)
    assert str(error.value).startswith(f"{path}: ")
    assert told in str(error.value)


def test_too_many_cells(tmp_path: Path) -> None:
    axis = f"[{', '.join(map(str, range(1100)))}]"
    text = PLAIN.replace("seed = [0, 1]", f"seed = {axis}\nbudget = {axis}")
    with pytest.raises(DeclarationError, match="axes: they make 4840000 cells, more than"):
        read_declaration(write(tmp_path, text))


def test_a_kind_without_images(tmp_path: Path) -> None:
    experiments.register(Experiment("bare", lambda cell, shared: {}, {"seed": Setting(number())}, ()))
    path = write(tmp_path, 'kind = "bare"\nsettings.seed = 1\n')
    assert read_declaration(path).cells == (Cell({"seed": 1}),)
    with pytest.raises(DeclarationError, match="'bare' has no setting 'images'"):
        read_declaration(path, images=3)


def test_a_kind_registers_once(kind: Experiment) -> None:
    assert experiments.register(kind) is kind
    assert experiments.list_kinds() == ("toy",)
    with pytest.raises(ValueError, match="'toy' is another experiment's name"):
        experiments.register(Experiment("toy", kind.run, {}, ()))


def test_the_example_of_the_page(tmp_path: Path, kind: Experiment) -> None:
    page = (Path(__file__).parents[2] / "docs" / "experiments.md").read_text(encoding="utf-8")
    (text,), (published,) = (
        re.findall(rf"^```{name}\n(.*?)^```$", page, re.M | re.S) for name in ("toml", "json")
    )
    experiments.register(transfer.EXPERIMENT)
    (tmp_path / "published.json").write_text(published)
    found = read_declaration(write(tmp_path, text))
    # axfpm with both attacks and mul8u_L40 with one, two budgets; then both with pgd: two seeds each.
    assert len(found.cells) == 2 * (3 * 2 + 2)
    assert found.layout.tables[0].published[0].text == "12 %"


TABLE = """
[report]
[[report.tables]]
title = "Table 2"
rows = ["attack"]
columns = "multiplier"
value = "success"
published = "table2"
[[report.curves]]
title = "Figure 1"
x = "seed"
y = "success"
lines = ["multiplier"]
panels = ["attack"]
where = { multiplier = "axfpm" }
"""
PUBLISHED: dict[str, Any] = {
    "source": "A. Author, A paper",
    "figures": {
        "table2": {
            "caption": "Table 2",
            "values": [{"settings": {"attack": "fgsm", "multiplier": "axfpm"}, "value": 12}],
        }
    },
}


def test_the_layout_of_a_report(tmp_path: Path) -> None:
    (tmp_path / "published.json").write_text(json.dumps(PUBLISHED))
    text = PLAIN.replace("[settings]", '[labels.multiplier]\naxfpm = "DA"\n[settings]') + TABLE
    layout = read_declaration(write(tmp_path, text)).layout
    (table,), (curve,) = layout.tables, layout.curves
    assert (table.rows, table.columns, table.value, table.caption) == (
        ("attack",),
        ("multiplier",),
        "success",
        "Table 2",
    )
    assert [(p.settings, p.value, p.text) for p in table.published] == [
        ({"attack": "fgsm", "multiplier": "axfpm"}, 12.0, "12")
    ]
    assert (curve.x, curve.lines, curve.panels, curve.where) == (
        "seed",
        ("multiplier",),
        ("attack",),
        {"multiplier": "axfpm"},
    )
    assert layout.source == "A. Author, A paper"
    assert layout.label("multiplier", "axfpm") == "DA"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('rows = ["attack"]', "", "report.tables[0].rows: [] came, a list of settings was expected"),
        (
            'rows = ["attack"]',
            'rows = ["atack"]',
            "report.tables[0].rows: 'atack' is not known here: did you mean attack",
        ),
        ("columns =", "colums =", "report.tables[0].colums: not known here: did you mean columns?"),
        ('value = "success"', "", "report.tables[0].value: it is not there"),
        (
            'published = "table2"',
            'published = "table3"',
            "report.tables[0].published: 'table3' is not known here: did",
        ),
        ('columns = "multiplier"', "", "report.tables[0]: cells of one entry differ in multiplier"),
        ('x = "seed"', 'x = "attack"', "report.curves[0]"),
        (
            'multiplier = "axfpm" }',
            'multiplier = "exact" }',
            "report.curves[0].where: no cell of the file is so",
        ),
        ("[report]", '[report]\npublished = "none.json"', "report.published: there is no file"),
        ('x = "seed"', 'x = "network"', "report.curves[0].x: network is 'lenet5' in a cell, and no number"),
    ],
)
def test_a_wrong_layout_is_told_before_anything_is_measured(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    (tmp_path / "published.json").write_text(json.dumps(PUBLISHED))
    path = write(tmp_path, PLAIN + TABLE.replace(old, new, 1))
    with pytest.raises(DeclarationError) as error:
        read_declaration(path)
    assert f"{path}: {told}" in str(error.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "no JSON"),
        ("[]", "published.json: [] came, a table was expected"),
        ('{"figures": {}}', "published.json.source: it is not there"),
        (
            '{"source": "", "figures": {"t": {"values": [{}]}}}',
            "values[0].value: None came, a number was expected",
        ),
        (
            '{"source": "", "figures": {"t": {"values": [{"value": 1, "settings": {"sede": 1}}]}}}',
            "figures.t.values[0].settings.sede: not known here: did you mean seed?",
        ),
    ],
)
def test_wrong_published_figures(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "published.json").write_text(text)
    with pytest.raises(DeclarationError) as error:
        read_declaration(write(tmp_path, PLAIN))
    assert told in str(error.value)
