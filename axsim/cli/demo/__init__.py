"""The demonstration: a photograph, and handwritten digits, through approximate multipliers.

Images come with scikit-learn, the trained network with axsim (extras ``demo`` and ``torch``); nothing is
downloaded.
"""

from __future__ import annotations

from pathlib import Path

from axsim.cli.demo import digits, photograph
from axsim.files import check_folder
from axsim.plots import save_figure


def run(out: Path) -> None:
    """Run both parts, print their tables and write the two pictures into the folder ``out``."""
    check_folder(out, "--out")
    exact, filtered = photograph.filter_photograph()
    photograph.print_results(filtered)
    classified = digits.classify()
    digits.print_results(classified)
    for picture in (
        save_figure(photograph.picture(exact, filtered), out / "photograph.png"),
        save_figure(digits.picture(classified), out / "digits.png"),
    ):
        print(f"picture: {picture}")
