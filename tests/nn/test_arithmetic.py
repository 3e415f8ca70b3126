"""What a layer multiplies with, by its key."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any

import pytest

import axsim
from axsim.nn import STE, Quantization
from axsim.nn.arithmetic import arithmetic, resolve


@pytest.mark.parametrize(
    ("mult", "quantization", "gradient", "key"),
    [
        ("l40", None, "ste", "mul8u_L40|a=affine8,auto|w=sign-magnitude8,tensor|grad=ste"),
        (
            "exact8s",
            Quantization(w_granularity="channel"),
            "ste",
            "exact8s|a=symmetric8,auto|w=symmetric8,channel|grad=ste",
        ),
        ("AxFPM", Quantization(a_bits=4), STE(gain="measured"), "axfpm|grad=ste(gain=measured)"),
        ("float32[L40]", None, STE(clip=False), "float32[mul8u_L40]|grad=ste(clip=False)"),
        ("L40~", None, "ste", "mul8u_L40~|a=affine8,auto|w=sign-magnitude8,tensor|grad=ste"),
    ],
)
def test_keys(mult: str, quantization: Quantization | None, gradient: Any, key: str) -> None:
    made = arithmetic(mult, quantization, gradient)
    assert made.key == key
    assert resolve(key) is made
    assert arithmetic(mult, quantization, gradient) is made
    assert pickle.loads(pickle.dumps(made)) is made


def test_keys_are_read_where_nothing_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [
        arithmetic(m, q).key for m, q in (("L40", Quantization(a_bits=5)), ("drum6_3", None), ("axfpm", None))
    ]
    monkeypatch.setattr("axsim.nn.arithmetic._known", {})
    for key in keys:
        assert resolve(key).key == key


def test_registered_multipliers_have_fingerprints() -> None:
    keys = []
    for lowest in (~1, ~3, ~1):
        axsim.register("cut", lambda a, b, lowest=lowest: a * b & lowest, overwrite=True)
        keys.append(arithmetic("cut").key)
    assert keys[0] == keys[2] != keys[1]
    assert keys[0].startswith("cut@")
    axsim.register("L40", lambda a, b: a * b, overwrite=True)
    try:
        assert arithmetic("L40").key.startswith("L40@")
    finally:
        from axsim.multipliers import registry

        del registry._registered[registry._canonical("L40")]


def test_the_observer_decides_no_product() -> None:
    assert arithmetic("L40", Quantization(observer="mse")) is arithmetic("L40")


@pytest.mark.parametrize("key", ["none|grad=ste", "L40|a=x|grad=ste", "axfpm|grad=other", "axfpm"])
def test_other_keys_are_refused(key: str) -> None:
    with pytest.raises(ValueError, match="is not known in this process"):
        resolve(key)


def test_rules_of_one_name_that_differ_are_refused() -> None:
    @dataclass(frozen=True)
    class Mine:
        factor: float
        name: str = "mine"

        def gradients(self, upstream: Any, product: Any, wanted: Any) -> Any:
            return None, None

    first = arithmetic("L40", gradient=Mine(1.0))
    assert arithmetic("L40", gradient=Mine(1.0)) is first
    with pytest.raises(ValueError, match="gradient is a rule called 'mine', and so is another one"):
        arithmetic("L40", gradient=Mine(2.0))
