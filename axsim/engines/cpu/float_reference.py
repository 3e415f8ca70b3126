"""The truth for float multipliers: sums of exact products in plain NumPy. Other engines must equal it.

Every product is a float32 number, exact to the bit. Sums start at +0.0 and take their products in ascending
order of k (for convolutions: channel, kernel row, kernel column) in float64, and are rounded once, to
float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.engines.cpu.reference import windows
from axsim.engines.shapes.geometry import Geometry
from axsim.multipliers.float_multiplier import FloatMultiplier

Floats = NDArray[np.float32]


def multiply(multiplier: FloatMultiplier, a: Floats, b: Floats) -> Floats:
    """Products of the elements of a and b, broadcast together: float32."""
    return np.asarray(multiplier(a, b))


def gemm(multiplier: FloatMultiplier, a: Floats, b: Floats, *, rounded: bool = True) -> NDArray[Any]:
    """``out[..., m, n] = sum over k of a[..., m, k] * b[..., k, n]``; leading axes broadcast.

    a is (..., M, K), b (..., K, N), both of at least two axes. The result is float32, or with
    ``rounded=False`` the float64 sums as they are, for a caller that adds something before it rounds.
    """
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    sums = np.zeros((*batch, a.shape[-2], b.shape[-1]))
    with np.errstate(invalid="ignore"):  # infinity - infinity
        for k in range(a.shape[-1]):
            sums += multiplier(a[..., :, k, None], b[..., None, k, :])
    return round_sums(sums) if rounded else sums


def conv2d(
    multiplier: FloatMultiplier, x: Floats, w: Floats, geometry: Geometry, *, rounded: bool = True
) -> NDArray[Any]:
    """Cross-correlation of x (N, C, H, W) with w (O, C / groups, kh, kw): (N, O, OH, OW).

    Pixels are left operands, weights right ones; a padded pixel is 0.0 and multiplied like any other. The
    result is float32, or float64 with ``rounded=False``, as in ``gemm``.
    """
    (filters, group_channels, kh, kw), groups = w.shape, geometry.groups
    oh, ow = geometry.output_size(x.shape[2], x.shape[3], kh, kw)
    sums = np.empty((len(x), filters, oh, ow))
    weights = w.reshape(groups, filters // groups, -1).swapaxes(1, 2)
    for image, result in zip(x, sums, strict=True):
        patches = windows(image, kh, kw, geometry, 0)  # (C, kh, kw, OH, OW)
        unfolded = patches.reshape(groups, group_channels * kh * kw, oh * ow).swapaxes(1, 2)
        products = gemm(multiplier, unfolded, weights, rounded=False)
        result[:] = products.swapaxes(1, 2).reshape(result.shape)
    return round_sums(sums) if rounded else sums


def round_sums(sums: NDArray[np.float64]) -> Floats:
    """The one rounding of a sum, to float32; what is too large becomes infinite."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return sums.astype(np.float32)
