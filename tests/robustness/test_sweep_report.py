"""Reports: the numbers that they show, and the page as a browser shows it."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sample_report

pytest.importorskip("jinja2", reason="reports need jinja2 (extra robustness)")
pytest.importorskip("matplotlib", reason="reports need matplotlib (extra robustness)")

from axsim.robustness.cells import Cell
from axsim.robustness.intervals import wilson
from axsim.robustness.report.build import Reported, build
from axsim.robustness.report.document import Document, Pictures, Section, Table, Text
from axsim.robustness.report.draw import image, noise
from axsim.robustness.report.figures import entries
from axsim.robustness.report.layout import CurveSpec, Layout, Published, TableSpec
from axsim.robustness.report.write import write_report
from axsim.robustness.store import Measured


@pytest.fixture(scope="module")
def document() -> Document:
    return build(sample_report.reported())


def tables(document: Document) -> list[Table]:
    return [b for section in document.sections for b in section.blocks if isinstance(b, Table)]


def cell(**settings: Any) -> Cell:
    return Cell({"attack": "fgsm", "seed": 0, **settings})


def one_table(**more: Any) -> TableSpec:
    return TableSpec("T", ("attack",), (), "rate", "%", **more)


def found(spec: TableSpec | CurveSpec, *measured: Measured) -> list[Any]:
    return entries(spec, [m.cell.settings for m in measured], measured)


def test_an_entry_is_the_mean_over_seeds_with_the_interval_of_one() -> None:
    rates = [({"count": 30, "of": 100}, 0), ({"count": 40, "of": 100}, 1)]
    (entry,) = found(one_table(), *(Measured(cell(seed=s), {"rate": rate}) for rate, s in rates))
    rate = wilson(35, 100)
    assert (entry.value, entry.spread, entry.cells) == (35, (30, 40), 2)
    assert entry.interval == pytest.approx((100 * rate.low, 100 * rate.high))


def test_a_mean_between_two_counts_has_both_their_intervals() -> None:
    both = [Measured(cell(seed=s), {"rate": {"count": 30 + s, "of": 100}}) for s in (0, 1)]
    (entry,) = found(one_table(), *both)
    assert entry.value == 30.5
    assert entry.interval == pytest.approx((100 * wilson(30, 100).low, 100 * wilson(31, 100).high))


def test_a_mean_over_images_has_its_own_interval() -> None:
    spec = TableSpec("T", ("attack",), (), "noise.l2.mean", "")
    spreads = [
        {"mean": 1.0, "median": 1.0, "count": 9, "low": 0.5, "high": 1.5},
        {"mean": 2.0, "median": 1.0, "count": 9, "low": 1.0, "high": 3.0},
    ]
    cells = [Measured(cell(seed=s), {"noise": {"l2": spread}}) for s, spread in enumerate(spreads)]
    (one,) = found(spec, cells[0])
    assert (one.value, one.interval, one.spread) == (1.0, (0.5, 1.5), None)
    (both,) = found(spec, *cells)
    assert (both.value, both.interval, both.spread) == (1.5, (0.75, 2.25), (1.0, 2.0))
    nothing = {"mean": 1.0, "median": 1.0, "count": 1, "low": float("nan"), "high": float("nan")}
    (single,) = found(spec, cells[0], Measured(cell(seed=2), {"noise": {"l2": nothing}}))
    assert single.interval is None
    (median,) = found(TableSpec("T", ("attack",), (), "noise.l2.median", ""), cells[0])
    assert median.interval is None


def test_entries_without_results() -> None:
    failed = Measured(cell(), None, "Traceback ...")
    of_none = Measured(cell(attack="pgd"), {"rate": {"count": 0, "of": 0}})
    nothing = Measured(cell(attack="cw"), {"rate": None})
    told = found(one_table(), failed, of_none, nothing)
    assert [(e.settings["attack"], e.value, e.interval) for e in told] == [
        ("fgsm", None, None),
        ("pgd", None, None),
        ("cw", None, None),
    ]


def test_published_numbers_find_their_entry() -> None:
    published = (Published({"attack": "fgsm"}, 12, "12 %"), Published({"attack": "jsma"}, 9, "9"))
    told = found(one_table(published=published), Measured(cell(), {"rate": 0.5}))
    assert [(e.settings, e.value, e.published and e.published.text) for e in told] == [
        ({"attack": "fgsm"}, 50, "12 %"),
        ({"attack": "jsma"}, None, "9"),  # said to be not measured, not left out
    ]


def test_published_numbers_that_a_table_does_not_look_at_are_left_out() -> None:
    published = tuple(Published({"attack": name}, 9, "9") for name in ("fgsm", "cw", "jsma"))
    quick = {"name": "cw", "steps": 9}
    spec = one_table(published=published, where={"attack": ["fgsm", quick], "seed": 0})
    told = found(spec, Measured(cell(), {"rate": 0.5}))
    assert [(e.settings["attack"], e.value) for e in told] == [("fgsm", 50), ("cw", None)]
    told = found(spec, Measured(cell(attack=quick), {"rate": 0.5}))
    assert [(e.settings["attack"], e.value) for e in told] == [(quick, 50), ("fgsm", None)]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("rat", "T: 'rat' is not in the results: did you mean rate?"),
        ("norms", "T: 'norms' is dict in the results, and no number"),
        ("norms.l3", "did you mean norms.l2?"),
        ("text", "T: 'text' is str in the results, and no number"),
    ],
)
def test_a_value_that_results_do_not_have(value: str, told: str) -> None:
    spec = TableSpec("T", ("attack",), (), value)
    with pytest.raises(ValueError, match=re.escape(told)):
        found(spec, Measured(cell(), {"rate": 0.5, "norms": {"l2": 1.0}, "text": "x"}))


def test_ours_stand_beside_published(document: Document) -> None:
    table = tables(document)[0]
    assert table.caption == "Table 2: success (%), beside Table 2 of the paper"
    assert list(table.headings) == [
        "attack",
        "multiplier",
        "ours",
        "95 % interval",
        "published",
        "difference",
        "in interval",
    ]
    assert ["fgsm", "Ax-FPM", "19.0 [18.0, 20.0]", "12.5 to 27.8", "12", "+7.0", "no"] in list(table.rows)
    assert ["fgsm", "exact8", "44.0 [43.0, 45.0]", "34.7 to 53.8", "43", "+1.0", "yes"] in list(table.rows)
    assert len(table.rows) == 6


def test_a_matrix_where_nothing_is_published(document: Document) -> None:
    table = tables(document)[1]
    assert list(table.headings) == ["attack / network", "exact8", "Ax-FPM", "M8 (L40)"]
    assert [row[0] for row in table.rows] == ["fgsm / lenet5", "cw (steps 100) / lenet5"]
    assert table.rows[0][3] == "1.0 [0.0, 2.0] (0.2 to 5.4)"
    assert table.rows[1][3] == "–"


def test_what_is_missing_and_failed_is_told(document: Document) -> None:
    assert "44 of 48 cells are measured; 2 failed, 2 are not measured yet." in document.lead[-1]
    (section,) = [s for s in document.sections if s.title == "Cells that failed"]
    assert "ValueError: <b>no & such</b>" in section.blocks[0].text


def test_checks_settings_and_machines(document: Document) -> None:
    by_title = {s.title: s.blocks for s in document.sections}
    (checks,) = by_title["Checks"]
    assert isinstance(checks, Table)
    assert checks.caption == "11 of 21 checks held"
    assert ["held", "success rises with the budget", "all", "0 to 81 %"] in list(checks.rows)
    cells = "attack fgsm, budget 0.5, multiplier exact8, seed 0"
    assert ["failed", "iterative beats one step", cells, "12 against 30 %"] in list(checks.rows)
    (settings,) = by_title["Settings"]
    assert ["multiplier", "exact8, Ax-FPM, M8 (L40)"] in list(settings.rows)
    text, machines = by_title["Machines"]
    assert "9 min 10 s" in text.text
    assert ["torch", "2.13.0+cpu"] in list(machines.rows)


def test_examples_are_the_images_pixel_for_pixel() -> None:
    from PIL import Image

    pixels = np.random.default_rng(0).random((3, 4, 5)).astype(np.float32)
    shown = np.asarray(Image.open(io.BytesIO(image(pixels))))
    np.testing.assert_array_equal(shown, np.rint(255 * np.moveaxis(pixels, 0, -1)))
    other = pixels.copy()
    other[0, 1, 2] += 0.25
    data, largest = noise(pixels, other)
    shown = np.asarray(Image.open(io.BytesIO(data)))
    assert largest == pytest.approx(0.25)
    assert shown[1, 2].tolist() == [255, 128, 128]
    assert np.unique(shown).tolist() == [128, 255]
    with pytest.raises(ValueError, match=r"shape \(4, 5\), expected"):
        image(pixels[0])


def test_many_examples_are_cut_and_that_is_told() -> None:
    example = {"image": np.zeros((1, 2, 2)), "adversarial": np.ones((1, 2, 2)), "caption": "x"}
    one = Measured(cell(), {"examples": [example] * 40})
    document = build(Reported("T", "", [one.cell], [one], Layout()))
    text, pictures = next(s.blocks for s in document.sections if s.title == "Examples")
    assert "16 more are kept" in text.text
    assert len(pictures.pictures) == 3 * 24


def test_nothing_measured_yet() -> None:
    document = build(Reported("T", "", [cell()], [], sample_layout_of_one()))
    assert "0 of 1 cells are measured; 0 failed, 1 are not measured yet" in document.lead[-1]
    assert tables(document)[0].rows == [["fgsm", "–"]]


def sample_layout_of_one() -> Layout:
    curve = CurveSpec("C", "seed", "rate", ("attack",))
    return Layout((one_table(),), (curve,))


def test_the_same_results_make_the_same_bytes(tmp_path: Path, document: Document) -> None:
    again = build(sample_report.reported())
    ours, theirs = (write_report(d, tmp_path / str(i)) for i, d in enumerate((document, again)))
    assert [p.read_bytes() for p in ours] == [p.read_bytes() for p in theirs]


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [v or "" for k, v in attrs if k in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_needs_no_other_file(tmp_path: Path, document: Document) -> None:
    path, _ = write_report(document, tmp_path)
    page = Page(path.read_text(encoding="utf-8"))
    assert all(s.startswith(("data:image/", "#section-")) for s in page.sources)
    assert page.tags.count("table") == len(tables(document))
    assert "script" not in page.tags
    assert "<b>no & such</b>" in page.text  # as text
    assert "url(" not in path.read_text(encoding="utf-8")
    for source in page.sources:
        if source.startswith("data:image/svg+xml;base64,"):
            assert ET.fromstring(base64.b64decode(source.partition(",")[2])).tag.endswith("svg")


def test_markdown_has_the_same_tables_and_its_pictures_beside_it(tmp_path: Path, document: Document) -> None:
    _, path = write_report(document, tmp_path)
    text = path.read_text(encoding="utf-8")
    heads = re.findall(r"^\|(?::?-+:?\|)+$", text, re.MULTILINE)
    assert len(heads) == len(tables(document))
    widths = [len(t.headings) for t in tables(document)]
    assert [head.count("|") - 1 for head in heads] == widths
    assert "| fgsm | Ax-FPM | 19.0 \\[18.0, 20.0\\] | 12.5 to 27.8 | 12 | +7.0 | no |" in text
    files = re.findall(r"\]\((pictures/[^)]+)\)", text)
    blocks = [b for s in document.sections for b in s.blocks if isinstance(b, Pictures)]
    assert len(files) == sum(len(b.pictures) for b in blocks if not b.small) > 0
    assert sorted(files) == sorted(f"pictures/{p.name}" for p in (tmp_path / "pictures").iterdir())
    small = [block for block in blocks if block.small]
    assert text.count(" images, drawn on the page report.html.") == len(small) > 0
    assert all(f"\n{len(block.pictures)} images, drawn" in text for block in small)
    assert "# A sample \\| report" in text


def test_a_smaller_report_leaves_no_picture_of_the_larger_one(tmp_path: Path, document: Document) -> None:
    write_report(document, tmp_path)
    (tmp_path / "pictures" / "mine.png").touch()
    write_report(Document("T", [], [Section("S", [Text("x")])]), tmp_path)
    assert [p.name for p in (tmp_path / "pictures").iterdir()] == ["mine.png"]


BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None
)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=5000",
)
# A window may not be as narrow as a telephone, but a frame may.
FRAME = """<!DOCTYPE html><pre id="found"></pre><script>
addEventListener("message", event => { document.getElementById("found").textContent = event.data; });
</script><iframe src="looked-at.html" style="border:0;width:WIDTHpx;height:900px"></iframe>"""
LOOK = """<script>
addEventListener("load", () => {
  const box = e => e.getBoundingClientRect();
  const all = q => [...document.querySelectorAll(q)];
  parent.postMessage(JSON.stringify({
    width: innerWidth,
    page: document.documentElement.scrollWidth,
    tables: all("table").map(t => [box(t).width > 0, t.tBodies[0].rows.length]),
    wide: all(".wide").map(d => box(d).right <= innerWidth),
    images: all("img").map(i => [i.complete && i.naturalWidth > 0, box(i).width, box(i).right <= innerWidth]),
    text: document.body.innerText.length}), "*");
});
</script>
"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_finds_tables_and_pictures(tmp_path: Path, document: Document, width: int) -> None:
    path, _ = write_report(document, tmp_path)
    page = path.with_name("looked-at.html")
    page.write_text(path.read_text(encoding="utf-8").replace("</body>", f"{LOOK}</body>"), encoding="utf-8")
    frame = path.with_name("frame.html")
    frame.write_text(FRAME.replace("WIDTH", str(width)), encoding="utf-8")
    assert BROWSER is not None
    command = [BROWSER, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1400,1000"]
    done = subprocess.run(
        [*command, "--dump-dom", frame.as_uri()], capture_output=True, text=True, timeout=240
    )
    told = re.search(r'<pre id="found">(\{.*?\})</pre>', done.stdout)
    assert told is not None, done.stderr[-2000:]
    found = json.loads(told.group(1))
    assert found["width"] == width
    assert found["page"] <= width  # only tables may be wider, in boxes of their own that scroll
    assert found["tables"] == [[True, len(t.rows)] for t in tables(document)]
    assert all(found["wide"])
    assert len(found["images"]) == 3 + 3 * 2 * 6
    for loaded, shown, within in found["images"]:
        assert loaded
        assert shown > 90
        assert within


def test_a_document_is_a_value(document: Document) -> None:
    assert dataclasses.replace(document, title="other") != document
    assert build(sample_report.reported()) == document
