"""NVIDIA's run-time compiler without CuPy and without a GPU, as far as tests need it."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

_WHEELS = ("nvidia/cuda_nvrtc/lib/libnvrtc.so.12", "nvidia/cu13/lib/libnvrtc.so.13")  # beside other packages
_SYSTEMS = ("libnvrtc.so.13", "libnvrtc.so.12")


@cache
def library() -> ctypes.CDLL | None:
    """The library, from the packages that pip installs or from the system; None where there is none."""
    of_wheels = [
        str(found) for folder in sys.path for name in _WHEELS if (found := Path(folder, name)).is_file()
    ]
    for name in (*of_wheels, *_SYSTEMS):
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None


def version() -> tuple[int, int]:
    """Of the library."""
    major, minor = ctypes.c_int(), ctypes.c_int()
    _check(_library().nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)))
    return major.value, minor.value


def compiled(text: str, options: tuple[str, ...]) -> bytes:
    """The whole image of a source, of as many bytes as NVRTC says.

    Raises:
        ValueError: the source has mistakes; the message is the compiler's.
    """
    nvrtc, program, size = _library(), ctypes.c_void_p(), ctypes.c_size_t()
    _check(nvrtc.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"kern.cu", 0, None, None))
    try:
        given = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
        if nvrtc.nvrtcCompileProgram(program, len(options), given):
            _check(nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size)))
            log = ctypes.create_string_buffer(size.value)
            _check(nvrtc.nvrtcGetProgramLog(program, log))
            raise ValueError(log.value.decode())
        _check(nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size)))
        image = ctypes.create_string_buffer(size.value)
        _check(nvrtc.nvrtcGetCUBIN(program, image))
        return image.raw
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))


def as_cupy(architecture: str) -> Any:
    """What ``axsim.engines.gpu.runtime.compiler`` uses of CuPy, compiling for one architecture, "sm_90".

    CuPy takes the last byte of every image away, and adds these two options.
    """

    def compile_using_nvrtc(text: str, options: tuple[str, ...], **_: Any) -> tuple[bytes, None]:
        added = f"-arch={architecture}", "--device-as-default-execution-space"
        return compiled(text, (*options, *added))[:-1], None

    cuda = SimpleNamespace(
        compiler=SimpleNamespace(compile_using_nvrtc=compile_using_nvrtc),
        nvrtc=SimpleNamespace(getVersion=version),
        runtime=SimpleNamespace(driverGetVersion=lambda: 0),  # as CuPy says where there is no driver
        driver=SimpleNamespace(CUDADriverError=RuntimeError),
    )
    return SimpleNamespace(__version__="14.2.0", cuda=cuda)


def _library() -> ctypes.CDLL:
    found = library()
    assert found is not None
    return found


def _check(status: int) -> None:
    if status:
        raise RuntimeError(f"NVRTC says {status}")
