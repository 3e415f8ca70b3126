"""Where the planner's costs come from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from axsim.engines import costs
from axsim.engines.costs import BUILT_IN, current_costs, save_costs

MEASURED = {
    "matmul": {"native": (1.0, 2.0, 3.0, 4.0), "factored int8": (5.0, 4.0, 3.0, 2.0, 1.0)},
    "conv2d": {"native": (4.0, 3.0, 2.0, 1.0)},
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AXSIM_CACHE_DIR", str(tmp_path / "cache"))


def test_built_in_costs_hold_until_measured_ones_are_saved() -> None:
    assert current_costs().seconds == BUILT_IN
    assert "--calibrate" in current_costs().origin
    path = save_costs(MEASURED)
    found = current_costs()
    assert found.seconds["matmul"] == {**BUILT_IN["matmul"], **MEASURED["matmul"]}
    assert found.seconds["conv2d"] == {**BUILT_IN["conv2d"], **MEASURED["conv2d"]}
    assert str(path) in found.origin


@pytest.mark.parametrize("change", ["cpu_name", "native_isa", "package_version"])
def test_costs_of_another_machine_do_not_hold(monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    save_costs(MEASURED)
    costs._costs.cache_clear()
    monkeypatch.setattr(costs, change, lambda *_: "another")
    assert current_costs().seconds == BUILT_IN


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"seconds": {}}',
        '{"seconds": {"matmul": {"native": [1, 2, 3]}, "conv2d": {}}}',
        '{"seconds": {"matmul": {"native": [1, 2, 3, -4]}, "conv2d": {}}}',
        '{"seconds": {"matmul": {"native": [1, 2, 3, NaN]}, "conv2d": {}}}',
        '{"seconds": {"matmul": {"unknown": [1, 2, 3, 4]}, "conv2d": {}}}',
        '{"seconds": {"matmul": {"native": null}, "conv2d": {}}}',
    ],
)
def test_a_file_that_is_not_whole_is_passed_by(content: str) -> None:
    path = save_costs(MEASURED)
    path.write_text(content)
    costs._costs.cache_clear()
    assert current_costs().seconds == BUILT_IN


def test_the_file_says_which_machine_it_is_of() -> None:
    stored = json.loads(save_costs(MEASURED).read_text())
    assert stored["machine"].keys() == {"cpu", "isa", "axsim", "numpy", "torch"}
    assert stored["machine"]["isa"] == costs.native_isa()


def test_a_package_that_is_not_installed() -> None:
    assert costs.package_version("numpy")[0].isdecimal()
    assert costs.package_version("no-such-package-as-this") == "none"
