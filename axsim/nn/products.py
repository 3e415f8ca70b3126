"""Approximate products of tensors, without gradients: what the operators compute.

Activations are the left operand, weights the right one. float32 and float64 come back as they came; float16
and bfloat16 are computed in float32 and rounded at the end.
"""

from __future__ import annotations

import warnings
from typing import Any, cast

import torch
from torch import Tensor

from axsim.engines.shapes.geometry import Geometry as Windows
from axsim.nn.arithmetic import Arithmetic, left_params
from axsim.nn.geometry import Conv, Geometry, Linear, MatMul, Transposed, check
from axsim.nn.scattered import transposed
from axsim.nn.weights import made_of
from axsim.ops import matmul, prepare
from axsim.ops.bound import Bound, By
from axsim.quantization import QuantParams, Rule
from axsim.quantize import affine, quantize, symmetric

Range = tuple[float, float]

HALVES = torch.float16, torch.bfloat16
_said: set[str] = set()


def product(
    x: Tensor, w: Tensor, bias: Tensor | None, a_range: Range | None, by: Arithmetic, geometry: Geometry
) -> Tensor:
    """The approximate product of that geometry, plus bias.

    Args:
        x, w: the operands.
        bias: a number for each output channel.
        a_range: the range of x, found before; None: x's own.
        by: how products are made.
        geometry: which activation meets which weight.

    Raises:
        TypeError: the operands' types do not go together.
        ValueError: an operand holds NaN or infinity and is to be quantised.
    """
    dtype = x.dtype
    x, w_type = as_wide(x), w.dtype
    if as_wide_type(w_type) != x.dtype:
        raise TypeError(
            f"x is {dtype} and the weight {w_type}: convert one, or the model (model.to(x.dtype))"
        )
    check(x.shape, w.shape, None if bias is None else bias.shape, geometry)
    left = activations(x, a_range, by, geometry)
    if isinstance(geometry, Linear):
        bound = made_of(w, (by.key, "linear"), lambda w: Bound(_prepared(w, by, "matmul")))
        rows = x if x.ndim > 1 else x[None]
        out = _call(bound, rows, bias, left)
        out = out if x.ndim > 1 else out[0]
    elif isinstance(geometry, Conv):
        out = _convolved(x, w, bias, left, by, geometry)
    elif isinstance(geometry, Transposed):
        out = transposed(x, w, bias, left, by, geometry, weight_params(w, by, geometry))
    else:
        out = _multiplied(x, w, left, by)
    return out if out.dtype == dtype else out.to(dtype)


def activations(x: Tensor, a_range: Range | None, by: Arithmetic, geometry: Geometry) -> By:
    """How the activations are quantised: known parameters, or a rule for their own range; None for floats."""
    if (rule := by.left) is None:
        return None
    if a_range is not None:
        return left_params(rule, *a_range)
    if isinstance(geometry, Transposed) or (isinstance(geometry, Conv) and len(geometry.stride) > 2):
        return own_params(x, rule)  # they do not come to the engines as they are
    return rule


def own_params(x: Tensor, rule: Rule) -> QuantParams:
    """How activations are quantised by their own range."""
    low, high = (float(end) for end in torch.aminmax(x)) if x.numel() else (0.0, 0.0)
    if not low - low == high - high == 0:
        raise ValueError("x holds NaN or infinity, which no integer stands for; clean or clip it first")
    return rule.params(low, high)


def weight_params(w: Tensor, by: Arithmetic, geometry: Geometry) -> QuantParams | None:
    """How weights are quantised, with the axis of their output channels; None for a float multiplier.

    Those of a transposed convolution have theirs on axis 0, as if they were ``by_output``.
    """
    if by.integer is None:
        return None
    return made_of(w, (by.key, "params", geometry), lambda w: _params(w, by, geometry))


def _params(w: Tensor, by: Arithmetic, geometry: Geometry) -> QuantParams | None:
    if (both := by.integer) is None:
        return None
    multiplier, coding = both
    rule, w = coding.right(multiplier), as_wide(w)
    axis = 0 if coding.w_granularity == "channel" and not isinstance(geometry, MatMul) else None
    if isinstance(geometry, Transposed) and axis == 0:
        w = by_output(w, geometry.groups)
    if rule.centred:
        return symmetric(w, rule.bits, axis, name="weight")
    return affine(w, rule.bits, axis, signed=rule.qmin < 0, name="weight")


def by_output(w: Tensor, groups: int) -> Tensor:
    """Weights (C, O / groups, *) of a transposed convolution as (O, C / groups, *)."""
    by_group = w.reshape(groups, -1, *w.shape[1:]).transpose(1, 2)
    return by_group.reshape(-1, *by_group.shape[2:])


