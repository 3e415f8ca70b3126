"""Which engine computes a matrix product or a convolution on the CPU: a rule, and nothing that is measured.

The kernels are those of the best instruction set that the processor has (``AXSIM_ISA`` names another). A
table with exact factors is multiplied by them where their exact products are expected to take less time than
look-ups, from the shape of the work and a few constants of the instruction set, measured once. A convolution
counts as the matrix product of its unfolded patches. All engines give the same integers, so a choice that is
not the best costs time and nothing else.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from axsim.engines.cpu import factored, reference
from axsim.engines.factored_sums import FactoredSums
from axsim.engines.forms.factored_table import FactoredTable, Signs, found_form, has_no_factors, known_form
from axsim.engines.forms.folded import FoldedTable
from axsim.engines.forms.integer_form import IntegerForm
from axsim.engines.isa import NATIVE_IS_BUILT, native_isa, product_isa
from axsim.engines.plan import Candidate, Plan, Subject
from axsim.engines.protocols import Engine, Sums
from axsim.engines.shapes.work import Work
from axsim.tables.factor import MAX_TERMS
from axsim.threads import get_num_threads

# Loaded with the package, not at its first use: a child that is forked while another thread imports a module
# waits for ever where it imports the same.
if NATIVE_IS_BUILT:
    from axsim.engines.cpu import native

ENGINES = ("native", "factored", "reference")


class LookUps(NamedTuple):
    """Picoseconds that look-ups take.

    Attributes:
        each: for one look-up.
        column: for an operand of the shorter side, whose column of the table is laid out for the longer one.
        operand: for an operand of the longer side.
        sum: for a sum.
    """

    each: float
    column: float
    operand: float
    sum: float


class Products(NamedTuple):
    """Picoseconds that exact products of factors take.

    Attributes:
        word: for one product of 16-bit words; one of bytes is half of it.
        component: for a number that an operand becomes.
        sum: for a sum.
    """

    word: float
    component: float
    sum: float


# By instruction set, on one core of an AMD EPYC with AVX-512, VBMI and VNNI (family 25, model 17),
# 2026-11-26: what benchmarks/choice_fit.py makes of benchmarks/results/choice_constants.json, which
# benchmarks/choice.py timed. Only ratios decide. Never measured, so estimates: neon, whose registers
# are as wide as the portable kernels', and products of AVX-512 without VNNI, taken to be as fast as AVX2's.
LOOK_UPS = {
    "portable": LookUps(59, 31000, 570, 850),
    "avx2": LookUps(32, 20000, 620, 770),
    "avx512": LookUps(30, 19000, 600, 720),
    # The fit says 44, of permutes for streams of all lengths. 2P7 at 1024^3, where the two ways are nearest,
    # in turn on one thread: looked up 42.8 and 44.2 ms, by factors 50.3 and 44.1 (medians of 9 and 7 rounds).
    "vbmi": LookUps(42, 3500, 340, 1300),
    "neon": LookUps(59, 31000, 570, 850),
}
PRODUCTS = {
    "portable": Products(31, 950, 1800),
    "avx2": Products(15, 360, 2100),
    "avx512": Products(15, 360, 2100),
    "avx512vnni": Products(12, 260, 1900),
}
# A look-up where filters see one channel, by a kernel of its own that is the same in all instruction sets;
# unless so many filters see it that the other kernels are faster.
DEPTHWISE = 350.0

# Calls of fewer products are looked up: choosing takes time itself.
SMALL = 1 << 17

# What was chosen for a table, work, signs and kernels; so many for a table.
_chosen: WeakKeyDictionary[FoldedTable, dict[tuple[Any, ...], Sums]] = WeakKeyDictionary()
_REMEMBERED = 256

_NO_MODULE = "the compiled module axsim._native is not installed"


def select(name: str = "auto") -> Engine:
    """The engine called ``name`` that looks products up; "auto" is the native one where it was built, else
    the reference.

    Raises:
        ValueError: no engine has that name, it was not built, or it does not look products up.
    """
    if name == "auto":
        name = "native" if NATIVE_IS_BUILT else "reference"
    if name == "reference":
        return reference
    if name == "factored":
        raise ValueError(
            "engine is 'factored', which makes matrix products and convolutions of integer multipliers only; "
            "expected auto, native or reference"
        )
    if name == "gather":
        raise ValueError(
            "engine is 'gather', which works on a GPU, but the arrays are in main memory; expected auto, "
            f"{', '.join(ENGINES)}"
        )
    if name != "native":
        raise ValueError(f"engine is {name!r}, expected one of auto, {', '.join(ENGINES)}")
    if not NATIVE_IS_BUILT:
        raise ValueError(
            "engine is 'native', but axsim was installed without its compiled module axsim._native"
        )
    return native


def choose(name: str, work: Work, subject: Subject) -> Sums:
    """The engine called ``name``, ready for the subject's table; "auto" is the one that the rule chooses.

    Raises:
        ValueError: no engine has that name, it was not built, or it is "factored" and the table has no
            factors.
    """
    if name == "factored":
        form = found_form(*subject)
        return FactoredSums(
            factored, form, "native" if not _obstacle(form, "native", work) else "float64", select()
        )
    if name != "auto" or work.products < SMALL:
        return select(name)
    # The same call has the same answer, and to ask for it takes longer than to remember it.
    kernels = (native_isa(), product_isa()) if NATIVE_IS_BUILT else ()
    before, key = _chosen.setdefault(subject.folded, {}), (work, subject.signs, kernels)
    found = before.get(key)
    if found is None:
        found = _choose(work, subject)
        if len(before) >= _REMEMBERED:
            before.clear()
        before[key] = found
    return found


def _choose(work: Work, subject: Subject) -> Sums:
    known = known_form(*subject)
    if known is not None and (compute_type := _compute_type(known, work, subject.signs)):
        return FactoredSums(factored, known, compute_type, select())
    return select()


def plan(name: str, work: Work, subject: Subject) -> Plan:
    """What ``choose("auto", ...)`` does for the multiplier called ``name``, and why."""
    form = known_form(*subject)
    compute_type = (
        _compute_type(form, work, subject.signs) if form is not None and work.products >= SMALL else ""
    )
    looked_up = "native" if NATIVE_IS_BUILT else "reference"
    return Plan(
        f"{work.operation} through {name}: {subject.types}, {work.size}, up to {get_num_threads()} threads",
        tuple(_candidates(work, subject, form)),
        f"factored {compute_type}" if compute_type else looked_up,
        _rule(form, work, subject.signs),
    )


def usable(form: FactoredTable | None, work: Work) -> dict[str, Sums]:
    """All engines that can do that work, by the names of a plan's candidates."""
    found: dict[str, Sums] = {"native": select("native")} if NATIVE_IS_BUILT else {}
    if form is not None:
        for compute_type in factored.COMPUTE_TYPES:
            if not _obstacle(form, compute_type, work):
                found[f"factored {compute_type}"] = FactoredSums(factored, form, compute_type, select())
    return found | {"reference": select("reference")}


