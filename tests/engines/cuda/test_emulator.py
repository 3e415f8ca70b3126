"""The emulated GPU runs right kernels rightly and sees wrong ones' mistakes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.cuda_emulator.emulated_runtime import EmulatedRuntime

KERNELS = Path(__file__).parents[2] / "cuda_emulator" / "kernels"


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (9, 20), (33, 7)])
def test_transpose(emulated: EmulatedRuntime, shape: tuple[int, int]) -> None:
    xp = emulated.xp
    rows, columns = shape
    array = np.arange(rows * columns, dtype=np.int32).reshape(shape)
    out = xp.empty((columns, rows), np.int32)
    kernel = emulated.kernel(KERNELS / "transpose.cu", "transpose", {"TILE": 8})
    grid = (-(-columns // 8), -(-rows // 8), 1)
    kernel(grid, (8, 8, 1), (xp.asarray(array), out, np.int32(rows), np.int32(columns)))
    np.testing.assert_array_equal(xp.asnumpy(out), array.T)
    assert emulated.launches == ["transpose"]
