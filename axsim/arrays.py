"""The door for arrays in main memory: what may come in, as NumPy arrays, and results as the same kind.

``on_host`` is for operations, which take arrays and give back their kind; ``as_array`` for all other
functions, which take whatever NumPy makes an array of and give NumPy arrays. Neither lets in what would be
read wrongly in silence: masked arrays, tensors that wait for gradients. NumPy and CuPy have no bfloat16: such
arrays of ``ml_dtypes`` and torch come in as float32, which holds the same numbers.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import array_api_compat
import numpy as np
from numpy.typing import NDArray

Wrap = Callable[[Any], Any]


def on_host(**arrays: Any) -> tuple[list[NDArray[Any]], Wrap]:
    """The arguments as NumPy arrays that share their memory; and what turns a result into their kind.

    That is a NumPy scalar for a NumPy result without axes. Keywords are the arguments' names in messages.

    Raises:
        TypeError: an argument is neither a NumPy array nor a torch tensor in main memory, a tensor requires
            gradients, or the kinds are mixed.
    """
    if all(type(array) is np.ndarray and array.dtype.kind != "V" for array in arrays.values()):
        return list(arrays.values()), _scalar_if_0d
    tensors = [name for name, array in arrays.items() if array_api_compat.is_torch_array(array)]
    if not tensors:
        return [_checked_ndarray(name, array) for name, array in arrays.items()], _scalar_if_0d
    for name, array in arrays.items():
        if name not in tensors:
            raise TypeError(
                f"{name} is a {type_name(array)}, but {tensors[0]} is a torch tensor; convert one of them "
                f"(torch.from_numpy({name}), or {tensors[0]}.numpy())"
            )
    return [_from_tensor(name, tensor) for name, tensor in arrays.items()], _to_tensor


def as_array(name: str, values: Any) -> NDArray[Any]:
    """``values`` as a NumPy array: numbers, sequences, arrays, tensors in main memory.

    Raises:
        TypeError: a masked array, also in a list, or a tensor that requires gradients or is elsewhere;
            ``name`` is the argument's name in the message.

    >>> as_array("x", [[1, 2]])
    array([[1, 2]])
    """
    if type(values) is np.ndarray and values.dtype.kind != "V":
        return values
    if array_api_compat.is_torch_array(values):
        return _from_tensor(name, values)
    _refuse_masks(name, values)
    return _without_bfloat16(np.asarray(values))


def widened(bfloat16: Any) -> Any:
    """An array of bfloat16 numbers, or of their bits as 16-bit integers, as float32: NumPy's or CuPy's.

    >>> widened(np.array([0x3FC0, 0xFF80], np.uint16))
    array([ 1.5, -inf], dtype=float32)
    """
    return (bfloat16.view(np.uint16).astype(np.uint32) << np.uint32(16)).view(np.float32)


def _checked_ndarray(name: str, array: Any) -> NDArray[Any]:
    _refuse_masks(name, array)
    if isinstance(array, np.ndarray | np.generic):
        return _without_bfloat16(np.asarray(array))
    raise TypeError(
        f"{name} is a {type_name(array)}, expected a NumPy array, a torch tensor or a CuPy array; "
        f"numpy.asarray({name}, dtype=...) makes one"
    )


def is_masked(array: object) -> bool:
    """Whether it is a masked array."""
    # Where NumPy's module has not been loaded, there is none; asking for it would load it.
    kind = getattr(sys.modules.get("numpy.ma.core"), "MaskedArray", ())
    return isinstance(array, kind)


def _refuse_masks(name: str, values: Any) -> None:
    if is_masked(values):
        raise TypeError(
            f"{name} is a masked array, whose mask would be ignored; fill it first: {name}.filled(0)"
        )
    if isinstance(values, list | tuple):
        for i, value in enumerate(values):
            if not isinstance(value, int | float):  # as most are, in long lists
                _refuse_masks(f"{name}[{i}]", value)


def _without_bfloat16(array: NDArray[Any]) -> NDArray[Any]:
    wide: NDArray[Any] = widened(array) if array.dtype.name == "bfloat16" else array
    return wide


def _from_tensor(name: str, tensor: Any) -> NDArray[Any]:
    check_tensor(name, tensor)
    if tensor.device.type != "cpu":
        raise TypeError(
            f"{name} is on device {tensor.device}; the engines run on CPUs and NVIDIA GPUs: pass {name}.cpu()"
        )
    array: NDArray[Any] = readable(tensor).numpy()
    return widened(array) if is_bfloat16(tensor) else array


def check_tensor(name: str, tensor: Any) -> None:
    """Raise TypeError if the tensor requires gradients that are being recorded, or has a type that NumPy and
    CuPy have not, bfloat16 apart."""
    if tensor.requires_grad and sys.modules["torch"].is_grad_enabled():
        raise TypeError(
            f"{name} requires gradients, which do not flow through this function; pass {name}.detach(), or "
            "call it under torch.no_grad()"
        )
    dtype = str(tensor.dtype).removeprefix("torch.")
    if not hasattr(np, dtype) and dtype != "bfloat16":
        raise TypeError(f"{name} is {dtype}, which NumPy has not; expected uint8, int8, float32 or float64")


def is_bfloat16(tensor: Any) -> bool:
    """Whether a torch tensor holds bfloat16 numbers."""
    return str(tensor.dtype) == "torch.bfloat16"


def readable(tensor: Any) -> Any:
    """A torch tensor as NumPy and CuPy can read it: without gradients, bfloat16 as 16-bit integers."""
    tensor = tensor.detach().resolve_neg()  # what comes of a conjugate may wait for its sign
    return tensor.view(sys.modules["torch"].int16) if is_bfloat16(tensor) else tensor


def _to_tensor(array: NDArray[Any]) -> Any:
    import torch  # in memory already: a tensor came in

    return torch.from_numpy(array)


def _scalar_if_0d(array: NDArray[Any]) -> Any:
    return array if array.ndim else array[()]


def type_name(value: object) -> str:
    """The type as messages call it: "torch.Tensor"."""
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
