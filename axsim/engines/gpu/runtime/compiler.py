"""CUDA sources as machine code, kept in files: compiled once for a kind of GPU, a compiler and a driver.

CuPy's ``RawModule(code=...)`` adds ``-ftz=true`` to every compilation: subnormal float32 numbers would become
zeros. So NVRTC is called without it, and ``RawModule(path=...)`` loads what it made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from axsim.files import CACHE_VARIABLE, cache_directory, is_regular, replace_file, warn_once

Loaded = TypeVar("Loaded")

MOST_BYTES = 1 << 26  # of a file with one source's machine code; ours have less than a hundredth of it
# Products and sums are not fused unless a source says fma: the same numbers as on the CPU.
OPTIONS = ("-std=c++17", "--fmad=false")


def loaded(
    cupy: Any,
    text: str,
    macros: tuple[str, ...],
    capability: tuple[int, int],
    load: Callable[[Path], Loaded],
) -> Loaded:
    """What ``load`` makes of the file with a source's machine code, which NVRTC makes if it is not there.

    It is in the cache directory, or in a temporary one of this process if there is none that can be written.
    A kept file that the driver refuses is made again.

    Args:
        cupy: the module.
        text: the source, complete.
        macros: ``-D`` options.
        capability: of the current GPU, which the code is for.
        load: from a file.

    Raises:
        CUDADriverError: CuPy's; the driver refuses what was just made for it.

    Warns:
        RuntimeWarning: no cache directory can be written; once in a process.
    """
    options = (*OPTIONS, *macros)
    key = "\0".join((_makers(cupy), *map(str, capability), *options, text))
    name = f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.cubin"
    cache = cache_directory()
    kept = None if cache is None else cache / "kernels" / name
    for path in (kept, _made_here.get(name)):
        if path is not None and is_regular(path, MOST_BYTES):
            try:
                return load(path)
            except cupy.cuda.driver.CUDADriverError:
                pass  # damaged: it is made again below, in the same place if that can be
    # In memory: through a file, CuPy would make a temporary folder for it.
    code = _whole(cupy.cuda.compiler.compile_using_nvrtc(text, options, cache_in_memory=True)[0])
    return load(_file(kept, name, code))


def _makers(cupy: Any) -> str:
    """Who makes machine code and who takes it: a home folder may be shared by several of each.

    A driver takes no code of a CUDA much newer than itself.
    """
    nvrtc = ".".join(map(str, cupy.cuda.nvrtc.getVersion()))
    return f"CuPy {cupy.__version__}, NVRTC {nvrtc}, driver {cupy.cuda.runtime.driverGetVersion()}"


def _whole(code: bytes) -> bytes:
    """What NVRTC made, of which CuPy returns all but the last byte (``getCUBIN``, ``getPTX``).

    That byte is text's closing NUL, but an ELF image's own; without it the image's headers end beyond the end
    of the file, and no driver takes it. It is a NUL there too, and one too many would harm neither.
    """
    return code + b"\0"


_folders: list[TemporaryDirectory[str]] = []  # of this process: one, once there is a file for it
_made_here: dict[str, Path] = {}


def _file(kept: Path | None, name: str, code: bytes) -> Path:
    """Where the code now is: in the cache directory if that can be."""
    why = "there is no home folder"
    if kept is not None:
        try:
            return replace_file(kept, code)
        except OSError as problem:
            why = str(problem)
    warn_once(
        "kernels",
        f"GPU kernels are compiled anew in every process: {why}; {CACHE_VARIABLE} names another folder",
    )
    if not _folders:
        _folders.append(TemporaryDirectory(prefix="axsim-kernels-"))
    _made_here[name] = replace_file(Path(_folders[0].name) / name, code)
    return _made_here[name]
