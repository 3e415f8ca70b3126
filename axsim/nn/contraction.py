"""``einsum`` and ``tensordot`` of two operands as one matrix product."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

MatMul = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Contraction:
    """Which axes of two operands meet.

    Attributes:
        a, b: the labels of their axes.
        out: those of the result's.
    """

    a: tuple[str, ...]
    b: tuple[str, ...]
    out: tuple[str, ...]

    @property
    def why_not(self) -> str:
        """Why it is no matrix product; empty where it is one."""
        shared = set(self.a) & set(self.b)
        if any(len(set(labels)) < len(labels) for labels in (self.a, self.b, self.out)):
            return "an index stands twice in one operand"
        if (set(self.a) ^ set(self.b)) - set(self.out):
            return "an index of one operand alone is summed over"
        if not shared - set(self.out):
            return "nothing is summed over"
        return ""

    def by(self, matmul: MatMul, a: Tensor, b: Tensor) -> Tensor:
        """The result, by a product of (*, M, K) and (*, K, N)."""
        sizes = dict(zip(self.a, a.shape, strict=True))
        for label, size in zip(self.b, b.shape, strict=True):
            sizes[label] = max(size, sizes.get(label, 1))  # einsum broadcasts axes of size 1
        shared = [label for label in self.a if label in self.b]
        batch = [label for label in shared if label in self.out]
        terms = [label for label in shared if label not in self.out]
        rows = [label for label in self.a if label not in self.b]
        columns = [label for label in self.b if label not in self.a]

        def laid_out(x: Tensor, labels: tuple[str, ...], order: list[str], last: list[str]) -> Tensor:
            x = x.expand([sizes[label] for label in labels])
            x = x.permute([labels.index(label) for label in (*batch, *order, *last)])
            return x.reshape(*(sizes[n] for n in batch), _count(sizes, order), _count(sizes, last))

        left = laid_out(a, self.a, rows, terms)
        right = laid_out(b, self.b, terms, columns)
        out = matmul(left, right).reshape([sizes[label] for label in (*batch, *rows, *columns)])
        made = (*batch, *rows, *columns)
        return out.permute([made.index(label) for label in self.out])


def _count(sizes: dict[str, int], labels: list[str]) -> int:
    return math.prod(sizes[label] for label in labels)


def of_equation(equation: str, a_axes: int, b_axes: int) -> Contraction:
    """The contraction of an equation of ``torch.einsum`` with two operands.

    >>> of_equation("bij,bjk", 3, 3)
    Contraction(a=('b', 'i', 'j'), b=('b', 'j', 'k'), out=('i', 'k'))
    >>> of_equation("...ij,jk->...ik", 3, 2).out
    ('...0', 'i', 'k')
    """
    inputs, arrow, result = equation.replace(" ", "").partition("->")
    texts = inputs.split(",")
    dots = [
        axes - len(text.replace("...", "")) if "..." in text else 0
        for text, axes in zip(texts, (a_axes, b_axes), strict=True)
    ]
    a, b = (_labels(text, count) for text, count in zip(texts, dots, strict=True))
    if arrow:
        return Contraction(a, b, _labels(result, max(dots)))
    # Without a result given: what stands once, in alphabetical order, behind the dots.
    letters = [label for label in (*a, *b) if len(label) == 1]
    once = sorted(label for label in letters if letters.count(label) == 1)
    return Contraction(a, b, (*_labels("...", max(dots)), *once))


def _labels(text: str, dots: int) -> tuple[str, ...]:
    """One label for each axis; the last axis of dots is "...0", that before it "...1"."""
    before, _, after = text.partition("...")
    return (*before, *(f"...{n}" for n in reversed(range(dots))), *after)


def of_axes(a_axes: int, b_axes: int, pairs: list[tuple[int, int]]) -> Contraction:
    """That of ``torch.tensordot``: pairs of axes are summed over.

    >>> of_axes(2, 2, [(1, 0)])
    Contraction(a=('a0', 'a1'), b=('a1', 'b1'), out=('a0', 'b1'))
    """
    a = [f"a{i}" for i in range(a_axes)]
    b = [f"b{i}" for i in range(b_axes)]
    for i, j in pairs:
        b[j] = a[i]
    out = (*(label for label in a if label not in b), *(label for label in b if label not in a))
    return Contraction(tuple(a), tuple(b), out)
