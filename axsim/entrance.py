"""What holds on the way into every public function that computes.

*Floating-point environment.* A caller's thread may flush subnormal numbers to zero
(``torch.set_flush_denormal``, libraries built with -ffast-math) or round otherwise than to nearest. Results
do not depend on that: the default environment holds until the function returns, and the caller's again
afterwards. Threads that help the compiled kernels set it for themselves.

*torch.compile.* Dynamo cannot follow NumPy and compiled code: a compiled function calls ours as it is, at a
graph break, and gets the result that it would get without being compiled.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def _float_mode() -> tuple[Callable[[], Any], Callable[[Any], None]]:
    """What sets this thread's default mode and returns the one that it had; and what sets that again."""
    if find_spec("axsim._native") is not None:
        from axsim._native import enter_float_mode, leave_float_mode

        return enter_float_mode, leave_float_mode
    return _float_mode_of_libm()


def _float_mode_of_libm() -> tuple[Callable[[], Any], Callable[[Any], None]]:
    """The same without the compiled module, by the C library's functions: slower."""
    try:
        libm = ctypes.PyDLL("libm.so.6")
    except OSError:  # not Linux: the mode is as it is
        return lambda: None, lambda saved: None
    default = ctypes.c_void_p(-1)  # FE_DFL_ENV

    def enter() -> Any:
        saved = ctypes.create_string_buffer(64)  # fenv_t: 32 bytes on x86-64, 8 on aarch64
        libm.fegetenv(saved)
        libm.fesetenv(default)
        return saved

    def leave(saved: Any) -> None:
        libm.fesetenv(saved)

    return enter, leave


_enter, _leave = _float_mode()


def computing(function: Callable[P, R]) -> Callable[P, R]:
    """The function, in the default floating-point environment."""

    @functools.wraps(function)
    def computed(*args: P.args, **kwargs: P.kwargs) -> R:
        saved = _enter()
        try:
            return function(*args, **kwargs)
        finally:
            _leave(saved)

    return computed


def entrance(function: Callable[P, R]) -> Callable[P, R]:
    """The function, in the default floating-point environment and out of Dynamo's sight."""
    computed = computing(function)
    out_of_sight: list[Callable[P, R]] = []

    @functools.wraps(function)
    def entered(*args: P.args, **kwargs: P.kwargs) -> R:
        if "torch._dynamo" not in sys.modules:  # nothing is being compiled
            return computed(*args, **kwargs)
        if not out_of_sight:
            out_of_sight.append(sys.modules["torch"].compiler.disable(computed))
        return out_of_sight[0](*args, **kwargs)

    return entered
