"""What all approximate layers have in common, and the registry of what can be made approximate.

An approximate layer *is* the exact layer, its object and all that hangs on it (parameters, buffers, hooks,
names), of a class that multiplies otherwise. That class is a subclass of the exact one, so that
``isinstance`` and ``state_dict`` say what they said before; and it is taken back as it was given.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar, cast
from weakref import WeakValueDictionary

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from axsim.nn.arithmetic import Arithmetic
from axsim.nn.observers import Observer, Range, Seen, observer_of
from axsim.nn.quantization import Quantization
from axsim.nn.tally import Tally
from axsim.nn.weights import forget
from axsim.quantization import Rule

T = TypeVar("T")


class Approximate:
    """The part of an approximate layer that knows arithmetic and ranges; it stands before the exact class.

    A layer may multiply at several *sites*, each with activations of its own; one that multiplies once has
    the site "".

    Attributes:
        arithmetic: how products are made.
        quantization: how operands are coded, and how ranges are found.
        label: the layer's name in the model; errors begin with it.
        calibration: the range of the activations of each site that a calibration reached.
        watched: what a calibration has seen so far, by site; None while there is none.
        tally: the products that went through the multiplier.
    """

    arithmetic: Arithmetic
    quantization: Quantization
    label: str
    calibration: dict[str, Range]
    watched: dict[str, Seen] | None
    tally: Tally

    exact_class: ClassVar[type[nn.Module]]
    sites: ClassVar[tuple[str, ...]] = ("",)
    right_sites: ClassVar[tuple[str, ...]] = ()  # of them those of right operands, coded as weights are

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise TypeError(
            f"{type(self).__name__} is what axsim.nn.approximate makes of a layer: make a "
            f"{type(self).exact_class.__name__} and give it to that"
        )

    @property
    def tag(self) -> str:
        """The layer's label for operators, which count its products."""
        return self.tally.tag(self.label)

    @property
    def wants_ranges(self) -> bool:
        """Whether a calibration has ranges to find for the layer."""
        return self.arithmetic.quantization is not None and self.quantization.activations != "dynamic"

    def limits(self, site: str = "") -> Range | None:
        """The range of a site's activations; None where they have their own.

        Raises:
            ValueError: the range was to be found by a calibration, and none was made.
        """
        mode = self.quantization.activations
        if mode == "dynamic":
            return None
        found = self.calibration.get(site)
        if found is None and mode == "static" and self.arithmetic.quantization is not None:
            raise ValueError(
                f"{self.label}: activations are to be static, but the layer has no range; approximate(..., "
                "calibrate=loader) or axsim.nn.calibrate finds it"
            )
        return found

    def rule(self, site: str = "") -> Rule | None:
        """How what comes to a site is quantised; None for a float multiplier."""
        return self.arithmetic.right if site in self.right_sites else self.arithmetic.left

    def watch(self, x: Tensor, site: str = "") -> None:
        """See activations of a calibration.

        Raises:
            ValueError: they hold NaN or infinity.
        """
        if self.watched is None or not self.wants_ranges or not x.numel():
            return  # what holds no numbers has no range
        observer: Observer = observer_of(self.quantization.observer)
        try:
            self.watched[site] = observer.see(self.watched.get(site, Seen()), x)
        except ValueError as error:
            raise ValueError(f"{self.label}: {error}") from error

    def exactly(self, input: Tensor, *rest: Any) -> Any:
        """See the input of a calibration, and what the exact layer makes of it.

        Raises:
            ValueError: the exact layer refuses it, by its shape or type.
        """
        self.watch(input)
        try:
            return super().forward(input, *rest)  # type: ignore[misc]
        except RuntimeError as error:
            raise ValueError(f"{self.label}: {error}") from error

    def refuse(self, input: Any, name: str = "input") -> None:
        """TypeError for what is no tensor."""
        kind = type(input)
        where = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
        hint = f": pass torch.from_numpy({name})" if where == "numpy." else ""
        raise TypeError(f"{self.label}: {name} is a {where}{kind.__name__}, expected a tensor{hint}")

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        self._let_go()
        return super()._apply(fn, recurse)  # type: ignore[misc]

    def _load_from_state_dict(self, *args: Any) -> None:
        self._let_go()
        super()._load_from_state_dict(*args)  # type: ignore[misc]

    def _let_go(self) -> None:
        """Forget the weights where torch is to swap them: it swaps none that something refers to."""
        if torch.__future__.get_swap_module_params_on_conversion():
            self.refresh()

    def refresh(self) -> None:
        """Make the weights ready anew: a few of many were changed through ``.data``, which nothing tells."""
        for parameter in cast(nn.Module, self).parameters(recurse=False):
            forget(parameter)

    def extra_repr(self) -> str:
        """The exact layer's, and the arithmetic."""
        said: str = super().extra_repr()  # type: ignore[misc]
        return f"{said}, {self.arithmetic.key}"

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _empty, (self.exact_class,), cast(Any, self).__getstate__()  # classes may leave things out


