"""What a gradient rule is: from the gradient of an approximate product to those of its two operands.

An approximate product is piecewise constant in its operands, and its true gradient zero nearly everywhere:
training and gradient attacks put another in its place. Which one is a rule.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

from axsim.multipliers import FloatMultiplier, Multiplier
from axsim.nn.geometry import Geometry
from axsim.quantization import QuantParams


@dataclass(frozen=True, eq=False)
class Product:
    """One approximate product, as it was made.

    Attributes:
        x: float activations, as the operator took them: padding is in the geometry.
        w: float weights; for ``MatMul`` the right operand.
        multiplier: what they were multiplied by.
        a_params: how x was quantised; None for a float multiplier.
        w_params: how w was quantised, per tensor or per output channel; None for a float multiplier.
        geometry: which activation met which weight.
        output: the result without bias, where the rule's ``wants_output`` is true; else None.
        clips: whether ``a_params`` were known before x was: they may cut some of it off.
    """

    x: Tensor
    w: Tensor
    multiplier: Multiplier | FloatMultiplier
    a_params: QuantParams | None
    w_params: QuantParams | None
    geometry: Geometry
    output: Tensor | None = None
    clips: bool = True


@runtime_checkable
class GradientRule(Protocol):
    """A value that knows the operands' gradients; see ``axsim.nn.gradients.STE``.

    A rule may have ``wants_output = True``: its products then hold their ``output``. Two rules that are equal
    have one name, and those that differ have different names.
    """

    @property
    def name(self) -> str:
        """The rule and its settings, as in "ste" and "ste(gain=measured)"; ``named`` reads it."""

    def gradients(
        self, upstream: Tensor, product: Product, wanted: tuple[bool, bool]
    ) -> tuple[Tensor | None, Tensor | None]:
        """Gradients in the operands' floats.

        Args:
            upstream: the gradient in the product's result, of its shape and of x's type.
            product: what was multiplied; its tensors hold numbers, also where a model is compiled.
            wanted: whether the gradient in x is asked for, and that in w.

        Returns:
            The gradients in x and w, of their shapes and types; None for what is not wanted.
        """


KINDS: dict[str, Callable[..., GradientRule]] = {}
"""What makes the rules of a kind, by the word that their names begin with."""


def named(rule: str | GradientRule) -> GradientRule:
    """The rule of that name, such as "ste" or "ste(gain=measured)"; a rule is returned as it is.

    Raises:
        TypeError: it is neither a name nor a rule.
        ValueError: no rule has the name.

    >>> named("ste(gain=measured)")
    STE(gain='measured', clip=True)
    """
    if isinstance(rule, str):
        return _made(rule)
    if not isinstance(rule, GradientRule):
        raise TypeError(
            f"gradient is {rule!r}, expected the name of a rule ({', '.join(KINDS)}) or an object with a "
            "name and gradients(upstream, product, wanted)"
        )
    return rule


def _made(text: str) -> GradientRule:
    kind, opened, settings = text.strip().partition("(")
    try:
        if kind.strip() not in KINDS or (opened and not settings.endswith(")")):
            raise ValueError(f"rules are {', '.join(KINDS)}")
        places, names = [], {}
        for part in settings.removesuffix(")").split(",") if settings.removesuffix(")") else ():
            key, equals, value = part.partition("=")
            if equals:
                names[key.strip()] = _literal(value)
            else:
                places.append(_literal(key))
        return KINDS[kind.strip()](*places, **names)
    except (TypeError, ValueError) as error:
        raise ValueError(f"gradient is {text!r}, which names no rule: {error}") from None


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError):
        return text.strip()
