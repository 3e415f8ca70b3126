"""Attacks by name, with the settings that ``settings.toml`` has for them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from difflib import get_close_matches
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import Any

from axsim.errors import UnknownAttackError
from axsim.once import once
from axsim.robustness.attacks import apgd, foolbox_attacks, jsma, lsa, square, worst
from axsim.robustness.attacks.attack import Craft, NamedAttack

OF_FOOLBOX: dict[str, Craft] = {
    "foolbox": foolbox_attacks.craft,
    "carlini_wagner": foolbox_attacks.carlini_wagner,
    "decision_based": foolbox_attacks.decision_based,
}
OF_OURS: dict[str, Craft] = {
    "jsma": jsma.craft,
    "lsa": lsa.craft,
    "apgd": apgd.craft,
    "square": square.craft,
}


@once
def _known() -> dict[str, dict[str, Any]]:
    text = files("axsim.robustness.attacks").joinpath("settings.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def list_attacks(
    *, norm: str | None = None, gradient: bool | None = None, minimal: bool | None = None
) -> list[str]:
    """Names of the attacks that there are.

    Args:
        norm: only those that measure noise so: "linf", "l2" or "l0".
        gradient: only those that need the network's gradient, or only those that do not.
        minimal: only those that look for the smallest noise by themselves, or only those that need a budget.

    >>> list_attacks(norm="linf", gradient=False)
    ['uniform_linf', 'square_linf']
    >>> list_attacks(norm="l2", minimal=True)
    ['cw_l2', 'deepfool_l2', 'boundary', 'hopskipjump']
    """
    wanted = {"norm": norm, "gradient": gradient, "minimal": minimal}
    return [
        name
        for name, entry in _known().items()
        if all(value is None or entry.get(key, False) == value for key, value in wanted.items())
    ]


def get(name: str, *, batch: int | None = None, **settings: Any) -> NamedAttack:
    """The attack of that name.

    Args:
        name: one of :func:`list_attacks`.
        batch: how many images are crafted at a time. Default: as ``settings.toml`` has it, else 250.
        settings: what is to differ from ``settings.toml``, by name.

    Raises:
        UnknownAttackError: there is no such attack; the message suggests near names.
        TypeError: it has no such setting, or the setting's value is of another kind.

    >>> attack = get("pgd_linf", steps=10)
    >>> attack.norm, attack.gradient, attack.minimal, attack.settings["steps"]
    ('linf', True, False, 10)
    >>> get("pdg_linf")
    Traceback (most recent call last):
    axsim.errors.UnknownAttackError: no attack is called 'pdg_linf'; did you mean pgd_linf or apgd_t_linf ...?
    >>> get("pgd_linf", step=10)
    Traceback (most recent call last):
    TypeError: pgd_linf has no setting 'step'; did you mean steps or rel_stepsize?
    """
    known = _known()
    if name not in known:
        raise UnknownAttackError(f"no attack is called {name!r}; {_near(str(name), known, 'list_attacks()')}")
    entry = known[name]
    defaults = {key: value for key, value in entry["settings"].items() if key != "kind"}
    for key, value in settings.items():
        if key not in defaults:
            raise TypeError(f"{name} has no setting {key!r}; {_near(key, defaults, ', '.join(defaults))}")
        _check_kind(name, key, value, defaults[key])
    if batch is not None and (isinstance(batch, bool) or not isinstance(batch, int) or batch < 1):
        raise ValueError(f"batch: a whole number from 1 was expected, {batch!r} came")
    of_foolbox = entry["craft"] in OF_FOOLBOX
    every = {**entry["settings"], **settings}
    craft = (
        _worst(entry["norm"], every)
        if entry["craft"] == "worst"
        else {**OF_FOOLBOX, **OF_OURS}[entry["craft"]]
    )
    return NamedAttack(
        name=name,
        norm=entry["norm"],
        gradient=entry["gradient"],
        minimal=entry.get("minimal", False),
        settings=every,
        craft=craft,
        batch=batch or entry.get("batch", 250),
        notes=_foolbox_version() if of_foolbox else {},
    )


def _worst(norm: str, settings: dict[str, Any]) -> Craft:
    """The worst case over the members that the settings name."""
    members = [get(name) for name in settings["members"]]
    for member in members:
        if member.norm != norm or member.minimal or "members" in member.settings:
            raise ValueError(f"members: attacks with a budget in {norm} were expected, {member.name!r} came")
    if not members:
        raise ValueError("members: names of attacks were expected, none came")
    return partial(worst.craft, attacks=members)


def _foolbox_version() -> dict[str, str]:
    try:
        return {"foolbox": version("foolbox")}
    except PackageNotFoundError:
        return {}  # said when the attack is used


def _check_kind(attack: str, key: str, value: Any, default: Any) -> None:
    """A setting's value is of the default's kind; a whole number will do for a number."""
    kind = type(default)
    right = isinstance(value, kind) and not (isinstance(value, bool) and kind is not bool)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        right = True
    if not right:
        raise TypeError(f"{attack}: {key} is a {kind.__name__}, {value!r} came")


def _near(name: str, known: Iterable[str], otherwise: str) -> str:
    near = get_close_matches(name, list(known), cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"there are: {otherwise}"
