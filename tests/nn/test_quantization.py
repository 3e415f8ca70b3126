"""The coding of operands as a value."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import axsim
from axsim.nn import Quantization
from axsim.quantization import Rule

codings = st.sampled_from(["auto", "affine", "symmetric", "sign-magnitude"])
quantizations = st.builds(
    Quantization,
    activations=st.sampled_from(["auto", "static", "dynamic"]),
    a_bits=st.integers(2, 8),
    a_coding=codings,
    w_bits=st.integers(2, 8),
    w_coding=codings,
    w_granularity=st.sampled_from(["tensor", "channel"]),
)
multipliers = st.sampled_from(["L40", "exact7", "exact4", "exact8s", "exact6s", "exact8x6"])


@pytest.mark.parametrize(
    ("mult", "quantization", "left", "right"),
    [
        ("L40", Quantization(), Rule(False, 0, 255, 8), Rule(True, -255, 255, 9)),
        ("exact8s", Quantization(), Rule(True, -127, 127, 8), Rule(True, -127, 127, 8)),
        ("exact7", Quantization(), Rule(False, 0, 127, 7), Rule(True, -127, 127, 8)),
        ("exact4s", Quantization(), Rule(True, -7, 7, 4), Rule(True, -7, 7, 4)),
        ("L40", Quantization(w_coding="affine"), Rule(False, 0, 255, 8), Rule(False, 0, 255, 8)),
        ("L40", Quantization(w_coding="symmetric"), Rule(False, 0, 255, 8), Rule(True, -127, 127, 8)),
        ("L40", Quantization(a_coding="sign-magnitude"), Rule(True, -255, 255, 9), Rule(True, -255, 255, 9)),
        ("exact8s", Quantization(a_coding="affine"), Rule(False, -128, 127, 8), Rule(True, -127, 127, 8)),
        ("L40", Quantization(a_bits=4, w_bits=3), Rule(False, 0, 15, 4), Rule(True, -7, 7, 4)),
    ],
)
def test_integers_in_use(mult: str, quantization: Quantization, left: Rule, right: Rule) -> None:
    multiplier = axsim.get(mult)
    assert isinstance(multiplier, axsim.Multiplier)
    assert quantization.left(multiplier) == left
    assert quantization.right(multiplier) == right


@given(quantizations, multipliers)
def test_what_is_described_can_be_read(quantization: Quantization, mult: str) -> None:
    multiplier = axsim.get(mult)
    assert isinstance(multiplier, axsim.Multiplier)
    text = quantization.described(multiplier)
    again = Quantization.read(text)
    assert (again.left(multiplier), again.right(multiplier)) == (
        quantization.left(multiplier),
        quantization.right(multiplier),
    )
    assert again.described(multiplier) == text
    assert again.activations == quantization.activations


@pytest.mark.parametrize(
    "text", ["", "a=affine8", "a=affine8,auto|w=none8,tensor", "a=affineX,auto|w=affine8,x"]
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="describes no quantisation"):
        Quantization.read(text)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"activations": "fixed"},
            ValueError,
            "activations is 'fixed', expected 'auto', 'static' or 'dynamic'",
        ),
        ({"a_coding": "int8"}, ValueError, "a_coding is 'int8'"),
        ({"w_granularity": "row"}, ValueError, "w_granularity is 'row'"),
        ({"a_bits": 1}, ValueError, "a_bits is 1, expected 2 to 8"),
        ({"w_bits": 9}, ValueError, "w_bits is 9, expected 2 to 8"),
        ({"w_bits": 4.0}, TypeError, "w_bits is 4.0, expected an integer"),
        ({"observer": "max"}, ValueError, "observer is 'max'"),
        ({"observer": 3}, TypeError, "observer is 3"),
    ],
)
def test_refused(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Quantization(**arguments)
