"""What holds on the way into every function: the floating-point environment, and Dynamo's absence."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import axsim
from axsim import entrance
from axsim.multipliers.float_formats import BFLOAT16, FLOAT32

FLUSH_AND_ZERO, UPWARD = 0x9FC0, 0x5F80  # MXCSR with flush-to-zero and denormals-are-zero; rounding up

native = pytest.importorskip("axsim._native", reason="only the compiled module sets a thread's mode here")
if entrance._enter().__class__ is not int or native.enter_float_mode() != 0x1F80:
    pytest.skip("the modes below are those of x86-64", allow_module_level=True)


@contextmanager
def mode(word: int) -> Iterator[None]:
    """A caller's thread whose mode is not the default one."""
    before = native.enter_float_mode()
    native.leave_float_mode(word)
    try:
        yield
        assert current() == word, "the caller's mode is not as it was"
    finally:
        native.leave_float_mode(before)


def current() -> int:
    word = native.enter_float_mode()
    native.leave_float_mode(word)
    return word & ~0x3F  # without the flags of what has happened


RANDOM = np.random.default_rng(0)
TINY = (RANDOM.uniform(-4, 4, (90, 70)) * 1e-20).astype(np.float32)
SMALL = (RANDOM.uniform(-4, 4, (70, 80)) * 1e-20).astype(np.float32)
SUBNORMAL = (RANDOM.uniform(-4, 4, (90, 70)) * 1e-39).astype(np.float32)
IMAGE = (RANDOM.uniform(-4, 4, (2, 3, 9, 9)) * 1e-20).astype(np.float32)
FILTERS = (RANDOM.uniform(-4, 4, (4, 3, 3, 3)) * 1e-19).astype(np.float32)
BIAS = (RANDOM.uniform(-4, 4, 4) * 1e-40).astype(np.float32)
ORDINARY = (RANDOM.uniform(-4, 4, (70, 80))).astype(np.float32)
SQUARES = TINY.astype(np.float64) ** 2
MIDDLE = TINY * np.float32(1e3)
ABOVE = (SUBNORMAL.astype(np.float64) * 1e33).astype(np.float32)
PARAMS = axsim.quantize.QuantParams(3e-41, 7, 0, 255)

Run = Callable[[str], Any]
CASES: dict[str, Run] = {
    "float matmul": lambda engine: axsim.matmul(TINY, SMALL, "float32", engine=engine),
    "subnormal operands": lambda engine: axsim.matmul(SUBNORMAL, ORDINARY, "float32", engine=engine),
    "segments": lambda engine: axsim.matmul(TINY, SMALL, "float32[L40]", engine=engine),
    "bfloat16": lambda engine: axsim.matmul(SUBNORMAL, ORDINARY, "bfloat16", engine=engine),
    "truncated": lambda engine: axsim.matmul(MIDDLE, SMALL, "axfpm", engine=engine),
    "float multiply": lambda engine: axsim.multiply(TINY, TINY, "float32", engine=engine),
    "float conv2d": lambda engine: axsim.conv2d(IMAGE, FILTERS, "float32", bias=BIAS, engine=engine),
    "quantised matmul": lambda engine: axsim.matmul(SUBNORMAL, ORDINARY, "L40", engine=engine),
    "quantised conv2d": lambda engine: axsim.conv2d(IMAGE, FILTERS, "L40", bias=BIAS, engine=engine),
    "quantised multiply": lambda engine: axsim.multiply(SUBNORMAL, ORDINARY[:1, :70], "L40", engine=engine),
    "quantize": lambda engine: axsim.quantize.quantize(SUBNORMAL, PARAMS),
    "dequantize": lambda engine: axsim.quantize.dequantize(np.arange(256, dtype=np.uint8), PARAMS),
    "affine": lambda engine: axsim.quantize.affine(SUBNORMAL).scale,
    "affine of a percentile": lambda engine: axsim.quantize.affine(SUBNORMAL, method="percentile").scale,
    "symmetric": lambda engine: axsim.quantize.symmetric(SUBNORMAL, axis=0).scale,
    "FloatMultiplier": lambda engine: axsim.get("axfpm")(MIDDLE, MIDDLE),
    "operand": lambda engine: axsim.get("float16").operand(ABOVE),
    "format": lambda engine: FLOAT32.round(SQUARES),
    "subnormal format": lambda engine: BFLOAT16.round(SUBNORMAL),
    "significands": lambda engine: BFLOAT16.decompose(SUBNORMAL)[1],
    "metrics": lambda engine: np.array(list(vars(axsim.get("L40").metrics()).values()), np.float64),
}


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("word", [FLUSH_AND_ZERO, UPWARD], ids=["flush", "upward"])
@pytest.mark.parametrize("run", CASES.values(), ids=CASES)
def test_results_do_not_depend_on_the_callers_mode(run: Run, word: int, threads: int, engine: str) -> None:
    axsim.set_num_threads(threads)
    try:
        expected = np.asarray(run(engine))
        assert expected.any()
        with mode(word):
            found = np.asarray(run(engine))
    finally:
        axsim.set_num_threads(None)
    assert found.tobytes() == expected.tobytes()


