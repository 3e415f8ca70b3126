"""The operators of torch: ``torch.ops.axsim.linear``, ``conv``, ``conv_transpose``, ``matmul``.

They are known to ``torch.library``: ``torch.compile`` and ``torch.export`` take them as they are, and
gradients follow the rule of their arithmetic. Keys name that (``axsim.nn.arithmetic``); ``a_range`` is the
range of the activations, none for their own; ``label`` is what errors call the layer, or the tag of a layer
that counts its products (``axsim.nn.tally``).

The functions of the same names are for callers in Python: where nothing is recorded, traced or compiled, they
compute at once, without the dispatcher.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from axsim.nn.arithmetic import Arithmetic, resolve
from axsim.nn.geometry import Conv, Geometry, Linear, MatMul, Transposed, output_size
from axsim.nn.gradients.rule import Product
from axsim.nn.gradients.ste import kept
from axsim.nn.products import activations, as_wide, own_params, product, right_params, weight_params
from axsim.nn.tally import count, plain
from axsim.quantization import Rule

Ints = Sequence[int]
Range = tuple[float, float]

_library = torch.library.Library("axsim", "DEF")
_LAST = "float[]? a_range, str key, {}str label='') -> Tensor"
_SCHEMAS = {
    "linear": "(Tensor x, Tensor w, Tensor? bias, " + _LAST.format(""),
    "conv": "(Tensor x, Tensor w, Tensor? bias, "
    + _LAST.format("int[] stride, int[] padding, int[] dilation, int groups, "),
    "conv_transpose": "(Tensor x, Tensor w, Tensor? bias, "
    + _LAST.format("int[] stride, int[] padding, int[] output_padding, int[] dilation, int groups, "),
    "matmul": "(Tensor x, Tensor w, Tensor? bias, float[]? a_range, str key, str label='', "
    "float[]? b_range=None) -> Tensor",
}
_GEOMETRIES: dict[str, Any] = {
    "linear": Linear, "conv": Conv, "conv_transpose": Transposed, "matmul": MatMul
}  # fmt: skip


def linear(
    x: Tensor, w: Tensor, bias: Tensor | None, a_range: Range | None, key: str, label: str = ""
) -> Tensor:
    """x (..., K) by w (N, K), plus bias (N,): (..., N).

    Raises:
        TypeError, ValueError: as ``axsim.nn.products.product``; the message begins with ``label``.
    """
    if _is_plain(x, w, bias, label):
        return _named(label, x, w, bias, a_range, key, _LINEAR)
    return torch.ops.axsim.linear(x, w, bias, a_range, key, label)


def conv(
    x: Tensor,
    w: Tensor,
    bias: Tensor | None,
    a_range: Range | None,
    key: str,
    geometry: Conv,
    label: str = "",
) -> Tensor:
    """Cross-correlation of x (N, C, *) with w (O, C / groups, *), plus bias (O,), of one to three axes."""
    if _is_plain(x, w, bias, label):
        return _named(label, x, w, bias, a_range, key, geometry)
    numbers = geometry.stride, geometry.padding, geometry.dilation, geometry.groups
    return torch.ops.axsim.conv(x, w, bias, a_range, key, *numbers, label)


def conv_transpose(
    x: Tensor,
    w: Tensor,
    bias: Tensor | None,
    a_range: Range | None,
    key: str,
    geometry: Transposed,
    label: str = "",
) -> Tensor:
    """Transposed convolution of x (N, C, *) by w (C, O / groups, *), plus bias (O,), of one or two axes."""
    if _is_plain(x, w, bias, label):
        return _named(label, x, w, bias, a_range, key, geometry)
    g = geometry
    numbers = g.stride, g.padding, g.output_padding, g.dilation, g.groups
    return torch.ops.axsim.conv_transpose(x, w, bias, a_range, key, *numbers, label)


def matmul(
    x: Tensor,
    w: Tensor,
    a_range: Range | None,
    key: str,
    bias: Tensor | None = None,
    label: str = "",
    b_range: Range | None = None,
) -> Tensor:
    """x (..., M, K) by w (..., K, N), plus bias (N,): (..., M, N); leading axes broadcast.

    ``b_range`` is the range of w, None its own.
    """
    if _is_plain(x, w, bias, label):
        return _named(label, x, w, bias, a_range, key, _MATMUL, b_range)
    return torch.ops.axsim.matmul(x, w, bias, a_range, key, label, b_range)


_LINEAR, _MATMUL = Linear(), MatMul()


def _is_plain(x: Tensor, w: Tensor, bias: Tensor | None, label: str) -> bool:
    """Whether a call may be computed at once: no graph is recorded or traced, no mode looks on.

    Raises:
        TypeError: an operand has a tangent of forward-mode differentiation, which would be lost.
    """
    if torch.compiler.is_compiling() or type(x) is not Tensor:
        return False
    if x.is_meta or w.is_meta:
        if x.device != w.device:
            raise TypeError(
                f"{plain(label) + ': ' if label else ''}x is on device {x.device} and the weight on "
                f"{w.device}, where tensors hold no numbers: move both"
            )
        return False
    if forward_ad._current_level >= 0:
        _refuse_tangents(x, w, bias, label)
    if torch.is_grad_enabled() and (
        x.requires_grad or w.requires_grad or (bias is not None and bias.requires_grad)
    ):
        return False
    if torch._C._get_tracing_state() is not None or torch._C._functorch.peek_interpreter_stack() is not None:
        return False  # of torch.jit.trace, torch.func.vmap
    return not (torch._C._len_torch_dispatch_stack() or torch._C._is_torch_function_mode_enabled())


def _refuse_tangents(x: Tensor, w: Tensor, bias: Tensor | None, label: str) -> None:
    for name, operand in (("x", x), ("the weight", w), ("the bias", bias)):
        if operand is not None and forward_ad.unpack_dual(operand).tangent is not None:
            where = f"{plain(label)}: " if label else ""
            raise TypeError(
                f"{where}{name} has a tangent of forward-mode differentiation, and approximate products have "
                "gradients backward alone: call backward(), torch.autograd.grad or "
                "torch.autograd.functional.jacobian"
            )


def _named(
    label: str,
    x: Tensor,
    w: Tensor,
    bias: Tensor | None,
    a_range: Sequence[float] | None,
    key: str,
    geometry: Geometry,
    b_range: Sequence[float] | None = None,
) -> Tensor:
    """The product, counted; errors say where."""
    try:
        out = product(x, w, bias, _pair(a_range), resolve(key), geometry, _pair(b_range))
    except (TypeError, ValueError) as error:
        if not label:
            raise
        raise type(error)(f"{plain(label)}: {error}") from error
    if label:
        count(label, x, w, geometry, out)
    return out


def _pair(limits: Sequence[float] | None) -> Range | None:
    return None if limits is None else (limits[0], limits[1])


def _geometry(name: str, numbers: Sequence[Any]) -> Geometry:
    """From an operator's further arguments."""
    made: Geometry = _GEOMETRIES[name](*(tuple(n) if isinstance(n, list | tuple) else n for n in numbers))
    return made


