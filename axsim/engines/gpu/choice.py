"""Which engine computes sums on a GPU: looking products up, or exact products on tensor cores.

The prediction is a sum of three times, from what the driver says of the GPU and figures for each look-up,
multiply-add and byte that are estimates: nothing here was fitted to a measurement. The factored
engine is taken only where it promises to be well ahead, calls of less than ``SMALL`` products are looked up,
and a wrong prediction costs time and nothing else.
"""

from __future__ import annotations

from axsim.engines.factored_sums import FactoredSums
from axsim.engines.forms.factored_table import FactoredTable, found_form, known_form
from axsim.engines.gpu import factored, factored_terms
from axsim.engines.gpu.gather import engine as gather
from axsim.engines.gpu.gather.plan import DEPTHWISE_FILTERS, choose_variant
from axsim.engines.gpu.gather.plan import Sums as Gathered
from axsim.engines.gpu.runtime.current import current
from axsim.engines.gpu.runtime.interface import Device
from axsim.engines.plan import Candidate, Plan, Subject
from axsim.engines.protocols import Engine, Sums
from axsim.engines.shapes.work import Work

ENGINES = ("gather", "factored")
SMALL = 1 << 20  # calls of fewer products look them up: asking whether factors are faster takes time itself
ADVANTAGE = 0.9  # share of the look-ups' predicted time that factors must stay below
ORIGIN = "estimates from the GPU's multiprocessors, clock and generation, not measured"

# For each multiprocessor and cycle. Depthwise convolutions look products up one by one: shared memory has 32
# banks; of 32 look-ups at random about 3.5 meet in the fullest, and so a warp's look-ups take 3.5 cycles.
_LOOK_UPS = 32 / 3.5
# int8 multiply-adds, dense, of NVIDIA's data sheets for T4, A100, RTX 3080, L40S, H100, B200 and RTX 5090.
_MULTIPLY_ADDS = {
    (7, 5): 1024, (8, 0): 2048, (8, 6): 1024, (8, 9): 1024, (9, 0): 4096, (10, 0): 8192, (12, 0): 1024,
}  # fmt: skip
# Bytes to and from memory: 12.8 of an H100, 10.2 of an A100, 6.5 of an RTX 3080, 5 of a T4.
_BYTES = 8.0
_HALF_RATE = 0.5  # multiply-adds of float16 for one of int8
_ACHIEVED = 0.6  # share of the peak that a library's product reaches
_LAUNCH = 5e-6  # seconds for a kernel


def select(name: str) -> Engine:
    """The engine called ``name`` that looks products up on a GPU.

    Raises:
        ValueError: no engine has that name, it is one of the CPU's, or it does not look products up.
    """
    if name == "factored":
        raise ValueError(
            "engine is 'factored', which makes matrix products and convolutions of integer multipliers only; "
            "expected auto or gather"
        )
    if name not in ("auto", "gather"):
        where = " is the CPU's, but the arrays are on a GPU" if name in ("native", "reference") else ""
        raise ValueError(
            f"engine is {name!r}{where or ', which is not one'}; expected auto, {', '.join(ENGINES)}"
        )
    return gather


def choose(name: str, work: Work, subject: Subject) -> Sums:
    """The engine called ``name``, ready for the subject's table; "auto" is the one that the plan chooses.

    Raises:
        ValueError: no engine has that name, it is one of the CPU's, or it is "factored" and the table has no
            factors.
    """
    device = current().device
    if name == "factored":
        form = found_form(*subject)
        seconds = {
            c: predict(c, work, form, device) for c in factored_terms.COMPUTE_TYPES if not _unusable(form, c)
        }
        return FactoredSums(factored, form, min(seconds, key=seconds.__getitem__), gather)
    looked_up = select(name)
    if name != "auto" or work.products < SMALL:
        return looked_up
    known = known_form(*subject)
    if known is None:
        return looked_up
    choice = _choice(_candidates(work, known, device))
    if choice == "gather":
        return looked_up
    return FactoredSums(factored, known, choice.removeprefix("factored "), gather)


