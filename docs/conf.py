"""The site that ``make docs`` builds: these pages, and the API from the docstrings."""

from __future__ import annotations

from importlib.metadata import version as version_of
from typing import Any

project = "axsim"
author = "The axsim developers"
project_copyright = "the axsim developers"
release = version = version_of("axsim")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
nitpicky = True  # a name in a docstring that leads nowhere is a warning, and warnings are errors

myst_heading_anchors = 3  # pages link to headings, as on a code host

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings say shapes and dtypes, which annotations cannot
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 72
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_custom_sections = [("Attributes", "params_style")]  # a list, not entries of the index of their own
rst_prolog = "\n".join(rf".. |{name}| replace:: \|{name}\|" for name in "xab")  # magnitudes in docstrings

html_theme = "furo"  # no font, script or picture from elsewhere
html_title = f"axsim {release}"
html_static_path = ["_static"]
html_css_files = ["axsim.css"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}


def setup(app: Any) -> None:
    """Let napoleon take sentences for sentences: "Bits: 24 of them" does not begin with a type."""

    def begin_with_comment(_: Any, what: str, _name: str, _it: Any, _options: Any, lines: list[str]) -> None:
        if what in ("attribute", "data", "property"):
            lines[:0] = ["..", ""]
        for i in reversed(range(len(lines) - 1)):
            if lines[i].strip() == "Returns:":
                first = lines[i + 1]
                lines[i + 1 : i + 1] = [first[: len(first) - len(first.lstrip())] + "..", ""]

    app.connect("autodoc-process-docstring", begin_with_comment, priority=400)