def _define(name: str) -> None:
    _library.define(name + _SCHEMAS[name])

    def compute(
        x: Tensor, w: Tensor, bias: Tensor | None, a_range: list[float] | None, key: str, *rest: Any
    ) -> Tensor:
        numbers, label, b_range = _split(name, rest)
        return _named(label, x, w, bias, a_range, key, _geometry(name, numbers), b_range)

    def fake(
        x: Tensor, w: Tensor, bias: Tensor | None, a_range: list[float] | None, key: str, *rest: Any
    ) -> Tensor:
        numbers, *_ = _split(name, rest)
        return x.new_empty(_shape(x, w, _geometry(name, numbers)))

    def keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, w, bias, a_range, key, *rest = inputs
        wants_output = getattr(resolve(key).gradient, "wants_output", False)
        ctx.save_for_backward(x, w, bias if wants_output else None, output if wants_output else None)
        numbers, _, b_range = _split(name, rest)
        ctx.settings = a_range, key, numbers, b_range
        ctx.bias_shape = None if bias is None else (bias.shape, bias.dtype)

    def backward(ctx: Any, upstream: Tensor) -> tuple[Any, ...]:
        x, w, bias, output = ctx.saved_tensors
        a_range, key, numbers, b_range = ctx.settings
        wanted = list(ctx.needs_input_grad[:2])
        of_x = of_w = of_bias = None
        if output is not None and bias is not None:
            output = output - _by_channel(bias, name, output.ndim)
        if any(wanted):
            arguments = upstream, x, w, output, a_range, key, name, _flat(numbers), wanted, b_range
            if _is_traced(upstream, x, w):
                of_x, of_w = torch.ops.axsim.gradients(*arguments)
            else:
                of_x, of_w = _gradients(*arguments)
        if ctx.bias_shape is not None and ctx.needs_input_grad[2]:
            channels = upstream.ndim - 1 if name in ("linear", "matmul") else 1
            axes = [axis for axis in range(upstream.ndim) if axis != channels]
            of_bias = upstream.sum(axes) if axes else upstream
            of_bias = of_bias.to(ctx.bias_shape[1])
        of_x, of_w = (g if wished else None for g, wished in zip((of_x, of_w), wanted, strict=True))
        return (of_x, of_w, of_bias, *(None,) * (len(ctx.needs_input_grad) - 3))

    _library.impl(name, compute, "CompositeExplicitAutograd")
    torch.library.register_fake(f"axsim::{name}", fake, lib=_library)
    torch.library.register_autograd(f"axsim::{name}", backward, setup_context=keep, lib=_library)


def _split(name: str, rest: Sequence[Any]) -> tuple[tuple[Any, ...], str, Sequence[float] | None]:
    """An operator's further arguments: its geometry's, and the label and w's range, which may be left out."""
    count = {"conv": 4, "conv_transpose": 5}.get(name, 0)
    label = rest[count] if len(rest) > count else ""
    return tuple(rest[:count]), label, rest[count + 1] if len(rest) > count + 1 else None


