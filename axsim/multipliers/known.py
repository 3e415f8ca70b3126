"""Product tables of built-in multipliers, recognised by their fingerprints."""

from __future__ import annotations

import hashlib

import numpy as np

from axsim.multipliers import evoapprox, evoapprox_more
from axsim.multipliers.families import FAMILIES
from axsim.once import once
from axsim.tables.product import ProductTable


def table_facts(table: ProductTable) -> dict[str, object]:
    """Fingerprint, symmetry and known names of a table, as arguments of ``Reading``."""
    known = known_tables()
    exchanged = hashlib.sha256(np.ascontiguousarray(table.values.T).tobytes()).hexdigest()
    return {
        "symmetric": table.symmetric,
        "sha256": table.sha256,
        "known": known.get(table.sha256, ""),
        "known_exchanged": known.get(exchanged, ""),
    }


@once
def known_tables() -> dict[str, str]:
    """SHA-256 of the tables of built-in multipliers -> their names.

    >>> known_tables()["0c6fd3441f139fb52cb64129eeb8b9cf866d6d095563d74639bd7459d183a8c1"]
    'mul8u_1JFF, exact8'
    """
    found = {**evoapprox.fingerprints(), **evoapprox_more.fingerprints()}
    for family in FAMILIES:
        for member in family.example_members():
            sha256 = member.table.sha256
            found[sha256] = f"{found[sha256]}, {member.name}" if sha256 in found else member.name
    return found
