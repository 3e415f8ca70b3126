"""Which built-in multipliers stand in which table file."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from axsim.multipliers.evoapprox import evoapprox
from axsim.multipliers.evoapprox_more import evoapprox_more
from axsim.multipliers.families import FAMILIES
from axsim.multipliers.float_multiplier import FloatMultiplier
from axsim.multipliers.float_tables import FILE, float_plan
from axsim.multipliers.integer import Multiplier
from axsim.multipliers.libraries import PUBLISHED_ATTRIBUTES
from axsim.multipliers.registry import get
from axsim.tables.build import Plan
from axsim.tables.factor_library import key, library
from axsim.tables.store import TableRecord


def plan(names: Iterable[str] = ()) -> Plan:
    """The plan of ``axsim.tables.build`` for all table files, or for multipliers or tables ``names`` alone.

    Raises:
        UnknownMultiplierError: a name is no multiplier's.
        ValueError: a multiplier is in no table file: one of a family beside its examples, or a float one.

    >>> {file: list(tables) for file, tables in plan(["L40", "drum8_4"]).items()}
    {'evoapprox8b.h5': ['mul8u_L40'], 'families.h5': ['drum8_4']}
    """
    multipliers = {
        "evoapprox8b.h5": [*evoapprox().values(), *evoapprox_more().values()],
        "families.h5": [member for family in FAMILIES for member in family.example_members()],
    }
    whole: Plan = {
        **{file: {m.name: partial(record, m) for m in members} for file, members in multipliers.items()},
        **float_plan(),
    }
    every_table = set().union(*whole.values())
    wanted = {name if name in every_table else get(name).name for name in names}
    absent = wanted - every_table
    if floats := {name for name in absent if isinstance(get(name), FloatMultiplier)}:
        raise ValueError(
            f"{', '.join(sorted(floats))}: a float multiplier, which has no table of products; those of "
            f"Ax-FPM's blocks are {' and '.join(float_plan()[FILE])}"
        )
    if absent:
        raise ValueError(f"{', '.join(sorted(absent))}: in no table file; they are made when they are used")
    limited = {file: {n: made for n, made in tables.items() if n in wanted} for file, tables in whole.items()}
    return {file: tables for file, tables in limited.items() if tables} if wanted else whole


def record(multiplier: Multiplier) -> TableRecord:
    """The record of a multiplier for a table file, its table simulated afresh, with known factors."""
    table = multiplier.simulate()
    # Operands of this type are the table's own indices: nothing is folded.
    operand = "int8" if table.signed else "uint8"
    factors = library().get(key(table.sha256, operand, operand))
    return TableRecord(multiplier.name, table, attributes(multiplier), factors)


def attributes(multiplier: Multiplier) -> dict[str, str | float]:
    """What a table file says about a multiplier beside its table."""
    published = multiplier.published or {}
    return {
        "source": multiplier.source,
        "citation": multiplier.citation,
        **{
            key: published[label]["value"]
            for label, key in PUBLISHED_ATTRIBUTES.items()
            if label in published
        },
    }
