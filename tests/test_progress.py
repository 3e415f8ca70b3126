"""Plain lines where there is no terminal."""

from __future__ import annotations

import pytest

from axsim.progress import track


def test_a_line_at_each_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track(range(25), "work", 25)) == list(range(25))
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"work: {n}/25" for n in (3, 5, 8, 10, 13, 15, 18, 20, 23, 25)]


def test_a_bar_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert list(track("abc", "letters", 3)) == ["a", "b", "c"]
    assert "letters" in capsys.readouterr().err
