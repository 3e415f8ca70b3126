"""The runtime in use: that of CuPy's current device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from axsim.engines.gpu.runtime.cupy_runtime import current_device_runtime
from axsim.engines.gpu.runtime.interface import Runtime

_chosen: ContextVar[Runtime | None] = ContextVar("axsim_runtime", default=None)


def current() -> Runtime:
    """The runtime of CuPy's current device, or the one that ``using`` put there."""
    chosen = _chosen.get()
    if chosen is not None:
        return chosen
    return current_device_runtime()


@contextmanager
def using(runtime: Runtime) -> Iterator[Runtime]:
    """Within the context, ``current()`` is ``runtime``."""
    token = _chosen.set(runtime)
    try:
        yield runtime
    finally:
        _chosen.reset(token)
