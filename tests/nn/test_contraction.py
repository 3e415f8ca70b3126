"""Contractions of two operands as one matrix product."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from axsim.nn.contraction import of_axes, of_equation


@st.composite
def equations(draw: st.DrawFn) -> tuple[str, list[int], list[int]]:
    """Of two operands with at least one index that is summed over, and shapes for them."""
    batch, rows, columns = (draw(st.integers(0, 2)) for _ in range(3))
    terms = draw(st.integers(1, 2))
    letters = iter("ABCDabcdef" if draw(st.booleans()) else "fedcbaDCBA")
    groups = [[next(letters) for _ in range(n)] for n in (batch, rows, columns, terms)]
    sizes = {label: draw(st.integers(1, 3)) for group in groups for label in group}
    a = draw(st.permutations([*groups[0], *groups[1], *groups[3]]))
    b = draw(st.permutations([*groups[0], *groups[2], *groups[3]]))
    out = draw(st.permutations([*groups[0], *groups[1], *groups[2]]))
    texts, shapes = ["".join(a), "".join(b)], [[sizes[n] for n in a], [sizes[n] for n in b]]
    result = "".join(out)
    if draw(st.booleans()):  # more axes before them, which the second operand may have fewer of
        more = draw(st.lists(st.integers(1, 3), max_size=2))
        fewer = draw(st.integers(0, len(more)))
        texts = [f"...{text}" for text in texts]
        shapes = [[*more, *shapes[0]], [*more[fewer:], *shapes[1]]]
        result = f"...{result}"
    arrow = f"->{result}" if groups[0] or draw(st.booleans()) else ""
    return f"{texts[0]}, {texts[1]}{arrow}", *shapes


@given(equations())
def test_einsum_is_torchs_own(case: tuple[str, list[int], list[int]]) -> None:
    equation, a_shape, b_shape = case
    a, b = torch.randn(a_shape), torch.randn(b_shape)
    contraction = of_equation(equation, a.ndim, b.ndim)
    assert not contraction.why_not
    torch.testing.assert_close(contraction.by(torch.matmul, a, b), torch.einsum(equation, a, b))


def test_an_axis_of_one_is_spread() -> None:
    a, b = torch.randn(3, 1), torch.randn(4, 2)
    found = of_equation("ij,jk->ik", 2, 2).by(torch.matmul, a, b)
    torch.testing.assert_close(found, torch.einsum("ij,jk->ik", a, b))


@pytest.mark.parametrize(
    ("equation", "axes", "why"),
    [
        ("ii,ij->j", (2, 2), "stands twice"),
        ("ij,jk->k", (2, 2), "one operand alone"),
        ("ij,ij->ij", (2, 2), "nothing is summed over"),
        ("i,j->ij", (1, 1), "nothing is summed over"),
    ],
)
def test_what_is_no_matrix_product(equation: str, axes: tuple[int, int], why: str) -> None:
    assert why in of_equation(equation, *axes).why_not


@given(st.data())
def test_tensordot_is_torchs_own(data: st.DataObject) -> None:
    shared = data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=2))
    a_shape = data.draw(st.permutations([*shared, *data.draw(st.lists(st.integers(4, 5), max_size=2))]))
    b_shape = [*data.draw(st.lists(st.integers(4, 5), max_size=2)), *shared]
    a_axes: list[int] = []
    for size in shared:
        a_axes.append(next(i for i, n in enumerate(a_shape) if n == size and i not in a_axes))
    b_axes = [len(b_shape) - len(shared) + i for i in range(len(shared))]
    a, b = torch.randn(a_shape), torch.randn(b_shape)
    contraction = of_axes(a.ndim, b.ndim, list(zip(a_axes, b_axes, strict=True)))
    assert not contraction.why_not
    torch.testing.assert_close(contraction.by(torch.matmul, a, b), torch.tensordot(a, b, (a_axes, b_axes)))
