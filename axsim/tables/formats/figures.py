"""Figures that EvoApproxLib prints in the first lines of a circuit's file."""

from __future__ import annotations

import re

from axsim.tables.metrics import Figure

_FIGURE = re.compile(
    r"^[ \t]*(?://|/?\*+|#)?[ \t]*"
    r"(MAE%|MAE|WCE%|WCE|WCRE%|EP%|MRE%|MSE|PDK45_PWR|PDK45_AREA|PDK45_DELAY)[ \t]*=[ \t]*"
    r"(\d{1,30}(?:\.\d{1,30})?(?:e[+-]?\d{1,3})?)[ \t]*(%|mW|um2|ns)?[ \t]*\r?$",
    re.MULTILINE | re.ASCII,
)


def published_figures(text: str) -> dict[str, Figure]:
    """The figures in the comments of a file, by their labels; the first of each label counts.

    >>> published_figures("// MAE% = 0.032 %\\n// PDK45_PWR = 0.37 mW\\n")["PDK45_PWR"]
    {'text': '0.37', 'value': 0.37, 'unit': 'mW'}
    """
    found: dict[str, Figure] = {}
    for label, digits, unit in _FIGURE.findall(text):
        found.setdefault(label, Figure(text=digits, value=float(digits), unit=unit or "1"))
    return found
