"""Arrays of other libraries in, the same kind out; NumPy in between."""

from __future__ import annotations

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
    if all(type(array) is np.ndarray for array in arrays.values()):
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


def _checked_ndarray(name: str, array: Any) -> NDArray[Any]:
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(
            f"{name} is a masked array, whose mask would be ignored; fill it first: {name}.filled(0)"
        )
    if isinstance(array, np.ndarray | np.generic):
        return np.asarray(array)
    raise TypeError(
        f"{name} is a {type_name(array)}, expected a NumPy array, a torch tensor or a CuPy array; "
        f"numpy.asarray({name}, dtype=...) makes one"
    )


def _from_tensor(name: str, tensor: Any) -> NDArray[Any]:
    check_tensor(name, tensor)
    if tensor.device.type != "cpu":
        raise TypeError(
            f"{name} is on device {tensor.device}; the engines run on CPUs and NVIDIA GPUs: pass {name}.cpu()"
        )
    array: NDArray[Any] = tensor.numpy()
    return array


def check_tensor(name: str, tensor: Any) -> None:
    """Raise TypeError if the tensor requires gradients, or NumPy and CuPy have not its type."""
    if tensor.requires_grad:
        raise TypeError(
            f"{name} requires gradients, which do not flow through this function; pass {name}.detach()"
        )
    dtype = str(tensor.dtype).removeprefix("torch.")
    if not hasattr(np, dtype):
        raise TypeError(f"{name} is {dtype}, which NumPy has not; expected uint8, int8, float32 or float64")


def _to_tensor(array: NDArray[Any]) -> Any:
    import torch  # in memory already: a tensor came in

    return torch.from_numpy(array)


def _scalar_if_0d(array: NDArray[Any]) -> Any:
    return array if array.ndim else array[()]


def type_name(value: object) -> str:
    """The type as messages call it: "torch.Tensor"."""
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
