"""The parts of axsim stand in a row, and a module imports only from parts on its left, never in a circle.

Every import counts: those inside functions, and those for type checkers alone.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import axsim

PACKAGE = Path(axsim.__file__).parent
# Parts in one line do not import each other.
ROW = (
    ("_native", "arrays", "errors", "files", "forks", "once", "progress", "threads"),
    ("results", "quantization", "entrance"),
    ("circuits",),
    ("tables",),
    ("multipliers",),
    ("engines",),
    ("quantize",),
    ("ops",),
    ("",),  # axsim itself: the public names
    ("nn",),
    ("models", "datasets", "defenses"),
    ("robustness", "search"),
    ("plots",),
    ("cli",),
    ("__main__",),
)
PLACE = {part: i for i, parts in enumerate(ROW) for part in parts}


def modules(folder: Path) -> dict[str, Path]:
    """Every module below ``folder``, by its dotted name from there."""
    found = {}
    for path in folder.rglob("*.py"):
        parts = path.relative_to(folder).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, path: Path, known: dict[str, Path], package: str) -> Iterator[str]:
    """The modules of ``known`` that a module's source imports, wherever in it that stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            wanted = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name}: relative import"
            wanted = [(node.module or "", alias.name) for alias in node.names]
        else:
            continue
        for module, member in wanted:
            if module != package and not module.startswith(f"{package}."):
                continue
            base = module.removeprefix(package).lstrip(".")
            inner = f"{base}.{member}".lstrip(".")
            yield inner if inner in known or inner == "_native" else base


def graph(folder: Path, package: str = "axsim") -> dict[str, set[str]]:
    known = modules(folder)
    return {name: set(imports(name, path, known, package)) - {name} for name, path in known.items()}


def wrong_way(edges: dict[str, set[str]]) -> list[str]:
    """Imports from the right, or from beside."""
    found = []
    for name, targets in edges.items():
        part = name.split(".")[0]
        for target in targets:
            other = target.split(".")[0]
            if part != other and PLACE[other] >= PLACE[part]:
                found.append(f"{name or 'axsim'} imports {target or 'axsim'}")
    return found


def circle(edges: dict[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_modules_import_from_their_left() -> None:
    assert wrong_way(graph(PACKAGE)) == []


def test_no_circle() -> None:
    assert circle(graph(PACKAGE)) == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from axsim.ops import matmul", ["engines.mine imports ops"]),
        ("def f():\n    import axsim.quantize", ["engines.mine imports quantize"]),
        ("from axsim import ops", ["engines.mine imports ops"]),
        ("import axsim", ["engines.mine imports axsim"]),
        ("from axsim.tables import store", []),
    ],
)
def test_an_import_from_the_right_is_seen(tmp_path: Path, source: str, expected: list[str]) -> None:
    for part in ("", "engines", "ops", "quantize", "tables"):
        (tmp_path / part).mkdir(exist_ok=True)
        (tmp_path / part / "__init__.py").touch()
    (tmp_path / "engines" / "mine.py").write_text(source)
    assert wrong_way(graph(tmp_path)) == expected


def test_a_circle_is_seen_wherever_it_stands(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def f():\n    from axsim import b")
    (tmp_path / "b.py").write_text("if TYPE_CHECKING:\n    from axsim.a import f")
    assert set(circle(graph(tmp_path))) == {"a", "b"}


def test_modules_are_short() -> None:
    lines = {name: len(path.read_text().splitlines()) for name, path in modules(PACKAGE).items()}
    assert {name: count for name, count in lines.items() if count >= 400} == {}
