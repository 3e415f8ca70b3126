"""Which engine computes a matrix product or a convolution: the fastest that is exact, by a small cost model.

A convolution counts as the matrix product of its unfolded patches. Its predicted time is a sum of amounts of
work (``features``) times seconds for each (``axsim.engines.costs``): built-in figures, or those that were
measured on this machine, by ``axsim doctor --calibrate`` or by ``axsim.engines.first_use``.

The factored engine is chosen only where it promises to take less than ``ADVANTAGE`` of the time of looking
up, because a model is not a measurement; and calls of less than ``SMALL`` products are not planned at all.
All engines give the same integers, so a wrong prediction costs time and nothing else.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from axsim.engines import NATIVE_IS_BUILT, Engine, Sums, factored, first_use, select
from axsim.engines.costs import Costs, current_costs
from axsim.engines.factored_table import CARRIERS, FactoredTable, found_form, has_no_factors, known_form
from axsim.engines.fold import FoldedTable
from axsim.engines.geometry import Geometry
from axsim.tables.factor import MAX_TERMS
from axsim.tables.product import ProductTable
from axsim.threads import get_num_threads

SMALL = 1 << 20
ADVANTAGE = 0.9
_PIECE = 1024  # words of an operand that compiled kernels multiply before they write sums

Bytes = NDArray[np.uint8]


class Work(NamedTuple):
    """A product of ``matrices`` pairs (m, k), (k, n).

    ``width`` is that of a convolution's kernel, else 0; ``depthwise`` says that filters have one channel.
    """

    matrices: int
    m: int
    k: int
    n: int
    width: int = 0
    depthwise: bool = False

    @classmethod
    def of_gemm(cls, a_shape: tuple[int, ...], b_shape: tuple[int, ...]) -> Work:
        """The work of a (..., M, K) by b (..., K, N)."""
        rows, (k, n) = a_shape[:-1], b_shape[-2:]
        if len(b_shape) == 2:  # one tall product
            return cls(1, math.prod(rows), k, n)
        return cls(math.prod(np.broadcast_shapes(rows[:-1], b_shape[:-2])), rows[-1], k, n)

    @classmethod
    def of_conv2d(cls, x_shape: tuple[int, ...], w_shape: tuple[int, ...], geometry: Geometry) -> Work:
        """The work of x (N, C, H, W) with w (O, C / groups, kh, kw): a product for each group."""
        windows = math.prod(geometry.output_size(*x_shape[2:], *w_shape[2:]))
        filters = w_shape[0] // geometry.groups
        m, k = x_shape[0] * windows, math.prod(w_shape[1:])
        return cls(geometry.groups, m, k, filters, w_shape[3], w_shape[1] == 1)

    @property
    def products(self) -> int:
        """How many table entries are summed."""
        return self.matrices * self.m * self.k * self.n

    @property
    def operation(self) -> str:
        """ "matmul" or "conv2d": what the costs are listed under."""
        return "conv2d" if self.width else "matmul"


class Subject(NamedTuple):
    """What is multiplied with: a multiplier's table, its folded form, and the operand types of that."""

    product: ProductTable
    folded: FoldedTable
    a_dtype: np.dtype[Any]
    b_dtype: np.dtype[Any]


@dataclass(frozen=True)
class Candidate:
    """An engine, the seconds it is predicted to take (None: it cannot be used), and why."""

    engine: str
    seconds: float | None
    note: str


@dataclass(frozen=True)
class Plan:
    """What ``axsim.explain`` returns: the candidates and the choice; ``print`` shows it as a table.

    Attributes:
        work: what is to be computed, in words.
        candidates: engines; the factored one once for each type that its products can be made in.
        choice: the ``engine`` of the candidate that is used.
        costs: where the costs come from.
        why: why the choice is not the candidate that is predicted to be fastest; empty if it is.
    """

    work: str
    candidates: tuple[Candidate, ...]
    choice: str
    costs: str
    why: str = ""

    def __str__(self) -> str:
        lines = [self.work]
        for candidate in self.candidates:
            mark = "->" if candidate.engine == self.choice else "  "
            seconds = "-" if candidate.seconds is None else _in_words(candidate.seconds)
            lines.append(f"{mark} {candidate.engine:<17} {seconds:>9}   {candidate.note}".rstrip())
        if self.why:
            lines.append(f"{self.choice} all the same: {self.why}")
        return "\n".join([*lines, f"costs: {self.costs}"])


