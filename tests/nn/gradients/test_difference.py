"""Gradient rules made from tables against sums over single products, in every geometry and coding."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from gradient_cases import (  # noqa: E402
    BY_CHANNEL,
    CODINGS,
    EXACT,
    GEOMETRIES,
    MATMULS,
    UNSIGNED,
    by_loops,
    check,
    product,
    upstream_of,
)

import axsim  # noqa: E402
import axsim.nn  # noqa: E402
from axsim.nn.geometry import Conv, Transposed  # noqa: E402
from axsim.nn.gradients import (  # noqa: E402
    STE,
    Difference1D,
    Difference2D,
    Product,
    entries,
    named,
)
from axsim.quantization import QuantParams  # noqa: E402

CASES = [
    *((name, coding) for name in GEOMETRIES for coding in (*CODINGS, *BY_CHANNEL)),
    *((name, coding) for name in MATMULS for coding in CODINGS),
]


def signed_product(multiplier: Any, a: int, b: int) -> int:
    table = multiplier.table.values
    if multiplier.signed:
        return int(table[a % len(table), b % len(table)])
    return (-1 if a < 0 else 1) * (-1 if b < 0 else 1) * int(table[abs(a), abs(b)])


class Slopes:
    """A product's smoothed differences, by the definition, along lines of its operands' ranges."""

    def __init__(self, made: Product, window: int) -> None:
        self.made, self.window = made, window
        self.by_a, self.by_b = cache(self._by_a), cache(self._by_b)

    def _line(self, params: QuantParams, at: int, values: Any) -> float:
        low, high, h = params.qmin, params.qmax, self.window
        if low + h < at < high - h:
            ahead, behind = (
                np.mean([values(i) for i in range(at + step - h, at + step + h + 1)]) for step in (1, -1)
            )
            return float(ahead - behind) / 2
        return (values(high) - values(low)) / (high - low)

    def _by_a(self, a: int, b: int) -> float:
        return self._line(self.made.a_params, a, lambda i: signed_product(self.made.multiplier, i, b))

    def _by_b(self, a: int, b: int) -> float:
        return self._line(self.made.w_params, b, lambda i: signed_product(self.made.multiplier, a, i))

    def mean_by_a(self, _: int, b: int) -> float:
        left = self.made.a_params
        return float(np.mean([self.by_a(i, b) for i in range(left.qmin, left.qmax + 1)]))

    def mean_by_b(self, a: int, _: int) -> float:
        right = self.made.w_params
        return float(np.mean([self.by_b(a, i) for i in range(right.qmin, right.qmax + 1)]))


@pytest.mark.parametrize(("name", "coding"), CASES)
def test_differences_in_both_operands(name: str, coding: str) -> None:
    made = product(name, coding)
    upstream, slopes = upstream_of(made), Slopes(made, 2)
    found = Difference2D(2).gradients(upstream, made, (True, True))
    check(found, by_loops(made, upstream, slopes.by_a, slopes.by_b))


@pytest.mark.parametrize(
    ("name", "coding"), [case for case in CASES if case[1] != "nine bits" or case[0] == "conv2d"]
)
def test_slopes(name: str, coding: str) -> None:
    made = product(name, coding)
    upstream, slopes = upstream_of(made), Slopes(made, 2)
    mean_by_a = cache(lambda b: slopes.mean_by_a(0, b))
    mean_by_b = cache(lambda a: slopes.mean_by_b(a, 0))
    found = Difference1D(2).gradients(upstream, made, (True, True))
    check(found, by_loops(made, upstream, lambda _, b: mean_by_a(b), lambda a, _: mean_by_b(a)))


@pytest.mark.parametrize("rule", [Difference1D(), Difference1D(1), Difference2D(), Difference2D(0)])
@pytest.mark.parametrize(
    ("name", "coding"),
    [(n, c) for n, c in CASES if c in ("affine by sign and magnitude", "affine by affine")],
)
def test_of_an_exact_multiplier_they_are_the_straight_through_estimator(
    rule: Any, name: str, coding: str
) -> None:
    """Where operands are numbers that quantisation keeps. Rounding apart, at borders of the table, too."""
    made = replace(product(name, coding), multiplier=EXACT)
    rng = np.random.default_rng(2)
    for side, params in (("x", made.a_params), ("w", made.w_params)):
        shape = getattr(made, side).shape
        integers = rng.integers(params.qmin, params.qmax + 1, tuple(shape))
        kept = float(params.scale) * (integers - int(params.zero_point))
        made = replace(made, **{side: torch.from_numpy(kept).float()})
    upstream = upstream_of(made)
    found = rule.gradients(upstream, made, (True, True))
    expected = STE().gradients(upstream, made, (True, True))
    check(found, tuple(g.numpy() for g in expected))


@pytest.mark.parametrize("kind", [Difference1D, Difference2D])
def test_what_was_cut_off_gets_no_gradient(kind: Any) -> None:
    made = product("linear", "affine by affine")
    upstream = upstream_of(made)
    cut = (made.x < 0.25 * (-5 - 0.5)) | (made.x > 0.25 * (10 + 0.5))
    clipped = kind(1).gradients(upstream, made, (True, False))[0]
    whole = kind(1, clip=False).gradients(upstream, made, (True, False))[0]
    own = kind(1).gradients(upstream, replace(made, clips=False), (True, False))[0]
    assert cut.any()
    assert not clipped[cut].any()
    assert whole[cut].any()
    assert torch.equal(clipped[~cut], whole[~cut])
    assert torch.equal(own, whole)


@pytest.mark.parametrize("rule", [Difference1D(2), Difference2D(2)])
@pytest.mark.parametrize("name", ["conv2d", "transposed", "batch"])
def test_only_what_is_wanted(rule: Any, name: str) -> None:
    made = product(name, "affine by affine")
    upstream = upstream_of(made)
    of_x, of_w = rule.gradients(upstream, made, (True, True))
    for wanted, expected in (((True, False), (of_x, None)), ((False, True), (None, of_w))):
        for found, what in zip(rule.gradients(upstream, made, wanted), expected, strict=True):
            assert found is what is None or torch.equal(found, what)


def test_a_large_transposed_convolution_goes_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    made = product("transposed groups", "affine by affine")
    upstream = upstream_of(made)
    whole = Difference2D(2).gradients(upstream, made, (True, True))
    monkeypatch.setattr(entries, "_SPREAD", 1)
    parts = Difference2D(2).gradients(upstream, made, (True, True))
    check(parts, tuple(g.numpy() for g in whole))


@pytest.mark.parametrize("rule", [Difference1D(1), Difference2D(1)])
@pytest.mark.parametrize(
    "geometry", [Conv((1, 1), (1, 1, 1, 1), (1, 1)), Transposed((1, 1), (0, 0), (0, 0), (1, 1))]
)
def test_no_images(rule: Any, geometry: Any) -> None:
    x, w, params = torch.zeros(0, 3, 4, 4), torch.ones(3, 3, 2, 2), QuantParams(1.0, 0, 0, 15)
    size = 5
    made = Product(x, w, UNSIGNED, params, params, geometry)
    of_x, of_w = rule.gradients(torch.zeros(0, 3, size, size), made, (True, True))
    assert of_x.shape == x.shape
    assert of_w.shape == w.shape
    assert not of_w.any()


def test_float64_and_halves_come_back_as_they_came() -> None:
    made = product("conv2d", "affine by affine")
    upstream = upstream_of(made)
    expected = Difference2D(2).gradients(upstream, made, (True, True))
    doubles = replace(made, x=made.x.double(), w=made.w.double())
    for found, wanted in zip(
        Difference2D(2).gradients(upstream.double(), doubles, (True, True)), expected, strict=True
    ):
        assert found.dtype == torch.float64
        torch.testing.assert_close(found.float(), wanted)


@pytest.mark.parametrize("rule", [Difference1D(), Difference2D()])
def test_what_cannot_be_done_is_said(rule: Any) -> None:
    made = product("linear", "affine by affine")
    upstream = upstream_of(made)
    floats = replace(made, multiplier=axsim.get("axfpm"), a_params=None, w_params=None)
    with pytest.raises(TypeError, match=r"difference.*axfpm is a float multiplier.*'ste"):
        rule.gradients(upstream, floats, (True, True))
    again = replace(made, x=made.x.clone().requires_grad_())
    with pytest.raises(RuntimeError, match="create_graph=True"):
        rule.gradients(upstream, again, (True, True))
    with torch.no_grad():
        rule.gradients(upstream, again, (True, True))


@pytest.mark.parametrize("kind", [Difference1D, Difference2D])
def test_names_lead_back(kind: Any) -> None:
    for rule in (kind(), kind(3), kind(0, clip=False)):
        assert named(rule.name) == rule
    with pytest.raises(ValueError, match="window is -1"):
        kind(-1)
    with pytest.raises(TypeError, match=r"window is 1\.5"):
        kind(1.5)
    with pytest.raises(ValueError, match="clip is 3"):
        kind(1, clip=3)


@pytest.mark.parametrize("rule", [Difference1D(4), Difference2D(4)])
def test_layers_follow_the_rule(rule: Any) -> None:
    torch.manual_seed(0)
    model = axsim.nn.approximate(torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3)), "L40", gradient=rule)
    x = torch.rand(2, 2, 5, 5).requires_grad_()
    out = model(x)
    out.square().sum().backward()
    weight = model[0].weight
    low, high = 0.0, float(x.detach().max())
    made = Product(
        x.detach(),
        weight.detach(),
        axsim.get("L40"),
        axsim.quantize.affine(np.float32([low, high])),
        axsim.quantize.symmetric(weight.detach().numpy(), 9),
        Conv((1, 1), (0, 0, 0, 0), (1, 1)),
        clips=False,
    )
    expected = rule.gradients(2 * out.detach(), made, (True, True))
    torch.testing.assert_close((x.grad, weight.grad), expected)
    with pytest.raises(RuntimeError, match="cannot be differentiated again"):
        torch.autograd.grad(model(x).sum(), x, create_graph=True)
