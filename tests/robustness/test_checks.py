"""Checks: each with numbers that must hold, must fail, and are missing."""

from __future__ import annotations

import json

import pytest

from axsim.robustness import checks
from axsim.robustness.checks import Verdict
from axsim.robustness.intervals import Rate, wilson


def of_fifty(count: int) -> Rate:
    return wilson(count, 50)


def test_success_must_rise_and_reach_all() -> None:
    assert checks.rises_with_budget([0.5, 0.1], [of_fifty(50), of_fifty(5)]).said == "held"  # any order
    fell = checks.rises_with_budget([0.1, 0.2, 0.5], [of_fifty(40), of_fifty(10), of_fifty(50)])
    assert fell.said == "failed"
    assert "falls from 80.0 %" in fell.why
    assert (
        checks.rises_with_budget([0.1, 0.2, 0.5], [of_fifty(30), of_fifty(28), of_fifty(50)]).said == "held"
    )
    assert checks.rises_with_budget([0.1, 0.5], [of_fifty(5), of_fifty(49)]).said == "failed"
    assert checks.rises_with_budget([0, 9], [of_fifty(5), of_fifty(49)], "all it has").why.endswith(
        "all it has"
    )
    assert checks.rises_with_budget([0.1], [of_fifty(50)]).said == "not tried"
    assert checks.rises_with_budget([0.1, 0.2], [wilson(0, 0), of_fifty(50)]).said == "not tried"
    with pytest.raises(ValueError, match="one for each of 2 budgets"):
        checks.rises_with_budget([0.1, 0.2], [of_fifty(50)])


@pytest.mark.parametrize(
    "check",
    [
        checks.iterative_beats_one_step,
        checks.white_box_beats_transfer,
        checks.white_box_beats_black_box,
        checks.gradient_free_is_weaker,
    ],
)
def test_the_stronger_attack_must_not_be_weaker(check: object) -> None:
    assert callable(check)
    assert check(of_fifty(50), of_fifty(10)).said == "held"
    assert check(of_fifty(20), of_fifty(20)).said == "held"
    assert check(of_fifty(20), of_fifty(22)).said == "not decided"  # within the intervals
    # The better one's interval ends below what even no success would be taken for: it could not have failed.
    assert check(wilson(2, 20), wilson(1, 20)).said == "not decided"
    assert check(wilson(3, 3), wilson(3, 3)).said == "not decided"
    assert check(wilson(20, 20), wilson(0, 20)).said == "held"
    failed = check(of_fifty(3), of_fifty(40))
    assert failed.said == "failed"
    assert "6.0 %" in failed.why
    assert "80.0 %" in failed.why
    assert check(None, of_fifty(40)).said == "not tried"
    assert check(of_fifty(40), wilson(0, 0)).said == "not tried"


def test_noise() -> None:
    assert checks.noise_does_little(of_fifty(2), of_fifty(50)).said == "held"
    assert checks.noise_does_little(of_fifty(30), of_fifty(50)).said == "failed"
    assert checks.noise_does_little(wilson(3, 20), of_fifty(50)).said == "not decided"  # 5.2 to 36 %
    assert checks.noise_does_little(of_fifty(6), wilson(0, 500)).said == "failed"  # noise beats the attack
    assert checks.noise_does_little(None, of_fifty(50)).said == "not tried"


def test_restarts() -> None:
    assert checks.restarts_change_little(of_fifty(45), of_fifty(46)).said == "held"
    assert checks.restarts_change_little(of_fifty(30), of_fifty(46)).said == "failed"
    assert checks.restarts_change_little(of_fifty(30), None).said == "not tried"
    for fewer in range(20):  # one of 20 more is 0.05 more, whatever floats make of it
        assert checks.restarts_change_little(wilson(fewer, 20), wilson(fewer + 1, 20)).said == "held"


def test_gradients() -> None:
    assert checks.gradients_are_there(of_fifty(0)).said == "held"
    assert checks.gradients_are_there(of_fifty(30)).said == "failed"
    assert checks.gradients_are_there(of_fifty(4)).said == "not decided"
    assert checks.gradients_are_there(None).said == "not tried"


def test_planted() -> None:
    assert checks.planted_case_is_found(of_fifty(50), of_fifty(2)).said == "held"
    assert checks.planted_case_is_found(of_fifty(20), of_fifty(2)).said == "failed"
    assert checks.planted_case_is_found(wilson(4, 5), wilson(0, 5)).said == "not decided"
    assert checks.planted_case_is_found(wilson(5, 5), wilson(0, 5)).said == "held"
    assert checks.planted_case_is_found(wilson(5, 5), wilson(4, 5)).said == "not decided"
    assert checks.planted_case_is_found(of_fifty(50), of_fifty(50)).said == "failed"  # the case was too easy
    assert checks.planted_case_is_found(None, None).said == "not tried"


def test_numbers_go_into_json() -> None:
    found: list[Verdict] = [
        checks.rises_with_budget([0.1, 0.5], [of_fifty(5), of_fifty(50)]),
        checks.noise_does_little(of_fifty(2), of_fifty(50)),
        checks.not_tried("anything"),
    ]
    for verdict in found:
        assert json.loads(json.dumps(dict(verdict.numbers))) == dict(verdict.numbers)
    assert found[1].numbers["noise"]["count"] == 2
