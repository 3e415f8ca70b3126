"""The search tool from the command line: the quick search, its files and what is in them."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from axsim.multipliers import get as resolve
from axsim.search import heap as search

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture
def tool(monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.syspath_prepend(str(TOOLS))
    import explore_heap

    yield explore_heap
    del sys.modules["explore_heap"]


def run(tool, *arguments):
    app = typer.Typer()
    app.command()(tool.main)
    return CliRunner().invoke(app, list(arguments))


def test_quick_search(tool, tmp_path):
    result = run(tool, "--quick", "--nearest", "5", "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert sorted(p.name for p in tmp_path.iterdir()) == ["explore_heap.json", "explore_heap.png"]
    assert (tmp_path / "explore_heap.png").read_bytes().startswith(b"\x89PNG")

    content = json.loads((tmp_path / "explore_heap.json").read_text())
    assert content["enumerated"] == 2 * (3**6 + 3**3)
    assert content["settings"]["cells"] == ["exact", "ama2", "ama5"]

    named = {row["name"]: row for row in content["named"]}
    heap_like = named["heap_like"]
    assert heap_like["assignment"] == {
        "wiring": "sum-pp",
        "grouping": "weight",
        "cells": ["ama5", "ama5", "ama5", "ama5", "ama5", "exact"],
    }
    assert heap_like["transistors"] == 11 * 8 + 24
    assert heap_like["mred"] == pytest.approx(0.119, abs=0.002)
    assert heap_like["nmed"] == pytest.approx(0.029, abs=0.001)
    assert heap_like["higher"] == pytest.approx(0.357, abs=0.01)
    assert named["axfpm_normalized"]["gates"] == 7
    assert "heap_like" in result.output

    front = content["front"]
    assert [row["transistors"] for row in front] == sorted(row["transistors"] for row in front)
    assert [row["mred"] for row in front] == sorted((row["mred"] for row in front), reverse=True)
    assert front[-1]["assignment"]["cells"] == ["exact"] * 6
    distances = [row["distance"] for row in content["nearest"]]
    assert len(distances) == 5
    assert distances == sorted(distances)
    assert distances[0] <= heap_like["distance"]


def test_named_assignments_are_the_multipliers_of_that_name(tool):
    a, b = np.random.default_rng(0).integers(2**23, 2**24, (2, 5000))
    for name, assignment in tool.NAMED.items():
        tiled = search.block_tables([assignment]).astype(float) @ search.entry_weights(a, b)
        np.testing.assert_array_equal(tiled[0].astype(np.uint64), resolve(name).significand_product(a, b))


def test_area_is_a_cost(tool, tmp_path):
    result = run(tool, "--quick", "--cost", "area", "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    front = json.loads((tmp_path / "explore_heap.json").read_text())["front"]
    assert front[0]["area"] == pytest.approx(12 * 13.54)
    assert [row["area"] for row in front] == sorted(row["area"] for row in front)


def test_bad_options_are_refused(tool, tmp_path):
    result = run(tool, "--pairs", "0", "--out", str(tmp_path))
    assert result.exit_code == 2
    assert not list(tmp_path.iterdir())
