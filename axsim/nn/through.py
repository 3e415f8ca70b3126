"""``through``: the products of all code within a ``with`` statement by a multiplier.

Calls are intercepted where torch's functions are called (``TorchFunctionMode``), not where its operators are
dispatched (``TorchDispatchMode``). There ``F.linear`` is one call that still has its parameter, whose weights
are prepared once, and its gradient is not yet recorded, so that it can follow the rule. Further down are
views of weights, the pieces of an attention, and gradients that are decided.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.overrides import TorchFunctionMode

from axsim.nn import operators
from axsim.nn.arithmetic import Arithmetic, Mult, arithmetic
from axsim.nn.backward import BACKWARD
from axsim.nn.energy import published_energy
from axsim.nn.geometry import Conv, Transposed
from axsim.nn.gradients.rule import GradientRule
from axsim.nn.intercepted import HANDLERS, Left, Multiply, count, sizes
from axsim.nn.met import Met, Record, Shapes
from axsim.nn.paths import Place, followed
from axsim.nn.quantization import Quantization
from axsim.nn.seen import Calibrated
from axsim.nn.summary import LayerSummary, coding
from axsim.nn.uncovered import EXACT
from axsim.nn.weights import made_of

Range = tuple[float, float]

_ALREADY = {
    getattr(torch.ops.axsim, name): f"axsim.{name}" for name in ("linear", "conv", "conv_transpose", "matmul")
}
_TYPES = torch.float32, torch.float64, torch.float16, torch.bfloat16


class Through:
    """What ``through`` returns: a context manager, and what was met in it.

    Attributes:
        arithmetic: how products are made.
        quantization: how operands are coded.
    """

    def __init__(
        self,
        by: Arithmetic,
        quantization: Quantization,
        layers: tuple[str, ...] | None,
        calibrated: Calibrated | None,
    ) -> None:
        self.arithmetic, self.quantization = by, quantization
        self._layers, self._calibrated = layers, calibrated
        self._record, self._matched = Record(), set[str]()
        self._entered = threading.local()

    @property
    def calls(self) -> tuple[Met, ...]:
        """What was met since this object was made, in all threads, in the order in which it came first."""
        return self._record.calls

    def layer_summaries(self) -> tuple[LayerSummary, ...]:
        """What was met, as ``axsim.nn.summary`` lists it: a line for each call of a name and of shapes."""
        static = self._calibrated is not None and self.quantization.activations != "dynamic"
        return tuple(_summarised(met, self.arithmetic, static) for met in self.calls)

    def __enter__(self) -> Through:
        stack = ExitStack()
        model = None if self._calibrated is None else self._calibrated.model
        stack.enter_context(intercepted(self._products, self._record, self._chosen, model))
        self._entered.__dict__.setdefault("stacks", []).append(stack)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered.stacks.pop().close()
        if error is None and (missed := [p for p in self._layers or () if p not in self._matched]):
            names = list(dict.fromkeys(met.name for met in self.calls))
            raise ValueError(
                f"layers holds {missed[0]!r}, which matched no call; "
                + (f"those that were met are {_shown(names)}" if names else "none was met")
            )

    def _chosen(self, name: str) -> bool:
        """Whether calls of that name go through the multiplier."""
        if self._layers is None:
            return True
        found = {p for p in self._layers if _matches(name, p)}
        self._matched |= found
        return bool(found)

    def _products(self, name: str) -> Approximating:
        return Approximating(self.arithmetic, name, self._limits)

    def _limits(self, site: str) -> Range | None:
        """The range of a site's operands; None where they have their own."""
        mode = self.quantization.activations
        if self.arithmetic.quantization is None or mode == "dynamic":
            return None
        if self._calibrated is not None:
            return self._calibrated.range(site, self.arithmetic)
        if mode == "static":
            raise ValueError(
                f"{site}: operands are to have static ranges, but there are none: give "
                "calibrated=axsim.nn.calibrate_through(model, batches)"
            )
        return None