def plan(name: str, work: Work, subject: Subject) -> Plan:
    """What ``choose("auto", ...)`` does for the multiplier called ``name``, and why."""
    device = current().device
    candidates = _candidates(work, known_form(*subject), device)
    if work.products < SMALL:
        choice, rule = "gather", f"fewer than {SMALL} products (axsim.engines.gpu.choice.SMALL) are looked up"
    else:
        choice = _choice(candidates)
        rule = (
            f"the shortest time, and factors only below {ADVANTAGE:.0%} of the look-ups' "
            f"(axsim.engines.gpu.choice.ADVANTAGE); times are {ORIGIN}"
        )
    return Plan(
        f"{work.operation} through {name}: {subject.types}, {work.size}, on {device.name}",
        tuple(candidates),
        choice,
        rule,
    )


def predict(engine: str, work: Work, form: FactoredTable | None, device: Device) -> float:
    """Seconds for "gather", or for the factored engine with the compute_type "int8" or "float16"."""
    cycles = device.multiprocessors * device.clock_hz
    matrices, m, k, n = work[:4]
    left, right, sums = matrices * m * k, matrices * k * n, matrices * m * n
    if form is None or engine == "gather":
        return _LAUNCH + _look_ups(work, device) + (left + right + 4 * sums) / (_BYTES * cycles)
    pieces = factored_terms.pieces_of(form, engine, k)
    unit = sum(terms.unit for terms in factored_terms.terms_of(form, engine))
    # Operands are read once for each part, written expanded and read by the product; products are written
    # and read, sums written.
    traffic = (len(pieces) + 2 * unit) * (left + right) + (8 * len(pieces) + 4) * sums
    terms = sum(terms.count for terms in factored_terms.terms_of(form, engine))
    rate = _ACHIEVED * float(_MULTIPLY_ADDS.get(device.capability, min(_MULTIPLY_ADDS.values()))) * cycles
    if engine == "float16":
        rate *= _HALF_RATE
    launches = matrices * (3 * len(pieces) + 1)
    return launches * _LAUNCH + terms * work.products / rate + traffic / (_BYTES * cycles)


def _look_ups(work: Work, device: Device) -> float:
    """Seconds that sums of table entries take, for a table of 16-bit entries."""
    if not work.products:
        return 0.0
    if work.depthwise and work.n < DEPTHWISE_FILTERS:
        return work.products / (_LOOK_UPS * device.multiprocessors * device.clock_hz)
    sums = Gathered(work.matrices, work.m, work.n, work.k, bool(work.width), 2, 2**16, 4)
    return choose_variant(device, sums).cycles / device.clock_hz


def _candidates(work: Work, form: FactoredTable | None, device: Device) -> list[Candidate]:
    seconds = predict("gather", work, None, device)
    looked_up = Candidate("gather", True, "looks products up in shared memory", seconds)
    if form is None:
        why = "no exact factors of the table are known; engine='factored' searches for them"
        return [looked_up, Candidate("factored", False, why)]
    return [looked_up, *(_factored(work, form, kind, device) for kind in factored_terms.COMPUTE_TYPES)]


def _factored(work: Work, form: FactoredTable, compute_type: str, device: Device) -> Candidate:
    engine = f"factored {compute_type}"
    if why := _unusable(form, compute_type):
        return Candidate(engine, False, why)
    terms = factored_terms.terms_of(form, compute_type)
    count, depth = sum(t.count for t in terms), min(t.depth for t in terms)
    note = f"{count} exact products each, sums exact for {depth} operand pairs at a time"
    return Candidate(engine, True, note, predict(compute_type, work, form, device))


def _unusable(form: FactoredTable, compute_type: str) -> str:
    """Why the table's sums cannot be made in that type on this GPU; empty if they can.

    A capture asks again what the call before it has found out.
    """
    if not factored_terms.carries(form, compute_type):
        return "its sums are exact for too few operand pairs"
    if compute_type == "float16" and not current().half_is_exact():
        return "float16 products with float32 sums are not exact up to 2**24 on this GPU"
    return ""


def _choice(candidates: list[Candidate]) -> str:
    seconds = {c.engine: c.seconds for c in candidates if c.seconds is not None}
    best = min(seconds, key=seconds.__getitem__)
    return best if seconds[best] < ADVANTAGE * seconds["gather"] else "gather"
