"""Helper threads: forks, many callers, and another library's threads."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from drawn_arrays import integers, random_folded

from axsim import threads
from axsim.engines.cpu import reference

pytest.importorskip("axsim._native", reason="axsim was installed without its compiled module")
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
    subprocess.run([sys.executable, "-c", PROLOGUE + program], check=True, timeout=60)


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


@pytest.mark.parametrize("load", ["", "import torch"])
def test_idle_helpers_use_no_processor(load: str) -> None:
    if load:
        pytest.importorskip("torch")
    run(
        f"{load}\n" + "import time\ncheck(); time.sleep(0.1)\nbefore = time.process_time()\ntime.sleep(0.3)\n"
        "assert time.process_time() - before < 0.03\n"
    )


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
