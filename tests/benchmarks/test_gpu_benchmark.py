"""The GPU benchmark's whole flow on the emulated GPU, with clocks that tests set."""

from __future__ import annotations

import itertools
import json
import math
import sys
from collections.abc import Callable, Iterator
from contextvars import Context
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from typer.testing import CliRunner

import axsim
from axsim.engines.gpu import arrays
from axsim.engines.gpu.gather import engine as gather
from axsim.engines.gpu.runtime.current import using
from benchmarks import gpu as benchmark
from benchmarks import gpu_cases, gpu_profile, gpu_report
from benchmarks.gpu_cases import FULL, QUICK, Case, Sizes, Target, Work, cases
from benchmarks.gpu_clock import LIMITS, Gpu, GpuTiming, Taken, measure
from benchmarks.gpu_limits import Limit, Rates, exact_products, float_products, look_ups, rates
from benchmarks.layers import Layer, resnet18
from benchmarks.timing import Timing
from tests.cuda_emulator.device_arrays import DeviceArray
from tests.cuda_emulator.emulated_runtime import HOPPER, EmulatedRuntime, compiler
from tests.cuda_emulator.library import EmulatedLibrary
from tests.gpu.gpu_oracle import some

TINY = Sizes(
    *(20, 12, 8, 32, 3, 4096, 1, 2),
    {"tiny net": {Layer("one", 3, 8, 6, 3, padding=1): 2, Layer("two", 8, 6, 5, 1, stride=2): 1}},
    Layer("", 4, 4, 6, 3, padding=1, groups=4),
    Layer("", 3, 8, 6, 3, padding=1),
    (8,),
    full=True,
)
RATES = Rates(1e15, 5e14, 16e12, 3e13, 3e12)


def unlike_cases() -> list[Case]:
    """Cases of every kind; kernels of others are compiled for nothing but the time that it takes."""
    alike = ("heap_like", "axfpm_mono", "float16", "bfloat16,")
    return [case for case in cases(TINY) if not case.name.startswith(alike)]


class FakeGpu(Gpu):
    """The emulated GPU; whatever is asked of it takes ten milliseconds, or a little more."""

    def __init__(self, runtime: Any, torch: Any = None) -> None:
        self.runtime, self.xp, self.torch = runtime, runtime.xp, torch
        self.times = itertools.cycle([1.0e-2, 1.1e-2, 1.3e-2])
        self.poisoned: list[int] = []

    def take(self, calls: Callable[[], object], hold: float) -> Taken:
        calls()
        return Taken(next(self.times), 1e-4, True)

    def clock_hz(self) -> float:
        return 1.7e9

    def poison(self, size: int) -> None:
        self.poisoned.append(size)

    def graph(self, call: Callable[[], object]) -> Callable[[], object]:
        result: Any = call()

        def replay() -> object:
            result[...] = call()
            return result

        return replay


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedRuntime]:
    if compiler() is None:
        pytest.skip("no C++ compiler: the CUDA sources cannot be compiled for the CPU")
    base = tmp_path_factory.getbasetemp()  # the same folder as in tests/engines/gpu
    builds = (base.parent if base.name.startswith("popen-") else base) / "cuda-on-cpu"
    builds.mkdir(exist_ok=True)
    small = EmulatedRuntime(builds, replace(HOPPER, multiprocessors=2, l2_bytes=1000))
    with patch.object(arrays, "LIBRARIES", (EmulatedLibrary(),)), using(small):
        yield small


