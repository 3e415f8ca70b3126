"""The README's examples run and give what it prints."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import axsim
from axsim.cli import app

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"


@pytest.fixture
def _unregister(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the README registers stays in it."""
    from axsim.multipliers import registry

    monkeypatch.setattr(registry, "_registered", dict(registry._registered))


@pytest.mark.usefixtures("_unregister")
def test_examples_give_what_is_printed() -> None:
    results = doctest.testfile(str(README), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert results.attempted >= 10
    assert results.failed == 0


def test_every_name_exists() -> None:
    """Attributes, files, make targets and commands that the README names are there."""
    text = README.read_text(encoding="utf-8")
    for path in re.findall(r"\]\((docs/[^)]+)\)", text):
        assert (ROOT / path).is_file(), path
    for dotted in set(re.findall(r"\baxsim((?:\.[a-z_0-9]+)+)\b(?!\.py)", text)):
        found = axsim
        for name in dotted.removesuffix(".py").split(".")[1:]:
            found = getattr(found, name)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"`?\bmake ([a-z]+)\b", text)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for command in set(re.findall(r"`axsim ([a-z]+)", text)):
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0, command
    families = text[text.index("| name | multiplier |") : text.index("`axsim.list_multipliers()`")]
    names = [
        name
        for line in families.strip().splitlines()[2:]
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    ]
    assert len(names) >= 10
    for name in names:
        axsim.get(name)
