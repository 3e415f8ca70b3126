"""Helper threads: forks, many callers, and another library's threads."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from drawn_arrays import integers, random_folded

import axsim
from axsim import threads
from axsim.engines.cpu import reference

_native = pytest.importorskip("axsim._native", reason="axsim was installed without its compiled module")
native = pytest.importorskip("axsim.engines.cpu.native")

PROLOGUE = """
import os, sys, threading
import numpy as np
import axsim
from axsim import _native
axsim.set_num_threads(2)
random = np.random.default_rng(0)
a, b = (random.integers(0, 256, (300, 300), np.uint8) for _ in range(2))
exact = a.astype(np.int32) @ b
def check():
    assert np.array_equal(axsim.matmul(a, b, engine="native"), exact)
"""


def run(program: str) -> None:
    subprocess.run([sys.executable, "-c", PROLOGUE + program], check=True, timeout=600)


FORK = """
check()
for _ in range(5):
    child = os.fork()
    if not child:
        check()
        assert _native.helpers() == "own"
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    check()
"""


def test_a_forked_child_has_helpers_of_its_own() -> None:
    run(FORK)


def test_a_forked_child_leaves_openmp_alone() -> None:
    pytest.importorskip("torch")
    run(
        "import torch\ntorch.ones(300, 300) @ torch.ones(300, 300)\nassert _native.helpers() == 'OpenMP'\n"
        + FORK
    )


def test_fork_while_other_threads_compute() -> None:
    run(
        "stop = threading.Event()\n"
        "def loop():\n    while not stop.is_set(): check()\n"
        "callers = [threading.Thread(target=loop) for _ in range(3)]\n"
        "[caller.start() for caller in callers]\n"
        + FORK
        + "stop.set()\n[caller.join() for caller in callers]\n"
    )


ASLEEP = """
import time
def states():
    others = set(os.listdir("/proc/self/task")) - {str(threading.get_native_id())}
    return {open(f"/proc/self/task/{t}/stat").read().rsplit(")", 1)[1].split()[0] for t in others}
check()
patience = time.monotonic() + 300
while (found := states()) != {"S"} and time.monotonic() < patience:
    time.sleep(0.01)
assert found == {"S"}, found
"""


@pytest.mark.parametrize("load", ["", "import torch"])
def test_idle_helpers_fall_asleep(load: str) -> None:
    if load:
        pytest.importorskip("torch")
    run(f"{load}\n{ASLEEP}")


CALLS = {
    "look-ups": lambda: axsim.matmul(BYTES, BYTES, "L40", engine="native"),
    "factors": lambda: axsim.matmul(BYTES, BYTES, "JQQ", engine="factored"),
    "convolution": lambda: axsim.conv2d(BYTES[None, None], BYTES[:8, :18].reshape(8, 1, 6, 3), "L40"),
    "depthwise": lambda: axsim.conv2d(IMAGES, IMAGES[0, :, None, :3, :3], "L40", groups=64),
    "products": lambda: axsim.multiply(IMAGES, IMAGES, "L40"),
    "floats": lambda: axsim.matmul(FLOATS, FLOATS, "axfpm"),
    "segments": lambda: axsim.matmul(FLOATS, FLOATS, "bfloat16[L40]"),
    "float products": lambda: axsim.multiply(MANY, MANY, "axfpm"),
    "quantisation": lambda: axsim.quantize.quantize(MANY, axsim.quantize.QuantParams(1.0, 0, 0, 255)),
    "range": lambda: axsim.quantize.affine(MANY),
}
BYTES, FLOATS = integers(3, (700, 700), np.uint8), integers(4, (900, 900), np.uint8).astype(np.float32)
MANY = np.ones((2048, 2048), np.float32)
IMAGES = integers(5, (4, 64, 80, 80), np.uint8)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_second_thread_works(call: Callable[[], object]) -> None:
    """Not what was planned: another thread has begun to work, on a busy machine sooner or later."""
    threads.set_num_threads(2)
    try:
        before, patience = _native.helps(), time.monotonic() + 300
        while _native.helps() == before and time.monotonic() < patience:
            call()
        assert _native.helps() > before
        threads.set_num_threads(1)
        before = _native.helps()
        call()
        assert _native.helps() == before
    finally:
        threads.set_num_threads(None)


@pytest.mark.parametrize("count", [2, 5])
def test_many_python_threads_at_once(count: int) -> None:
    threads.set_num_threads(count)
    try:
        table = random_folded(9, 0, 65535)
        jobs = [(integers(i, (130, 300), np.uint8), integers(i + 50, (300, 140), np.uint8)) for i in range(8)]
        expected = [reference.gemm(table, a, b, np.int32) for a, b in jobs]
        with ThreadPoolExecutor(8) as pool:
            for _ in range(5):
                results = list(pool.map(lambda job: native.gemm(table, *job, np.int32), jobs))
                assert all(np.array_equal(out, right) for out, right in zip(results, expected, strict=True))
    finally:
        threads.set_num_threads(None)
