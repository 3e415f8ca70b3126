"""What tests of operations draw: operand arrays in every memory layout, and product tables full of traps."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import DTypeLike, NDArray

from axsim.engines.forms.folded import FoldedTable
from axsim.tables import ProductTable

Array = NDArray[Any]

LAYOUTS = ("C", "Fortran", "reversed", "every other", "read-only", "offset")


def integers(seed: int, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
    """All values of the dtype, evenly."""
    info = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(info.min, info.max + 1, shape, dtype=dtype)


def laid_out(array: Array, layout: str) -> Array:
    """An equal array that lies in memory as ``layout`` says."""
    if layout == "Fortran":
        return np.asfortranarray(array)
    if layout == "reversed":
        flip = (slice(None, None, -1),) * array.ndim
        return np.ascontiguousarray(array[flip])[flip]
    if layout == "every other":
        wide = np.zeros(tuple(2 * n for n in array.shape), array.dtype)
        view = wide[(..., *(slice(None, None, 2),) * array.ndim)]
        view[...] = array
        return view
    copy = array.copy()
    if layout == "read-only":
        copy.flags.writeable = False
    if layout == "offset":
        buffer = np.zeros(array.nbytes + 1, np.uint8)
        view = buffer[1:].view(array.dtype).reshape(array.shape) if array.itemsize == 1 else copy
        view[...] = array
        return view
    return copy


def layouts() -> st.SearchStrategy[str]:
    return st.sampled_from(LAYOUTS)


def seeds() -> st.SearchStrategy[int]:
    return st.integers(0, 2**32 - 1)


def random_table(seed: int, *, low: int = 0, high: int = 65535, signed: bool = False) -> ProductTable:
    """Products that have nothing to do with multiplication; T[0, 0] is not 0 and no two columns are equal."""
    values = np.random.default_rng(seed).integers(low, high + 1, (256, 256))
    values[0, 0] = high
    return ProductTable.from_array(values, signed)


def random_folded(seed: int, low: int, high: int) -> FoldedTable:
    values = np.random.default_rng(seed).integers(low, high + 1, (256, 256)).astype(np.int32)
    values[0, 0], values[0, 1] = high, low  # the extremes occur, and T[0, 0] is not 0
    return FoldedTable(values, int(np.abs(values.astype(np.int64)).max()), (0, 255), (0, 255))


# Least and greatest entry: 16 bits, signed 16 bits, 17 bits twice, wide, all 31 bits.
ENTRY_RANGES = (
    (0, 65535),
    (-32768, 32767),
    (-65025, 510),
    (0, 69071),
    (-(2**20), 2**20),
    (1 - 2**31, 2**31 - 1),
)


def folded_tables() -> st.SearchStrategy[FoldedTable]:
    return st.builds(lambda seed, ends: random_folded(seed, *ends), seeds(), st.sampled_from(ENTRY_RANGES))


@st.composite
def convolutions(draw: st.DrawFn) -> dict[str, Any]:
    """Shapes and options of a small convolution, of every geometry."""
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    kernel, stride, dilation, groups = draw(pair), draw(pair), draw(pair), draw(st.sampled_from([1, 2, 4]))
    pads = draw(st.tuples(*[st.tuples(st.integers(0, 2), st.integers(0, 2))] * 2))
    depthwise = draw(st.booleans())
    channels = groups * (1 if depthwise else draw(st.integers(1, 3)))
    height, width = (dilation[i] * (kernel[i] - 1) + 1 + draw(st.integers(0, 4)) for i in range(2))
    filters = groups * draw(st.integers(1, 3))
    return {
        "x": (draw(st.integers(1, 3)), channels, height, width),
        "w": (filters, channels // groups, *kernel),
        "options": {"stride": stride, "padding": pads, "dilation": dilation, "groups": groups},
    }
