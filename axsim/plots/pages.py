"""Pages of HTML that stand alone: text, tables and pictures in one file, nothing loaded from elsewhere.

Whatever is text passes through ``html.escape`` here, and only here; a page is these few functions put
together, for which no engine of templates is needed.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from importlib.metadata import version
from typing import Any, NewType

from axsim.plots.figures import rendered

Html = NewType("Html", str)

_STYLE = """
:root { color-scheme: light; --line: #d5dbe1; --soft: #f5f7f9; --ink: #1d2733; --faint: #5b6875; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 70rem; padding: 1.5rem 1rem 4rem; color: var(--ink); background: #fff;
  font: 16px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin-top: 2.2rem; border-bottom: 1px solid var(--line); padding-bottom: .25rem; }
p, li { max-width: 46rem; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--faint); padding-bottom: .3rem; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid var(--line); text-align: right;
  white-space: nowrap; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: #fff; }
thead th { background: var(--soft); }
thead th:first-child { background: var(--soft); }
.mark td { background: #fdecea; }
.mark td:first-child { background: #fdecea; font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; }
dt { color: var(--faint); }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
.pictures { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); }
figure { margin: 0; min-width: 0; }
img { max-width: 100%; height: auto; display: block; }
footer { margin-top: 3rem; color: var(--faint); font-size: .85rem; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .4rem; } }
"""


def page(title: str, *content: Html) -> str:
    """A whole document, its title as heading."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n"
        + "\n".join(content)
        + f"\n<footer>Made by axsim {escape(version('axsim'))}.</footer>\n</body>\n</html>\n"
    )


def heading(text: str) -> Html:
    """Of a section."""
    return Html(f"<h2>{escape(text)}</h2>")


def paragraph(text: str) -> Html:
    """A paragraph; "" for an empty one."""
    return Html(f"<p>{escape(text)}</p>" if text else "")


def bullets(texts: Iterable[str]) -> Html:
    """A list of sentences."""
    return Html("<ul>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>")


def facts(pairs: Iterable[tuple[str, str]]) -> Html:
    """Subjects and what there is to say of them; pairs of which nothing is said are left out."""
    said = (f"<dt>{escape(subject)}</dt><dd>{escape(text)}</dd>" for subject, text in pairs if text)
    return Html(f"<dl>{''.join(said)}</dl>")


def table(
    caption: str, headings: Sequence[str], rows: Iterable[Sequence[str]], marked: Iterable[int] = ()
) -> Html:
    """A table whose first column stays in sight; ``marked`` rows, by number, are coloured."""
    chosen = set(marked)
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in headings)
    body = "".join(
        f"<tr{' class=mark' if i in chosen else ''}>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in row)
        + "</tr>"
        for i, row in enumerate(rows)
    )
    return Html(
        f'<div class="scroll"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def picture(figure: Any, description: str) -> Html:
    """A matplotlib figure, inside the page; ``description`` is for those who do not see it."""
    content = base64.b64encode(rendered(figure)).decode("ascii")
    return Html(f'<figure><img alt="{escape(description)}" src="data:image/png;base64,{content}"></figure>')


def pictures(*each: Html) -> Html:
    """Pictures beside each other as far as there is room."""
    return Html('<div class="pictures">' + "".join(each) + "</div>")
