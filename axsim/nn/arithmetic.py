"""What a layer multiplies with: multiplier, coding of operands and gradient rule, as one value with a name.

Operators of ``torch.library`` take tensors, numbers and strings, so the name, the *key*, is what they get.
Every key that was ever made in a process leads back to its value there; in another process it does, too, if
it names nothing that was registered or made by hand.
"""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from axsim.multipliers import FloatMultiplier, Multiplier, get
from axsim.multipliers.registry import is_built_in
from axsim.nn.gradients.rule import GradientRule, named
from axsim.nn.quantization import Quantization
from axsim.once import cached_property
from axsim.quantization import QuantParams, Rule

Mult = str | Multiplier | FloatMultiplier

_known: dict[str, Arithmetic] = {}


@dataclass(frozen=True, eq=False)
class Arithmetic:
    """How products of a layer are made; ``arithmetic`` makes it.

    Attributes:
        multiplier: what multiplies.
        quantization: how operands are coded; None for a float multiplier.
        gradient: the rule for gradients.
        key: a name that tells it from every other.
    """

    multiplier: Multiplier | FloatMultiplier
    quantization: Quantization | None
    gradient: GradientRule
    key: str

    @property
    def integer(self) -> tuple[Multiplier, Quantization] | None:
        """The multiplier and the coding; None for a float multiplier."""
        if isinstance(self.multiplier, FloatMultiplier) or self.quantization is None:
            return None
        return self.multiplier, self.quantization

    @cached_property
    def left(self) -> Rule | None:
        """How activations are quantised; None for a float multiplier."""
        if (both := self.integer) is None:
            return None
        return both[1].left(both[0])

    def __copy__(self) -> Arithmetic:
        return self

    def __deepcopy__(self, memo: Any) -> Arithmetic:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        mult = self.multiplier.name if is_built_in(self.multiplier) else self.multiplier
        rule = self.gradient.name if _is_named(self.gradient) else self.gradient
        return arithmetic, (mult, self.quantization, rule)


def arithmetic(
    mult: Mult, quantization: Quantization | None = None, gradient: str | GradientRule = "ste"
) -> Arithmetic:
    """The arithmetic of a multiplier, made once.

    Args:
        mult: a multiplier or its name.
        quantization: how the operands of an integer multiplier are coded; for a float multiplier of no
            meaning.
        gradient: a rule or its name.

    Raises:
        TypeError: an argument is of a wrong type.
        ValueError: a name is unknown, the multiplier is too wide to be listed, or another rule has the name
            of this one.

    >>> arithmetic("L40").key
    'mul8u_L40|a=affine8,auto|w=sign-magnitude8,tensor|grad=ste'
    >>> arithmetic("axfpm").key
    'axfpm|grad=ste'
    """
    multiplier, rule = get(mult), named(gradient)
    parts = [_multiplier_key(multiplier)]
    if isinstance(multiplier, Multiplier):
        if multiplier.is_wide:
            raise ValueError(
                f"{multiplier.name} has {multiplier.a_bits} and {multiplier.b_bits} bits, too many for a "
                "table of products; layers take multipliers of up to 16 bits together"
            )
        # The observer decides ranges, not products.
        quantization = replace(quantization or Quantization(), observer="minmax")
        parts.append(quantization.described(multiplier))
    else:
        quantization = None
    key = "|".join([*parts, f"grad={rule.name}"])
    found = _known.setdefault(key, Arithmetic(multiplier, quantization, rule, key))
    if found.gradient != rule:
        raise ValueError(
            f"gradient is a rule called {rule.name!r}, and so is another one, {found.gradient!r}: give rules "
            "that differ different names"
        )
    return found


def resolve(key: str) -> Arithmetic:
    """The arithmetic of that key.

    Raises:
        ValueError: this process does not know it, and it names what is only known where it was made.

    >>> resolve("axfpm|grad=ste").multiplier.name
    'axfpm'
    """
    found = _known.get(key)
    return found if found is not None else _read(key)


def _read(key: str) -> Arithmetic:
    name, *quantization = key.split("|")
    try:
        gradient = quantization.pop() if quantization else ""
        if "@" in name:
            raise ValueError(
                f"{name.partition('@')[0]} was registered or made in another process; convert a model with "
                "it here, or unpickle one, first"
            )
        coding = Quantization.read("|".join(quantization)) if quantization else None
        return arithmetic(name, coding, gradient.removeprefix("grad="))
    except ValueError as error:
        raise ValueError(f"the arithmetic {key!r} is not known in this process: {error}") from None


@lru_cache(maxsize=1024)
def left_params(rule: Rule, low: float, high: float) -> QuantParams:
    """How activations are quantised whose range is known."""
    return rule.params(low, high)


def _is_named(rule: GradientRule) -> bool:
    """Whether the rule's name is enough to make it again."""
    try:
        return bool(named(rule.name) == rule)
    except ValueError:
        return False


def _multiplier_key(multiplier: Multiplier | FloatMultiplier) -> str:
    if is_built_in(multiplier):
        return multiplier.name
    if isinstance(multiplier, Multiplier):
        table = multiplier.table
        content = f"{table.a_bits} {table.b_bits} {table.signed} ".encode() + table.values.tobytes()
    else:
        content = pickle.dumps(multiplier)
    return f"{multiplier.name}@{hashlib.sha256(content).hexdigest()[:16]}"