@pytest.fixture
def some_circuits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few of the circuits: every number of factors takes kernels of its own, which take time to compile."""
    some = {
        name: axsim.get(name) for name in ("mul8u_L40", "mul8u_1446", "mul8u_JQQ", "mul8u_12N4", "mul8u_1JFF")
    }
    monkeypatch.setattr(gpu_cases, "evoapprox", lambda: some)


@pytest.fixture
def gpu(runtime: EmulatedRuntime) -> FakeGpu:
    return FakeGpu(runtime)


def timing(*seconds: Any, host: float = 2e-5, queued: bool = True) -> GpuTiming:
    return GpuTiming(*seconds, Timing(host, host, host, 1), queued)


def called_once(gpu: Gpu, calls: Any, **_: Any) -> dict[str, GpuTiming]:
    """In the place of ``measure``: the emulator is slow."""
    for call in calls.values():
        call(1)
    return {name: timing(1e-2 + 1e-3 * i, 1e-2, 2e-2, 1) for i, name in enumerate(calls)}


# --- the whole flow ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("some_circuits")
def test_all_cases(runtime: EmulatedRuntime, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch = pytest.importorskip("torch")
    run = benchmark.Run(FakeGpu(runtime, torch), TINY, tmp_path)
    with patch.object(benchmark, "measure", called_once):
        run.all(todo := unlike_cases(), 1000)
    assert not run.failed
    run.report()
    told = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))
    assert {row["case"] for row in told["rows"]} == {case.name for case in todo} == set(told["cases"])
    assert told["left_out"] == []
    assert told["machine"]["gpu"]["multiprocessors"] == 2
    assert told["summary"]["circuits_that_factor"] == 3
    assert told["summary"]["geometric_mean_factored"]["products_per_second"] == pytest.approx(20**3 / 1.1e-2)
    assert len(told["summary"]["targets"]["missed"]) == 10
    assert (
        told["summary"]["targets"]["missed"][0] == "mul8u_L40, 20^3, gather: 8e-07e12 /s, target >= 1.5e12 /s"
    )
    rows = {(row["case"], row["what"]): row for row in told["rows"]}
    l40 = rows["mul8u_L40, 20^3", "gather"]
    # 2 multiprocessors, 1.98 GHz, 128 bytes a cycle, 2 bytes an entry
    assert l40["limit"]["products_per_second"] == pytest.approx(2 * 1.98e9 * 64)
    assert l40["share_of_limit"] == pytest.approx(l40["products_per_second"] / (2 * 1.98e9 * 64))
    assert l40["target"] == {"aim": ">= 1.5e12 /s", "reached": False}
    wide = rows["17 bits, 20^3", "gather"]["limit"]["products_per_second"]
    assert wide == pytest.approx(2 * 1.98e9 * 32)
    layer = rows["tiny net: one: 3x3 3 to 8, 6x6", "mul8u_L40 gather"]
    assert layer["products"] == 2 * 36 * 8 * 27
    assert layer["target"]["reached"] is True
    assert told["cases"][layer["case"]]["layers_of_this_shape"] == 2
    assert ("latency, 8^3", "axfpm, graph") in rows
    assert (tmp_path / "gpu.png").stat().st_size > 10_000
    out = capsys.readouterr().out
    for text in ("shared-memory banks: 2 multiprocessors x 1.980 GHz", "Targets: ", "MISSED", "picture: "):
        assert text in out


def test_what_is_wrong_is_not_timed(gpu: FakeGpu, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def spoilt(*args: Any) -> Any:
        out = gemm(*args)
        out[-1, -1] += 1  # in the last row of the last tile
        return out

    gemm = gather.gemm
    todo = benchmark.chosen(cases(TINY), ["mul8u_L40, 20", "axfpm, 12"])
    run = benchmark.Run(gpu, TINY, tmp_path)
    with patch.object(gather, "gemm", spoilt):
        run.all(todo, 1000)
    assert list(run.failed) == ["mul8u_L40, 20^3"]
    assert (
        run.failed["mul8u_L40, 20^3"]
        == "AssertionError: mul8u_L40, gather: 1 of 60 numbers checked are wrong"
    )
    assert {row["case"] for row in run.rows} == {"axfpm, 12^3"}
    told = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))
    assert told["failed"] == run.failed
    run.report()
    assert "FAILED mul8u_L40, 20^3: AssertionError" in capsys.readouterr().out
    assert all(size >= 4 * 12 * 12 for size in gpu.poisoned)


def test_a_call_that_cannot_be_captured_costs_no_others_times(gpu: FakeGpu, tmp_path: Path) -> None:
    captures = itertools.count()
    graph = gpu.graph

    def second_fails(call: Callable[[], object]) -> Callable[[], object]:
        if next(captures) == 1:
            raise NotImplementedError("this cannot be captured")
        return graph(call)

    gpu.graph = second_fails  # type: ignore[method-assign]
    run = benchmark.Run(gpu, TINY, tmp_path)
    with (
        patch.object(benchmark, "measure", called_once),
        patch.object(benchmark, "rates", lambda *_: (RATES, {})),
    ):
        run.all(benchmark.chosen(cases(TINY), ["latency"]), 1000)
    reason = "NotImplementedError: this cannot be captured"
    assert run.failed == {"latency, 8^3, mul8u_1446 factored, graph": reason}
    calls = {"mul8u_L40 gather", "mul8u_1446 factored", "axfpm"}
    assert {row["what"] for row in run.rows} == calls | {"mul8u_L40 gather, graph", "axfpm, graph"}


@pytest.mark.parametrize(
    "name", [case.name for case in unlike_cases() if "mul8u" not in case.name or "L40" in case.name]
)
def test_every_check_can_fail(gpu: FakeGpu, name: str) -> None:
    """With results that are never right, every case says so."""
    (case,) = (case for case in cases(TINY) if case.name == name)
    work = case.prepare(gpu, RATES)
    operations = {name: getattr(axsim, name) for name in ("matmul", "conv2d")}

    def one_more(call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        return call(*args, **options) + (
            not isinstance(args[0], np.ndarray) or isinstance(args[0], DeviceArray)
        )

    spoilt = {name: partial(one_more, call) for name, call in operations.items()}
    with patch.multiple(axsim, **spoilt), pytest.raises(AssertionError, match=r"wrong|not the CPU's"):
        work.check()


def test_time_is_kept(gpu: FakeGpu, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ticks = itertools.count(step=10.0)
    run = benchmark.Run(gpu, TINY, tmp_path, now=lambda: next(ticks))

    def prepare(gpu: Gpu, rates: Rates) -> Work:
        return Work({"call": lambda i: None}, 1000, lambda: None)

    todo = [Case(f"case {i}", "products", prepare) for i in range(20)]
    with patch.object(benchmark, "rates", lambda *_: (RATES, {})):
        run.all(todo, 300)
    assert 0 < len(run.rows) < 20
    assert run.left_out == [case.name for case in todo[len(run.rows) :]]
    told = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))
    assert told["left_out"] == run.left_out
    run.report()
    assert f"Left out for want of time ({len(run.left_out)}): case" in capsys.readouterr().out


def test_without_matplotlib_there_is_no_picture(
    gpu: FakeGpu, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = benchmark.Run(gpu, TINY, tmp_path)
    with patch.dict(sys.modules, {"matplotlib": None, "matplotlib.figure": None}):
        run.report()
    assert "no picture: drawing needs matplotlib" in capsys.readouterr().out
    assert (tmp_path / "gpu.json").is_file()


def test_a_case_of_which_nothing_is_known_is_named() -> None:
    assert benchmark.chosen(cases(FULL), ["LATENCY"])[0].name == "latency, 64^3"
    assert len(benchmark.chosen(cases(FULL), [])) == len(cases(FULL))
    with pytest.raises(ValueError, match=r"no case is called fast, small; there are: mul8u_L40, 4096\^3; "):
        benchmark.chosen(cases(FULL), ["fast", "small"])


def test_without_a_gpu_the_reason_is_said(tmp_path: Path) -> None:
    import typer

    app = typer.Typer()
    app.command()(benchmark.main)
    run = Context().run  # in which nothing stands in for a GPU
    found = run(CliRunner().invoke, app, [str(tmp_path)])
    assert found.exit_code == 2
    assert "error: CuPy" in found.output
    found = run(CliRunner().invoke, app, [str(tmp_path), "--only", "fast"])
    assert found.exit_code == 2
    assert "error: no case is called fast" in found.output


# --- cases ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [FULL, QUICK], ids=["full", "quick"])
def test_names_of_cases_differ(sizes: Sizes) -> None:
    names = [case.name for case in cases(sizes)]
    assert len(set(names)) == len(names)


def test_the_layers_are_those_of_the_network() -> None:
    layers = gpu_cases.counted(resnet18(224))
    assert sum(layers.values()) == 20  # 17 convolutions of 3x3 or 7x7, and three shortcuts
    assert len(layers) == 11
    assert (
        sum(n * layer.products(1) for layer, n in layers.items()) == 1_814_073_344 - 512_000
    )  # the last layer's
    targets = [case.targets for case in cases(FULL) if case.name.startswith("ResNet-18")]
    assert targets == [{"mul8u_L40 gather": Target(most_ratio=10)}] * 22


def test_operands_exceed_the_cache(gpu: FakeGpu) -> None:
    a, b = gpu_cases._sets(gpu, ((10, 10), np.uint8), ((10, 10), np.uint8))
    assert len(a) == len(b) == 12
    assert len({x.tobytes() for x in map(gpu.xp.asnumpy, a + b)}) == 24
    assert gpu_cases._rotation(gpu, a, b) == {
        "operand_sets": 12,
        "operand_bytes": 2400,
        "past_the_cache": True,
    }
    (few,) = gpu_cases._sets(gpu, ((1, 1), np.int8))
    assert len(few) == gpu_cases.MOST_SETS
    assert not gpu_cases._rotation(gpu, few)["past_the_cache"]
    (floats,) = gpu_cases._sets(gpu, ((500, 9), np.float32))
    assert len(floats) == 2
    assert floats[0].dtype == np.float32


def test_some_rows_are_of_every_tile() -> None:
    assert some(0) == []
    assert some(1) == [0]
    assert some(33) == [0, 16, 32]
    assert some(40, 16) == [0, 16, 32, 39]


# --- times, rates and limits ------------------------------------------------------------------------------


def test_times_are_medians_of_rounds() -> None:
    taken = {"short": itertools.cycle([1e-4]), "long": itertools.cycle([0.01, 0.03, 0.02])}
    seen: dict[str, list[int]] = {"short": [], "long": []}

    class Clock:
        def take(self, calls: Callable[[], object], hold: float) -> Taken:
            before = {name: len(numbers) for name, numbers in seen.items()}
            calls()
            (name,) = (name for name, numbers in seen.items() if len(numbers) > before[name])
            count = len(seen[name]) - before[name]
            return Taken(next(taken[name]) * count, 1e-5 * count, True)

    calls = {name: numbers.append for name, numbers in seen.items()}
    ticks = itertools.count()
    times = measure(Clock(), calls, rounds=5, seconds=100, now=lambda: next(ticks))  # type: ignore[arg-type]
    short = times["short"]
    assert (short.median, short.lower, short.upper) == (pytest.approx(1e-4),) * 3
    assert short.host.median == pytest.approx(1e-5)
    assert times["long"].rounds == 5
    assert 0.01 <= times["long"].lower <= times["long"].median <= times["long"].upper <= 0.03
    assert seen["long"] == list(range(2 + 1 + 5))
    assert len(seen["short"]) == 2 + 1 + 5 * 20
    assert measure(Clock(), calls, rounds=50, seconds=6, now=lambda: next(ticks))["long"].rounds == 9  # type: ignore[arg-type]


class Timeline:
    """A host and a GPU, each with a clock; the GPU takes what it is given in order."""

    def __init__(self) -> None:
        self.host = self.gpu = 0.0
        self.cuda = SimpleNamespace(Event=lambda: TimedEvent(self), get_elapsed_time=self.milliseconds)
        self.device = SimpleNamespace(clock_hz=1e9)

    def run(self, seconds: float, ask: float) -> None:
        """Something for the GPU, which the host takes ``ask`` seconds to ask for."""
        self.host += ask
        self.gpu = max(self.gpu, self.host) + seconds

    def kernel(self, source: Path, name: str) -> Callable[..., None]:
        return lambda grid, block, args: self.run(int(args[1]) / self.device.clock_hz, 5e-6)

    def empty(self, shape: int, dtype: Any) -> None:
        return None

    def milliseconds(self, start: TimedEvent, stop: TimedEvent) -> float:
        return 1e3 * (stop.time - start.time)


class TimedEvent:
    """A CUDA event."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline, self.time = timeline, math.inf

    def record(self) -> None:
        self.time = max(self.timeline.host, self.timeline.gpu)

    @property
    def done(self) -> bool:
        return self.timeline.host >= self.time

    def synchronize(self) -> None:
        self.timeline.host = max(self.timeline.host, self.time)


