"""Measuring by itself: when, at most once, and never where it must not."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import axsim
from axsim.engines import calibrate, costs, first_use, planner
from axsim.engines.costs import BUILT_IN
from axsim.engines.fold import fold
from axsim.engines.planner import Subject, Work

UINT8 = np.dtype(np.uint8)
SLOW = {o: {**found, "native": (10.0, *[0.0] * 6)} for o, found in BUILT_IN.items()}


class Calls:
    """How often the engines were measured, and how long that takes."""

    count = 0
    seconds = 0.0


@pytest.fixture(autouse=True)
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Calls:
    """A cache and a count of its own, measuring allowed, and a measurement that costs nothing."""
    made = Calls()

    def measured(multipliers: object) -> calibrate.Measured:
        made.count += 1
        time.sleep(made.seconds)
        return calibrate.Measured(SLOW, "")

    monkeypatch.setenv("AXSIM_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("AXSIM_CALIBRATE")
    monkeypatch.setattr(first_use, "_planned", 0.0)
    monkeypatch.setattr(first_use, "_unwritable", False)
    monkeypatch.setattr(calibrate, "calibrate", measured)
    monkeypatch.setattr(calibrate, "is_busy", lambda: False)
    return made


def test_it_waits_for_a_seconds_work_and_says_so(calls: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    assert not first_use.measured_after(0.5)
    assert not first_use.measured_after(0.4)
    assert calls.count == 0
    assert capsys.readouterr().err == ""
    assert first_use.measured_after(0.2)
    assert calls.count == 1
    assert capsys.readouterr().err == (
        "axsim: measuring this machine's engines once, in under two seconds "
        "(AXSIM_CALIBRATE=0 turns this off)\n"
    )
    assert costs.current_costs().measured
    assert costs.current_costs().seconds["matmul"]["native"] == (10.0, *[0.0] * 6)


def test_a_planned_call_uses_what_was_measured_before_it(calls: Calls) -> None:
    pytest.importorskip("axsim._native", reason="axsim was installed without its compiled module")
    table = axsim.get("KEM").table  # sixteen exact products: looking up is predicted to be faster
    subject = Subject(table, fold(table, UINT8, UINT8), UINT8, UINT8)
    work = Work(1, 4096, 4096, 512)
    before = planner.predict("native", work)
    assert planner.plan("KEM", work, subject).choice == "native"
    assert before < first_use.WORTH
    taken = [planner.choose("auto", work, subject) for _ in range(int(first_use.WORTH / before) + 1)]
    assert calls.count == 1
    assert [isinstance(engine, planner.FactoredSums) for engine in taken] == [False] * (len(taken) - 1) + [
        True
    ]
    assert isinstance(planner.choose("auto", work, subject), planner.FactoredSums)
    assert calls.count == 1


def test_looking_up_what_has_no_choice_measures_nothing(calls: Calls) -> None:
    table = axsim.get("L40").table
    subject = Subject(table, fold(table, UINT8, UINT8), UINT8, UINT8)
    planner.choose("auto", Work(1000, 4096, 4096, 512), subject)
    planner.plan("L40", Work(1000, 4096, 4096, 512), subject)
    assert calls.count == 0


@pytest.mark.parametrize("value", ["0", " 0 ", "off", "No", "false"])
def test_it_can_be_turned_off(calls: Calls, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("AXSIM_CALIBRATE", value)
    assert not first_use.measured_after(100)
    assert calls.count == 0


def test_a_busy_machine_is_measured_later(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrate, "is_busy", lambda: True)
    assert not first_use.measured_after(2)
    assert calls.count == 0
    monkeypatch.setattr(calibrate, "is_busy", lambda: False)
    assert not first_use.measured_after(0.5)
    assert first_use.measured_after(0.6)


def test_a_cache_that_cannot_be_written_is_tried_once(
    calls: Calls, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("AXSIM_CACHE_DIR", str(tmp_path / "file"))
    assert not first_use.measured_after(2)
    monkeypatch.setenv("AXSIM_CACHE_DIR", str(tmp_path / "cache"))
    assert not first_use.measured_after(2)
    assert calls.count == 0
    assert capsys.readouterr().err == ""


def test_what_another_process_measured_is_used(calls: Calls) -> None:
    assert not costs.current_costs().measured
    path = costs.save_costs({axsim.get_num_threads(): SLOW})
    content = path.read_text()
    path.unlink()
    costs.forget_costs()
    assert not costs.current_costs().measured
    path.write_text(content)
    assert first_use.measured_after(2)
    assert calls.count == 0


def test_while_another_process_measures_nobody_else_does(calls: Calls, tmp_path: Path) -> None:
    lock = tmp_path / "cache" / "measuring"
    lock.parent.mkdir()
    lock.touch()
    assert not first_use.measured_after(2)
    assert lock.exists()
    long_ago = time.time() - 2 * first_use.ABANDONED
    os.utime(lock, (long_ago, long_ago))
    assert not first_use.measured_after(2)  # the process died: its lock goes
    assert first_use.measured_after(2)
    assert calls.count == 1
    assert not lock.exists()


def test_a_failed_measurement_leaves_no_lock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupted(multipliers: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(calibrate, "calibrate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        first_use.measured_after(2)
    assert not (tmp_path / "cache" / "measuring").exists()


def test_of_many_threads_one_measures(calls: Calls) -> None:
    calls.seconds = 0.05
    start = threading.Barrier(8)

    def work(_: int) -> bool:
        start.wait()
        return first_use.measured_after(2)

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(work, range(8)))
    assert any(results)
    assert calls.count == 1


def _in_a_worker(_: object) -> bool:
    return first_use.allowed()


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
def test_workers_do_not_measure(method: str) -> None:
    assert first_use.allowed()
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.map(_in_a_worker, [0]) == [False]
    if method == "fork":  # and without multiprocessing
        read, write = os.pipe()
        if (child := os.fork()) == 0:
            os.write(write, b"1" if first_use.allowed() else b"0")
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(read, 1) == b"0"
        os.close(read)
        os.close(write)


def test_a_program_measures_once_and_the_next_one_not_at_all(tmp_path: Path) -> None:
    program = (
        "import numpy as np, axsim\n"
        "from axsim.engines import calibrate, first_use\n"
        "calibrate.SECONDS, first_use.WORTH, calibrate.is_busy = 0.1, 1e-4, lambda: False\n"
        "a = np.zeros((128, 128), np.uint8)\n"
        "for _ in range(9): axsim.matmul(a, a, 'JQQ')\n"
    )
    environment = {**os.environ, "AXSIM_CACHE_DIR": str(tmp_path / "cache")}
    heard = [
        subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        ).stderr
        for _ in range(2)
    ]
    assert heard[0].startswith("axsim: measuring this machine's engines once, in under two")
    assert heard[0].count("\n") == 1
    assert heard[1] == ""
