"""Daemon threads inside axsim while the interpreter ends (native/bindings/interpreter.h)."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROLOGUE = """
import sys, threading, time
import numpy as np
import axsim
random = np.random.default_rng(0)
a, b = (random.integers(0, 256, (64, 64), np.uint8) for _ in range(2))
x, y = (random.uniform(-1, 1, (64, 64)).astype(np.float32) for _ in range(2))
image, filters = a.reshape(1, 1, 64, 64), b[:4, :9].reshape(4, 1, 3, 3)
params = axsim.quantize.affine(x)
begun = threading.Event()
def loop():
    while True:
        CALL
        begun.set()
for _ in range(3):
    threading.Thread(target=loop, daemon=True).start()
assert begun.wait(600)
time.sleep(0.05)  # so that the threads are all somewhere in a call; a good end does not depend on it
print("the end")
"""

CALLS = {
    "matmul": "axsim.matmul(a, b, 'L40')",
    "matmul of floats": "axsim.matmul(x, y, 'L40')",
    "factored": "axsim.matmul(a, b, 'JQQ', engine='factored')",
    "float multiplier": "axsim.matmul(x, y, 'axfpm')",
    "segments": "axsim.matmul(x, y, 'float32[L40]')",
    "multiply": "axsim.multiply(a, b, 'L40')",
    "multiply of floats": "axsim.multiply(x, y, 'axfpm')",
    "conv2d": "axsim.conv2d(image, filters, 'L40')",
    "float conv2d": "axsim.conv2d(image.astype(np.float32), filters.astype(np.float32), 'axfpm')",
    "quantize": "axsim.quantize.quantize(x, params)",
    "affine": "axsim.quantize.affine(x)",
    "get": "axsim.get(f'drum8_{random.integers(2, 9)}').table",
    "reference": "axsim.matmul(a, b, 'L40', engine='reference')",
}


def end(program: str) -> None:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stdout, done.stderr) == (0, "the end\n", "")


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_threads_inside_axsim_do_not_spoil_the_end(call: str) -> None:
    end(PROLOGUE.replace("CALL", call))


@pytest.mark.parametrize("name", ["matmul", "float multiplier"])
def test_nor_do_they_with_the_helpers_of_torch(name: str) -> None:
    pytest.importorskip("torch")
    end("import torch\n" + PROLOGUE.replace("CALL", CALLS[name]))
