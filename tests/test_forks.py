"""Children that are forked while other threads are inside axsim.

AXSIM_TEST_FORKS says how many children there are in all, 200 by default.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from axsim.forks import unforked

FORKS = int(os.environ.get("AXSIM_TEST_FORKS", "200"))

PROGRAM = """
import os, signal, threading
import numpy as np
LOAD
import axsim
from axsim.engines.cpu import factored
from axsim.engines.forms.factored_table import known_form
from axsim.engines.forms.folded import fold
from axsim.multipliers import registry

axsim.set_num_threads(2)
random = np.random.default_rng(0)
a, b = (random.integers(0, 256, (40, 40), np.uint8) for _ in range(2))
x, y = (random.uniform(-1, 1, (40, 40)).astype(np.float32) for _ in range(2))
large = random.integers(0, 256, (200, 200), np.uint8)
params = axsim.quantize.affine(x)
table = axsim.get("JQQ").table
types = np.dtype(np.uint8), np.dtype(np.uint8)
form = known_form(table, fold(table, *types), *types)

def fresh():
    return axsim.register("fresh", lambda a, b: a * b & ~1, a_bits=5, b_bits=5, overwrite=True)

calls = {
    "get": lambda: axsim.get("L40")(200, 13),
    "families": lambda: axsim.get(f"bam8_h{random.integers(4)}_v5").table.sha256 and 0,
    "matmul": lambda: axsim.matmul(a, b, "L40"),
    "threads": lambda: axsim.matmul(large, large, "L40"),
    "floats": lambda: axsim.matmul(x, y, "JV3"),
    "factored": lambda: axsim.matmul(a, b, "JQQ", engine="factored"),
    "axfpm": lambda: axsim.matmul(x, y, "axfpm"),
    "segments": lambda: axsim.matmul(x, y, "float32[drum8_4]"),
    "multiply": lambda: axsim.multiply(a, b, "L40"),
    "quantize": lambda: axsim.quantize.quantize(x, params),
    "register": lambda: fresh()(3, 5),
    "list": lambda: len(axsim.list_multipliers()),
    "explain": lambda: axsim.explain(a, b, "GS2").choice,
    "blas": lambda: factored.gemm(form, large, large, np.dtype(np.int32), "float64"),
}
calls = {name: calls[name] for name in CALLS}

def forget():
    # As in a new process: threads are in the midst of the first call.
    for multiplier in registry.evoapprox().values():
        multiplier.__dict__.pop("table", None)
    registry._members._things.clear()

def loop(call, stop):
    while not stop.is_set():
        forget()
        call()

for name, call in calls.items():
    right = call()
    stop = threading.Event()
    threads = [threading.Thread(target=loop, args=(call, stop), daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(FORKS):
        child = os.fork()
        if not child:
            signal.alarm(300)  # a child that hangs is ended by it
            same = np.array_equal(call(), right)
            os._exit(0 if same else 1)
        status = os.waitpid(child, 0)[1]
        if status:
            print(f"{name}: a child ended with status {status}", flush=True)
            os._exit(1)
    stop.set()
    for thread in threads:
        thread.join()
    print(name, flush=True)
"""

CALLS = (
    "get", "families", "matmul", "threads", "floats", "factored", "axfpm", "segments", "multiply", "quantize",
    "register", "list", "explain", "blas",
)  # fmt: skip


def forked(calls: tuple[str, ...], load: str = "", forks: int = FORKS) -> None:
    program = PROGRAM.replace("LOAD", load).replace("CALLS", repr(calls))
    done = subprocess.run(
        [sys.executable, "-c", program.replace("FORKS", str(forks))],
        capture_output=True, text=True, timeout=1200 + 10 * forks, check=False,
    )  # fmt: skip
    assert (done.stdout.split(), done.returncode) == (list(calls), 0), done.stdout + done.stderr


@pytest.mark.parametrize("call", CALLS)
def test_children_compute_whatever_other_threads_were_doing(call: str) -> None:
    forked((call,), forks=-(-FORKS // len(CALLS)))


def test_children_of_a_process_with_torch() -> None:
    pytest.importorskip("torch")
    forked(("matmul", "axfpm"), load="import torch", forks=max(1, FORKS // 20))


def test_no_fork_while_a_thread_forbids_it() -> None:
    held, go = threading.Event(), threading.Event()

    def hold() -> None:
        with unforked:
            held.set()
            go.wait(600)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(600)
    forked_children: list[int] = []

    def fork() -> None:
        child = os.fork()
        if not child:
            with unforked:  # free in the child
                os._exit(0)
        forked_children.append(child)

    forker = threading.Thread(target=fork)
    forker.start()
    forker.join(0.2)
    assert forked_children == []
    go.set()
    forker.join()
    thread.join()
    assert os.waitpid(forked_children[0], 0)[1] == 0


def test_a_thread_that_forbids_forks_may_fork_itself() -> None:
    with unforked, unforked:
        child = os.fork()
        if not child:
            with unforked:
                os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    child = os.fork()
    if not child:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
