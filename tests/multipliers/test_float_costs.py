"""Published figures of float multipliers' circuits."""

from __future__ import annotations

import pytest

from axsim.multipliers.float_costs import published_costs


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("axfpm", [("Ax-FPM", 7, 0.487, 0.29), ("Ax-FPM", 9, 0.395, 0.235)]),
        ("heap_like", [("HEAP", 9, 0.49, 0.46)]),
        ("bfloat16", [("bfloat16", 7, 0.4, 0.4)]),
        ("axbf16", []),
    ],
)
def test_figures_of_the_paper(name: str, expected: list[tuple[str, int, float, float]]) -> None:
    assert [(c.circuit, c.table, c.energy, c.delay) for c in published_costs(name)] == expected
