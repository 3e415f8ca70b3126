"""Plain lines where there is no terminal."""

from __future__ import annotations

import itertools

import pytest

from axsim.progress import spell, track


def test_a_line_at_each_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track(range(25), "work", 25)) == list(range(25))
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"work: {n}/25" for n in (3, 5, 8, 10, 13, 15, 18, 20, 23, 25)]


def test_the_time_left_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(0, 45)  # seconds that each item takes
    monkeypatch.setattr("axsim.progress.time.monotonic", lambda: float(next(clock)))
    assert list(track(range(40), "work", 40)) == list(range(40))
    lines = capsys.readouterr().err.splitlines()
    assert lines[:4] == [
        "work: 2/40, about 28 min 30 s left",  # a minute without a line
        "work: 4/40, about 27 min left",
        "work: 6/40, about 25 min 30 s left",
        "work: 8/40, about 24 min left",
    ]
    assert lines[-1] == "work: 40/40"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 s"), (59.6, "1 min"), (3600, "1 h"), (3601, "1 h"), (86400 + 60, "1 d"), (90061, "1 d 1 h")],
)
def test_durations(seconds: float, told: str) -> None:
    assert spell(seconds) == told


def test_a_bar_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert list(track("abc", "letters", 3)) == ["a", "b", "c"]
    assert "letters" in capsys.readouterr().err
