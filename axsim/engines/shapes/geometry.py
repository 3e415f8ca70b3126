"""Where a convolution's windows lie."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Pair = tuple[int, int]


@dataclass(frozen=True)
class Geometry:
    """Stride, padding, dilation and groups of a 2-D convolution; pairs are (vertical, horizontal).

    Window (oy, ox) of a kernel (kh, kw) covers the pixels ``(oy * stride[0] - top + i * dilation[0],
    ox * stride[1] - left + j * dilation[1])`` for i < kh, j < kw. Pixels outside the image are padding.

    >>> geometry(padding="same", stride=2, x_shape=(1, 3, 6, 7), w_shape=(8, 3, 3, 3))
    Geometry(stride=(2, 2), padding=(0, 1, 1, 1), dilation=(1, 1), groups=1)
    """

    stride: Pair
    padding: tuple[int, int, int, int]  # top, bottom, left, right
    dilation: Pair
    groups: int

    def output_size(self, height: int, width: int, kernel_height: int, kernel_width: int) -> Pair:
        """Rows and columns of windows; negative or 0 if the kernel does not fit."""
        top, bottom, left, right = self.padding
        free_y = height + top + bottom - self.dilation[0] * (kernel_height - 1) - 1
        free_x = width + left + right - self.dilation[1] * (kernel_width - 1) - 1
        return free_y // self.stride[0] + 1, free_x // self.stride[1] + 1


def geometry(
    *,
    x_shape: Sequence[int],
    w_shape: Sequence[int],
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: Any = 1,
) -> Geometry:
    """The geometry that ``conv2d``'s arguments mean for x (N, C, H, W) and w (O, C / groups, kh, kw).

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range, or the shapes do not fit; the message says which.
    """
    if len(x_shape) != 4:
        hint = "; add a batch axis: x[None]" if len(x_shape) == 3 else ""
        raise ValueError(f"x has shape {tuple(x_shape)}, expected four axes (N, C, H, W){hint}")
    groups = check_filters(w_shape, groups)
    (_, channels, height, width), (_, group_channels, kernel_height, kernel_width) = x_shape, w_shape
    if channels != groups * group_channels:
        raise ValueError(
            f"x has {channels} channels, but w has shape {tuple(w_shape)}: with groups={groups} it takes "
            f"{groups * group_channels}"
        )
    strides, dilations = _pair("stride", stride, 1), _pair("dilation", dilation, 1)
    extents = (dilations[0] * (kernel_height - 1) + 1, dilations[1] * (kernel_width - 1) + 1)
    made = Geometry(strides, _padding(padding, (height, width), extents, strides), dilations, groups)
    if min(made.output_size(height, width, kernel_height, kernel_width)) < 1:
        top, bottom, left, right = made.padding
        raise ValueError(
            f"w's kernel covers {extents[0]} x {extents[1]} pixels (dilation={dilations}), but x has only "
            f"{height + top + bottom} x {width + left + right}, padding included"
        )
    return made


def check_filters(w_shape: Sequence[int], groups: Any) -> int:
    """``groups`` as an int, for filters (O, C / groups, kh, kw).

    Raises:
        TypeError: it is no integer.
        ValueError: it does not divide O, or the filters have other axes or no pixels.
    """
    count = _integer("groups", groups, 1)
    if len(w_shape) != 4:
        raise ValueError(f"w has shape {tuple(w_shape)}, expected four axes (O, C / groups, kh, kw)")
    if w_shape[0] % count:
        raise ValueError(f"w has {w_shape[0]} filters, which groups={count} does not divide")
    if not w_shape[2] or not w_shape[3]:
        raise ValueError(f"w has shape {tuple(w_shape)}, expected a kernel of at least 1 x 1")
    return count


def _padding(padding: Any, size: Pair, extents: Pair, strides: Pair) -> tuple[int, int, int, int]:
    padding = _plain(padding)
    if isinstance(padding, str):
        if padding == "valid":
            return 0, 0, 0, 0
        if padding == "same":
            (top, bottom), (left, right) = map(_same, size, extents, strides)
            return top, bottom, left, right
        raise ValueError(f"padding is {padding!r}, expected 'same', 'valid' or numbers of pixels")
    if not isinstance(padding, Sequence):
        every = _integer("padding", padding, 0)
        return every, every, every, every
    if len(padding) != 2:
        raise ValueError(
            f"padding is {padding!r}, expected (vertical, horizontal) or ((top, bottom), (left, right))"
        )
    (top, bottom), (left, right) = (_pair("padding", side, 0) for side in padding)
    return top, bottom, left, right


def _same(size: int, extent: int, stride: int) -> Pair:
    """Padding for ceil(size / stride) windows; the odd pixel goes to the bottom or right."""
    total = max((-(-size // stride) - 1) * stride + extent - size, 0)
    return total // 2, total - total // 2


def _plain(value: Any) -> Any:
    """An array or a tensor as the numbers and lists that it holds; anything else as it is."""
    return value.tolist() if hasattr(value, "tolist") else value


def _pair(name: str, value: Any, least: int) -> Pair:
    value = _plain(value)
    if not isinstance(value, Sequence):
        number = _integer(name, value, least)
        return number, number
    if isinstance(value, str) or len(value) != 2:
        raise ValueError(f"{name} is {value!r}, expected a number or a pair of numbers")
    return _integer(name, value[0], least), _integer(name, value[1], least)


def _integer(name: str, value: Any, least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}, expected integers") from None
    if number < least:
        raise ValueError(f"{name} is {number}, expected at least {least}")
    return number