@pytest.mark.parametrize("ask", [2e-5, 1e-4, 2e-3])
def test_short_calls_are_timed_and_not_the_host(ask: float) -> None:
    """However long the host takes to ask for as many as are timed together."""
    line = Timeline()
    gpu = Gpu(SimpleNamespace(xp=line, device=line.device, kernel=line.kernel), lambda: line.host)  # type: ignore[arg-type]
    calls = {"short": lambda i: line.run(1e-6, ask), "long": lambda i: line.run(5e-3, ask)}
    times = measure(gpu, calls, rounds=5, seconds=100, now=lambda: line.host)
    for name, seconds in (("short", 1e-6), ("long", 5e-3)):
        assert times[name].median == pytest.approx(seconds)
        assert times[name].host.median == pytest.approx(ask)
        assert times[name].queued


def test_a_call_that_waits_for_the_gpu_is_timed_with_the_host_and_that_is_said() -> None:
    line = Timeline()
    gpu = Gpu(SimpleNamespace(xp=line, device=line.device, kernel=line.kernel), lambda: line.host)  # type: ignore[arg-type]

    def call(i: int) -> None:
        line.run(1e-4, 1e-5)
        line.host = max(line.host, line.gpu)

    times = measure(gpu, {"waits": call}, rounds=5, seconds=100, now=lambda: line.host)
    assert times["waits"].median == pytest.approx(1.1e-4)
    assert not times["waits"].queued