def through(
    mult: Mult = "L40",
    *,
    layers: str | Iterable[str] | None = None,
    quantize: Quantization | None = None,
    calibrated: Calibrated | None = None,
    gradient: str | GradientRule = "ste",
) -> Through:
    """A context manager in which products of tensors go through a multiplier, whoever calls for them.

    It is for code that is not made of torch's layers: functional code, other people's transformers. Within
    it ``F.linear``, ``F.conv1d`` to ``conv3d``, ``F.conv_transpose1d`` and ``2d``, ``torch.matmul``, ``@``,
    ``mm``, ``bmm``, ``mv``, ``dot``, ``inner``, ``addmm``, ``addmv``, ``baddbmm``, ``tensordot`` and
    ``einsum`` (of two operands with an index that is summed over), ``F.grouped_mm``,
    ``F.scaled_dot_product_attention``,
    ``F.multi_head_attention_forward`` and torch's recurrent layers and cells are made by the multiplier. The
    first operand is the left one. A parameter of two axes on the right is a weight, which is prepared once;
    other right operands are coded as weights are, per tensor. Element-wise products stay exact.

    What is already approximate, in converted layers or in a ``through`` inside of this one, is left as it
    is; what an inner one leaves exact comes to the outer one. Each thread has its own. In a backward pass
    the gradient rule says what becomes of the products that were met; others stay exact.

    Args:
        mult: a multiplier or its name.
        layers: which calls: glob patterns of the names of modules, or of the names that calls are recorded
            under (``"*:matmul*"``); default: all.
        quantize: how operands are coded; default ``Quantization()``.
        calibrated: ranges that ``axsim.nn.calibrate_through`` found; default: those of each call's operands.
        gradient: what stands in the place of a product's gradient: a rule of ``axsim.nn.gradients`` or its
            name.

    Raises:
        TypeError: an argument is of a wrong type.
        ValueError: a name is unknown, or with ``calibrated`` a pattern of ``layers`` matches none of its
            calls. Within: operands hold NaN or infinity, or a call was never calibrated. At the end, as only
            then calls are known: a pattern of ``layers`` matched none.

    >>> x, w = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0], [4.0]])
    >>> with through("float32") as seen:
    ...     y = x @ w
    >>> y, seen.calls[0].function, seen.calls[0].macs
    (tensor([[11.]]), 'matmul', 2)
    """
    if isinstance(layers, str):
        layers = [layers]
    patterns = None if layers is None else tuple(layers)
    for pattern in patterns or ():
        if not isinstance(pattern, str):
            raise TypeError(f"layers holds {pattern!r}, expected glob patterns of names of modules or calls")
    if not isinstance(calibrated, Calibrated | None):
        raise TypeError(
            f"calibrated is a {type(calibrated).__name__}, expected what axsim.nn.calibrate_through returns"
        )
    if not isinstance(quantize, Quantization | None):
        raise TypeError(f"quantize is a {type(quantize).__name__}, expected an axsim.nn.Quantization")
    coding = quantize or Quantization()
    if calibrated is not None and patterns is not None:
        _check_names(patterns, calibrated)
    return Through(arithmetic(mult, coding, gradient), coding, patterns, calibrated)


def _check_names(patterns: tuple[str, ...], calibrated: Calibrated) -> None:
    """ValueError where a pattern matches no call that the calibration came to."""
    calls = list(dict.fromkeys(site.partition(" ")[0] for site in calibrated.seen))
    for pattern in patterns:
        if not any(_matches(name, pattern) for name in calls):
            raise ValueError(
                f"layers holds {pattern!r}, which matches no call that the calibration came to; those are "
                f"{_shown(calls)}"
            )


def _matches(name: str, pattern: str) -> bool:
    """Whether a pattern means a call: by its own name, or by its module's."""
    return fnmatchcase(name, pattern) or fnmatchcase(name.partition(":")[0], pattern)


def _shown(names: list[str]) -> str:
    return ", ".join(map(repr, names[:8])) + (", ..." if len(names) > 8 else "")


def _summarised(met: Met, by: Arithmetic, static: bool) -> LayerSummary:
    shapes = met.shapes[0] if met.shapes else (), ()
    if met.multiplier is None:
        why = f"{met.function}: {met.why}"
        return LayerSummary(met.name, why, None, "", "", {}, "", (), *shapes, None, None, 0, 0)
    return LayerSummary(
        met.name, met.function, met.multiplier, *coding(by, static), {}, by.gradient.name, (), *shapes,
        met.macs, published_energy(by.multiplier), met.calls, met.macs,
    )  # fmt: skip


@contextmanager
def intercepted(
    products: Callable[[str], Counted],
    record: Record,
    chosen: Callable[[str], bool],
    model: nn.Module | None = None,
) -> Iterator[None]:
    """Within it calls whose names are chosen are made by the products of those names, and recorded.

    ``model`` gives its modules names, also where they are called by themselves.
    """
    place = Place(model)
    with followed(place), _Calls(products, record, chosen, place):
        yield


