"""Tables of one's own as derivatives, against sums over single products."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from gradient_cases import by_loops, check, product, upstream_of  # noqa: E402

from axsim.nn.gradients import GradientRule, Tables  # noqa: E402


def entry(table: np.ndarray, signed: bool, a: int, b: int, sign_of: int) -> float:
    """The derivative by the chain rule: of magnitudes, times the sign of the other operand."""
    if signed:
        return float(table[a % len(table), b % len(table)])
    return (-1 if sign_of < 0 else 1) * float(table[abs(a), abs(b)])


@pytest.mark.parametrize("name", ["linear", "conv2d", "grouped", "transposed groups"])
@pytest.mark.parametrize(
    "coding",
    [
        "affine by sign and magnitude",
        "affine by affine",
        "sign and magnitude by the same",
        "signed affine by signed",
        "affine channels",
        "nine bits",
    ],
)
def test_tables_of_ones_own(name: str, coding: str) -> None:
    made = product(name, coding)
    upstream, signed = upstream_of(made), made.multiplier.signed
    da, db = np.random.default_rng(5).normal(size=(2, *made.multiplier.table.values.shape)) * 9
    found = Tables(da, db).gradients(upstream, made, (True, True))
    expected = by_loops(
        made, upstream, lambda a, b: entry(da, signed, a, b, b), lambda a, b: entry(db, signed, a, b, a)
    )
    check(found, expected)


def test_they_are_values() -> None:
    da, db = np.random.default_rng(5).normal(size=(2, 16, 16))
    rule, other = Tables(da, db), Tables(db, da)
    assert isinstance(rule, GradientRule)
    for same in (Tables(da.copy(), db), pickle.loads(pickle.dumps(rule)), copy.deepcopy(rule)):
        assert same == rule
        assert same.name == rule.name
        assert hash(same) == hash(rule)
        assert not same.da.flags.writeable
    assert other != rule
    assert other.name != rule.name
    assert Tables(da, db, clip=False) != rule
    assert rule != "tables"
    da[0, 0] += 1  # it has copies
    assert Tables(da, db) != rule


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.zeros(4), np.zeros(4)), r"da has shape \(4,\)"),
        ((np.zeros((4, 4)), np.full((4, 4), np.inf)), "db has .* finite"),
        ((np.zeros((4, 4)), np.zeros((4, 8))), r"\(4, 4\) and db \(4, 8\)"),
    ],
)
def test_what_is_no_table_is_refused(arguments: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Tables(*arguments)


def test_tables_of_another_width_are_refused() -> None:
    made = product("linear", "affine by affine")
    with pytest.raises(ValueError, match=r"da has shape \(256, 256\), expected \(16, 16\)"):
        Tables(np.zeros((256, 256)), np.zeros((256, 256))).gradients(upstream_of(made), made, (True, True))
