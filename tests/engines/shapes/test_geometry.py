from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from axsim.engines.shapes.geometry import Geometry, geometry

X, W = (2, 4, 9, 10), (6, 4, 3, 3)


def make(**arguments: Any) -> Geometry:
    return geometry(**({"x_shape": X, "w_shape": W} | arguments))


def test_defaults() -> None:
    assert make() == Geometry((1, 1), (0, 0, 0, 0), (1, 1), 1)


@pytest.mark.parametrize(
    ("padding", "expected"),
    [
        ("valid", (0, 0, 0, 0)),
        (2, (2, 2, 2, 2)),
        ((1, 2), (1, 1, 2, 2)),
        ([[0, 1], [2, 3]], (0, 1, 2, 3)),
        ("same", (1, 1, 1, 1)),
    ],
)
def test_padding_spellings(padding: Any, expected: tuple[int, ...]) -> None:
    assert make(padding=padding).padding == expected


@pytest.mark.parametrize("size", range(1, 12))
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
def test_same_gives_size_over_stride_and_the_odd_pixel_at_the_end(
    size: int, kernel: int, stride: int, dilation: int
) -> None:
    made = geometry(
        x_shape=(1, 1, size, size),
        w_shape=(1, 1, kernel, kernel),
        padding="same",
        stride=stride,
        dilation=dilation,
    )
    top, bottom, left, right = made.padding
    windows = -(-size // stride)
    assert made.output_size(size, size, kernel, kernel) == (windows, windows)
    assert (top, bottom) == (left, right)
    assert bottom - top in (0, 1)
    # No pixel more than needed: the last window reaches the last row, or no row was added.
    assert top + bottom == max(0, (windows - 1) * stride + dilation * (kernel - 1) + 1 - size)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"x_shape": (4, 9, 10)}, ValueError, r"x has shape \(4, 9, 10\).*x\[None\]"),
        ({"x_shape": (9, 10)}, ValueError, r"x has shape \(9, 10\), expected four axes"),
        ({"w_shape": (4, 3, 3)}, ValueError, "w has shape"),
        ({"groups": 0}, ValueError, "groups is 0, expected at least 1"),
        ({"groups": 1.5}, TypeError, "groups is 1.5"),
        ({"groups": 2}, ValueError, "x has 4 channels.*groups=2 it takes 8"),
        ({"groups": 4, "w_shape": (6, 1, 3, 3)}, ValueError, "6 filters, which groups=4 does not divide"),
        ({"w_shape": (6, 4, 0, 3)}, ValueError, "at least 1 x 1"),
        ({"stride": 0}, ValueError, "stride is 0"),
        ({"stride": (1, 2, 3)}, ValueError, "stride is"),
        ({"stride": "12"}, ValueError, "stride is '12'"),
        ({"stride": None}, TypeError, "stride is None"),
        ({"dilation": (1, -1)}, ValueError, "dilation is -1"),
        ({"padding": -1}, ValueError, "padding is -1"),
        ({"padding": "full"}, ValueError, "'same', 'valid'"),
        ({"padding": (1, 2, 3, 4)}, ValueError, r"\(\(top, bottom\), \(left, right\)\)"),
        ({"padding": 0.5}, TypeError, "padding is 0.5"),
        ({"dilation": 5}, ValueError, "covers 11 x 11 pixels.*only 9 x 10"),
        ({"w_shape": (6, 4, 10, 3)}, ValueError, "covers 10 x 3 pixels"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(**arguments)


def as_tensor(pair: Any) -> Any:
    return pytest.importorskip("torch").tensor(pair)


@pytest.mark.parametrize("kind", [np.array, tuple, lambda pair: [np.int64(n) for n in pair], as_tensor])
def test_pairs_may_be_arrays(kind: Any) -> None:
    shapes = {"x_shape": (1, 1, 9, 9), "w_shape": (1, 1, 3, 3)}
    expected = geometry(**shapes, stride=(2, 1), dilation=(1, 2), padding=((1, 0), (2, 3)))
    padding = (kind([1, 0]), kind([2, 3]))
    assert geometry(**shapes, stride=kind([2, 1]), dilation=kind([1, 2]), padding=padding) == expected
    assert geometry(**shapes, stride=np.array(2), padding=np.int8(1)) == geometry(
        **shapes, stride=2, padding=1
    )
    whole = geometry(**shapes, padding=np.array([[1, 0], [2, 3]]))
    assert whole == geometry(**shapes, padding=((1, 0), (2, 3)))


def test_arrays_of_other_things_are_refused() -> None:
    shapes = {"x_shape": (1, 1, 9, 9), "w_shape": (1, 1, 3, 3)}
    with pytest.raises(TypeError, match=r"stride is 2\.0, expected integers"):
        geometry(**shapes, stride=np.array([2.0, 1.0]))
    with pytest.raises(ValueError, match=r"stride is .*expected a number or a pair"):
        geometry(**shapes, stride=np.array([2, 1, 1]))
