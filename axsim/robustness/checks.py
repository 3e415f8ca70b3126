"""Checks that an evaluation of a defence must pass, as functions from measured numbers to verdicts.

From N. Carlini et al., "On evaluating adversarial robustness" (arXiv 1902.06705, Section 4); A. Athalye et
al., "Obfuscated gradients give a false sense of security" (ICML 2018, Section 3.1); R. Zimmermann et al.,
"Increasing confidence in adversarial robustness evaluations" (NeurIPS 2022). A check that fails says that
robustness may be an illusion of the attack; it does not say that a defence is broken.

Rates are success rates of attacks, as :func:`axsim.robustness.intervals.wilson` makes them; two of them
differ where their intervals have nothing in common. Where so few images were looked at that the check could
not have failed, or what was seen speaks against it and might be chance, the verdict is "not decided".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from axsim.robustness.intervals import Rate, wilson

Said = Literal["held", "failed", "not decided", "not tried"]


@dataclass(frozen=True)
class Verdict:
    """What a check said.

    Attributes:
        check: its name.
        said: "held", "failed", "not decided" (too few images) or "not tried".
        why: a sentence with the numbers.
        numbers: what was looked at, as JSON can hold it.
    """

    check: str
    said: Said
    why: str
    numbers: Mapping[str, Any] = field(default_factory=dict)


def _verdict(check: str, held: bool | None, why: str, **rates: Any) -> Verdict:
    """``held`` is None where nothing is decided."""
    numbers = {name: asdict(value) if isinstance(value, Rate) else value for name, value in rates.items()}
    said: Said = "not decided" if held is None else "held" if held else "failed"
    return Verdict(check, said, why, numbers)


def _at_most(rate: Rate, most: float) -> bool | None:
    """Whether a rate is at most ``most``; None where it is more, and its interval is not."""
    return None if rate.low <= most < rate.value else rate.value <= most


def not_tried(check: str, why: str = "no numbers came") -> Verdict:
    """The verdict where nothing was measured."""
    return Verdict(check, "not tried", why)


def rises_with_budget(
    budgets: Sequence[float],
    rates: Sequence[Rate],
    largest: str = "where any image can be any other",
) -> Verdict:
    """Success must rise with the budget (no fall beyond the intervals) and reach 100 % at the largest.

    ``largest`` says why it must there, for the reader of a verdict that failed.

    >>> from axsim.robustness.intervals import wilson
    >>> rises_with_budget([0.1, 0.3, 0.5], [wilson(10, 50), wilson(42, 50), wilson(50, 50)]).said
    'held'
    >>> rises_with_budget([0.1, 0.3, 0.5], [wilson(10, 50), wilson(42, 50), wilson(44, 50)]).why
    'success ends at 88.0 % (76.2 to 94.4, n = 50) at the budget 0.5, where any image can be any other'
    """
    name = "success rises with the budget to 100 %"
    if len(budgets) != len(rates):
        raise ValueError(f"rates: one for each of {len(budgets)} budgets was expected, {len(rates)} came")
    if len(budgets) < 2 or not all(rate.of for rate in rates):
        return not_tried(name)
    pairs = sorted(zip(budgets, rates, strict=True), key=lambda pair: pair[0])
    numbers: dict[str, Any] = {
        "budgets": [budget for budget, _ in pairs],
        "rates": [asdict(rate) for _, rate in pairs],
    }
    for at, (budget, rate) in enumerate(pairs):
        for smaller, before in pairs[:at]:
            if rate.high < before.low:
                why = f"success falls from {before} at the budget {smaller:g} to {rate} at {budget:g}"
                return _verdict(name, False, why, **numbers)
    budget, last = pairs[-1]
    if last.count < last.of:
        why = f"success ends at {last} at the budget {budget:g}, {largest}"
        return _verdict(name, False, why, **numbers)
    return _verdict(name, True, f"success is {last} at the budget {budget:g}", **numbers)


def _not_weaker(name: str, stronger: tuple[str, Rate | None], weaker: tuple[str, Rate | None]) -> Verdict:
    """Failed where the attack that should be the weaker one is better beyond both intervals.

    Held where the other one is better beyond them, or as good where it could have failed: had it fooled no
    image at all, the intervals would be apart.
    """
    (strong, high), (weak, low) = stronger, weaker
    if high is None or low is None or not high.of or not low.of:
        return not_tried(name)
    held: bool | None = None
    if high.high < low.low:
        held = False
    elif high.low > low.high or (high.value >= low.value and wilson(0, high.of, high.level).high < low.low):
        held = True
    why = f"{strong}: {high}; {weak}: {low}"
    return _verdict(name, held, why, **{strong: high, weak: low})


def iterative_beats_one_step(iterative: Rate | None, one_step: Rate | None) -> Verdict:
    """An iterative attack must not be weaker than one step of the same size."""
    return _not_weaker("iterative beats one step", ("iterative", iterative), ("one step", one_step))


def white_box_beats_transfer(white_box: Rate | None, transfer: Rate | None) -> Verdict:
    """Knowing the network must help: white-box not weaker than images crafted on another one."""
    return _not_weaker("white-box beats transfer", ("white-box", white_box), ("transfer", transfer))


def white_box_beats_black_box(white_box: Rate | None, black_box: Rate | None) -> Verdict:
    """White-box not weaker than images crafted on a substitute."""
    return _not_weaker("white-box beats black-box", ("white-box", white_box), ("black-box", black_box))


def gradient_free_is_weaker(gradient: Rate | None, gradient_free: Rate | None) -> Verdict:
    """Gradients must help: an attack without them that is stronger shows that they mislead.

    >>> from axsim.robustness.intervals import wilson
    >>> gradient_free_is_weaker(wilson(3, 50), wilson(40, 50)).said
    'failed'
    >>> gradient_free_is_weaker(wilson(16, 20), wilson(20, 20)).said
    'not decided'
    """
    return _not_weaker(
        "gradient-free attacks are weaker", ("gradient", gradient), ("gradient-free", gradient_free)
    )


def noise_does_little(noise: Rate | None, attack: Rate | None, most: float = 0.1) -> Verdict:
    """Random noise of the attack's size must fool few images, and not more than the attack."""
    name = "random noise does little"
    if noise is None or attack is None or not noise.of or not attack.of:
        return not_tried(name)
    held = _at_most(noise, most) if noise.low <= attack.high else False
    return _verdict(name, held, f"noise: {noise}; attack: {attack}", noise=noise, attack=attack, most=most)


