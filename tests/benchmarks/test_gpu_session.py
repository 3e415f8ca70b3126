"""A visit to a GPU: what is run for how long, and the file of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import gpu_machine, gpu_session
from tests.cuda_emulator.emulated_runtime import HOPPER

MACHINE = {"machine": {"gpu": {"name": "NVIDIA H100 PCIe"}}}


class Runs:
    """In the place of subprocesses; each takes a while and leaves a file."""

    def __init__(self, out: Path, took: tuple[float, float], ended: tuple[int | None, int | None]) -> None:
        self.out, self.took, self.ended = out, took, ended
        self.clock, self.commands = 0.0, list[tuple[Sequence[str], float]]()

    def __call__(self, command: Sequence[str], seconds: float) -> int | None:
        self.commands.append((command, seconds))
        which = len(self.commands) - 1
        self.clock += self.took[which]
        content: Any = {"number": which, **MACHINE}
        (self.out / ("gpu_checks.json", "gpu.json")[which]).write_text(json.dumps(content), encoding="utf-8")
        return self.ended[which]


@pytest.mark.parametrize(
    ("ended", "well"), [((0, 0), True), ((1, 0), False), ((None, 0), False), ((0, 1), False)]
)
def test_checks_then_timings_in_the_time_that_is_left(
    tmp_path: Path, ended: tuple[int | None, int | None], well: bool
) -> None:
    runs = Runs(tmp_path, (200.0, 100.0), ended)
    path, good = gpu_session.visit(tmp_path, 570, 300, False, run=runs, now=lambda: runs.clock)
    assert good == well
    (checks, check_seconds), (timings, timing_seconds) = runs.commands
    assert list(checks[:4]) == [sys.executable, "-m", "pytest", "tests/gpu"]
    assert (check_seconds, timing_seconds) == (300, 370)
    assert list(timings[1:]) == ["-m", "benchmarks.gpu", str(tmp_path), "--seconds", "325"]
    assert path == tmp_path / "nvidia-h100-pcie.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    assert [found[part]["number"] for part in ("checks", "timings")] == [0, 1]
    assert found["ended"] == {"checks": ended[0] is not None, "timings": True}


def test_a_visit_that_leaves_nothing_says_so(tmp_path: Path) -> None:
    path, good = gpu_session.visit(tmp_path, 1, 1, True, run=lambda *_: None)
    assert not good
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "checks": None,
        "timings": None,
        "ended": {"checks": False, "timings": False},
    }
    assert path.name == "no-gpu.json"


def test_what_an_earlier_visit_found_is_not_this_ones(tmp_path: Path) -> None:
    (tmp_path / "gpu.json").write_text(json.dumps(MACHINE), encoding="utf-8")
    path, _ = gpu_session.visit(tmp_path, 570, 300, False, run=lambda *_: 1)
    assert path.name == "no-gpu.json"
    assert json.loads(path.read_text(encoding="utf-8"))["timings"] is None


def test_a_machine_is_described_by_a_source_tree_that_nobody_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def not_installed() -> dict[str, str]:
        raise PackageNotFoundError("axsim")

    monkeypatch.setattr(gpu_machine, "versions", not_installed)
    assert gpu_machine.machine()["versions"]["axsim"] == "source tree"


def test_a_gpu_that_fails_at_a_question_is_described_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A description that ends in an error would end the checks before the first."""

    def fails() -> bool:
        raise OSError("libcublas.so.12: cannot open shared object file")

    calls = SimpleNamespace(
        runtimeGetVersion=lambda: 13000, driverGetVersion=lambda: 13010, memGetInfo=lambda: (1, 2)
    )
    xp = SimpleNamespace(__version__="14.2.0", cuda=SimpleNamespace(runtime=calls))
    runtime = SimpleNamespace(xp=xp, device=HOPPER, half_is_exact=fails)
    monkeypatch.setattr(gpu_machine, "current", lambda: runtime)
    found = json.loads(json.dumps(gpu_machine.machine()))
    assert found["gpu"]["float16_products_are_exact"].startswith("OSError: libcublas.so.12")
    assert found["gpu"]["free_and_total_bytes"] == [1, 2]


def test_a_run_is_stopped_at_its_limit() -> None:
    assert gpu_session.run((sys.executable, "-c", "raise SystemExit(3)"), 60) == 3
    assert gpu_session.run((sys.executable, "-c", "import time; time.sleep(60)"), 0.5) is None
