"""What ``benchmarks.choice`` times: circuits, shapes, and engines as calls."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np

import axsim
from axsim.engines.cpu import choice
from axsim.engines.forms.factored_table import FactoredTable, known_form
from axsim.engines.forms.folded import fold
from axsim.engines.isa import runnable_isas
from axsim.engines.plan import Subject
from axsim.engines.protocols import Sums
from axsim.engines.shapes.geometry import Geometry, geometry
from axsim.engines.shapes.work import Work
from axsim.multipliers.evoapprox import evoapprox
from benchmarks.layers import DEPTHWISE, HEADLINE, Layer
from benchmarks.operations import FLOAT32, Operation

ALL = ("exact8", *evoapprox())
# From one exact product to more than twenty: those for the shapes that only bound the rule.
SOME = ("exact8", "mul8u_1446", "mul8u_JQQ", "mul8u_GS2", "mul8u_KEM", "mul8u_JV3", "mul8u_96D")


SLOW_PRODUCTS = 1 << 24  # the reference engine, tens of times slower than the others, is timed up to here


class Shape(NamedTuple):
    """A layer, a batch (rows, of a matrix product), and the circuits to multiply with."""

    layer: Layer
    batch: int
    circuits: tuple[str, ...] = ALL

    def __str__(self) -> str:
        layer = self.layer
        if not layer.kernel:
            return f"{self.batch} x {layer.channels} x {layer.filters}"
        return f"{layer}, batch {self.batch}"


def product(m: int, k: int, n: int, circuits: tuple[str, ...] = ALL) -> Shape:
    """The shape of (m, k) by (k, n)."""
    return Shape(Layer("", k, n), m, circuits)


MAIN = (
    product(1024, 1024, 1024),
    product(256, 256, 256),
    product(4096, 576, 64),
    Shape(HEADLINE, 1),
    Shape(HEADLINE, 4),
)
# Few rows, few columns, short sums, small and depthwise ones.
EDGES = (
    Shape(DEPTHWISE, 4, SOME),
    product(1, 4096, 1024, SOME),
    product(16, 1024, 1024, SOME),
    product(4096, 1024, 8, SOME),
    product(16384, 9, 64, SOME),
    product(128, 128, 128, SOME),
    product(64, 64, 64, SOME),
    product(2048, 16, 2048, SOME),
    Shape(Layer("", 3, 64, 32, 3, padding=1), 4, SOME),
    Shape(Layer("", 1, 16, 28, 5, padding=2), 32, SOME),
)
QUICK = (product(256, 256, 256, ALL[:1]), Shape(HEADLINE, 1, ("mul8u_JQQ",)))


class Case(NamedTuple):
    """One circuit at one shape on so many threads."""

    circuit: str
    shape: Shape
    threads: int

    @property
    def key(self) -> tuple[str, str, int]:
        """As a file's cases are told apart."""
        return self.circuit, str(self.shape), self.threads


class Problem:
    """A case's operands, and its engines as calls."""

    def __init__(self, case: Case) -> None:
        self.operation = Operation.random(case.shape.layer, case.shape.batch, floats=False)
        layer, x, w = case.shape.layer, self.operation.inputs[0], self.operation.weights
        self.geometry: Geometry | None = None
        if layer.kernel:
            self.geometry = geometry(
                x_shape=x.shape,
                w_shape=w.shape,
                stride=layer.stride,
                padding=layer.padding,
                groups=layer.groups,
            )
            self.work = Work.of_conv2d(x.shape, w.shape, self.geometry)
        else:
            self.work = Work.of_gemm(x.shape, w.shape)
        table = axsim.get(case.circuit).table
        byte = np.dtype(np.uint8)
        self.subject = Subject(table, fold(table, byte, byte), byte, byte)

    @property
    def form(self) -> FactoredTable | None:
        """The table's factors; None where none are known."""
        return known_form(*self.subject)

    def calls(self) -> dict[tuple[str, str], Callable[[], Any]]:
        """By instruction set and engine; what runs no kernel of ours has no instruction set.

        Compiled engines first, NumPy last, for its threads disturb what comes next.
        """
        ours: dict[tuple[str, str], Callable[[], Any]] = {}
        others: dict[tuple[str, str], Callable[[], Any]] = {}
        for isa in runnable_isas():
            with running(isa):
                for engine, sums in choice.usable(self.form, self.work).items():
                    if "native" in engine:
                        ours[isa, engine] = partial(_under, isa, self._call(sums))
                    elif engine != "reference" or self.work.products <= SLOW_PRODUCTS:
                        others["", engine] = self._call(sums)
        return ours | others

    def check(self) -> None:
        """Compare the engines' sums, but for the reference engine's, which the tests compare.

        Raises:
            AssertionError: they differ.
        """
        with running(runnable_isas()[0]):  # put back what the calls leave
            sums = {key: call() for key, call in self.calls().items() if key[1] != "reference"}
        first = next(iter(sums))
        for key, result in sums.items():
            if not np.array_equal(result, sums[first]):
                raise AssertionError(f"{self.work}: {key} and {first} give different sums")

    def _call(self, sums: Sums) -> Callable[[], Any]:
        inputs = itertools.cycle(self.operation.inputs)
        weights, folded = self.operation.weights, self.subject.folded
        if self.geometry is None:
            return lambda: sums.gemm(folded, next(inputs), weights, np.int32)
        return lambda: sums.conv2d(folded, next(inputs), weights, self.geometry, 0, np.int32)


@contextmanager
def running(isa: str) -> Iterator[None]:
    """With the kernels of that instruction set."""
    before = os.environ.get("AXSIM_ISA")
    os.environ["AXSIM_ISA"] = isa
    try:
        yield
    finally:
        del os.environ["AXSIM_ISA"]
        if before is not None:
            os.environ["AXSIM_ISA"] = before


def _under(isa: str, call: Callable[[], Any]) -> Any:
    os.environ["AXSIM_ISA"] = isa
    return call()


class Torch:
    """torch's float32, in a process of its own that is asked for one call at a time and times it."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._here, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there,), daemon=True)
        self._process.start()
        there.close()
        self.times: list[float] = []

    def prepare(self, case: Case) -> None:
        """Take up a case's operands and threads, and forget the times of the one before."""
        self._here.send(case)
        self._here.recv()
        self.times = []

    def __call__(self) -> None:
        self._here.send(None)
        self.times.append(self._here.recv())

    def close(self) -> None:
        """End the process."""
        self._here.close()
        self._process.join()


def _serve(requests: Any) -> None:
    """Answer with the seconds of a call; to a case, once it is prepared."""
    import torch

    call: Callable[[], Any] = int
    while True:
        try:
            case = requests.recv()
        except EOFError:
            return
        if case is None:
            start = time.perf_counter()
            call()
            requests.send(time.perf_counter() - start)
        else:
            torch.set_num_threads(case.threads)
            call = Operation.random(case.shape.layer, case.shape.batch, floats=False).exact()[FLOAT32]
            requests.send(None)


def cases(shapes: tuple[Shape, ...]) -> list[Case]:
    """All circuits of all shapes on one thread and on two."""
    return [Case(c, shape, threads) for shape in shapes for c in shape.circuits for threads in (1, 2)]
