"""How a layer's operands become integers: a value, apart from the ranges that a calibration finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from axsim.multipliers import Multiplier
from axsim.nn.observers import Observer, observer_of
from axsim.quantization import QuantParams, Rule, affine_params, symmetric_params, whole

Activations = Literal["auto", "static", "dynamic"]
Coding = Literal["auto", "affine", "symmetric", "sign-magnitude"]
Granularity = Literal["tensor", "channel"]


@dataclass(frozen=True)
class Quantization:
    """How the float operands of an integer multiplier are coded; float multipliers take them as they are.

    A circuit with fewer bits than are asked for gets as many as it has.

    Attributes:
        activations: "static": one range for all inputs, which a calibration found; "dynamic": the range of
            each batch, so that an image's result depends on the others beside it; "auto": static once there
            is a calibration, dynamic until then.
        observer: how a calibration makes a range of what it sees: "minmax", "moving-average", "percentile",
            "mse", "entropy", or one of ``axsim.nn.observers``.
        a_bits, w_bits: widths of activations and weights, 2 to 8.
        a_coding, w_coding: what the integers are.
            "affine": a zero point, and all integers of the width: uint8 for unsigned circuits (activations
            that are never negative have zero point 0), int8 for signed ones.
            "symmetric": zero point 0, the sign among the bits: int8, which unsigned circuits meet in sign
            and magnitude, of 7 bits.
            "sign-magnitude": zero point 0, a sign beside all bits of magnitude; for signed circuits the
            same as "symmetric".
            "auto": activations affine for unsigned circuits, symmetric for signed ones; weights
            sign-magnitude and symmetric.
        w_granularity: one scale for all weights of a layer ("tensor"), or one for each output channel.

    Raises:
        TypeError: a width is not an integer, or ``observer`` is no observer.
        ValueError: another choice is unknown.

    >>> Quantization(w_coding="affine", w_granularity="channel").w_bits
    8
    """

    activations: Activations = "auto"
    observer: str | Observer = "minmax"
    a_bits: int = 8
    a_coding: Coding = "auto"
    w_bits: int = 8
    w_coding: Coding = "auto"
    w_granularity: Granularity = "tensor"

    def __post_init__(self) -> None:
        for name, choices in (
            ("activations", Activations),
            ("a_coding", Coding),
            ("w_coding", Coding),
            ("w_granularity", Granularity),
        ):
            if getattr(self, name) not in get_args(choices):
                raise ValueError(f"{name} is {getattr(self, name)!r}, expected {_or(get_args(choices))}")
        for name in ("a_bits", "w_bits"):
            if not 2 <= whole(name, getattr(self, name)) <= 8:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 2 to 8")
        observer_of(self.observer)  # checks it

    def left(self, multiplier: Multiplier) -> Rule:
        """How activations become the multiplier's left operand.

        >>> import axsim
        >>> Quantization().left(axsim.get("L40")), Quantization().left(axsim.get("exact7"))
        (Rule(centred=False, qmin=0, qmax=255, bits=8), Rule(centred=False, qmin=0, qmax=127, bits=7))
        """
        return _rule(self.a_coding, self.a_bits, multiplier.a_bits, multiplier.signed, "affine")

    def right(self, multiplier: Multiplier) -> Rule:
        """How weights become the multiplier's right operand.

        >>> import axsim
        >>> Quantization().right(axsim.get("L40")), Quantization().right(axsim.get("exact8s"))
        (Rule(centred=True, qmin=-255, qmax=255, bits=9), Rule(centred=True, qmin=-127, qmax=127, bits=8))
        """
        return _rule(self.w_coding, self.w_bits, multiplier.b_bits, multiplier.signed, "sign-magnitude")

    def weights(
        self, multiplier: Multiplier, low: NDArray[np.float64], high: NDArray[np.float64]
    ) -> QuantParams:
        """The parameters of weights from ``low`` to ``high``, float64: () or (channels,), then for axis 0."""
        rule, axis = self.right(multiplier), 0 if low.ndim else None
        low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
        if rule.centred:
            return symmetric_params(np.maximum(-low, high), rule.bits, axis=axis)
        return affine_params(low, high, rule.bits, signed=rule.qmin < 0, axis=axis)

    def described(self, multiplier: Multiplier) -> str:
        """What decides the integers, in words that ``read`` understands.

        >>> import axsim
        >>> Quantization().described(axsim.get("L40"))
        'a=affine8,auto|w=sign-magnitude8,tensor'
        """
        left, right = self.left(multiplier), self.right(multiplier)
        return f"a={_words(left)},{self.activations}|w={_words(right)},{self.w_granularity}"

    @classmethod
    def read(cls, text: str) -> Quantization:
        """The quantisation that ``described`` described, for that multiplier.

        Raises:
            ValueError: it is no such text.

        >>> Quantization.read("a=affine8,auto|w=sign-magnitude8,tensor").w_coding
        'sign-magnitude'
        """
        try:
            (a, activations), (w, granularity) = (part[2:].split(",") for part in text.split("|"))
            return cls(
                activations=activations,  # type: ignore[arg-type]
                a_coding=a[:-1],  # type: ignore[arg-type]
                a_bits=int(a[-1]),
                w_coding=w[:-1],  # type: ignore[arg-type]
                w_bits=int(w[-1]),
                w_granularity=granularity,  # type: ignore[arg-type]
            )
        except (IndexError, ValueError):
            raise ValueError(f"{text!r} describes no quantisation") from None


def _rule(coding: Coding, bits: int, width: int, signed: bool, unsigned_default: Coding) -> Rule:
    """How an operand of ``width`` bits is coded."""
    if coding == "auto":
        coding = "symmetric" if signed else unsigned_default
    if coding == "affine":
        return Rule.affine(min(bits, width, 8), signed=signed)
    if coding == "symmetric" or signed:
        return Rule.symmetric(min(bits, width if signed else width + 1, 8))
    return Rule.symmetric(min(bits, width, 8) + 1)


def _words(rule: Rule) -> str:
    """As in "sign-magnitude8": the coding, and the bits of magnitude where the sign stands beside them."""
    if not rule.centred:
        return f"affine{rule.bits}"
    return f"symmetric{rule.bits}" if rule.bits <= 8 else f"sign-magnitude{rule.bits - 1}"


def _or(choices: tuple[str, ...]) -> str:
    return f"{', '.join(map(repr, choices[:-1]))} or {choices[-1]!r}"
