"""Planted examples are there, random points miss them, and a broken attack does not find them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_networks import digits_network
from torch import nn

from axsim.robustness.attacks import get
from axsim.robustness.checks import planted_case_is_found
from axsim.robustness.planted import Planted, find, plant


def planted(norm: str, budget: float) -> list[Planted]:
    network, images, _ = digits_network()
    features = nn.Sequential(*list(network)[:-1])
    generator = torch.Generator().manual_seed(0)
    cases = [
        plant(features, images[row : row + 1], norm=norm, budget=budget, generator=generator)
        for row in range(25)
    ]
    return [case for case in cases if case is not None]


@pytest.mark.parametrize(("norm", "budget"), [("linf", 0.1), ("l2", 0.6)])
def test_a_fit_attack_finds_what_was_planted(norm: str, budget: float) -> None:
    cases = planted(norm, budget)
    assert len(cases) >= 5
    for case in cases:
        assert case.network(case.image).argmax(1).item() == 0
        assert (case.network(case.examples).argmax(1) == 1).all()
    attack = get(f"apgd_ce_{norm}", steps=50, restarts=2)
    found, hit = find(
        attack, cases, norm=norm, budget=budget, generator=torch.Generator().manual_seed(1), tries=20
    )
    assert planted_case_is_found(found, hit).said == "held"


def test_an_attack_that_does_nothing_fails_the_check() -> None:
    cases = planted("linf", 0.1)
    idle = replace(get("fgsm"), craft=lambda asked, images, labels, **_: images, settings={})
    found, hit = find(idle, cases, norm="linf", budget=0.1, generator=torch.Generator().manual_seed(1))
    assert found.count == 0
    assert planted_case_is_found(found, hit).said == "failed"