@dataclass(frozen=True)
class FactoredSums:
    """The factored engine for one table and carrier, called as the engines that look products up are."""

    table: FactoredTable
    carrier: str

    def gemm(self, table: FoldedTable, a: Bytes, b: Bytes, accumulator: DTypeLike) -> NDArray[Any]:
        """As ``reference.gemm``."""
        return factored.gemm(self.table, a, b, accumulator, self.carrier)

    def conv2d(
        self,
        table: FoldedTable,
        x: Bytes,
        w: Bytes,
        geometry: Geometry,
        pad_byte: int,
        accumulator: DTypeLike,
    ) -> NDArray[Any]:
        """As ``reference.conv2d``."""
        return factored.conv2d(self.table, x, w, geometry, pad_byte, accumulator, self.carrier)


def choose(name: str, work: Work, subject: Subject) -> Sums:
    """The engine called ``name``, ready for the subject's table; "auto" is the one that the plan chooses.

    Raises:
        ValueError: no engine has that name, it was not built, or it is "factored" and the table has no
            factors.
    """
    if name == "factored":
        form = found_form(*subject)
        usable = [c for c in CARRIERS if not obstacle(form, c, work)]
        return FactoredSums(form, min(usable, key=lambda c: predict(f"factored {c}", work, form)))
    looked_up: Engine = select(name)
    if name != "auto" or work.products < SMALL:
        return looked_up
    known, costs = known_form(*subject), current_costs()
    if known is None:
        return looked_up
    choice, seconds = _choice(_candidates(work, subject, known, costs))
    if not costs.measured and first_use.measured_after(seconds):
        choice, _ = _choice(_candidates(work, subject, known, current_costs()))
    return (
        FactoredSums(known, choice.removeprefix("factored ")) if choice.startswith("factored") else looked_up
    )


def plan(name: str, work: Work, subject: Subject) -> Plan:
    """What ``choose("auto", ...)`` does for the multiplier called ``name``, and why."""
    matrices, m, k, n = work[:4]
    times = f"{matrices} times " if matrices != 1 else ""
    size = f"{times}{m} x {k} by {k} x {n}, {work.products:.3g} products"
    types = f"{subject.a_dtype} by {subject.b_dtype}"
    costs = current_costs()
    candidates = _candidates(work, subject, known_form(*subject), costs)
    choice, _ = _choice(candidates)
    if work.products < SMALL:
        choice = "native" if NATIVE_IS_BUILT else "reference"
    return Plan(
        f"{work.operation} through {name}: {types}, {size}, up to {get_num_threads()} threads",
        tuple(candidates),
        choice,
        costs.origin,
        why_not_fastest(choice, candidates, work),
    )


def why_not_fastest(choice: str, candidates: Sequence[Candidate], work: Work) -> str:
    """Why a candidate that is predicted to be faster than the choice is not taken; empty if there is none."""
    seconds = {c.engine: c.seconds for c in candidates if c.seconds is not None}
    if min(seconds.values()) >= seconds[choice]:
        return ""
    if work.products < SMALL:
        return f"calls of fewer than {SMALL} products are not planned, which takes time itself"
    return f"to be taken, factors must promise {1 - ADVANTAGE:.0%} less time, as predictions are not exact"


def predict(engine: str, work: Work, form: FactoredTable | None = None, costs: Costs | None = None) -> float:
    """Seconds that ``engine`` ("native", "reference", "factored float32" ...) is predicted to take.

    ``costs``: those in use, where None is given.
    """
    figures = (costs or current_costs()).seconds[work.operation]
    if engine == "factored int8" and engine not in figures:
        call, product, *others = figures["factored float32"]
        figures = {engine: (call, product / factored.int8_speed(), *others)}
    threads = 1 if engine == "reference" else get_num_threads()
    return float(np.dot(figures[engine], features(engine, work, form, threads)))


