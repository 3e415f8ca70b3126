"""Where left operands lie, against loops over the geometry."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from axsim.engines.shapes.places import Places, matrices, output_size, windows


def test_matrices_lie_one_after_the_other() -> None:
    a = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    places = matrices(2, 3, 4)
    for i in range(2):
        np.testing.assert_array_equal(a.reshape(-1)[places.index(i)], a[i])


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "dilation"),
    [
        ((9,), (3,), (2,), (2,)),
        ((6, 7), (3, 2), (1, 2), (2, 1)),
        ((5, 4, 6), (2, 3, 2), (2, 1, 3), (1, 1, 2)),
    ],
)
@pytest.mark.parametrize("groups", [1, 2])
def test_windows(
    size: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int,
) -> None:
    x = np.arange(2 * 4 * np.prod(size)).reshape(2, 4, *size)
    places = windows(x.shape, kernel, stride, dilation, groups)
    outputs = output_size(size, kernel, stride, dilation)
    assert places.together == np.prod(kernel)
    assert places.joint == np.prod(outputs)
    for group in range(groups):
        found = places.index(group).tolist()
        rows = itertools.product(range(2), *map(range, outputs))
        for row, (image, *at) in zip(found, rows, strict=True):
            expected = []
            for channel, *tap in itertools.product(range(4 // groups), *map(range, kernel)):
                pixel = (o * s + t * d for o, s, t, d in zip(at, stride, tap, dilation, strict=True))
                expected.append(x[(image, group * (4 // groups) + channel, *pixel)])
            assert row == expected


def shared(places: Places, group_of_row: int, group_of_term: int) -> set[tuple[int, int]]:
    """The pairs of groups of rows and of terms that meet one element."""
    found: dict[int, set[tuple[int, int]]] = {}
    for m, k in np.ndindex(len(places.rows), len(places.terms)):
        pair = m // group_of_row, k // group_of_term
        found.setdefault(int(places.index(0)[m, k]), set()).add(pair)
    return {pair for pairs in found.values() if len(pairs) > 1 for pair in pairs}


@pytest.mark.parametrize(
    "places", [matrices(1, 4, 3), windows((3, 2, 4, 4), (2, 2), (1, 1), (1, 1), 1)], ids=["matrix", "image"]
)
def test_groups_share_no_element(places: Places) -> None:
    assert shared(places, places.joint, places.together) == set()
