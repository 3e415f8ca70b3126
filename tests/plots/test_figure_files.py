"""Files of pictures are whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from axsim.plots import new_figure, save_figure
from axsim.plots.figures import rendered

pytest.importorskip("matplotlib")


def test_a_picture_that_fails_leaves_nothing(tmp_path: Path) -> None:
    figure = new_figure(1, 1)
    figure.savefig = lambda file, **_: (file.write(b"half"), 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save_figure(figure, tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"path must end in one of .*\.png"):
        save_figure(new_figure(1, 1), tmp_path / "x.xyz")


def test_the_content_of_a_file(tmp_path: Path) -> None:
    figure = new_figure(1, 1)
    assert rendered(figure).startswith(b"\x89PNG")
    assert b"<svg" in rendered(figure, "svg")
