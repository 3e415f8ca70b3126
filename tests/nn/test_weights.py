"""Prepared weights: made once, and again whenever their numbers change."""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from axsim.nn import approximate, weights
from axsim.nn.weights import forget, made_of

LARGE = weights.WHOLE + 1


def replaced(w: Tensor) -> None:
    w.data = w.data + 1


def inference(w: Tensor) -> None:
    with torch.inference_mode():
        w.add_(1)


CHANGES: dict[str, Callable[[Tensor], Any]] = {
    "in place": lambda w: w.add_(1),
    "one element": lambda w: w[(0,) * w.ndim].fill_(5),
    "data in place": lambda w: w.data.mul_(-1),
    "data replaced": replaced,
    "set": lambda w: w.set_(w.detach() * 2),
    "in inference": inference,
    "numpy": lambda w: w.detach().numpy().fill(7),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("shape", [(3, 4), (LARGE,), (2, 3, 4, 5), (300, 300)])
def test_changes_are_noticed(change: str, shape: tuple[int, ...]) -> None:
    backwards = torch.rand(shape[::-1]).permute(*reversed(range(len(shape))))
    with torch.no_grad():
        for tensor in (nn.Parameter(torch.rand(shape)), torch.rand(shape), backwards):
            made = [made_of(tensor, "sum", lambda w: w.double().sum().item()) for _ in range(2)]
            CHANGES[change](tensor)
            assert made_of(tensor, "sum", lambda w: w.double().sum().item()) == tensor.double().sum().item()
            assert made[0] == made[1] != tensor.double().sum().item()


def test_made_once_for_each_key() -> None:
    w, calls = torch.rand(3), []
    for key in ("a", "b", "a", "b"):
        made_of(w, key, lambda w, key=key: calls.append(key) or key)
    assert calls == ["a", "b"]


def test_few_things_are_kept() -> None:
    w, calls = torch.rand(3), []
    for key in [*range(weights.KEPT + 1), 0]:
        made_of(w, key, lambda w, key=key: calls.append(key) or key)
    assert calls == [*range(weights.KEPT + 1), 0]


def test_nothing_is_kept_of_what_is_gone() -> None:
    w = torch.rand(3)
    made_of(w, "a", lambda w: "a")
    place = id(w)
    assert place in weights._found
    del w
    gc.collect()
    assert place not in weights._found


def test_memory_that_is_used_again_is_not_taken_for_the_old() -> None:
    """Weights are replaced by others at once: the allocator likes to give the same memory again."""
    layer = approximate(nn.Linear(300, 300, bias=False), "L40")
    x = torch.rand(2, 300)
    base = layer.weight.detach().clone()
    with torch.no_grad():
        for i in range(8):
            changed = base.clone()
            changed[i, 1] += 1.0  # not among the numbers of the sample
            layer.weight.data = changed
            del changed
            fresh = approximate(nn.Linear(300, 300, bias=False), "L40")
            fresh.weight.copy_(layer.weight)
            assert torch.equal(layer(x), fresh(x))


def test_single_elements_of_many_through_data_need_refresh() -> None:
    layer = approximate(nn.Linear(300, 300, bias=False), "L40")
    x = torch.rand(2, 300)
    with torch.no_grad():
        before = layer(x)
        layer.weight.data[7, 7] = 9.0
        layer.refresh()
        assert not torch.equal(layer(x), before)
        assert torch.equal(layer(x), copy.deepcopy(layer)(x))


def test_forgotten() -> None:
    w, calls = torch.rand(3), []
    for _ in range(2):
        made_of(w, "a", lambda w: calls.append(1) or 1)
        forget(w)
    assert len(calls) == 2


@pytest.mark.parametrize("bias", [True, False])
def test_a_layer_follows_its_weights(bias: bool) -> None:
    """By an optimiser's step, a checkpoint, ``.data``, another type and back."""
    layer, x = nn.Linear(5, 3, bias=bias), torch.rand(2, 5)
    approx = approximate(layer, "L40")

    def step(m: nn.Module) -> None:
        optimiser = torch.optim.Adam(m.parameters())
        m(x).sum().backward()
        optimiser.step()

    def load(m: nn.Module) -> None:
        m.load_state_dict({name: 2 * p for name, p in m.state_dict().items()})

    def assign(m: nn.Module) -> None:
        m.load_state_dict({name: 2 * p for name, p in m.state_dict().items()}, assign=True)

    def data(m: nn.Module) -> None:
        for p in m.parameters():
            p.data.add_(0.5)

    for change in (step, load, assign, data, lambda m: m.double().float(), lambda m: m.half().float()):
        with torch.no_grad():
            approx(x)
        change(approx)
        fresh = approximate(nn.Linear(5, 3, bias=bias), "L40")
        fresh.load_state_dict(approx.state_dict())
        with torch.no_grad():
            assert torch.equal(approx(x), fresh(x))


def test_inference_tensors() -> None:
    with torch.inference_mode():
        layer = approximate(nn.Linear(400, 200), "L40")
        x = torch.rand(1, 400)
        before = layer(x)
        assert torch.equal(layer(x), before)
        layer.weight[1, 1] = 3.0  # such tensors count no versions
        assert not torch.equal(layer(x), before)
