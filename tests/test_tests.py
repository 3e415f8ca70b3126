"""Tests that test: an assertion about a loop's variable stands inside that loop.

One that slipped out of its loop checks the last case only, and all the others go untested.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def names_in(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def bound_in(node: ast.AST) -> set[str]:
    """Names that the node itself binds, as a comprehension's or a lambda's are."""
    stored = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return stored | {n.arg for n in ast.walk(node) if isinstance(n, ast.arg)}


def slipped(source: str) -> list[int]:
    """Lines of the assertions about the variable of a for loop that stand behind all loops over it."""
    lines = []
    for function in (n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef)):
        loops = [n for n in ast.walk(function) if isinstance(n, ast.For)]
        for check in (n for n in ast.walk(function) if isinstance(n, ast.Assert)):
            before = [loop for loop in loops if loop.lineno < check.lineno]
            around = [loop for loop in before if check in set(ast.walk(loop))]
            ended = set().union(*(names_in(loop.target) for loop in before if loop not in around))
            current = set().union(*(names_in(loop.target) for loop in around))
            if (names_in(check.test) - bound_in(check.test)) & (ended - current):
                lines.append(check.lineno)
    return lines


def test_a_slipped_assertion_is_seen() -> None:
    good = "def test():\n    for n in names:\n        x = f(n)\n        assert x == g(n)\n    assert names\n"
    assert slipped(good) == []
    assert slipped(good.replace("        assert", "    assert")) == [4]


@pytest.mark.parametrize("path", sorted(TESTS.rglob("test_*.py")), ids=lambda path: path.stem)
def test_no_assertion_slipped_out_of_its_loop(path: Path) -> None:
    assert slipped(path.read_text(encoding="utf-8")) == []


def test_every_file_of_tests_has_a_name_of_its_own() -> None:
    """pytest imports them by their names alone, and a child process that is started anew does so, too."""
    names = [path.name for path in sorted(TESTS.rglob("test_*.py"))]
    assert [name for name in dict.fromkeys(names) if names.count(name) > 1] == []