def _compute_type(form: FactoredTable, work: Work, signs: Signs) -> str:
    """What the factors' products are to be made in; empty where products are to be looked up."""
    if not NATIVE_IS_BUILT:
        return "" if _obstacle(form, "float64", work) else "float64"
    native_form = form.native_form(signs)
    if native_form is None:
        return ""
    looked_up, made = picoseconds(native_form, work)
    return "native" if made < looked_up else ""


def _rule(form: FactoredTable | None, work: Work, signs: Signs) -> str:
    """What decides, in words."""
    if work.products < SMALL:
        return f"fewer than {SMALL} products are looked up (SMALL in {__name__})"
    if form is None:
        return "a table without known factors is looked up"
    if not NATIVE_IS_BUILT:
        why = _obstacle(form, "float64", work)
        return f"products are looked up: {why}" if why else "NumPy multiplies faster than it looks up"
    native_form = form.native_form(signs)
    if native_form is None:
        return f"products are looked up: {_obstacle(form, 'native', work)}"
    looked_up, made = picoseconds(native_form, work)
    return (
        f"factors are expected to take {made:.3g} ps a product with {product_isa()} kernels, "
        f"look-ups {looked_up:.3g} ps with {native_isa()} ones: the constants of {__name__}, measured once "
        "on one processor; their ratio decides"
    )


def picoseconds(form: IntegerForm, work: Work) -> tuple[float, float]:
    """What one product of the work takes looked up, and made of factors, by the kernels in use.

    On the processor that the constants were measured on, one thread; the ratio is what counts.

    Args:
        form: the table's factors as kernels multiply them.
        work: what is to be computed, of at least one product.
    """
    made = _total(PRODUCTS[product_isa()], product_amounts(form.word_products, form.products, work))
    looked_up = _total(LOOK_UPS[native_isa()], look_up_amounts(work))
    return (min(DEPTHWISE, looked_up) if work.depthwise else looked_up), made


def look_up_amounts(work: Work) -> tuple[float, ...]:
    """How much of each constant of ``LookUps`` falls to one product."""
    short, long = sorted((work.m, work.n))
    return 1, 1 / long, 1 / short, 1 / work.k


def product_amounts(words: float, terms: int, work: Work) -> tuple[float, ...]:
    """How much of each constant of ``Products`` falls to one product.

    Args:
        words, terms: ``word_products`` and ``products`` of the table's ``IntegerForm``.
        work: what is to be computed.
    """
    return words, terms * (1 / work.m + 1 / work.n), 1 / work.k


def _total(constants: tuple[float, ...], amounts: tuple[float, ...]) -> float:
    return sum(constant * amount for constant, amount in zip(constants, amounts, strict=True))


def _candidates(work: Work, subject: Subject, form: FactoredTable | None) -> list[Candidate]:
    native = Candidate("native", NATIVE_IS_BUILT, "looks products up" if NATIVE_IS_BUILT else _NO_MODULE)
    reference_ = Candidate("reference", True, "NumPy look-ups")
    if form is None:
        why = (
            f"the table has no exact factors of at most {MAX_TERMS} terms"
            if has_no_factors(subject.product, subject.a_dtype, subject.b_dtype)
            else "no exact factors of the table are known; engine='factored' searches for them"
        )
        return [native, Candidate("factored", False, why), reference_]
    return [
        native,
        *(_factored(work, form, compute_type) for compute_type in factored.COMPUTE_TYPES),
        reference_,
    ]


def _factored(work: Work, form: FactoredTable, compute_type: str) -> Candidate:
    engine = f"factored {compute_type}"
    if why := _obstacle(form, compute_type, work):
        return Candidate(engine, False, why)
    note = f"{form.products(compute_type)} exact products each"
    if (depth := form.depth(compute_type)) < work.k:
        note += f", summed {depth} operand pairs at a time"
    return Candidate(engine, True, note)


def _obstacle(form: FactoredTable, compute_type: str, work: Work) -> str:
    """Why products cannot be made in that type; empty if they can."""
    if compute_type == "native":
        if not NATIVE_IS_BUILT:
            return _NO_MODULE
        return "" if form.native_form() is not None else "its components need more than 16 bits"
    if form.depth(compute_type) < max(work.width, 1):
        return f"its sums are exact for only {form.depth(compute_type)} operand pairs"
    return ""
