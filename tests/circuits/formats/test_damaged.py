"""Damaged texts: refused by a ValueError or read, never anything else; tools/fuzz_netlists.py tries more."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "texts"
TOOL = runpy.run_path(str(Path(__file__).parents[3] / "tools" / "fuzz_netlists.py"))


@pytest.mark.parametrize("suffix", [".v", ".blif"])
def test_damaged_texts(suffix: str) -> None:
    texts = [path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob(f"*{suffix}"))]
    results = [
        TOOL["read_mutant"](text, suffix) is None for text in TOOL["mutations"](texts, suffix, 2_000, seed=3)
    ]
    assert 100 < sum(results) < 1_950  # some are read, many are not


@pytest.mark.parametrize("suffix", [".v", ".blif"])
def test_texts_cut_anywhere(suffix: str) -> None:
    for path in sorted(FOLDER.glob(f"*{suffix}"))[:8]:
        text = path.read_text(encoding="utf-8")
        for end in range(0, len(text), 7):
            TOOL["read_mutant"](text[:end], suffix)
