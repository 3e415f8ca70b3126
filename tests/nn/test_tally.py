"""Products are counted where they are made, for the layer that asked for them."""

from __future__ import annotations

import copy
import gc
import pickle
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import axsim.nn  # noqa: E402
from axsim.nn import tally  # noqa: E402
from axsim.nn.geometry import Linear  # noqa: E402


def layer_of(mult: str = "L40") -> Any:
    return axsim.nn.approximate(nn.Sequential(nn.Linear(6, 4)).eval(), mult)[0]


def counts(layer: Any) -> tuple[int, int]:
    count = layer.tally.sites.get("", tally.Count())
    return count.calls, count.products


def padded_ones(layer: nn.Module, x: torch.Tensor) -> int:
    """Products by counting: all weights and activations 1, and padding 1, too."""
    layer = copy.deepcopy(layer).double()
    for parameter in layer.parameters():
        parameter.data.fill_(1)
    if layer.bias is not None:
        layer.bias.data.zero_()
    if hasattr(layer, "padding") and not isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d):
        ends = [p for p in reversed(layer.padding) for _ in range(2)]
        x = nn.functional.pad(x, ends, value=1.0)
        layer.padding = (0,) * len(layer.padding)
    return int(layer(torch.ones_like(x, dtype=torch.float64)).sum())


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Linear(6, 4), (5, 3, 6)),
        (nn.Linear(6, 4), (6,)),
        (nn.Conv1d(4, 6, 3, padding=2, groups=2), (2, 4, 9)),
        (nn.Conv2d(2, 3, (3, 2), stride=2, padding=1), (3, 2, 7, 8)),
        (nn.Conv3d(1, 2, 2), (1, 1, 4, 3, 3)),
        (nn.ConvTranspose2d(2, 4, 3, stride=2, groups=2), (2, 2, 3, 3)),
    ],
    ids=lambda given: type(given).__name__ if isinstance(given, nn.Module) else "x".join(map(str, given)),
)
@pytest.mark.parametrize("recorded", [False, True], ids=["at once", "through the dispatcher"])
def test_every_product_is_counted(layer: nn.Module, shape: tuple[int, ...], recorded: bool) -> None:
    made: Any = axsim.nn.approximate(layer, "L40")
    x = torch.rand(shape)
    with torch.set_grad_enabled(recorded):
        made(x)
        made(x)
    assert counts(made) == (2, 2 * padded_ones(layer, x))
    assert made.tally.sites[""].x_shape == shape


def test_what_computes_exactly_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Sequential(nn.Linear(6, 4))
    made = axsim.nn.approximate(model, "L40", calibrate=[torch.rand(3, 6)])  # a calibration is exact
    assert counts(made[0]) == (0, 0)
    monkeypatch.setattr(type(made[0]), "forward", nn.Linear.forward)  # somebody else's layer
    made(torch.rand(3, 6))
    assert counts(made[0]) == (0, 0)


def test_a_product_that_fails_is_not_counted() -> None:
    made = layer_of()
    with pytest.raises(ValueError, match=r"^0: x holds NaN"):
        made(torch.full((2, 6), torch.nan))
    assert counts(made) == (0, 0)


@pytest.mark.parametrize(
    "again", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))], ids=["deepcopy", "pickle"]
)
def test_copies_count_for_themselves(again: Callable[[Any], Any]) -> None:
    first, x = layer_of(), torch.rand(2, 6)
    first(x)
    second = again(first)
    assert counts(second) == (0, 0)
    second(x)
    second(x)
    assert (counts(first)[0], counts(second)[0]) == (1, 2)


def test_models_with_equal_names_count_for_themselves() -> None:
    first, second = layer_of(), layer_of()
    first(torch.rand(2, 6))
    assert (counts(first)[0], counts(second)[0]) == (1, 0)


def test_another_multiplier_begins_at_nothing_and_an_exact_layer_has_no_tally() -> None:
    made = layer_of()
    made(torch.rand(2, 6))
    axsim.nn.approximate(made, "KEM", inplace=True)
    assert counts(made) == (0, 0)
    axsim.nn.approximate(made, None, inplace=True)
    assert "tally" not in vars(made)


def test_compiled_and_exported_layers_are_counted() -> None:
    made, x = layer_of(), torch.rand(2, 6)
    torch.compile(made, fullgraph=True, backend="aot_eager")(x)
    assert counts(made)[0] == 1
    torch.export.export(made, (x,)).module()(x)
    assert counts(made)[0] == 2


def test_layers_that_are_gone_leave_nothing_behind() -> None:
    made = layer_of()
    number = made.tally.number
    assert number in tally._known
    tag = made.tag
    del made
    gc.collect()
    assert number not in tally._known
    tally.count(tag, torch.ones(1, 6), torch.ones(4, 6), Linear(), torch.ones(1, 4))
