"""The functions of torch that multiply and add up, each by whatever multiplies.

A handler takes what the function takes. Where it cannot do what is asked, it says why by ``Left`` before it
has done anything, and torch's own function is called.
"""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from axsim.nn.attending import Multihead, causal, multihead, scaled_dot_product
from axsim.nn.contraction import Contraction, of_axes, of_equation
from axsim.nn.geometry import Conv, Transposed
from axsim.nn.recurrence import KINDS, grouped, run
from axsim.nn.sites import Products
from axsim.nn.uncovered import those_of


class Left(Exception):  # noqa: N818 - no error: a call that is left to torch
    """A call that stays exact, and why."""


class Multiply(Products, Protocol):
    """Products of an intercepted call."""

    def conv(self, x: Tensor, w: Tensor, bias: Tensor | None, geometry: Conv) -> Tensor:
        """As ``axsim.nn.operators.conv``."""

    def conv_transpose(self, x: Tensor, w: Tensor, bias: Tensor | None, geometry: Transposed) -> Tensor:
        """As ``axsim.nn.operators.conv_transpose``."""


Handler = Callable[..., Any]
AB = "a", "b"


def linear(by: Multiply, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``F.linear``; a weight of one axis gives a result without the last."""
    if weight.ndim == 1:
        return by.linear(input, weight[None], None if bias is None else bias.reshape(1), "").squeeze(-1)
    return by.linear(input, weight, bias, "")


def matmul(by: Multiply, input: Tensor, other: Any = None, out_dtype: Any = None, **named: Tensor) -> Tensor:
    """``torch.matmul`` and its like: vectors are rows on the left, columns on the right."""
    a, b = input, _tensor(named.get("mat2", named.get("vec", named.get("tensor", other))))
    if out_dtype is not None:
        raise Left("out_dtype is given")
    if not a.ndim or not b.ndim:
        raise Left("an operand has no axes")
    out = by.matmul(a[None] if a.ndim == 1 else a, b[:, None] if b.ndim == 1 else b, AB)
    out = out.squeeze(-1) if b.ndim == 1 else out
    return out.squeeze(-1 if b.ndim == 1 else -2) if a.ndim == 1 else out


def reflected(by: Multiply, input: Tensor, other: Any) -> Tensor:
    """``Tensor.__rmatmul__``."""
    return matmul(by, _tensor(other), input)


def inner(by: Multiply, input: Tensor, other: Tensor) -> Tensor:
    """``torch.inner``: the last axes meet."""
    if not input.ndim or not other.ndim:
        raise Left("an operand has no axes")
    pair = [(input.ndim - 1, other.ndim - 1)]
    return of_axes(input.ndim, other.ndim, pair).by(_two(by), input, other)


def addmm(
    by: Multiply, input: Tensor, *operands: Any, beta: float = 1, alpha: float = 1, **named: Any
) -> Tensor:
    """``torch.addmm``, ``addmv`` and ``baddbmm``: a product and what is added, as a bias where it is one."""
    names = ("mat1", "mat", "batch1"), ("mat2", "vec", "batch2")
    given = [*operands, *(named.pop(name) for some in names for name in some if name in named)]
    if named or len(given) != 2:
        raise Left(f"arguments {', '.join(named)}" if named else "numbers before the operands")
    a, b = _tensor(given[0]), _tensor(given[1])
    if b.ndim == 2 and beta == alpha == 1 and tuple(input.shape) == (b.shape[-1],):
        return by.matmul(a, b, AB, input)
    product = matmul(by, a, b)
    product = product if alpha == 1 else product * alpha
    return product if beta == 0 else product + (input if beta == 1 else input * beta)


def grouped_mm(
    by: Multiply,
    mat_a: Tensor,
    mat_b: Tensor,
    offs: Tensor | None = None,
    bias: Tensor | None = None,
    out_dtype: Any = None,
    **named: Tensor,
) -> Tensor:
    """``F.grouped_mm`` of rows in groups with a matrix for each: the experts of a mixture."""
    if named or bias is not None or out_dtype not in (None, mat_a.dtype):
        raise Left("a grouped product with a bias, another dtype or arguments by other names")
    if (mat_a.ndim, mat_b.ndim, offs is None) == (3, 3, True):
        return by.matmul(mat_a, mat_b, AB)
    if (mat_a.ndim, mat_b.ndim, offs is None) != (2, 3, False):
        raise Left("groups that are not of rows")
    if torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None:
        raise Left("the groups are known only as it runs")
    ends = [0, *cast(Tensor, offs).tolist()]
    # A group without rows meets nothing; rows behind the last group have no result.
    parts = [by.matmul(mat_a[i:j], w, AB) for i, j, w in zip(ends, ends[1:], mat_b, strict=False) if j > i]
    behind = mat_a.new_zeros(len(mat_a) - ends[-1], mat_b.shape[-1])
    return torch.cat([*parts, behind])


def einsum(by: Multiply, equation: str, *operands: Any) -> Tensor:
    """``torch.einsum`` of two operands."""
    given = operands[0] if len(operands) == 1 and isinstance(operands[0], list | tuple) else operands
    if len(given) != 2:
        raise Left(f"einsum of {len(given)} operands: contract two at a time")
    a, b = given
    return _contracted(by, of_equation(equation, a.ndim, b.ndim), a, b)


def tensordot(by: Multiply, a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """``torch.tensordot``."""
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        dims = range(a.ndim - dims, a.ndim), range(dims)
    left, right = ([axis] if isinstance(axis, int) else list(axis) for axis in dims)
    pairs = [(i % a.ndim, j % b.ndim) for i, j in zip(left, right, strict=True)]
    return _contracted(by, of_axes(a.ndim, b.ndim, pairs), a, b)


def _contracted(by: Multiply, contraction: Contraction, a: Tensor, b: Tensor) -> Tensor:
    if contraction.why_not:
        raise Left(contraction.why_not)
    return contraction.by(_two(by), a, b)


def _two(by: Multiply) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda a, b: by.matmul(a, b, AB)


def conv(axes: int) -> Handler:
    """``F.conv1d`` to ``F.conv3d``."""

    def handler(
        by: Multiply,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Tensor:
        steps = _each(dilation, axes)
        if padding == "same":
            totals = [d * (k - 1) for d, k in zip(steps, weight.shape[2:], strict=True)]
            ends = tuple(n for total in totals for n in (total // 2, total - total // 2))
        else:
            ends = tuple(n for p in _each(0 if padding == "valid" else padding, axes) for n in (p, p))
        x = input if input.ndim == axes + 2 else input[None]
        out = by.conv(x, weight, bias, Conv(_each(stride, axes), ends, steps, groups))
        return out if input.ndim == axes + 2 else out.squeeze(0)

    return handler


def conv_transpose(axes: int) -> Handler:
    """``F.conv_transpose1d`` and ``F.conv_transpose2d``."""

    def handler(
        by: Multiply,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> Tensor:
        numbers = (_each(n, axes) for n in (stride, padding, output_padding, dilation))
        steps, ends, extra, spread = numbers
        x = input if input.ndim == axes + 2 else input[None]
        out = by.conv_transpose(x, weight, bias, Transposed(steps, ends, extra, spread, groups))
        return out if input.ndim == axes + 2 else out.squeeze(0)

    return handler


def attention(
    by: Multiply,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """``F.scaled_dot_product_attention``."""
    if enable_gqa:
        key, value = (t.repeat_interleave(query.shape[-3] // t.shape[-3], dim=-3) for t in (key, value))
    mask = attn_mask
    if is_causal:  # with a mask, too, as torch's own kernels do it
        later = causal(query, key)
        if mask is None:
            mask = later
        elif mask.dtype == torch.bool:
            mask = mask & later
        else:
            mask = mask.masked_fill(~later, -math.inf)
    return scaled_dot_product(by, query, key, value, mask, dropout_p, scale)[0]


_MULTIHEAD = inspect.signature(F.multi_head_attention_forward)


def heads(by: Multiply, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor | None]:
    """``F.multi_head_attention_forward``."""
    bound = _MULTIHEAD.bind(*args, **kwargs)
    bound.apply_defaults()
    g = bound.arguments
    if g["static_k"] is not None or g["static_v"] is not None:
        raise Left("keys or values that are projected already (static_k, static_v)")
    apart = g["use_separate_proj_weight"]
    parameters = Multihead(
        g["num_heads"],
        None if apart else g["in_proj_weight"],
        (g["q_proj_weight"], g["k_proj_weight"], g["v_proj_weight"]),
        g["in_proj_bias"],
        g["bias_k"],
        g["bias_v"],
        g["add_zero_attn"],
        g["out_proj_weight"],
        g["out_proj_bias"],
        g["dropout_p"] if g["training"] else 0.0,
    )
    return multihead(
        by,
        parameters,
        g["query"],
        g["key"],
        g["value"],
        padding=g["key_padding_mask"],
        mask=g["attn_mask"],
        need_weights=g["need_weights"],
        average=g["average_attn_weights"],
        is_causal=g["is_causal"],
    )


def recurrent(kind: str) -> Handler:
    """``torch.lstm`` and its like, which the recurrent layers of torch call."""

    def handler(by: Multiply, *args: Any, **kwargs: Any) -> tuple[Tensor, ...]:
        if kwargs or len(args) < 8:
            raise Left("a call unlike that of torch's layers")
        packed = isinstance(args[1], Tensor) and isinstance(args[3], list | tuple)
        x, sizes, hx, flat, *rest = args if packed else (args[0], None, *args[1:])
        bias, _, dropout, training, bidirectional, *last = rest
        states = tuple(hx) if isinstance(hx, list | tuple) else (hx,)
        projected = len(states) == 2 and states[0].shape[2] != states[1].shape[2]
        x = x.transpose(0, 1) if last and last[0] else x
        steps = x.shape[0] if sizes is None else 0
        out, ends = run(
            by,
            kind,
            grouped(flat, bias, projected),
            x if packed else x.flatten(0, 1),
            sizes.tolist() if packed else [x.shape[1]] * steps,
            states,
            bidirectional=bidirectional,
            dropout=dropout if training else 0.0,
        )
        if not packed:
            out = out.unflatten(0, tuple(x.shape[:2]))
            out = out.transpose(0, 1) if last and last[0] else out
        return out, *ends

    return handler


def cell(kind: str) -> Handler:
    """``torch.lstm_cell`` and its like: one step."""

    def handler(
        by: Multiply,
        input: Tensor,
        hx: Any,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor | None = None,
        b_hh: Tensor | None = None,
    ) -> Any:
        states = tuple(hx) if isinstance(hx, list | tuple) else (hx,)
        of_input = by.linear(input, w_ih, b_ih, "input")
        of_hidden = by.linear(states[0], w_hh, b_hh, "hidden")
        new = KINDS[kind](of_input, of_hidden, states)
        return new if kind == "LSTM" else new[0]

    return handler


def _each(numbers: Any, axes: int) -> tuple[int, ...]:
    """One number for each axis."""
    if isinstance(numbers, Sequence | torch.Size):
        return tuple(numbers) * (axes if len(numbers) == 1 else 1)
    return (numbers,) * axes


def _tensor(x: Any) -> Tensor:
    if not isinstance(x, Tensor):
        raise Left("an operand is no tensor")
    return x


T = Tensor
HANDLERS: dict[Any, tuple[str, Handler]] = {}
"""By functions of torch: what a record calls them, and how they are done."""

for _name, _handler, _functions in (
    ("linear", linear, [F.linear]),
    ("matmul", matmul, [torch.matmul, T.matmul, T.__matmul__, torch.linalg.matmul]),
    ("matmul", reflected, [T.__rmatmul__]),
    ("mm", matmul, [torch.mm, T.mm]),
    ("bmm", matmul, [torch.bmm, T.bmm]),
    ("mv", matmul, [torch.mv, T.mv]),
    ("dot", matmul, [torch.dot, T.dot]),
    ("inner", inner, [torch.inner, T.inner]),
    ("addmm", addmm, [torch.addmm, T.addmm]),
    ("addmv", addmm, [torch.addmv, T.addmv]),
    ("baddbmm", addmm, [torch.baddbmm, T.baddbmm]),
    ("einsum", einsum, [torch.einsum]),
    ("tensordot", tensordot, [torch.tensordot]),
    ("conv1d", conv(1), [F.conv1d]),
    ("conv2d", conv(2), [F.conv2d]),
    ("conv3d", conv(3), [F.conv3d]),
    ("conv_transpose1d", conv_transpose(1), [F.conv_transpose1d]),
    ("conv_transpose2d", conv_transpose(2), [F.conv_transpose2d]),
    ("scaled_dot_product_attention", attention, [F.scaled_dot_product_attention]),
    ("multi_head_attention_forward", heads, [F.multi_head_attention_forward]),
    ("lstm", recurrent("LSTM"), [torch.lstm]),
    ("gru", recurrent("GRU"), [torch.gru]),
    ("rnn_tanh", recurrent("RNN_TANH"), [torch.rnn_tanh]),
    ("rnn_relu", recurrent("RNN_RELU"), [torch.rnn_relu]),
    ("lstm_cell", cell("LSTM"), [torch.lstm_cell]),
    ("gru_cell", cell("GRU"), [torch.gru_cell]),
    ("rnn_tanh_cell", cell("RNN_TANH"), [torch.rnn_tanh_cell]),
    ("rnn_relu_cell", cell("RNN_RELU"), [torch.rnn_relu_cell]),
    ("grouped_mm", grouped_mm, [*those_of(F, "grouped_mm"), *those_of(torch, "_grouped_mm")]),
):
    for _function in _functions:
        HANDLERS[_function] = _name, _handler


def sizes(x: Tensor) -> tuple[int, ...]:
    """A tensor's shape; where ``torch.jit`` traces it holds tensors, and warns where they are read."""
    if torch.compiler.is_compiling() or torch._C._get_tracing_state() is None:
        return tuple(x.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        return tuple(int(n) for n in x.shape)


def count(kind: str, x: Tensor, w: Tensor, out: Tensor) -> int:
    """How many products a call of "linear", "matmul", "conv" or "conv_transpose" multiplies and adds up."""
    if kind == "linear":
        return int(math.prod(sizes(x)) * sizes(w)[0])
    if kind == "matmul":
        return int(math.prod(sizes(out)) * sizes(x)[-1])
    return int(math.prod(sizes(out if kind == "conv" else x)) * math.prod(sizes(w)[1:]))
