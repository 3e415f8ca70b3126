"""Where the planner's costs come from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from axsim.engines import costs
from axsim.engines.costs import BUILT_IN, current_costs, save_costs

MEASURED = {
    "matmul": {"native": (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0), "factored int8": (5.0, 4.0, 3.0, 2.0, 1.0)},
    "conv2d": {"native": (7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0)},
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AXSIM_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def three_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "get_num_threads", lambda: 3)


def scaled(factor: float) -> costs.Seconds:
    return {o: {e: tuple(factor * c for c in s) for e, s in found.items()} for o, found in MEASURED.items()}


def test_built_in_costs_hold_until_measured_ones_are_saved() -> None:
    assert current_costs() == costs.Costs(BUILT_IN, current_costs().origin, measured=False, isa="")
    assert "--calibrate" in current_costs().origin
    path = save_costs({3: MEASURED})
    found = current_costs()
    assert found.measured
    assert found.seconds["matmul"] == {**BUILT_IN["matmul"], **MEASURED["matmul"]}
    assert found.seconds["conv2d"] == {**BUILT_IN["conv2d"], **MEASURED["conv2d"]}
    assert f"3 threads, {path}" in found.origin


def test_every_number_of_threads_has_costs_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    save_costs({1: MEASURED})
    save_costs({4: scaled(2), 16: scaled(3)})
    found = {}
    for threads in (1, 2, 3, 4, 7, 9, 64):
        monkeypatch.setattr(costs, "get_num_threads", lambda threads=threads: threads)
        native = current_costs().seconds["matmul"]["native"][0]
        found[threads] = (native, current_costs().measured, current_costs().origin.split(",")[1].strip())
    assert found == {
        1: (1.0, True, "1 thread"),
        2: (1.0, False, "1 thread"),  # as far from 4: the first
        3: (2.0, False, "4 threads"),
        4: (2.0, True, "4 threads"),
        7: (2.0, False, "4 threads"),
        9: (3.0, False, "16 threads"),
        64: (3.0, False, "16 threads"),
    }
    save_costs({4: MEASURED})
    monkeypatch.setattr(costs, "get_num_threads", lambda: 4)
    assert current_costs().seconds["matmul"]["native"][0] == 1.0


@pytest.mark.parametrize("change", ["cpu_name", "runnable_isas", "package_version"])
def test_costs_of_another_machine_do_not_hold(monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    save_costs({3: MEASURED})
    costs.forget_costs()
    monkeypatch.setattr(costs, change, lambda *_: ["another"])
    assert current_costs().seconds == BUILT_IN


def test_costs_of_another_forced_instruction_set_do_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    save_costs({3: MEASURED})
    monkeypatch.setenv("AXSIM_ISA", "portable")
    assert current_costs().seconds == BUILT_IN
    monkeypatch.delenv("AXSIM_ISA")
    assert current_costs().measured


def test_costs_of_another_cache_do_not_hold(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    save_costs({3: MEASURED})
    monkeypatch.setenv("AXSIM_CACHE_DIR", str(tmp_path / "other"))
    assert current_costs().seconds == BUILT_IN


def test_what_another_process_wrote_is_seen_once_the_old_is_forgotten() -> None:
    path = save_costs({3: MEASURED})
    content = path.read_text()
    path.unlink()
    costs.forget_costs()
    assert not current_costs().measured
    path.write_text(content)
    assert not current_costs().measured
    costs.forget_costs()
    assert current_costs().measured


@pytest.mark.skipif(len(costs.runnable_isas()) < 2, reason="one instruction set only")
def test_look_ups_use_the_instruction_set_that_was_fastest(monkeypatch: pytest.MonkeyPatch) -> None:
    best, *others = costs.runnable_isas()
    current_costs()
    assert costs.native_isa() == best
    save_costs({3: MEASURED}, others[-1])
    assert current_costs().isa == others[-1]
    assert costs.native_isa() == others[-1]
    monkeypatch.setenv("AXSIM_ISA", best)
    assert costs.native_isa() == best
    monkeypatch.delenv("AXSIM_ISA")
    save_costs({3: MEASURED})
    current_costs()
    assert costs.native_isa() == best


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"threads": {"3": {}}, "isa": ""}',
        '{"threads": {"3": {"matmul": {"native": [1, 2, 3, 4]}, "conv2d": {}}}, "isa": ""}',
        '{"threads": {"3": {"matmul": {"native": [1, 2, 3, -4, 5, 6, 7]}, "conv2d": {}}}, "isa": ""}',
        '{"threads": {"3": {"matmul": {"native": [1, 2, 3, NaN, 5, 6, 7]}, "conv2d": {}}}, "isa": ""}',
        '{"threads": {"3": {"matmul": {"unknown": [1, 2, 3, 4]}, "conv2d": {}}}, "isa": ""}',
        '{"threads": {"3": {"matmul": {"native": null}, "conv2d": {}}}, "isa": ""}',
        '{"threads": {"0": {"matmul": {"native": [1, 2, 3, 4, 5, 6, 7]}, "conv2d": {}}}, "isa": ""}',
        '{"threads": {"x": {"matmul": {"native": [1, 2, 3, 4, 5, 6, 7]}, "conv2d": {}}}, "isa": ""}',
        '{"threads": {"3": {"matmul": {"native": [1, 2, 3, 4, 5, 6, 7]}, "conv2d": {}}}}',
        '{"threads": {"3": {"matmul": {"native": [1, 2, 3, 4, 5, 6, 7]}, "conv2d": {}}}, "isa": "z80"}',
    ],
)
def test_a_file_that_is_not_whole_is_passed_by(content: str) -> None:
    path = save_costs({3: MEASURED})
    path.write_text(content)
    costs.forget_costs()
    assert current_costs().seconds == BUILT_IN
    assert not current_costs().measured
    save_costs({3: MEASURED})
    assert current_costs().measured


def test_the_file_says_which_machine_it_is_of() -> None:
    stored = json.loads(save_costs({3: MEASURED}).read_text())
    assert stored["machine"].keys() == {"cpu", "isas", "forced isa", "axsim", "numpy", "torch"}
    assert stored["machine"]["isas"] == costs.runnable_isas()


def test_a_package_that_is_not_installed() -> None:
    assert costs.package_version("numpy")[0].isdecimal()
    assert costs.package_version("no-such-package-as-this") == "none"
