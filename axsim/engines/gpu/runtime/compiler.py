"""CUDA sources as machine code, kept in files: compiled once for a kind of GPU.

CuPy's ``RawModule(code=...)`` adds ``-ftz=true`` to every compilation: subnormal float32 numbers would become
zeros. So NVRTC is called without it, and ``RawModule(path=...)`` loads what it made.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from axsim.files import CACHE_VARIABLE, cache_directory, is_regular, replace_file, warn_once

MOST_BYTES = 1 << 26  # of a file with one source's machine code; ours have less than a hundredth of it
_FORM = "whole"  # of the files; those of another form have other names
# Products and sums are not fused unless a source says fma: the same numbers as on the CPU.
OPTIONS = ("-std=c++17", "--fmad=false")


def machine_code(cupy: Any, text: str, macros: tuple[str, ...], capability: tuple[int, int]) -> Path:
    """The file with the machine code of a source, which NVRTC makes if it is not there.

    It is in the cache directory, or in a temporary one of this process if there is none that can be written.

    Warns:
        RuntimeWarning: there is none; once in a process.

    Args:
        cupy: the module.
        text: the source, complete.
        macros: ``-D`` options.
        capability: of the current GPU, which it is for.
    """
    options = (*OPTIONS, *macros)
    key = "\0".join((_FORM, cupy.__version__, *map(str, capability), *options, text))
    name = f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.cubin"
    cache = cache_directory()
    kept = None if cache is None else cache / "kernels" / name
    for path in (kept, _made_here.get(name)):
        if path is not None and is_regular(path, MOST_BYTES):
            return path
    # In memory: through a file, CuPy would make a temporary folder for it.
    code = _whole(cupy.cuda.compiler.compile_using_nvrtc(text, options, cache_in_memory=True)[0])
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
    return _kept_here(name, code)


def _whole(code: bytes) -> bytes:
    """What NVRTC made, of which CuPy returns all but the last byte (``getCUBIN``, ``getPTX``).

    That byte is text's closing NUL, but an ELF image's own; without it the image's headers end beyond the end
    of the file, and no driver takes it. It is a NUL there too, and one too many would harm neither.
    """
    return code + b"\0"


_folders: list[TemporaryDirectory[str]] = []  # of this process: one, once there is a file for it
_made_here: dict[str, Path] = {}


def _kept_here(name: str, code: bytes) -> Path:
    if not _folders:
        _folders.append(TemporaryDirectory(prefix="axsim-kernels-"))
    _made_here[name] = replace_file(Path(_folders[0].name) / name, code)
    return _made_here[name]
