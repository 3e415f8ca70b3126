"""C functions compiled by gcc and called through ctypes: what the reader is compared with."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

_LOOP = """
#include <stdint.h>
void all_of_them(const int64_t *x, const int64_t *y, int64_t *out, int64_t count)
{ for (int64_t i = 0; i < count; i++) out[i] = (int64_t)FUNCTION((LEFT)x[i], (RIGHT)y[i]); }
"""


class Compiled:
    """The functions of a C text, compiled."""

    def __init__(self, text: str, folder: Path, calls: dict[str, tuple[str, str]]) -> None:
        """``calls``: name of each function -> types of its parameters."""
        gcc = shutil.which("gcc")
        if gcc is None:
            pytest.skip("needs gcc")
        loops = "".join(
            _LOOP.replace("FUNCTION", name)
            .replace("LEFT", left)
            .replace("RIGHT", right)
            .replace("all_of_them", f"{name}_all")
            for name, (left, right) in calls.items()
        )
        source, library = folder / "text.c", folder / "text.so"
        source.write_text(text + loops)
        command = [gcc, "-O1", "-w", "-fwrapv", "-shared", "-fPIC", "-o", str(library), str(source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        self._library = ctypes.CDLL(str(library))

    def __call__(self, name: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """int64 results of a function for int64 operands of equal shape."""
        x, y = (np.ascontiguousarray(operand, np.int64) for operand in (x, y))
        out = np.empty(x.shape, np.int64)
        pointers = (ctypes.c_void_p(array.ctypes.data) for array in (x, y, out))
        self._library[f"{name}_all"](*pointers, ctypes.c_int64(x.size))
        return out
