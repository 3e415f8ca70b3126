"""Shapes of products, and the exact product and its gradients in all of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from axsim.nn.geometry import (
    Conv,
    Geometry,
    Linear,
    MatMul,
    Transposed,
    check,
    exact,
    exact_gradients,
    output_size,
    padded,
)


@st.composite
def products(draw: st.DrawFn) -> tuple[Geometry, tuple[int, ...], tuple[int, ...]]:
    """A geometry and shapes that fit it."""
    kind = draw(st.sampled_from([Linear, MatMul, Conv, Transposed]))
    m, k, n, groups = (draw(st.integers(1, 3)) for _ in range(4))
    if kind is Linear:
        return Linear(), (m, 2, k), (n, k)
    if kind is MatMul:
        return (
            MatMul(),
            (*draw(st.sampled_from([(), (3,), (2, 1)])), m, k),
            (*draw(st.sampled_from([(), (3,)])), k, n),
        )
    axes = draw(st.integers(1, 3 if kind is Conv else 2))
    some: Any = st.tuples(*[st.integers(1, 3)] * axes)
    kernel, stride, dilation = draw(some), draw(some), draw(some)
    size = tuple(d * (t - 1) + draw(st.integers(1, 3)) for d, t in zip(dilation, kernel, strict=True))
    if kind is Conv:
        padding = draw(st.tuples(*[st.integers(0, 2)] * (2 * axes)))
        return Conv(stride, padding, dilation, groups), (2, groups * k, *size), (groups * n, k, *kernel)
    extra = tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True))
    return (
        Transposed(stride, (0,) * axes, extra, dilation, groups),
        (2, groups * k, *size),
        (groups * k, n, *kernel),
    )


@given(products())
def test_gradients_of_the_exact_product(case: tuple[Geometry, tuple[int, ...], tuple[int, ...]]) -> None:
    geometry, x_shape, w_shape = case
    check(x_shape, w_shape, None, geometry)
    x, w = torch.rand(x_shape, requires_grad=True), torch.rand(w_shape, requires_grad=True)
    y = exact(x, w, geometry)
    if isinstance(geometry, Conv | Transposed):
        assert list(y.shape[2:]) == output_size(x_shape[2:], w_shape[2:], geometry)
    upstream = torch.rand(y.shape)
    expected = torch.autograd.grad(y, [x, w], upstream)
    for wanted in ((True, True), (True, False), (False, True), (False, False)):
        found = exact_gradients(upstream, x, w, geometry, wanted)
        for mine, own, wished in zip(found, expected, wanted, strict=True):
            assert (mine is not None) == wished
            if mine is not None:
                torch.testing.assert_close(mine, own, rtol=1e-4, atol=1e-4)


def test_padding_written_out() -> None:
    geometry = Conv((1, 1), (1, 2, 3, 0), (1, 1))
    x, left = padded(torch.ones(1, 1, 2, 2), geometry, value=5.0)
    assert x.shape == (1, 1, 5, 5)
    assert left.padding == (0, 0, 0, 0)
    assert x[0, 0, 1:3, 3:].tolist() == [[1, 1], [1, 1]]
    assert x.sum() == 4 + 21 * 5
    assert padded(x, left)[0] is x


@pytest.mark.parametrize(
    ("x", "w", "bias", "geometry"),
    [
        ((2, 3), (4, 2), None, Linear()),
        ((), (4, 2), None, Linear()),
        ((2, 3), (4, 3), (3,), Linear()),
        ((3,), (3, 4), None, MatMul()),
        ((2, 3), (4, 3), None, MatMul()),
        ((1, 2, 5), (4, 3, 3), None, Conv((1,), (0, 0), (1,))),
        ((1, 2, 2), (4, 2, 3), None, Conv((1,), (0, 0), (1,))),
        ((1, 2, 5), (3, 1, 3), None, Conv((1,), (0, 0), (1,), 2)),
        ((2, 5), (4, 2, 3), None, Conv((1,), (0, 0), (1,))),
        ((1, 2, 5), (4, 2, 3), None, Transposed((1,), (0,), (0,), (1,))),
        ((1, 2, 1), (2, 2, 1), None, Transposed((1,), (1,), (0,), (1,))),
        ((1, 4, 5), (4, 2, 3), (2,), Transposed((1,), (0,), (0,), (1,), 2)),
    ],
)
def test_shapes_that_do_not_fit(x: Any, w: Any, bias: Any, geometry: Geometry) -> None:
    with pytest.raises(ValueError, match="has shape"):
        check(x, w, bias, geometry)
