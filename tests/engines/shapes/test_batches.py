"""Stacks of matrices, for one call and for all engines (axsim/engines/shapes)."""

from __future__ import annotations

import math

import numpy as np
import pytest

from axsim.engines.shapes.batches import broadcast, matrix_index, merged, stacked
from axsim.engines.shapes.work import Work

STACKS = [
    ((3, 5), (5, 4)),
    ((2, 3, 5), (5, 4)),
    ((2, 3, 5), (1, 5, 4)),
    ((3, 5), (2, 5, 4)),
    ((7, 1, 3, 5), (2, 5, 4)),
    ((0, 3, 5), (5, 4)),
    ((2, 0, 5), (2, 5, 4)),
]


@pytest.mark.parametrize(("a_shape", "b_shape"), STACKS)
def test_the_stack_is_numpys_product(a_shape: tuple[int, ...], b_shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(1)
    a, b = random.integers(0, 9, a_shape), random.integers(0, 9, b_shape)
    left, matrices, shape = stacked(a, b)
    assert shape == (a @ b).shape
    assert matrices == (() if b.ndim == 2 else broadcast(a_shape[:-2], b_shape[:-2]))
    own = [x.reshape(math.prod(x.shape[:-2]), *x.shape[-2:]) for x in (left, b)]
    which = [matrix_index(x.shape[:-2], matrices) for x in (left, b)]
    products = [own[0][i] @ own[1][j] for i, j in zip(*which, strict=True)]
    assert np.array_equal(np.reshape(products, shape), a @ b)


@pytest.mark.parametrize(("a_shape", "b_shape"), STACKS)
def test_work_counts_every_product(a_shape: tuple[int, ...], b_shape: tuple[int, ...]) -> None:
    work = Work.of_gemm(a_shape, b_shape)
    out = (np.empty(a_shape) @ np.empty(b_shape)).size
    assert work.products == out * a_shape[-1]
    assert work.operation == "matmul"


def test_one_right_operand_is_one_tall_product() -> None:
    assert merged((2, 3), 10, (8, 4)) == ((), 60)
    assert Work.of_gemm((2, 3, 10, 8), (8, 4)) == Work(1, 60, 8, 4)
    assert Work.of_gemm((2, 3, 10, 8), (3, 8, 4)) == Work(6, 10, 8, 4)


def test_shapes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="cannot be broadcast"):
        broadcast((2,), (3,))