def restarts_change_little(one: Rate | None, many: Rate | None, most: float = 0.05) -> Verdict:
    """More random starts must add little, or else one start was not enough to judge by.

    >>> from axsim.robustness.intervals import wilson
    >>> restarts_change_little(wilson(40, 50), wilson(49, 50)).said
    'failed'
    """
    name = "restarts change little"
    if one is None or many is None or not one.of or not many.of:
        return not_tried(name)
    # Shares of whole images: 18 of 20 are 0.05 more than 17 of 20, which floats do not quite say.
    held = many.value - one.value <= most + 1e-9
    return _verdict(name, held, f"one start: {one}; many: {many}", one=one, many=many, most=most)


def gradients_are_there(zero: Rate | None, most: float = 0.05) -> Verdict:
    """Few images may have a gradient that is 0 everywhere."""
    name = "gradients are not zero"
    if zero is None or not zero.of:
        return not_tried(name)
    return _verdict(name, _at_most(zero, most), f"without any gradient: {zero}", zero=zero, most=most)


def planted_case_is_found(found: Rate | None, noise: Rate | None, least: float = 0.95) -> Verdict:
    """The attack must find examples that were planted (Zimmermann et al.), and random noise must not.

    See :func:`axsim.robustness.planted.plant`.
    """
    name = "planted examples are found"
    if found is None or noise is None or not found.of or not noise.of:
        return not_tried(name)
    held: bool | None = None
    if found.high < least or noise.value >= found.value:  # missed, or so easy that finding them says nothing
        held = False
    elif found.value >= least and noise.high < found.low:
        held = True
    why = f"attack: {found}; random points: {noise}"
    return _verdict(name, held, why, attack=found, noise=noise, least=least)