# The approximate class of layers of an exact class. What is added here can be made approximate.
CLASSES: dict[type[nn.Module], type[nn.Module]] = {}


def registered(approximate: type[T]) -> type[T]:
    """A class of approximate layers, which layers of its ``exact_class`` then get."""
    CLASSES[approximate.exact_class] = approximate  # type: ignore[attr-defined]
    return approximate


def approximate_class(exact: type[nn.Module]) -> type[nn.Module] | None:
    """The class of approximate layers that were of a class; None where there is none.

    A subclass of a class that is known gets one made for it, unless it computes in a way of its own.

    >>> from axsim.nn.layers import ApproxLinear
    >>> class Named(nn.Linear): pass
    >>> class Scaled(nn.Linear):
    ...     def forward(self, x): return 2 * super().forward(x)
    >>> approximate_class(nn.Linear) is ApproxLinear, approximate_class(Scaled)
    (True, None)
    >>> [made.__name__ for made in approximate_class(Named).__mro__[:4]]
    ['ApproxNamed', 'LinearPart', 'Approximate', 'Named']
    """
    found = CLASSES.get(exact)
    if found is not None:
        return found
    base = next((base for base in exact.__mro__ if base in CLASSES), None)
    if base is None or any(getattr(exact, n, None) is not getattr(base, n, None) for n in _COMPUTING):
        return None
    part = CLASSES[base].__mro__[1]
    members = {"exact_class": exact, "__module__": part.__module__, "__doc__": part.__doc__}
    return _made.setdefault(exact, type(f"Approx{exact.__name__}", (part, exact), members))


_made: WeakValueDictionary[type[nn.Module], type[nn.Module]] = WeakValueDictionary()
_COMPUTING = ("forward", "_conv_forward", "__call__")


def can_be_approximate(layer: nn.Module) -> bool:
    """Whether a layer is approximate or can be made so.

    A layer that was given a ``forward`` of its own, as wrappers of others do, would go on with that.

    >>> layer = nn.Linear(2, 2)
    >>> can_be_approximate(layer)
    True
    >>> layer.forward = lambda x: 2 * x
    >>> can_be_approximate(layer)
    False
    """
    if isinstance(layer, Approximate):
        return True
    return approximate_class(_plain_class(layer)) is not None and not any(
        n in vars(layer) for n in _COMPUTING
    )


def become_approximate(
    layer: nn.Module, arithmetic: Arithmetic, quantization: Quantization, label: str
) -> None:
    """Give a layer, exact or approximate, that arithmetic; ranges that it has stay."""
    if not isinstance(layer, Approximate):
        _recast(layer, _class_of(_plain_class(layer)))
        layer.__dict__.update(calibration={}, watched=None)
    layer.__dict__.update(arithmetic=arithmetic, quantization=quantization, label=label, tally=Tally())


def become_exact(layer: nn.Module) -> None:
    """Take a layer's arithmetic away; an exact layer stays as it is."""
    if isinstance(layer, Approximate):
        _recast(layer, layer.exact_class)
        for name in Approximate.__annotations__:
            layer.__dict__.pop(name, None)


def copied(model: nn.Module) -> nn.Module:
    """A deep copy.

    Raises:
        ValueError: a weight is no parameter but was computed of others, with a graph for gradients, as
            pruning leaves it: torch does not copy such.
    """
    for name, layer in model.named_modules():
        for key, value in vars(layer).items():
            if isinstance(value, Tensor) and value.requires_grad and not value.is_leaf:
                raise ValueError(
                    f"{name + '.' if name else ''}{key} was computed of other tensors, as torch's pruning "
                    "leaves it, and torch copies no such tensor: make it permanent "
                    "(torch.nn.utils.prune.remove), or change the model itself (inplace=True)"
                )
    return copy.deepcopy(model)


def _plain_class(layer: nn.Module) -> type[nn.Module]:
    """A layer's class, apart from ``torch.nn.utils.parametrize``, which gives a layer one of its own."""
    kind = type(layer)
    return cast(type[nn.Module], kind.__bases__[0]) if is_parametrized(layer) else kind


def _recast(layer: nn.Module, kind: type[nn.Module]) -> None:
    """Make a layer one of a class; its parametrizations stay, and can be removed."""
    if is_parametrized(layer):
        members = {k: v for k, v in vars(type(layer)).items() if k not in ("__dict__", "__weakref__")}
        kind = type(f"Parametrized{kind.__name__}", (kind,), members)
    layer.__class__ = kind


def _empty(exact: type[nn.Module]) -> nn.Module:
    """An approximate layer without anything, for ``pickle`` and ``copy``."""
    made = _class_of(exact)
    return cast(nn.Module, made.__new__(made))


def _class_of(exact: type[nn.Module]) -> Any:
    found = approximate_class(exact)
    if found is None:
        raise TypeError(f"{exact.__name__} has no approximate class")
    return found
