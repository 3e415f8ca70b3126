"""The checks of ``gpu_checks`` on the emulated GPU, with small shapes: they pass, and they can fail."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any
from unittest.mock import patch

import gpu_checks as checks
import numpy as np
import pytest
from gpu_places import SPIN, Host, Place

from axsim.engines.gpu import arrays, factored
from axsim.engines.gpu.floats import engine as floats
from axsim.engines.gpu.gather import engine as gather
from axsim.engines.gpu.runtime.current import using
from tests.cuda_emulator.device_arrays import DeviceArray
from tests.cuda_emulator.emulated_runtime import EmulatedRuntime, compiler
from tests.cuda_emulator.library import EmulatedLibrary


class EmulatedKind:
    """Arrays of the emulated GPU; fresh ones always begin with garbage."""

    name, reverses = "emulated", True

    def __init__(self, runtime: EmulatedRuntime) -> None:
        self.runtime = runtime

    def array(self, host: Host) -> Any:
        return self.runtime.xp.asarray(host, order="C")

    def host(self, array: Any) -> Host:
        return self.runtime.xp.asnumpy(array)

    def broadcast(self, array: Any, shape: tuple[int, ...]) -> Any:
        return self.runtime.xp.broadcast_to(array, shape)

    def owns(self, array: object) -> bool:
        return isinstance(array, DeviceArray)

    def poison(self, size: int) -> None:
        pass

    def delay(self) -> None:
        cycles = self.runtime.xp.empty(1, np.int64)
        self.runtime.kernel(SPIN, "spin")((1, 1, 1), (1, 1, 1), (cycles, np.int64(5)))
        assert self.host(cycles)[0] == 5

    def other_stream(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def captured(self, call: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
        """A replay makes the call again, under the rules of a capture."""

        def captured_call() -> Any:
            self.runtime.capturing_now = True
            try:
                return call()
            finally:
                self.runtime.capturing_now = False

        call()
        result = captured_call()

        def replay() -> None:
            result[...] = captured_call()

        return replay, result


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    if compiler() is None:
        pytest.skip("no C++ compiler: the CUDA sources cannot be compiled for the CPU")
    base = tmp_path_factory.getbasetemp()  # the same folder as in tests/engines/gpu
    builds = (base.parent if base.name.startswith("popen-") else base) / "cuda-on-cpu"
    builds.mkdir(exist_ok=True)
    runtime = EmulatedRuntime(builds)
    with patch.object(arrays, "LIBRARIES", (EmulatedLibrary(),)), using(runtime):
        yield Place(runtime, (EmulatedKind(runtime),), threads=1)


@pytest.mark.parametrize("name", ["mul8u_L40", "exact8s", "drawn17"])
def test_integers(place: Place, name: str) -> None:
    checks.check_matmul(place, name, (9, 7, 8), checks.TYPES[1])
    checks.check_batches(place, name, *checks.BATCHES[2])
    checks.check_conv2d(place, name, "groups")


def test_sums_in_pieces(place: Place) -> None:
    checks.check_matmul(place, "mul8u_JQQ", (5, 6, 7), checks.TYPES[0])  # two powers of two
    checks.check_matmul(place, "mul8u_1446", (3, 1100, 2), checks.TYPES[0])  # float16 sums 1,016 at a time


def test_every_pair(place: Place) -> None:
    checks.check_every_pair(place, "mul8u_1446", checks.TYPES[1:2])


def test_every_case_is_a_convolution(place: Place) -> None:
    for case in ("depthwise", "few windows, many filters", "dilated, same", "no images", "no channels"):
        checks.check_conv2d(place, "drawn16", case, out_dtype="int64")


def test_variants(place: Place) -> None:
    checks.check_variants(place, "drawn16", "int32", "wider than a tile", most=2)


def test_every_variant_has_its_turn() -> None:
    work = gather.Sums(1, 795, 130, 41, False, 2, 65537, 4)
    device, used = EmulatedRuntime(Path()).device, []
    for choose in checks.VariantsInTurn(None):
        used.append(choose(device, work))
        assert used[-1] is choose.used
    assert {v.kernel for v in used} == {"gather_columns", "gather_table"}
    assert {v.buffers for v in used} == {0, 1, 2}
    assert {v.stream_left for v in used} == {True, False}
    assert {v.splits > 1 for v in used} == {True, False}
    assert len(set(used)) == len(used) > 16


@pytest.mark.parametrize(("name", "engine"), [("drawn16", "gather"), ("mul8u_1446", "factored")])
def test_large_products(place: Place, name: str, engine: str) -> None:
    checks.check_large_matmul(place, name, (20, 19, 33), checks.TYPES[0], engine)
    checks.check_large_conv2d(place, name, (3, 4, 6, 5), (6, 2, 3, 2), engine, padding=1, stride=2, groups=2)


@pytest.mark.parametrize(("name", "engine"), [("mul8u_L40", "gather"), ("mul8u_1446", "factored")])
def test_quantised(place: Place, name: str, engine: str) -> None:
    checks.check_quantised(place, place.kinds[0], name, engine)


@pytest.mark.parametrize("name", ["axfpm", "bfloat16[L40]"])
def test_floats(place: Place, name: str) -> None:
    checks.check_float_multiplier(place, name)
    checks.check_float_tiles(place, name, (5, 3, 4), 1)
    checks.check_large_float(place, name, (18, 7, 9))


@pytest.mark.parametrize("operation", checks.operations())
def test_circumstances(place: Place, operation: str) -> None:
    kind = place.kinds[0]
    checks.check_stream(place, kind, operation)
    checks.check_graph(place, kind, operation)


@pytest.mark.parametrize("operation", ["gather", "factored", "axfpm, windows"])
def test_layouts(place: Place, operation: str) -> None:
    checks.check_layouts(place, place.kinds[0], operation)


def test_threads_and_refusals(place: Place) -> None:
    checks.check_threads(place, place.kinds[0])
    checks.check_refusals(place, place.kinds[0])


# --- that they can fail -----------------------------------------------------------------------------------


def spoilt(function: Callable[..., Any]) -> Callable[..., Any]:
    """One number of every result is one unit off."""

    def call(*args: Any, **kwargs: Any) -> Any:
        out = function(*args, **kwargs)
        if out.size:
            out.reshape(-1).view(f"i{out.itemsize}")[-1:] += 1
        return out

    return call


@pytest.mark.parametrize(
    ("module", "function", "check"),
    [
        (gather, "lookup", lambda p: checks.check_every_pair(p, "mul8u_L40", checks.TYPES[:1])),
        (gather, "gemm", lambda p: checks.check_matmul(p, "mul8u_L40", (3, 4, 5), checks.TYPES[0])),
        (gather, "gemm", lambda p: checks.check_batches(p, "mul8u_L40", (5, 7), (7, 2))),
        (
            gather,
            "gemm",
            lambda p: checks.check_large_matmul(p, "drawn16", (5, 4, 3), checks.TYPES[0], "gather"),
        ),
        (gather, "conv2d", lambda p: checks.check_conv2d(p, "drawn16", "1x1")),
        (gather, "conv2d", lambda p: checks.check_variants(p, "drawn16", "int32", "1x1", most=1)),
        (gather, "conv2d", lambda p: checks.check_quantised(p, p.kinds[0], "mul8u_L40", "gather")),
        (factored, "gemm", lambda p: checks.check_matmul(p, "mul8u_1446", (3, 4, 5), checks.TYPES[0])),
        (floats, "multiply", lambda p: checks.check_float_multiplier(p, "axfpm")),
        (floats, "gemm", lambda p: checks.check_float_tiles(p, "axfpm", (3, 2, 4), None)),
        (floats, "gemm", lambda p: checks.check_large_float(p, "axfpm", (4, 3, 5))),
        (floats, "gemm", lambda p: checks.check_stream(p, p.kinds[0], "axfpm")),
        (gather, "gemm", lambda p: checks.check_graph(p, p.kinds[0], "gather")),
        (gather, "gemm", lambda p: checks.check_layouts(p, p.kinds[0], "gather")),
        (gather, "gemm", lambda p: checks.check_threads(p, p.kinds[0])),
    ],
)
def test_one_wrong_number_fails_a_check(
    place: Place, module: Any, function: str, check: Callable[[Place], None]
) -> None:
    with (
        patch.object(module, function, spoilt(getattr(module, function))),
        pytest.raises(AssertionError, match=r"1 of \d+ numbers differ, within \["),
    ):
        check(place)


def test_numbers_are_told_apart() -> None:
    zeros = np.array([0.0, -0.0, np.nan, 1.0], np.float32)
    others = np.array([-0.0, -0.0, -np.nan, np.nextafter(np.float32(1), np.float32(2))], np.float32)
    assert checks.different(zeros, others).tolist() == [True, False, False, True]
    wrong = np.zeros((4, 6), bool)
    wrong[1:3, 5] = True
    found = np.arange(24).reshape(4, 6)
    assert checks.where(wrong, found, found + 1) == (
        "2 of 24 numbers differ, within [1..2, 5..5] of [4, 6]; the first at (1, 5): 11, expected 12"
    )
    only = np.array(True)
    assert checks.where(only, np.array(3), np.array(4)).endswith("the first at (): 3, expected 4")


def test_the_report_says_which_check_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that never ends is stopped from outside, and is named by what is left of it."""
    spec = spec_from_file_location("gpu_report_of_checks", Path(__file__).with_name("conftest.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "_machine", lambda: {"gpu": None})
    report = module.Report(tmp_path / "report.json")
    report.pytest_runtest_logstart("test_gpu.py::test_threads")
    written = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert (written["finished"], written["running"]) == (False, "test_gpu.py::test_threads")
    report.pytest_sessionfinish()
    assert "running" not in json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
