"""What all speed benchmarks do with their times."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("matplotlib")

from axsim.plots import new_figure
from benchmarks import report
from benchmarks.report import plain_ticks


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0.4, 25, ["0.5", "1", "2", "5", "10", "20"]),
        (0.002, 50, ["0.01", "0.1", "1", "10"]),  # more would overlap
    ],
)
def test_ticks_are_written_out_where_there_is_room(low: float, high: float, labels: list[str]) -> None:
    axis = new_figure(4, 3).subplots()
    axis.set(xscale="log", xlim=(low, high))
    plain_ticks(axis.xaxis, low, high)
    assert [label.get_text() for label in axis.get_xticklabels()] == labels
    assert [float(label) for label in labels] == pytest.approx(list(axis.get_xticks()))


def test_scattered_times_are_warned_of() -> None:
    steady, scattered = ({"seconds": {"median": 1.0, "upper": upper}} for upper in (1.4, 1.6))
    assert report.unsteady([steady] * 9 + [scattered]) == ""
    warning = report.unsteady([steady] * 8 + [scattered] * 2)
    assert warning.startswith("WARNING: 2 of 10 times scatter by more than 50%")
    assert report.unsteady([]) == ""


def test_one_time_has_no_quartiles() -> None:
    seconds = {"median": 2.0, "lower": 1.0, "upper": 3.0, "rounds": 3}
    assert report.spread({"seconds": seconds}) == "-50 +50 %"
    assert report.spread({"seconds": {**seconds, "rounds": 1}}) == "timed once"


@pytest.mark.parametrize("name", ["gemm", "conv", "networks"])
def test_a_folder_that_cannot_be_is_refused_before_anything_is_timed(name: str) -> None:
    command = [sys.executable, "-m", f"benchmarks.{name}", "--out", "/dev/null/x"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 2
    assert "which is no folder" in done.stderr
    assert "Traceback" not in done.stderr