def test_helpers_do_not_inherit_the_mode_of_the_thread_that_made_them() -> None:
    """In a process of its own, whose first call makes the helpers while subnormal numbers are flushed."""
    code = f"""
import numpy as np, axsim
from axsim import _native
axsim.set_num_threads(2)
a = np.full((400, 300), 1e-20, np.float32)
b = np.full((300, 400), 1e-21, np.float32)
_native.leave_float_mode({FLUSH_AND_ZERO})
for _ in range(100):
    out = axsim.matmul(a, b, "float32")
    if _native.helps():
        break
assert _native.helps(), "no helper ever ran"
assert (out.view(np.uint32) == out.view(np.uint32)[0, 0]).all() and out.view(np.uint32)[0, 0], out
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=600)


def test_an_error_leaves_the_callers_mode() -> None:
    with mode(FLUSH_AND_ZERO), pytest.raises(ValueError, match="has no axes"):
        axsim.matmul(TINY, np.float32(1), "float32")


def test_the_mode_is_set_without_the_compiled_module_too() -> None:
    enter, leave = entrance._float_mode_of_libm()
    with mode(FLUSH_AND_ZERO):
        saved = enter()
        product = np.float32(1e-20) * np.float32(1e-21)
        leave(saved)
    assert product > 0


def test_a_library_that_is_not_there_leaves_the_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "PyDLL", missing)
    enter, leave = entrance._float_mode_of_libm()
    with mode(UPWARD):
        leave(enter())


COMPILED = """
import numpy as np, torch, axsim
torch.manual_seed(0)
x, w = torch.rand(2, 3), torch.rand(3, 2)
image, filters = torch.rand(1, 2, 5, 5), torch.rand(3, 2, 3, 3)
params = axsim.quantize.QuantParams(0.01, 0, 0, 255)
functions = {
    "matmul": lambda: axsim.matmul(x * 2, w, "L40") + 1,
    "bytes": lambda: axsim.matmul((x * 9).to(torch.uint8), (w * 9).to(torch.uint8), "L40") + 1,
    "float": lambda: axsim.matmul(x * 2, w, "axfpm") + 1,
    "multiply": lambda: axsim.multiply(x * 2, x, "L40") + 1,
    "conv2d": lambda: axsim.conv2d(image * 2, filters, "L40", padding="same", bias=torch.ones(3)) + 1,
    "affine": lambda: torch.as_tensor(axsim.quantize.affine(x * 2).scale) + 1,
    "symmetric": lambda: torch.as_tensor(axsim.quantize.symmetric(x * 2).scale) + 1,
    "quantize": lambda: axsim.quantize.quantize(x * 2, params) + 1,
    "dequantize": lambda: axsim.quantize.dequantize((x * 9).to(torch.uint8), params) + 1,
    "explain": lambda: len(axsim.explain(x * 2, w, "L40").candidates) + x,
    "get": lambda: axsim.get("L40").a_bits + x,
    "call": lambda: torch.as_tensor(axsim.get("axfpm")(x.numpy(), x.numpy())) + 1,
    "integer call": lambda: torch.as_tensor(axsim.get("L40")(np.arange(3), 7)) + 1,
    "metrics": lambda: axsim.get("L40").metrics().mae + x,
    "register": lambda: axsim.register("mine", lambda a, b: a * b, overwrite=True).a_bits + x,
    "list": lambda: len(axsim.list_multipliers()) + x,
}
for name, function in functions.items():
    expected = function()
    compiled = torch.compile(function, backend="eager")
    for _ in range(2):  # while it is compiled, and once it is
        assert torch.equal(compiled(), expected), name
class Layer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(w)
    def forward(self, x):
        return axsim.matmul(x, self.weight, "L40").relu()
layer = Layer()
with torch.no_grad():
    assert torch.equal(torch.compile(layer, backend="eager")(x), layer(x))
"""


def test_compiled_functions_give_the_same() -> None:
    pytest.importorskip("torch")
    subprocess.run([sys.executable, "-c", COMPILED], check=True, timeout=1200)
