"""The emulated GPU runs right kernels rightly and sees wrong ones' mistakes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cuda_emulator.device_arrays import POISON, HostWaitsError
from tests.cuda_emulator.emulated_runtime import GAMING, HOPPER, TURING, EmulatedRuntime, EmulatorError

KERNELS = Path(__file__).parents[2] / "cuda_emulator" / "kernels"
N = 64


def mistake(emulated: EmulatedRuntime, name: str, *args: Any, words: int = 1, **launch: Any) -> Any:
    """Run a kernel of mistakes.cu with one block of 64 threads; what it wrote."""
    out = emulated.xp.empty(N, np.int32)
    kernel = emulated.kernel(KERNELS / "mistakes.cu", name, {"WORDS": words})
    kernel((1, 1, 1), (N, 1, 1), (out, *args), **launch)
    return emulated.xp.asnumpy(out)


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (9, 20), (33, 7)])
def test_transpose(emulated: EmulatedRuntime, shape: tuple[int, int]) -> None:
    xp = emulated.xp
    rows, columns = shape
    array = np.arange(rows * columns, dtype=np.int32).reshape(shape)
    out = xp.empty((columns, rows), np.int32)
    kernel = emulated.kernel(KERNELS / "transpose.cu", "transpose", {"TILE": 8})
    grid = (-(-columns // 8), -(-rows // 8), 1)
    kernel(grid, (8, 8, 1), (xp.asarray(array), out, np.int32(rows), np.int32(columns)))
    np.testing.assert_array_equal(xp.asnumpy(out), array.T)
    assert emulated.launches == ["transpose"]


@pytest.mark.parametrize("name", ["race", "reused_too_early", "between_warps"])
def test_a_race_is_seen(emulated: EmulatedRuntime, name: str) -> None:
    with pytest.raises(
        EmulatorError, match=r"race in shared memory: (reads|writes) what .*\(mistakes\.cu:\d+"
    ):
        mistake(emulated, name)


def test_two_threads_that_write_one_word(emulated: EmulatedRuntime) -> None:
    with pytest.raises(EmulatorError, match="race in shared memory: writes what thread"):
        mistake(emulated, "same_dynamic_word", shared=4 * N)


def test_what_barriers_and_atomics_order_is_no_race(emulated: EmulatedRuntime) -> None:
    x = np.arange(N)
    np.testing.assert_array_equal(mistake(emulated, "no_race"), (x + 1) % N)
    np.testing.assert_array_equal(mistake(emulated, "within_warp"), x // 32 * 32 + (x + 1) % 32)
    np.testing.assert_array_equal(mistake(emulated, "counts"), x.sum())


def test_threads_run_in_another_order_every_time(builds: Path) -> None:
    def order_of(runtime: EmulatedRuntime) -> list[int]:
        out, clock = runtime.xp.empty(N, np.int32), runtime.xp.zeros(1, np.int32)
        runtime.kernel(KERNELS / "order.cu", "order")((1, 1, 1), (N, 1, 1), (out, clock))
        return list(runtime.xp.asnumpy(out))

    runtime = EmulatedRuntime(builds, seed=1)
    first, second = order_of(runtime), order_of(runtime)
    assert sorted(first) == sorted(second) == list(range(N))
    assert first != second
    assert order_of(EmulatedRuntime(builds, seed=1)) == first


@pytest.mark.parametrize("name", ["divergent", "two_barriers"])
def test_a_barrier_that_not_all_threads_reach(emulated: EmulatedRuntime, name: str) -> None:
    with pytest.raises(EmulatorError, match=r"barrier that not all .*waits at mistakes\.cu:\d+"):
        mistake(emulated, name)


def test_a_shuffle_that_half_the_warp_misses(emulated: EmulatedRuntime) -> None:
    with pytest.raises(EmulatorError, match=r"barrier that not all threads reach: .* for its warp"):
        mistake(emulated, "half_a_warp")


def test_warps_work_together(emulated: EmulatedRuntime) -> None:
    votes = emulated.xp.empty(N, np.int32)
    out = mistake(emulated, "shuffles", votes)
    x, lane = np.arange(N), np.arange(N) % 32
    sums = np.repeat([x[:32].sum(), x[32:].sum()], 32)
    np.testing.assert_array_equal(out, sums + 7000 + 100000 * np.maximum(lane - 1, 0))
    down = np.where(lane < 29, lane + 3, lane)
    np.testing.assert_array_equal(emulated.xp.asnumpy(votes), 0x55555555 + down)


@pytest.mark.parametrize("write", [0, 1])
@pytest.mark.parametrize("at", [N, N + 100, -1, -70, -1000])
def test_outside_an_array(emulated: EmulatedRuntime, write: int, at: int) -> None:
    with pytest.raises(
        EmulatorError, match=rf"outside array argument 0: byte {4 * at} of 256 \(mistakes\.cu"
    ):
        mistake(emulated, "access", np.int32(write), np.int64(at))


def test_read_only_arrays_cannot_be_written(emulated: EmulatedRuntime) -> None:
    table = emulated.constant(np.arange(N, dtype=np.int32), emulated)
    kernel = emulated.kernel(KERNELS / "mistakes.cu", "read_only", {"WORDS": 1})
    with pytest.raises(EmulatorError, match=r"write to array argument 0, which is read-only \(mistakes\.cu"):
        kernel((1, 1, 1), (N, 1, 1), (table, emulated.xp.empty(N, np.int32)))


def test_vectors_are_aligned(emulated: EmulatedRuntime) -> None:
    xp = emulated.xp
    kernel = emulated.kernel(KERNELS / "mistakes.cu", "vector", {"WORDS": 1})
    array, out = xp.arange(20, dtype=np.int32), xp.empty(4, np.int32)
    kernel((1, 1, 1), (N, 1, 1), (array, out, np.int32(4)))
    np.testing.assert_array_equal(xp.asnumpy(out), [4, 5, 6, 7])
    for view, at in ((array, 2), (array[2:], 0), (array[1:], 4)):
        with pytest.raises(EmulatorError, match=r"mistakes\.cu:\d+: address .* is not aligned to 16 bytes"):
            kernel((1, 1, 1), (N, 1, 1), (view, out, np.int32(at)))
    kernel((1, 1, 1), (N, 1, 1), (array[2:], out, np.int32(2)))
    np.testing.assert_array_equal(xp.asnumpy(out), [4, 5, 6, 7])


def test_outside_shared_arrays(emulated: EmulatedRuntime) -> None:
    with pytest.raises(EmulatorError, match=r"mistakes\.cu:\d+: index outside an array"):
        mistake(emulated, "shared_index", np.int32(1))
    for at, message in ((1, "access outside the 252 bytes of dynamic"), (-1, "access outside the 252 bytes")):
        with pytest.raises(EmulatorError, match=message):
            mistake(emulated, "dynamic_index", np.int32(at), shared=4 * N - 4)
    mistake(emulated, "dynamic_index", np.int32(0), shared=4 * N)


def test_shared_memory_is_limited(emulated: EmulatedRuntime) -> None:
    with pytest.raises(EmulatorError, match="49156 bytes of static shared memory, 49152 are allowed"):
        mistake(emulated, "static_shared", words=12289)
    for device in (HOPPER, GAMING, TURING):
        runtime, most = emulated.on(device), device.shared_per_block
        with pytest.raises(
            EmulatorError, match=f"{most + 1} bytes of dynamic shared memory, the device has {most}"
        ):
            mistake(runtime, "static_shared", shared=most + 1)
        with pytest.raises(EmulatorError, match=r"256 bytes of static and \d+ of dynamic"):
            mistake(runtime, "static_shared", words=64, shared=most - 252)
        mistake(runtime, "static_shared", words=64, shared=most - 256)
    with pytest.raises(EmulatorError, match="gave no dynamic shared memory"):
        mistake(emulated, "same_dynamic_word")


def test_nothing_is_zero_by_chance(emulated: EmulatedRuntime) -> None:
    first, second = (mistake(emulated, "unset_shared") for _ in range(2))
    assert (first != 0).all()
    assert (first != second).all()
    assert (emulated.xp.asnumpy(emulated.xp.empty((3, 5), np.uint8)) == POISON).all()
    assert (emulated.xp.asnumpy(emulated.xp.empty_like(emulated.xp.zeros(4, np.uint8))) == POISON).all()


@pytest.mark.parametrize(
    ("x", "y", "what", "message"),
    [
        (2**31 - 1, 1, 0, "signed integer overflow in an addition"),
        (1, 32, 1, "shift by more bits"),
        (1, 0, 2, "division by zero"),
    ],
)
def test_undefined_arithmetic(emulated: EmulatedRuntime, x: int, y: int, what: int, message: str) -> None:
    with pytest.raises(EmulatorError, match=rf"mistakes\.cu:\d+: {message}"):
        mistake(emulated, "arithmetic", *map(np.int32, (x, y, what)))
    assert mistake(emulated, "arithmetic", *map(np.int32, (3, 1, what)))[0] == (4, 6, 3)[what]


def test_after_a_mistake_kernels_run_as_before(emulated: EmulatedRuntime) -> None:
    for _ in range(3):
        with pytest.raises(EmulatorError, match="barrier"):
            mistake(emulated, "divergent")
        np.testing.assert_array_equal(mistake(emulated, "no_race"), (np.arange(N) + 1) % N)


@pytest.mark.parametrize(
    ("grid", "block", "message"),
    [
        ((0, 1, 1), (N, 1, 1), "grid"),
        ((1, 65536, 1), (N, 1, 1), "grid"),
        ((1, 1, 1), (1025, 1, 1), "block"),
        ((1, 1, 1), (32, 33, 1), "more than 1024 threads"),
        ((1, 1, 1), (1, 1, 65), "block"),
        ((1, 1, 1), (np.int64(64), 1, 1), "block"),
        ((1, 1), (64, 1, 1), "grid"),
    ],
)
def test_launches_are_limited(emulated: EmulatedRuntime, grid: Any, block: Any, message: str) -> None:
    kernel = emulated.kernel(KERNELS / "mistakes.cu", "no_race", {"WORDS": 1})
    with pytest.raises(EmulatorError, match=message):
        kernel(grid, block, (emulated.xp.empty(N, np.int32),))


def test_launch_bounds_are_kept(emulated: EmulatedRuntime) -> None:
    kernel = emulated.kernel(KERNELS / "mistakes.cu", "no_race", {"WORDS": 1})
    with pytest.raises(EmulatorError, match=r"128 threads, its __launch_bounds__ allow 64"):
        kernel((1, 1, 1), (2 * N, 1, 1), (emulated.xp.empty(2 * N, np.int32),))


def every_type(xp: Any) -> list[Any]:
    numbers = np.int32(-4), np.uint32(8), np.int64(16), np.float32(32), np.float64(64), np.uint8(128)
    return [xp.ones(1, np.uint8), 2 * xp.ones(1, np.float32), *numbers, xp.empty(1, np.float64)]


def test_arguments_of_every_type(emulated: EmulatedRuntime) -> None:
    args = every_type(emulated.xp)
    emulated.kernel(KERNELS / "mistakes.cu", "every_type", {"WORDS": 1})((1, 1, 1), (N, 1, 1), tuple(args))
    assert emulated.xp.asnumpy(args[-1])[0] == 1 + 2 - 4 + 8 + 16 + 32 + 64 + 128


@pytest.mark.parametrize(
    ("which", "wrong", "message"),
    [
        (0, lambda xp: np.ones(1, np.uint8), "argument 0 is ndarray, expected a device array"),
        (0, lambda xp: xp.ones(1, np.int32), "argument 0 is int32, its parameter points to u8"),
        (1, lambda xp: xp.ones(1, np.int32), "argument 1 is int32, its parameter points to f32"),
        (1, lambda xp: xp.ones(4, np.float32)[::2], "argument 1 is not C-contiguous"),
        (2, lambda xp: 3, "argument 2 is int, its parameter is i32"),
        (2, lambda xp: np.int64(3), "argument 2 is int64, its parameter is i32"),
        (3, lambda xp: np.int32(3), "argument 3 is int32, its parameter is u32"),
        (5, lambda xp: np.float64(3), "argument 5 is float64, its parameter is f32"),
    ],
)
def test_arguments_of_wrong_types(
    emulated: EmulatedRuntime, which: int, wrong: Callable[[Any], Any], message: str
) -> None:
    args = every_type(emulated.xp)
    args[which] = wrong(emulated.xp)
    kernel = emulated.kernel(KERNELS / "mistakes.cu", "every_type", {"WORDS": 1})
    with pytest.raises(TypeError, match=re.escape(message)):
        kernel((1, 1, 1), (N, 1, 1), tuple(args))
    with pytest.raises(EmulatorError, match="takes 9 arguments, got 8"):
        kernel((1, 1, 1), (N, 1, 1), tuple(args[:-1]))


def test_overlapping_arrays(emulated: EmulatedRuntime) -> None:
    kernel = emulated.kernel(KERNELS / "transpose.cu", "transpose", {"TILE": 8})
    array = emulated.xp.zeros(3, np.int32)
    size = np.int32(1), np.int32(1)
    with pytest.raises(EmulatorError, match="argument 1 overlaps"):
        kernel((1, 1, 1), (8, 8, 1), (array[:2], array[1:], *size))
    kernel((1, 1, 1), (8, 8, 1), (array[:2], array[:2], *size))


def test_the_compiler_s_words_are_passed_on(emulated: EmulatedRuntime) -> None:
    with pytest.raises(EmulatorError, match=r"(?s)g\+\+ does not take.*transpose\.cu:\d+.*TILE"):
        emulated.kernel(KERNELS / "transpose.cu", "transpose")


class TestDeviceArrays:
    @pytest.mark.parametrize(
        "look",
        [int, float, bool, lambda a: a.item(), lambda a: a.tolist(), lambda a: a.get(), lambda a: [0, 1][a]],
    )
    def test_the_host_does_not_wait(self, emulated: EmulatedRuntime, look: Callable[[Any], Any]) -> None:
        with pytest.raises(HostWaitsError):
            look(emulated.xp.arange(3)[1])
        with pytest.raises(HostWaitsError):
            look(emulated.xp.arange(3).max())

    def test_host_arrays_do_not_mix(self, emulated: EmulatedRuntime) -> None:
        xp = emulated.xp
        device, host = xp.arange(3), np.arange(3)
        for mix in (
            lambda: device + host,
            lambda: host + device,
            lambda: xp.concatenate([device, host]),
            lambda: xp.sum(host),
            lambda: np.concatenate([host, device]),
            lambda: device.__setitem__(0, host),
            lambda: np.add(device, device, out=host),
        ):
            with pytest.raises(TypeError, match="NumPy array"):
                mix()

    def test_results_are_device_arrays(self, emulated: EmulatedRuntime) -> None:
        xp = emulated.xp
        array = xp.arange(6).reshape(2, 3)
        out = xp.empty(3, np.int64)
        assert xp.sum(array, axis=0, out=out) is out
        results = (
            array.sum(),
            array[0, 0],
            array.T,
            xp.where(array > 2, array, 0),
            -array,
            array.astype("u1"),
        )
        assert all(isinstance(result, xp.ndarray) for result in results)
        np.testing.assert_array_equal(xp.asnumpy(out), [3, 5, 7])
        array[0] = 5
        array[1, 1] = array[0, 0]
        np.testing.assert_array_equal(xp.asnumpy(array), [[5, 5, 5], [3, 5, 5]])

    def test_data_is_copied(self, emulated: EmulatedRuntime) -> None:
        host = np.zeros(3)
        device = emulated.xp.asarray(host)
        device[:] = 1
        back = emulated.xp.asnumpy(device)
        back[:] = 2
        assert list(host) == [0, 0, 0]
        assert list(emulated.xp.asnumpy(device)) == [1, 1, 1]

    def test_only_what_cupy_has(self, emulated: EmulatedRuntime) -> None:
        pytest.importorskip("cupy", reason="says which functions it has")
        with pytest.raises(AttributeError, match="CuPy has no memmap"):
            _ = emulated.xp.memmap


class TestCapture:
    def test_nothing_new_is_made(self, emulated: EmulatedRuntime) -> None:
        xp, kernels = emulated.xp, KERNELS / "mistakes.cu"
        out = xp.empty(N, np.int32)
        kernel = emulated.kernel(kernels, "no_race", {"WORDS": 1})
        table = emulated.constant(np.arange(3), emulated)
        emulated.capturing_now = True
        assert emulated.kernel(kernels, "no_race", {"WORDS": 1}) is kernel
        assert emulated.constant(np.arange(3), emulated) is table
        kernel((1, 1, 1), (N, 1, 1), (out,))
        for new in (
            lambda: emulated.kernel(kernels, "counts", {"WORDS": 1}),
            lambda: emulated.constant(np.arange(3), emulated, "other"),
            lambda: xp.asarray(np.arange(3)),
            lambda: xp.asnumpy(out),
        ):
            with pytest.raises(HostWaitsError):
                new()


def test_products(emulated: EmulatedRuntime) -> None:
    xp, random = emulated.xp, np.random.default_rng(0)
    left, right = random.integers(-128, 128, (5, 32), np.int8), random.integers(-128, 128, (3, 32), np.int8)
    out = xp.empty((5, 3), np.int32)
    emulated.int8_products(xp.asarray(left), xp.asarray(right), out)
    np.testing.assert_array_equal(xp.asnumpy(out), left.astype(int) @ right.T.astype(int))
    half = xp.empty((5, 3), np.float32)
    emulated.half_products(*(xp.asarray(x.astype(np.float16)) for x in (left, right)), half)
    np.testing.assert_array_equal(xp.asnumpy(half), left.astype(int) @ right.T.astype(int))
    with pytest.raises(ValueError, match="K is 31"):
        emulated.int8_products(*(xp.asarray(x[:, :31]).copy() for x in (left, right)), out)
    with pytest.raises(ValueError, match="shapes"):
        emulated.int8_products(xp.asarray(left), xp.asarray(right), xp.empty((3, 5), np.int32))
    with pytest.raises(TypeError, match="out is int64"):
        emulated.int8_products(xp.asarray(left), xp.asarray(right), xp.empty((5, 3), np.int64))


def test_constants_live_as_long_as_their_owner(emulated: EmulatedRuntime) -> None:
    class Owner:
        pass

    made = []

    def host() -> Any:
        made.append(1)
        return np.arange(3)

    owner = Owner()
    first = emulated.constant(host, owner, "a")
    assert emulated.constant(host, owner, "a") is first
    assert emulated.constant(host, owner, "b") is not first
    assert len(made) == 2
    del owner
    emulated.constant(host, Owner(), "a")
    assert len(made) == 3