def features(engine: str, work: Work, form: FactoredTable | None, threads: int) -> tuple[float, ...]:
    """Amounts of work whose cost adds up to the time of a call.

    Looking up: 1, products, operands whose row or column of the table the kernel lays out (those of the side
    that has fewer), left operands (unfolded, for a convolution), right ones, sums and, instead of all these,
    the products of a depthwise kernel; all but the first shared among threads.
    Factored: 1, exact products (shared among threads), numbers that the left operands become (where they are
    unfolded for a convolution), those of the right ones, and sums written. Compiled kernels multiply whole
    tiles, bytes at half the cost of words, and share all of it; each matrix costs about as much as a call.
    """
    matrices, m, k, n = work[:4]
    left, right, sums = matrices * m * k, matrices * k * n, matrices * m * n
    if form is None:
        laid_out = matrices * k * min(m, n)
        amounts = (work.products, laid_out, left, right, sums, 0)
        if work.depthwise and engine == "native":
            amounts = (0, 0, 0, 0, 0, work.products)
        return 1, *(amount / threads for amount in amounts)
    if engine == "factored native" and (native := form.native_form) is not None:
        expanded, words = 1 + native.products, native.word_products
        tiles = matrices * min(_tiles(m, n), _tiles(n, m))
        written = (1 + len(native.parts) * (1 + words * k // _PIECE)) * sums
        shared = (words * tiles * k, expanded * left, expanded * right, written)
        return 1 + matrices, *(amount / threads for amount in shared)
    parts = form.parts(engine.removeprefix("factored "))
    terms = sum(len(part.left) for part in parts)
    pieces = 1 + sum(-(-k // part.depth) for part in parts)
    return 1, terms * work.products / threads, (1 + terms) * left, (1 + terms) * right, pieces * sums


def _tiles(rows: int, columns: int) -> int:
    """Sums that kernels make for so many, a number of a vector times several vectors at a time."""
    return -(-rows // 6) * 6 * (-(-columns // 16) * 16)


def _candidates(work: Work, subject: Subject, form: FactoredTable | None, costs: Costs) -> list[Candidate]:
    native = (
        Candidate("native", predict("native", work, costs=costs), "looks products up")
        if NATIVE_IS_BUILT
        else Candidate("native", None, "the compiled module axsim._native is not installed")
    )
    reference = Candidate("reference", predict("reference", work, costs=costs), "NumPy look-ups")
    if form is None:
        why = (
            f"the table has no exact factors of at most {MAX_TERMS} terms"
            if has_no_factors(subject.product, subject.a_dtype, subject.b_dtype)
            else "no exact factors of the table are known; engine='factored' searches for them"
        )
        return [native, Candidate("factored", None, why), reference]
    return [native, *(_factored(work, form, carrier, costs) for carrier in CARRIERS), reference]


def _factored(work: Work, form: FactoredTable, carrier: str, costs: Costs) -> Candidate:
    engine = f"factored {carrier}"
    if why := obstacle(form, carrier, work):
        return Candidate(engine, None, why)
    terms, depth = form.products[carrier], form.depth(carrier)
    note = f"{terms} exact products each, sums exact for {depth} operand pairs at a time"
    return Candidate(engine, predict(engine, work, form, costs), note)


def obstacle(form: FactoredTable, carrier: str, work: Work) -> str:
    """Why products cannot be made in that type; empty if they can."""
    if carrier == "native":
        if not NATIVE_IS_BUILT:
            return "the compiled module axsim._native is not installed"
        return "" if carrier in form.products else "its components need more than 16 bits"
    if carrier not in form.products or form.depth(carrier) < work.width:
        return f"its sums are exact for only {form.depth(carrier)} operand pairs"
    if carrier == "int8":
        if "torch" not in sys.modules:
            return "torch is not loaded; import it first"
        if not factored.int8_is_exact():
            return "torch's int8 products are not exact on this CPU"
    return ""


def _choice(candidates: list[Candidate]) -> tuple[str, float]:
    """The engine to take, and its predicted seconds."""
    seconds = {c.engine: c.seconds for c in candidates if c.seconds is not None}
    looked_up = "native" if "native" in seconds else "reference"
    best = min(seconds, key=seconds.__getitem__)
    taken = best if seconds[best] < ADVANTAGE * seconds[looked_up] else looked_up
    return taken, seconds[taken]


def _in_words(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"