def _convolved(x: Tensor, w: Tensor, bias: Tensor | None, left: By, by: Arithmetic, geometry: Conv) -> Tensor:
    """A convolution of one, two or three axes, by one of two."""
    axes = len(geometry.stride)
    if axes == 2:
        bound = made_of(w, (by.key, geometry), lambda w: _windows(w, by, geometry))
        return _call(bound, x, bias, left)
    if axes == 1:
        flat = Conv(
            (1, *geometry.stride), (0, 0, *geometry.padding), (1, *geometry.dilation), geometry.groups
        )
        bound = made_of(w, (by.key, geometry), lambda w: _windows(w.unsqueeze(2), by, flat))
        return _call(bound, x.unsqueeze(2), bias, left).squeeze(2)
    # The planes that meet in one output plane stand side by side as channels: (N * OD, C * kd, H, W).
    rest = Conv(geometry.stride[1:], geometry.padding[2:], geometry.dilation[1:], geometry.groups)
    bound = made_of(w, (by.key, geometry), lambda w: _windows(w.flatten(1, 2), by, rest))
    planes = _planes(x, w.shape[2], geometry)
    out = _call(bound, planes.flatten(0, 1).flatten(1, 2), bias, left)
    return out.unflatten(0, planes.shape[:2]).transpose(1, 2).contiguous()


def _planes(x: Tensor, taps: int, geometry: Conv) -> Tensor:
    """x (N, C, D, H, W) as (N, OD, C, taps, H, W), zeros around it."""
    before, after = geometry.padding[:2]
    (stride, *_), (step, *_) = geometry.stride, geometry.dilation
    if before or after:
        x = torch.nn.functional.pad(x, (0, 0, 0, 0, before, after))
    count = (x.shape[2] - step * (taps - 1) - 1) // stride + 1
    at = torch.arange(count, device=x.device)[:, None] * stride + torch.arange(taps, device=x.device) * step
    return x[:, :, at].permute(0, 2, 1, 3, 4, 5)


def _windows(w: Tensor, by: Arithmetic, geometry: Conv) -> Bound:
    """Filters (O, C / groups, kh, kw) with the windows that they meet."""
    padding = cast(tuple[int, int, int, int], geometry.padding)
    stride, dilation = cast(tuple[int, int], geometry.stride), cast(tuple[int, int], geometry.dilation)
    where = Windows(stride, padding, dilation, geometry.groups)
    return Bound(_prepared(w, by, "conv2d", geometry.groups), where)


def _prepared(w: Tensor, by: Arithmetic, operation: Any, groups: int = 1) -> Any:
    """Weights (O, ...) as the right operand of an operation: of ``matmul`` as (K, O)."""
    w = as_wide(w)
    across = operation == "matmul"
    if (both := by.integer) is None:
        floats = w.float()
        return prepare(floats.T if across else floats, by.multiplier, operation=operation, groups=groups)
    params = _params(w, by, Linear())
    assert params is not None
    integers = quantize(w, params, name="weight")
    if not across:
        return prepare((integers, params), both[0], operation=operation, groups=groups)
    if params.axis is not None:
        params = QuantParams(params.scale, params.zero_point, params.qmin, params.qmax, 1)
    return prepare((integers.T, params), both[0])


def _multiplied(a: Tensor, b: Tensor, left: By, by: Arithmetic) -> Tensor:
    """``a @ b`` of two tensors that both may change."""
    if (both := by.integer) is None:
        out_dtype = "float64" if a.dtype == torch.float64 else None
        return cast(Tensor, matmul(a.float(), as_wide(b).float(), by.multiplier, out_dtype=out_dtype))
    multiplier, coding = both
    rule = coding.right(multiplier)
    b = as_wide(b)
    out = matmul(a, b, multiplier, a_quant=left, b_quant=own_params(b, rule))
    return cast(Tensor, out)


def _call(bound: Bound, x: Tensor, bias: Tensor | None, left: By) -> Tensor:
    """The bound product of tensors, in the type of x."""
    out_dtype = None
    if left is None and x.dtype == torch.float64:  # products of float multipliers are float32, sums float64
        x, out_dtype = x.float(), "float64"
    if bias is not None:
        bias = as_wide(bias.detach())
    if x.device.type == "cpu":
        numbers = None if bias is None else bias.numpy()
        return torch.from_numpy(bound(x.detach().numpy(), numbers, left, out_dtype))
    return cast(Tensor, bound(x.detach(), bias, left, out_dtype))


def as_wide(x: Tensor) -> Tensor:
    """float16 and bfloat16 as float32, which is said once; float32 and float64 as they are."""
    wide = as_wide_type(x.dtype)
    if wide == x.dtype:
        return x
    if "half" not in _said:
        _said.add("half")
        warnings.warn(
            f"a layer that is approximate got {x.dtype}: it computes in float32 and rounds its result",
            stacklevel=2,
        )
    return x.to(wide)


def as_wide_type(dtype: torch.dtype) -> torch.dtype:
    """The type that numbers of a type are computed in; TypeError for one that is not computed with."""
    if dtype in HALVES:
        return torch.float32
    if dtype not in (torch.float32, torch.float64):
        raise TypeError(f"x is {dtype}, expected float32, float64, float16 or bfloat16")
    return dtype
