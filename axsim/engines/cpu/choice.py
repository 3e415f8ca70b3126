"""Which engine computes a matrix product or a convolution on the CPU: a rule, and nothing that is measured.

The kernels are those of the best instruction set that the processor has (``AXSIM_ISA`` names another). A
table with exact factors is multiplied by them where one look-up takes longer than the exact products that
stand for it; a convolution counts as the matrix product of its unfolded patches. All engines give the same
integers, so a choice that is not the best costs time and nothing else.
"""

from __future__ import annotations

from axsim.engines.cpu import factored, reference
from axsim.engines.factored_sums import FactoredSums
from axsim.engines.forms.factored_table import FactoredTable, found_form, has_no_factors, known_form
from axsim.engines.isa import NATIVE_IS_BUILT, native_isa, product_isa
from axsim.engines.plan import SMALL, Candidate, Plan, Subject
from axsim.engines.protocols import Engine, Sums
from axsim.engines.shapes.work import Work
from axsim.tables.factor import MAX_TERMS
from axsim.threads import get_num_threads

# Loaded with the package, not at its first use: a child that is forked while another thread imports a module
# waits for ever where it imports the same.
if NATIVE_IS_BUILT:
    from axsim.engines.cpu import native

ENGINES = ("native", "factored", "reference")

# By the instruction sets of look-ups and of products: so many exact products of 16-bit words take as long as
# one look-up in a large matrix product.
WORDS_PER_LOOKUP = {
    ("portable", "portable"): 2.0,
    ("avx2", "avx2"): 2.5,
    ("avx512", "avx512"): 2.5,
    ("avx512", "avx512vnni"): 2.5,
    ("vbmi", "avx512"): 2.5,
    ("vbmi", "avx512vnni"): 2.5,
    ("neon", "portable"): 2.0,
}

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
    if name == "auto" and work.products >= SMALL:
        known = known_form(*subject)
        if known is not None and (compute_type := _decided(known, work)[0]):
            return FactoredSums(factored, known, compute_type, select())
    return select(name)


def plan(name: str, work: Work, subject: Subject) -> Plan:
    """What ``choose("auto", ...)`` does for the multiplier called ``name``, and why."""
    form = known_form(*subject)
    looked_up = "native" if NATIVE_IS_BUILT else "reference"
    compute_type, rule = "", f"fewer than {SMALL} products (axsim.engines.plan.SMALL) are looked up"
    if form is None:
        rule = "what has no known factors is looked up"
    elif work.products >= SMALL:
        compute_type, rule = _decided(form, work)
    return Plan(
        f"{work.operation} through {name}: {subject.types}, {work.size}, up to {get_num_threads()} threads",
        tuple(_candidates(work, subject, form)),
        f"factored {compute_type}" if compute_type else looked_up,
        rule,
    )


def usable(form: FactoredTable | None, work: Work) -> dict[str, Sums]:
    """All engines that can do that work, by the names of a plan's candidates."""
    found: dict[str, Sums] = {"native": select("native")} if NATIVE_IS_BUILT else {}
    if form is not None:
        for compute_type in factored.COMPUTE_TYPES:
            if not _obstacle(form, compute_type, work):
                found[f"factored {compute_type}"] = FactoredSums(factored, form, compute_type, select())
    return found | {"reference": select("reference")}


def _decided(form: FactoredTable, work: Work) -> tuple[str, str]:
    """What the factors' products are to be made in, empty where products are to be looked up; and why."""
    if not NATIVE_IS_BUILT:
        if why := _obstacle(form, "float64", work):
            return "", why
        return "float64", "NumPy multiplies faster than it looks up"
    if form.native_form is None:
        return "", _obstacle(form, "native", work)
    kernels = native_isa(), product_isa()
    limit, words = WORDS_PER_LOOKUP[kernels], form.native_form.word_products
    rule = (
        f"one product is {words:g} exact ones of 16-bit words ({kernels[1]} kernels), and one look-up "
        f"({kernels[0]}) takes as long as {limit:g} (axsim.engines.cpu.choice.WORDS_PER_LOOKUP)"
    )
    return ("native" if words < limit else ""), rule


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
    depth = form.depth(compute_type)
    count = form.products(compute_type)
    return Candidate(
        engine, True, f"{count} exact products each, sums exact for {depth} operand pairs at a time"
    )


def _obstacle(form: FactoredTable, compute_type: str, work: Work) -> str:
    """Why products cannot be made in that type; empty if they can."""
    if compute_type == "native":
        if not NATIVE_IS_BUILT:
            return _NO_MODULE
        return "" if form.native_form is not None else "its components need more than 16 bits"
    if form.depth(compute_type) < max(work.width, 1):
        return f"its sums are exact for only {form.depth(compute_type)} operand pairs"
    return ""