class _Calls(TorchFunctionMode):  # type: ignore[misc] # torch does not say its type
    """Sees every function of torch that is called."""

    def __init__(
        self,
        products: Callable[[str], Counted],
        record: Record,
        chosen: Callable[[str], bool],
        place: Place,
    ) -> None:
        super().__init__()
        self._products, self._record, self._chosen, self._place = products, record, chosen, place

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        found = HANDLERS.get(func)
        if found is None and func in BACKWARD:
            with self:
                return BACKWARD[func](*args, **kwargs)
        if found is None:
            return self._other(func, args, kwargs)
        function, handler = found
        name = self._place.name(function)
        why = self._why_not(name)
        if not why:
            by = self._products(name)
            given = {key: value for key, value in kwargs.items() if key != "out"}
            try:
                result = handler(by, *args, **given)
            except Left as left:
                why = str(left)
            else:
                self._note(name, function, (args, kwargs), by.macs, by.multiplier, "")
                return result if kwargs.get("out") is None else _written(kwargs["out"], result)
        self._note(name, function, (args, kwargs), 0, None, why)
        return func(*args, **kwargs)

    def _why_not(self, name: str) -> str:
        # The engine runs gradients without recording them, but what is computed again for them with.
        if torch._C._current_graph_task_id() != -1 and not torch.is_grad_enabled():
            return "part of a backward pass"
        return "" if self._chosen(name) else "not among the layers"

    def _other(self, func: Any, args: Any, kwargs: Any) -> Any:
        if (function := EXACT.get(func)) is not None:
            why = "multipliers have no such function"
        elif (function := _ALREADY.get(func)) is not None:
            why = "approximate already"
        if function is not None:
            self._note(self._place.name(function), function, (args, kwargs), 0, None, why)
        return func(*args, **kwargs)

    def _note(
        self, name: str, function: str, given: Any, macs: int, multiplier: str | None, why: str
    ) -> None:
        self._record.add(Met(name, function, _shapes(given), macs, 1, multiplier, why))


class Counted(Multiply):
    """Products that are counted.

    Attributes:
        macs: how many so far.
        multiplier: what makes them.
    """

    macs: int
    multiplier: str | None


class Approximating(Counted):
    """The products of one call by a multiplier."""

    def __init__(self, by: Arithmetic, name: str, limits: Callable[[str], Range | None]) -> None:
        self.macs, self.multiplier = 0, by.multiplier.name
        self._key, self._name, self._limits = by.key, name, limits

    def linear(self, x: Tensor, w: Tensor, bias: Tensor | None, site: str) -> Tensor:
        """As ``Products.linear``."""
        check(x, w)
        label = place_of(self._name, site)
        out = operators.linear(x, w, bias, self._limits(label), self._key, label)
        self.macs += count("linear", x, w, out)
        return out

    def matmul(self, a: Tensor, b: Tensor, sites: tuple[str, str], bias: Tensor | None = None) -> Tensor:
        """As ``Products.matmul``."""
        if is_weight(b):
            return self.linear(a, turned(b), bias, sites[0])
        check(a, b)
        left, right = (place_of(self._name, site) for site in sites)
        limits = self._limits(left), self._limits(right)
        out = operators.matmul(a, b, limits[0], self._key, bias, f"{left}, {sites[1]}", limits[1])
        self.macs += count("matmul", a, b, out)
        return out

    def conv(self, x: Tensor, w: Tensor, bias: Tensor | None, geometry: Conv) -> Tensor:
        """As ``Multiply.conv``."""
        check(x, w)
        out = operators.conv(x, w, bias, self._limits(self._name), self._key, geometry, self._name)
        self.macs += count("conv", x, w, out)
        return out

    def conv_transpose(self, x: Tensor, w: Tensor, bias: Tensor | None, geometry: Transposed) -> Tensor:
        """As ``Multiply.conv_transpose``."""
        check(x, w)
        out = operators.conv_transpose(x, w, bias, self._limits(self._name), self._key, geometry, self._name)
        self.macs += count("conv_transpose", x, w, out)
        return out


def place_of(name: str, site: str) -> str:
    """What ranges and errors call a site of a call."""
    return f"{name} {site}" if site else name


def check(*operands: Tensor) -> None:
    """``Left`` unless they are what multipliers take."""
    for x in operands:
        if not isinstance(x, Tensor):
            raise Left(f"an operand is a {type(x).__name__}")
        if x.is_nested or x.layout != torch.strided:
            raise Left("an operand is sparse or nested")
        if x.dtype not in _TYPES:
            raise Left(f"an operand is {str(x.dtype).removeprefix('torch.')}")
        if type(x) not in (Tensor, nn.Parameter) and not isinstance(x, FakeTensor):
            raise Left(f"an operand is a {type(x).__name__}")


def is_weight(b: Tensor) -> bool:
    """Whether a right operand is a weight."""
    return isinstance(b, nn.Parameter) and b.ndim == 2


def turned(b: Tensor) -> Tensor:
    """A weight (K, N) as ``F.linear`` has it: (N, K); the same tensor again where nothing is recorded."""
    traced = torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None
    if traced or (torch.is_grad_enabled() and b.requires_grad):
        return b.t()
    return made_of(b, "turned", lambda w: w.t())


def _written(out: Any, result: Any) -> Any:
    return out.resize_(result.shape).copy_(result)


def _shapes(given: Any) -> Shapes:
    """Of the tensors among arguments, in order."""
    if isinstance(given, Tensor):
        return (sizes(given),)
    if isinstance(given, dict):
        given = list(given.values())
    return tuple(s for part in given for s in _shapes(part)) if isinstance(given, list | tuple) else ()
