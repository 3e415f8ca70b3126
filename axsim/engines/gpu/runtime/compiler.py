"""CUDA sources as machine code, kept in files: compiled once for a kind of GPU.

CuPy's ``RawModule(code=...)`` adds ``-ftz=true`` to every compilation: subnormal float32 numbers would become
zeros. So NVRTC is called without it, and ``RawModule(path=...)`` loads what it made.
"""

from __future__ import annotations

import functools
import hashlib
import os
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Any

from axsim.files import cache_directory

# Products and sums are not fused unless a source says fma: the same numbers as on the CPU.
OPTIONS = ("-std=c++17", "--fmad=false")


def machine_code(cupy: Any, text: str, macros: tuple[str, ...], capability: tuple[int, int]) -> Path:
    """The file with the machine code of a source, which NVRTC makes if it is not there.

    It is in the cache directory, or in a temporary one of this process if that cannot be written.

    Args:
        cupy: the module.
        text: the source, complete.
        macros: ``-D`` options.
        capability: of the current GPU, which it is for.
    """
    options = (*OPTIONS, *macros)
    key = "\0".join((cupy.__version__, *map(str, capability), *options, text))
    name = f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.cubin"
    kept, own = (folder / name for folder in (cache_directory() / "kernels", _own_directory()))
    for path in (kept, own):
        if path.exists():
            return path
    code, _ = cupy.cuda.compiler.compile_using_nvrtc(text, options)
    try:
        return _written(kept, code)
    except OSError:
        return _written(own, code)


def _written(path: Path, code: bytes) -> Path:
    """All of it or nothing, whichever processes write at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(code)
    os.replace(file.name, path)
    return path


@functools.cache
def _own() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="axsim-kernels-")


def _own_directory() -> Path:
    return Path(_own().name)