def _by_channel(bias: Tensor, name: str, axes: int) -> Tensor:
    return bias if name in ("linear", "matmul") else bias.reshape(-1, *(1,) * (axes - 2))


def _shape(x: Tensor, w: Tensor, geometry: Geometry) -> tuple[Any, ...]:
    """Of the result; it may hold symbolic numbers."""
    if isinstance(geometry, Linear):
        return (*x.shape[:-1], w.shape[0])
    if isinstance(geometry, MatMul):
        return (*torch.broadcast_shapes(x.shape[:-2], w.shape[:-2]), x.shape[-2], w.shape[-1])
    filters = w.shape[0] if isinstance(geometry, Conv) else w.shape[1] * geometry.groups
    return (x.shape[0], filters, *output_size(x.shape[2:], w.shape[2:], geometry))


# The gradients as an operator of their own, for graphs: rules look at numbers, which a trace has not.
_library.define(
    "gradients(Tensor upstream, Tensor x, Tensor w, Tensor? output, float[]? a_range, str key, str name, "
    "int[] geometry, bool[] wanted, float[]? b_range=None) -> (Tensor, Tensor)"
)


def _flat(numbers: Sequence[Any]) -> list[int]:
    """A geometry's arguments one after the other."""
    return [n for part in numbers for n in (part if isinstance(part, list | tuple) else [part])]


def _unflat(name: str, numbers: Sequence[int]) -> Geometry:
    """The geometry of those arguments."""
    if not numbers:
        return _geometry(name, ())
    shares = (1, 2, 1) if name == "conv" else (1, 1, 1, 1)
    axes = (len(numbers) - 1) // sum(shares)
    ends = [0]
    for share in shares:
        ends.append(ends[-1] + share * axes)
    parts = [tuple(numbers[a:b]) for a, b in itertools.pairwise(ends)]
    return _geometry(name, (*parts, numbers[-1]))


def _is_traced(*tensors: Tensor) -> bool:
    """Whether tensors hold no numbers, or what becomes of them is recorded for a graph."""
    return torch.compiler.is_compiling() or any(type(t) not in (Tensor, torch.nn.Parameter) for t in tensors)


def _gradients(
    upstream: Tensor,
    x: Tensor,
    w: Tensor,
    output: Tensor | None,
    a_range: Sequence[float] | None,
    key: str,
    name: str,
    numbers: Sequence[int],
    wanted: Sequence[bool],
    b_range: Sequence[float] | None = None,
) -> tuple[Tensor | None, Tensor | None]:
    """By the rule of the arithmetic, in float32 or float64.

    Modes of torch that look at functions do not see the rule's own products, which are exact.
    """
    by, geometry = resolve(key), _unflat(name, numbers)
    with torch._C.DisableTorchFunction():
        wide = None if output is None else as_wide(output)
        made = _product(as_wide(x), w, wide, a_range, by, geometry, b_range)
        of_x, of_w = by.gradient.gradients(as_wide(upstream), made, (wanted[0], wanted[1]))
        clips = b_range is not None and getattr(by.gradient, "clip", True)
        if clips and of_w is not None and made.w_params is not None:
            of_w = of_w * kept(made.w, made.w_params)
    return None if of_x is None else of_x.to(x.dtype), None if of_w is None else of_w.to(w.dtype)


def _product(
    x: Tensor,
    w: Tensor,
    output: Tensor | None,
    a_range: Sequence[float] | None,
    by: Arithmetic,
    geometry: Geometry,
    b_range: Sequence[float] | None,
) -> Product:
    left = activations(x, _pair(a_range), by, geometry)
    if isinstance(left, Rule):
        left = own_params(x.detach(), left)
    if isinstance(geometry, MatMul):
        right = right_params(as_wide(w.detach()), _pair(b_range), by)
    else:
        right = weight_params(w, by, geometry)
    return Product(x, as_wide(w), by.multiplier, left, right, geometry, output, a_range is not None)


def _gradients_of_graph(*arguments: Any) -> tuple[Tensor, Tensor]:
    """As ``_gradients``; operators return tensors, empty ones where nothing is wanted."""
    upstream, (of_x, of_w) = arguments[0], _gradients(*arguments)
    return tuple(upstream.new_empty(0) if g is None else g.contiguous() for g in (of_x, of_w))


def _fake_gradients(*arguments: Any) -> tuple[Tensor, Tensor]:
    upstream, x, w, wanted = arguments[0], arguments[1], arguments[2], arguments[8]
    return tuple(
        t.new_empty(t.shape) if wished else upstream.new_empty(0)
        for t, wished in zip((x, w), wanted, strict=True)
    )


_library.impl("gradients", _gradients_of_graph, "CompositeExplicitAutograd")
torch.library.register_fake("axsim::gradients", _fake_gradients, lib=_library)
for _name in _SCHEMAS:
    _define(_name)
