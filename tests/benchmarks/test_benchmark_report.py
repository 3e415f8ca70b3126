"""What all speed benchmarks do with their times."""

from __future__ import annotations

import pytest

pytest.importorskip("matplotlib")

from axsim.plots import new_figure
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
