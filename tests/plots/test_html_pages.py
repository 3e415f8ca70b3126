"""Pages: whole documents, text escaped, nothing loaded from elsewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from axsim.plots import new_figure, pages

VOID = {"meta", "img"}
EVIL = "<script>alert('x')</script>&\""


class Balanced(HTMLParser):
    """Fails for a tag that is closed in the wrong place; gathers text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def parsed(page: str) -> Balanced:
    parser = Balanced()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


def test_text_is_escaped_everywhere() -> None:
    page = pages.page(
        EVIL,
        pages.heading(EVIL),
        pages.paragraph(EVIL),
        pages.bullets([EVIL]),
        pages.facts([(EVIL, EVIL), ("left out", "")]),
        pages.table(EVIL, [EVIL], [[EVIL]], marked=[0]),
    )
    assert "<script" not in page
    found = parsed(page)
    assert found.text.count(EVIL) == 10
    assert "left out" not in page
    assert page.count("class=mark") == 1


def test_pictures_are_inside() -> None:
    pytest.importorskip("matplotlib")
    page = pages.page("p", pages.pictures(pages.picture(new_figure(1, 1), EVIL)))
    parsed(page)
    assert re.findall(r'src="([^"]{22})', page) == ["data:image/png;base64,"]
    assert not re.search(r"(https?:)?//", re.sub(r"base64,[^\"]*", "", page))


def test_a_page_fits_narrow_screens() -> None:
    page = pages.page("p", pages.table("t", ["x"], [["1"]]))
    assert 'name="viewport" content="width=device-width' in page
    assert '<div class="scroll"><table>' in page
