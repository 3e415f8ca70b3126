"""The README and the pages: their examples run and print what they show, and what they name exists."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import axsim
from axsim.cli import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("**/*.md"))]
REFERENCE = sorted((ROOT / "docs" / "api").glob("*.rst"))
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
PACKAGES = (
    "axsim",
    "axsim.circuits",
    "axsim.datasets",
    "axsim.models",
    "axsim.multipliers",
    "axsim.nn",
    "axsim.tables",
)

by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@pytest.fixture
def _own_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a page registers stays in it, and what others registered is not there."""
    from axsim.multipliers import registry

    monkeypatch.setattr(registry, "_registered", {})


def failures(name: str, text: str) -> tuple[int, str]:
    """How many examples a page has, all in one namespace, and what those that fail say."""
    blocks = [(found[1], text[: found.start(1)].count("\n")) for found in PYTHON.finditer(text)]
    parser, runner, said = doctest.DocTestParser(), doctest.DocTestRunner(optionflags=OPTIONS), []
    names: dict[str, Any] = {}
    for block, line in blocks:
        examples = parser.get_doctest(block, names, name, name, line)
        if not examples.examples:
            said.append(f"{name}, line {line}: a Python block without an example that runs")
        runner.run(examples, out=said.append, clear_globs=False)
        names = examples.globs
    return runner.tries, "\n".join(said)


@by_page
@pytest.mark.usefixtures("_own_names")
def test_examples_print_what_they_show(page: Path) -> None:
    _, said = failures(page.name, page.read_text(encoding="utf-8"))
    assert not said, said


def test_a_wrong_example_is_found() -> None:
    tries, said = failures("page", "```python\n>>> 1 + 1\n3\n\n```\n\n```python\nx = 1\n```\n")
    assert tries == 1
    assert "Expected:\n    3\nGot:\n    2" in said
    assert "line 7: a Python block without" in said


def test_first_pages_have_examples() -> None:
    for name in ("README.md", "docs/quickstart.md", "docs/concepts.md"):
        assert (ROOT / name).read_text(encoding="utf-8").count("\n>>> ") >= 10, name


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 1000


@by_page
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _, heading = target.partition("#")
        if path.startswith(("https://", "http://")):
            continue
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), target
        if heading:
            titles = re.findall(r"^#+ (.*)$", found.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in {_anchor(title) for title in titles}, target


@by_page
def test_names_exist(page: Path) -> None:
    """Attributes, make targets, commands, extras, benchmarks and files that a page names."""
    text = page.read_text(encoding="utf-8")
    for dotted in set(re.findall(r"(?<!/)\baxsim(?:\.[a-z_0-9]+)+\b", text)):
        _resolve(dotted.removesuffix(".py"))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"(?:^    |`)make ([a-z]+)\b", text, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for command in set(re.findall(r"`axsim ([a-z]+)", text)):
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0, command
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for extras in re.findall(r"install [^\n`]*'\.\[([a-z0-9,]+)\]'", text):
        assert set(extras.split(",")) <= set(project["optional-dependencies"]), extras
    for module in set(re.findall(r"-m (benchmarks[.a-z_0-9]*)", text)):
        assert importlib.util.find_spec(module), module
    for line in text.splitlines():
        for path in re.findall(r"`((?:axsim|benchmarks|docs|native|tests|tools|tables)/[\w./]+)`", line):
            assert (ROOT / path).exists() or "made with its first one" in line, path


def test_multipliers_that_are_listed_exist() -> None:
    for page, least in (("multipliers", 10), ("float-multipliers", 9)):
        text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
        rows = text[text.index("| name | multiplier |") :].split("\n\n")[0].splitlines()[2:]
        names = [name for row in rows for name in re.findall(r"`([\w\[\]]+)`", row.split("|")[1])]
        assert len(names) >= least
        for name in names:
            axsim.get(name)


def test_networks_that_are_listed_have_the_counts() -> None:
    from axsim import models

    text = (ROOT / "docs" / "models-and-data.md").read_text(encoding="utf-8")
    rows = text[text.index("| name | network |") :].split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert sorted(name.strip("`") for name, *_ in cells) == models.list_models()
    for name, _, image, parameters, products, _ in cells:
        shape = tuple(map(int, image.split(" x ")))
        cost = models.cost(models.get(name.strip("`")), shape)
        assert [f"{count:,}" for count in cost] == [parameters, products], name


@pytest.mark.parametrize("package", PACKAGES)
def test_reference_has_every_public_name(package: str) -> None:
    """Names that packages share are described once, under ``axsim``."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in REFERENCE)
    described = set(
        re.findall(
            r"^\.\. auto(?:function|class|data|exception|module):: (?:[\w.]+\.)?(\w+)$", text, re.MULTILINE
        )
    )
    public = set(importlib.import_module(package).__all__) - {"__version__"}
    assert public <= described, public - described


def test_reference_has_every_function_of_quantize() -> None:
    text = (ROOT / "docs" / "api" / "quantize.rst").read_text(encoding="utf-8")
    for name in ("QuantParams", "affine", "symmetric", "quantize", "dequantize"):
        assert callable(getattr(axsim.quantize, name))
        assert re.search(rf":: {name}$", text, re.MULTILINE), name


def test_changelog_and_citation_know_the_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert axsim.__version__ == version
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert version in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def _anchor(title: str) -> str:
    """A heading's anchor, as code hosts and the site make it."""
    return re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")


def _resolve(dotted: str) -> Any:
    """What a dotted name means: attributes of modules, which are imported if need be."""
    found: Any = axsim
    for at, name in enumerate(dotted.split(".")[1:], start=2):
        if not hasattr(found, name):
            importlib.import_module(".".join(dotted.split(".")[:at]))
        found = getattr(found, name)
    return found
