"""``python -m pytest tests/gpu -q --out FOLDER``: all checks on a GPU, and FOLDER/gpu_checks.json."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from gpu_places import gpu_or_none

from axsim.files import check_folder
from axsim.results import write_json

REPORT = "gpu_checks.json"

# The emulated GPU has no part in checks of a real one.
collect_ignore = ["test_emulated_gpu.py"] if gpu_or_none() else []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--out", metavar="FOLDER", help=f"folder for {REPORT}: machine, checks, seconds, failures"
    )


def pytest_configure(config: pytest.Config) -> None:
    folder = config.getoption("--out", None)
    if folder is not None and not hasattr(config, "workerinput"):
        try:
            check_folder(folder, "--out")
        except ValueError as problem:
            raise pytest.UsageError(str(problem)) from problem
        config.pluginmanager.register(Report(Path(folder) / REPORT), "axsim GPU report")


class Report:
    """The report, written anew after every check, so that one that never ends costs no other's result."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checks: list[dict[str, Any]] = []
        self.running: str | None = None

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.running = nodeid  # should it never end, the file says which it was
        self.write(finished=False)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            reason = {} if report.passed else {"reason": str(report.longrepr)[-4000:]}
            self.checks.append(
                {
                    "check": report.nodeid,
                    "outcome": report.outcome,
                    "seconds": round(report.duration, 3),
                    **reason,
                }
            )
            self.write(finished=False)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if not report.passed:  # a module that skips has no checks
            reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr
            self.checks.append({"check": report.nodeid, "outcome": report.outcome, "reason": str(reason)})

    def pytest_sessionfinish(self) -> None:
        self.write(finished=True)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        terminalreporter.write_line(f"report: {self.path}")

    def write(self, finished: bool) -> None:
        """The file, whole."""
        outcomes = [check["outcome"] for check in self.checks]
        counts = {outcome: outcomes.count(outcome) for outcome in ("passed", "failed", "skipped")}
        running = {} if finished else {"running": self.running}
        report = {
            "machine": _machine(),
            "finished": finished,
            **running,
            **counts,
            "checks": self.checks,
        }
        write_json(self.path, report)


@cache
def _machine() -> dict[str, Any]:
    from benchmarks.gpu_machine import machine

    return machine()


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed and "test_gpu.py" in report.nodeid and (problem := _lost()):
        # Once a kernel has read where it may not, every later call fails of that alone.
        pytest.exit(f"{report.nodeid} lost the GPU's context ({problem}); run again with --deselect of it", 1)


def _lost() -> str:
    """What is wrong with the GPU's context; empty if nothing is."""
    import cupy

    try:
        cupy.cuda.Device().synchronize()
    except cupy.cuda.runtime.CUDARuntimeError as problem:
        return str(problem)
    return ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            # What CuPy or torch warns of on a machine never seen before is no failure of a check.
            item.add_marker(pytest.mark.filterwarnings("default"))
