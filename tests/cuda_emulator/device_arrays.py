"""NumPy in the place of CuPy: arrays that only device functions take, and that no host code may look into.

What would make the host wait for a GPU raises here: ``int(array)``, ``if array``, ``array.item()``,
``array.get()``. What CuPy would refuse raises too: a NumPy array mixed with device arrays, a function that
CuPy has not. As CuPy is compiled with ``-ftz=true``, its arithmetic takes subnormal float32 numbers for
zeros. Fresh memory is poisoned. Tests bring data with ``xp.asarray`` and fetch it with ``xp.asnumpy``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

POISON = 0xA9
_FROM_HOST = ("array", "asarray", "ascontiguousarray", "asfortranarray")


class HostWaitsError(AssertionError):
    """Something that makes the host wait for the GPU, which engine code must not do."""


class DeviceArray(np.ndarray):
    """An array of the emulated GPU."""

    @property
    def data(self) -> Any:  # type: ignore[override]
        """Where the memory is, as CuPy has it."""
        return SimpleNamespace(ptr=self.__array_interface__["data"][0])

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise HostWaitsError("the host waits for the GPU: a device array's values are asked for")

    __int__ = __float__ = __bool__ = __index__ = __complex__ = _refuse
    item = tolist = tobytes = get = _refuse  # type: ignore[assignment]

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        out = kwargs.pop("out", ())
        _check_no_host_arrays((*inputs, *out, *kwargs.values()), ufunc.__name__)
        if out:
            kwargs["out"] = tuple(_plain(x) for x in out)
        plain = [_flushed(_plain(x)) for x in inputs]
        result = getattr(ufunc, method)(*plain, **{k: _plain(v) for k, v in kwargs.items()})
        if out:
            for x in kwargs["out"]:
                x[...] = _flushed(x)
            return out[0] if len(out) == 1 else out
        return on_device(_flushed(result))

    def astype(self, dtype: Any, *args: Any, **kwargs: Any) -> Any:
        if self.dtype == np.dtype(dtype):
            return super().astype(dtype, *args, **kwargs)
        return on_device(_flushed(_flushed(_plain(self)).astype(dtype, *args, **kwargs)))

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        _check_no_host_arrays((*args, *kwargs.values()), func.__name__)
        out = kwargs.get("out")
        result = func(*(_plain(x) for x in args), **{k: _plain(v) for k, v in kwargs.items()})
        return out if out is not None else on_device(result)

    def __getitem__(self, key: Any) -> Any:
        return on_device(_plain(self)[_plain_key(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        _check_no_host_arrays((value,), "an assignment")
        _plain(self)[_plain_key(key)] = _plain(value)


def on_device(value: Any) -> Any:
    """``value`` with the arrays and NumPy scalars in it turned into device arrays that share memory."""
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(value).view(DeviceArray)
    if isinstance(value, tuple | list):
        return type(value)(map(on_device, value))
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, DeviceArray):
        return value.view(np.ndarray)
    if isinstance(value, tuple | list):
        return type(value)(map(_plain, value))
    return value


def _flushed(value: Any) -> Any:
    """Zeros, with their sign, for subnormal float32 numbers."""
    if getattr(value, "dtype", None) != np.float32:
        return value
    return np.where(np.abs(value) < np.finfo(np.float32).tiny, np.copysign(np.float32(0), value), value)


def _plain_key(key: Any) -> Any:
    # CuPy gives arrays without axes where NumPy gives scalars: an Ellipsis makes NumPy do so.
    plain = _plain(key)
    keys = plain if isinstance(plain, tuple) else (plain,)
    return keys if any(k is Ellipsis for k in keys) else (*keys, Ellipsis)


def _check_no_host_arrays(values: Any, where: str) -> None:
    for value in values:
        if isinstance(value, tuple | list):
            _check_no_host_arrays(value, where)
        elif isinstance(value, np.ndarray) and not isinstance(value, DeviceArray):
            raise TypeError(
                f"{where}: a NumPy array, where CuPy takes its own only; xp.asarray(...) brings it"
            )


class EmulatedCupy(ModuleType):
    """The functions of NumPy that CuPy has too, on device arrays."""

    ndarray = DeviceArray

    def __init__(self, capturing: Callable[[], bool]) -> None:
        super().__init__("emulated_cupy")
        self._capturing = capturing
        self._cupy: ModuleType | None = None
        if find_spec("cupy") is not None:
            import cupy

            self._cupy = cupy

    def asnumpy(self, array: Any) -> np.ndarray:
        """A copy in the host's memory."""
        if self._capturing():
            raise HostWaitsError("asnumpy, while the stream is captured")
        return np.array(_plain(array))

    def empty(self, shape: Any, dtype: Any = float, order: Any = "C") -> Any:
        """Memory that holds what it held."""
        return _poisoned(np.empty(shape, dtype, order))

    def empty_like(self, prototype: Any, dtype: Any = None, order: Any = "K", *, shape: Any = None) -> Any:
        """Memory that holds what it held."""
        return _poisoned(np.empty_like(_plain(prototype), dtype, order, subok=False, shape=shape))

    def __getattr__(self, name: str) -> Any:
        found = getattr(np, name)
        if self._cupy is not None and not hasattr(self._cupy, name):
            raise AttributeError(f"CuPy has no {name}")
        if isinstance(found, type | ModuleType) or not callable(found):
            return found

        @wraps(found)
        def on_device_arrays(*args: Any, **kwargs: Any) -> Any:
            if name not in _FROM_HOST:
                _check_no_host_arrays((*args, *kwargs.values()), name)
            elif self._capturing() and not isinstance(args[0], DeviceArray):
                raise HostWaitsError(f"{name} of data in the host's memory, while the stream is captured")
            elif not isinstance(args[0], DeviceArray):
                return on_device(np.array(found(*args, **kwargs)))  # never the host's own memory
            out = kwargs.get("out")
            result = found(*map(_plain, args), **{k: _plain(v) for k, v in kwargs.items()})
            return out if out is not None else on_device(result)

        return on_device_arrays


def _poisoned(array: Any) -> Any:
    array.reshape(-1, order="A").view(np.uint8)[...] = POISON
    return on_device(array)