def test_measured_rates_count_what_kernels_do(gpu: FakeGpu) -> None:
    gpu.times = itertools.cycle([0.5])
    found, failed = rates(gpu, plain=32, steps=3, copied=4096, blocks=2)
    threads = 2 * 2 * 256
    assert found == Rates(
        32**3 / 0.5, 32**3 / 0.5, threads * 8 * 3 / 0.5, threads * 8 * 3 * 16 / 0.5, 2 * 4096 / 0.5
    )
    assert not failed


def test_a_library_that_fails_costs_its_own_rate_and_no_other(
    gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A run that was all set up on a GPU does not end there."""

    def refused(*_: Any) -> None:
        raise RuntimeError("cuBLAS refuses a product of matrices: status 15")

    monkeypatch.setattr(EmulatedRuntime, "int8_products", refused)
    run = benchmark.Run(gpu, TINY, tmp_path)
    run.all([], 100)
    assert run.rates is not None
    assert run.rates.int8 is None
    assert all((run.rates.float16, run.rates.float64, run.rates.shared_bytes, run.rates.copy_bytes))
    assert exact_products(run.rates, "int8", 4) is None
    written = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))
    assert "status 15" in written["failed"]["rate of int8"]
    assert written["measured_rates_per_second"]["int8"] is None
    assert float_products(gpu, replace(run.rates, float64=None), axsim.get("axfpm")) is None  # type: ignore[arg-type]


def test_kernels_that_measure_limits_do_that_work(runtime: EmulatedRuntime) -> None:
    xp = runtime.xp
    out = xp.empty(256)
    runtime.kernel(LIMITS, "double_rate")((1, 1, 1), (256, 1, 1), (out, np.int32(2)))
    chains = np.arange(256)[:, None] + np.arange(8)
    assert np.array_equal(xp.asnumpy(out), ((chains * 0.5 + 1) * 0.5 + 1).sum(1))
    vectors = xp.empty((256, 4), np.uint32)
    runtime.kernel(LIMITS, "shared_rate")((1, 1, 1), (256, 1, 1), (vectors, np.int32(1)))
    at = (np.arange(256)[:, None] + np.arange(8) * 128) % 1024
    for i in range(4):
        assert np.array_equal(xp.asnumpy(vectors)[:, i], np.bitwise_xor.reduce(at + i, axis=1))


def test_limits(gpu: FakeGpu) -> None:
    gpu.runtime = EmulatedRuntime(Path())  # 132 multiprocessors
    folded, _ = gpu_cases._table(axsim.get("mul8u_JQQ"), np.uint8, np.uint8)  # type: ignore[arg-type]
    assert look_ups(gpu, folded).products_per_second == pytest.approx(132 * 1.98e9 * 64)
    limit = exact_products(RATES, "int8", 4)
    assert limit is not None
    assert (limit.products_per_second, limit.name) == (2.5e14, "int8 tensor cores")
    assert "1e+15 multiply-adds/s" in limit.arithmetic
    assert "/ 4 for a product" in limit.arithmetic
    for name, rate in (("axfpm", 16e12 / 3), ("heap_like", 4e12), ("bfloat16", 4e12)):
        found = float_products(gpu, RATES, axsim.get(name))  # type: ignore[arg-type]
        assert found is not None
        assert found.products_per_second == rate
    for name, look in (("bfloat16[L40]", 1), ("float32[L40]", 3)):
        found = float_products(gpu, RATES, axsim.get(name))  # type: ignore[arg-type]
        assert found is not None
        assert found.products_per_second == pytest.approx(132 * 1.98e9 * 128 / 4 / look)


def test_rows_and_their_targets() -> None:
    case = Case("any", "products", None, {"a": Target(least_rate=5e11), "b": Target(most_ratio=10)})  # type: ignore[arg-type]
    work = Work({}, 10**9, lambda: None, {"a": Limit("banks", 2e12, "x")})
    times = {"a": timing(1e-3, 1e-3, 2e-3, 5), "b": timing(5e-3, 5e-3, 5e-3, 5, queued=False)}
    a, b = gpu_report.rows_of(case, work, times, True)
    assert (a["products_per_second"], a["share_of_limit"]) == (1e12, 0.5)
    assert a["seconds"] == {"median": 1e-3, "lower": 1e-3, "upper": 2e-3, "rounds": 5}
    assert a["host_seconds"]["median"] == 2e-5
    assert (a["host_apart"], b["host_apart"]) == (True, False)
    assert gpu_report._time(a, layers=False) == "1000 / 20"
    assert gpu_report._time(b, layers=False) == "5000 / 20 *"
    assert gpu_report._time(b, layers=True) == "5"
    assert a["target"] == {"aim": ">= 0.5e12 /s", "reached": True}
    assert b["target"] == {"aim": "< 10 x float32", "reached": None}
    assert b["limit"] is b["share_of_limit"] is None
    assert "target" not in gpu_report.rows_of(case, work, times, False)[0]
    times[gpu_cases.FLOAT32] = timing(5e-4, 5e-4, 5e-4, 5)
    _, b, exact = gpu_report.rows_of(case, work, times, True)
    assert (b["times_as_long_as_float32"], b["target"]["reached"]) == (10, False)
    assert exact["times_as_long_as_float32"] == 1


# --- profiles ---------------------------------------------------------------------------------------------


def test_profiles(gpu: FakeGpu, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gpu.times = itertools.cycle([1e-3])
    with patch.object(gpu_profile, "ncu", lambda *_: ("", "ncu is not on the PATH")):
        gpu_profile.profile_all(gpu, TINY, tmp_path)
    told = json.loads((tmp_path / "gpu_profile.json").read_text(encoding="utf-8"))
    assert set(told["seconds"]) == set(gpu_profile.profiled(TINY))
    assert all(math.isclose(found["quotient"], 1) for found in told["seconds"].values())
    assert "no hardware counters: ncu is not on the PATH" in capsys.readouterr().out


def ncu_line(number: int, kernel: str, section: str, *metric: str) -> str:
    """As ncu 2025 prints them."""
    place = ("7", "python3", "127.0.0.1", kernel, "1", "7", "(256, 1, 1)", "(132, 1, 1)", "0", "9.0")
    return ",".join(f'"{cell}"' for cell in (number, *place, section, *metric, ""))


HEADINGS = (
    "ID,Process ID,Process Name,Host Name,Kernel Name,Context,Stream,Block Size,Grid Size,Device,CC,"
    "Section Name,Metric Name,Metric Unit,Metric Value,Rule Name"
)
CSV = (
    ",".join(f'"{heading}"' for heading in HEADINGS.split(",")),
    ncu_line(0, "gather_columns", "GPU Speed Of Light Throughput", "Duration", "ms", "1,234.50"),
    ncu_line(0, "gather_columns", "Scheduler Statistics", "Issue Slots Busy", "%", "81.20"),
    ncu_line(0, "gather_columns", "Occupancy", "Block Limit SM", "block", "32"),
    ncu_line(1, "combine", "GPU Speed Of Light Throughput", "Duration", "us", "40.10"),
    "",
)
NCU = "\n".join(("==PROF== Connected to process 7", "==PROF== Disconnected from process 7", *CSV))


def test_counters_of_ncu_are_read(tmp_path: Path) -> None:
    assert gpu_profile.counters(NCU[NCU.index('"ID"') :]) == {
        "0 gather_columns": {"Duration": "1,234.50 ms", "Issue Slots Busy": "81.20 %"},
        "1 combine": {"Duration": "40.10 us"},
    }
    fake = tmp_path / "ncu"
    fake.write_text(
        f"#!/bin/sh\nprintf '%s' \"$*\" >{tmp_path}/asked\ncat <<'END'\n{NCU}END\n", encoding="utf-8"
    )
    fake.chmod(0o755)
    with patch.dict(gpu_profile.os.environ, {"PATH": f"{tmp_path}:{gpu_profile.os.environ['PATH']}"}):
        report, problem = gpu_profile.ncu(["axfpm"], TINY)
        assert (report, problem) == (NCU[NCU.index('"ID"') :], "")
        assert (tmp_path / "asked").read_text().endswith("-m benchmarks.gpu_profile full axfpm")
        assert "--clock-control none" in (tmp_path / "asked").read_text()
        fake.write_text("#!/bin/sh\necho no permission\nexit 3\n", encoding="utf-8")
        assert gpu_profile.ncu(["axfpm"], TINY) == ("", "ncu ended with 3: no permission")
