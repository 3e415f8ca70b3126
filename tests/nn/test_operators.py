"""The operators of torch: what ``torch.library`` checks, graphs, gradients."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from nn_layers import any_layer
from torch import Tensor, nn
from torch.autograd import forward_ad

import axsim
from axsim import models
from axsim.nn import STE, approximate, calibrate
from axsim.nn.arithmetic import arithmetic
from axsim.nn.geometry import Conv, Linear, MatMul, Transposed, exact
from axsim.nn.operators import conv, conv_transpose, linear, matmul

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")

KEY = arithmetic("L40").key
OPS = torch.ops.axsim


def cases() -> list[tuple[Any, tuple[Any, ...]]]:
    """Operators with arguments: ranges known and not, biases or none, all numbers of axes."""
    torch.manual_seed(1)
    r = torch.rand
    return [
        (OPS.linear, (r(2, 5), r(3, 5), r(3), None, KEY)),
        (OPS.linear, (r(4, 2, 5), r(3, 5), None, [0.0, 0.7], KEY, "fc")),
        (OPS.conv, (r(2, 4, 7), r(6, 2, 3), r(6), None, KEY, [2], [1, 2], [2], 2)),
        (OPS.conv, (r(2, 4, 7, 6), r(6, 4, 3, 2), None, [-0.1, 0.5], KEY, [2, 1], [1, 1, 0, 0], [1, 2], 1)),
        (OPS.conv, (r(1, 2, 4, 5, 4), r(3, 2, 2, 3, 2), r(3), None, KEY, [1] * 3, [1, 0] * 3, [1] * 3, 1)),
        (OPS.conv_transpose, (r(2, 4, 5), r(4, 3, 3), r(6), None, KEY, [2], [1], [1], [1], 2)),
        (
            OPS.conv_transpose,
            (r(1, 2, 3, 4), r(2, 3, 2, 3), None, [0.0, 0.9], KEY, [2, 1], [0, 1], [0, 0], [1, 2], 1),
        ),
        (OPS.matmul, (r(3, 2, 4), r(4, 5), None, None, KEY)),
        (OPS.matmul, (r(1, 2, 4), r(3, 4, 5), r(5), [0.0, 0.5], KEY, "scores")),
    ]


@pytest.mark.parametrize("number", range(len(cases())))
@pytest.mark.parametrize("gradients", [False, True])
def test_opcheck(number: int, gradients: bool) -> None:
    op, arguments = cases()[number]
    arguments = tuple(a.requires_grad_(gradients) if isinstance(a, Tensor) else a for a in arguments)
    torch.library.opcheck(op.default, arguments)


@pytest.mark.parametrize("number", range(len(cases())))
def test_straight_through_gradients_are_those_of_the_exact_product(number: int) -> None:
    op, arguments = cases()[number]
    x, w, bias, _, *rest = (a.requires_grad_() if isinstance(a, Tensor) else a for a in arguments)
    upstream = torch.rand_like(op(x, w, bias, None, *rest).detach())
    tensors = [x, w] if bias is None else [x, w, bias]
    found = torch.autograd.grad(op(x, w, bias, None, *rest), tensors, upstream)
    numbers = [a for a in rest[1:] if not isinstance(a, str)]
    geometry = {OPS.linear: Linear, OPS.conv: Conv, OPS.conv_transpose: Transposed, OPS.matmul: MatMul}[op]
    where = geometry(*(tuple(n) if isinstance(n, list) else n for n in numbers))
    y = exact(x, w, where)
    if bias is not None:
        y = y + (bias if op in (OPS.linear, OPS.matmul) else bias.reshape(-1, *(1,) * (x.ndim - 2)))
    for ours, own in zip(found, torch.autograd.grad(y, tensors, upstream), strict=True):
        torch.testing.assert_close(ours, own)


@given(any_layer)
def test_gradients_of_layers_are_torchs_own(case: tuple[nn.Module, Tensor]) -> None:
    layer, x = case
    approx = approximate(layer, "JV3")
    for model in (layer, approx):
        model.zero_grad()
    mine, own = x.clone().requires_grad_(), x.clone().requires_grad_()
    (approx(mine).sin() * 0 + approx(mine)).sum().backward()
    layer(own).sum().backward()
    torch.testing.assert_close(mine.grad, own.grad, rtol=1e-4, atol=1e-4)
    for ours, theirs in zip(approx.parameters(), layer.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-4)


def test_second_derivatives() -> None:
    """Those of the exact product at the same operands: the estimator's own gradient."""
    x, w = torch.rand(3, 4, requires_grad=True), torch.rand(2, 4, requires_grad=True)
    found, own = [], []
    for y, into in ((linear(x, w, None, None, KEY), found), (F.linear(x, w), own)):
        weights = torch.arange(6.0).reshape(3, 2)
        (first,) = torch.autograd.grad(y, x, weights, create_graph=True)
        into.append(torch.autograd.grad(first.square().sum(), w)[0])
    torch.testing.assert_close(found[0], own[0])


def test_no_gradient_passes_to_what_was_cut_off() -> None:
    x = torch.tensor([[-1.0, 0.2, 0.8, 3.0]], requires_grad=True)
    w = torch.rand(2, 4)
    for gradient, expected in ((STE(), [False, True, True, False]), (STE(clip=False), [True] * 4)):
        key = arithmetic("L40", gradient=gradient).key
        (found,) = torch.autograd.grad(linear(x, w, None, (0.0, 1.0), key).sum(), x)
        assert (found[0] != 0).tolist() == expected


def test_called_at_once_or_by_the_dispatcher() -> None:
    x, w, bias = torch.rand(2, 4, 6, 6), torch.rand(4, 4, 3, 3), torch.rand(4)
    where = Conv((1, 1), (1, 1, 1, 1), (1, 1), 1)
    back = Transposed((1, 1), (0, 0), (0, 0), (1, 1), 1)
    calls = (
        lambda x: linear(x, w[0, 0, :, :1].expand(3, 6), None, None, KEY),
        lambda x: conv(x, w, bias, (0.0, 1.0), KEY, where),
        lambda x: conv_transpose(x, w, bias, None, KEY, back),
        lambda x: matmul(x, x, None, KEY),
    )
    for call in calls:
        recorded = call(x.clone().requires_grad_())
        assert recorded.requires_grad
        assert torch.equal(recorded, call(x))


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.ConvTranspose2d(4, 4, 2, 2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(1024, 5)).eval()


@pytest.mark.parametrize("calibrated", [False, True])
@pytest.mark.parametrize("mult", ["L40", "axfpm"])
def test_compiled_without_a_graph_break(model: nn.Module, mult: str, calibrated: bool) -> None:
    x = torch.rand(3, 1, 8, 8)
    approx = approximate(model, mult, calibrate=[x] if calibrated else None)
    compiled = torch.compile(approx, fullgraph=True, backend="aot_eager")
    with torch.no_grad():
        assert torch.equal(compiled(x), approx(x))
        assert torch.equal(compiled(x[:2]), approx(x[:2]))


@pytest.mark.parametrize("name", ["lenet5", "resnet20", "vit"])
def test_networks_compiled_without_a_graph_break(name: str) -> None:
    images = torch.rand(2, 1, 8, 8)
    network = models.get(name, seed=0, in_channels=1, size=8, **({"depth": 1} if name == "vit" else {}))
    approx = approximate(network.eval(), "L40", calibrate=[images])
    compiled = torch.compile(approx, fullgraph=True, backend="aot_eager")
    with torch.no_grad():
        assert torch.equal(compiled(images), approx(images))


def test_compiled_training_step(model: nn.Module) -> None:
    x = torch.rand(3, 1, 8, 8)
    gradients = []
    for wrap in (lambda m: m, lambda m: torch.compile(m, fullgraph=True, backend="aot_eager")):
        approx = approximate(model, "L40", calibrate=[x])
        wrap(approx)(x).square().sum().backward()
        gradients.append([p.grad for p in approx.parameters()])
    for plain, compiled in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, compiled)


def test_compiled_with_an_error_that_names_the_layer(model: nn.Module) -> None:
    compiled = torch.compile(approximate(model, "L40"), fullgraph=True, backend="aot_eager")
    with torch.no_grad(), pytest.raises(ValueError, match=r"^0: x holds NaN"):
        compiled(torch.full((1, 1, 8, 8), torch.nan))


@pytest.mark.parametrize("strict", [False, True])
def test_exported(model: nn.Module, strict: bool) -> None:
    x = torch.rand(3, 1, 8, 8)
    approx = approximate(model, "L40", calibrate=[x])
    batch = torch.export.Dim("batch")
    program = torch.export.export(approx, (x,), dynamic_shapes=({0: batch},), strict=strict)
    names = [str(node.target) for node in program.graph.nodes if "axsim" in str(node.target)]
    assert names == ["axsim.conv.default", "axsim.conv_transpose.default", "axsim.linear.default"]
    other = torch.rand(5, 1, 8, 8)
    with torch.no_grad():
        assert torch.equal(program.module()(other), approx(other))


LOADED = """
import sys, torch, axsim.nn
program = torch.export.load(sys.argv[1])
print(program.module()(torch.ones(1, 3))[0].item())
"""


def test_exported_and_loaded_by_another_process(tmp_path: Path) -> None:
    approx = approximate(nn.Linear(3, 1), "L40")
    with torch.no_grad():
        expected = approx(torch.ones(1, 3)).item()
        torch.export.save(torch.export.export(approx, (torch.ones(1, 3),)), tmp_path / "net.pt2")
    done = subprocess.run(
        [sys.executable, "-c", LOADED, str(tmp_path / "net.pt2")], capture_output=True, text=True, check=True
    )
    assert float(done.stdout.split()[-1]) == expected


def test_what_only_another_process_knows_is_said(tmp_path: Path) -> None:
    axsim.register("here_only", lambda a, b: a * b | 1, overwrite=True)
    approx = approximate(nn.Linear(3, 1), "here_only")
    with torch.no_grad():
        torch.export.save(torch.export.export(approx, (torch.ones(1, 3),)), tmp_path / "net.pt2")
    done = subprocess.run(
        [sys.executable, "-c", LOADED, str(tmp_path / "net.pt2")], capture_output=True, text=True, check=False
    )
    assert done.returncode
    assert "here_only was registered or made in another process" in done.stderr


def test_types_that_do_not_go_together() -> None:
    with pytest.raises(TypeError, match=r"^fc: x is torch.float64 and the weight torch.float32"):
        linear(torch.ones(1, 2).double(), torch.ones(1, 2), None, None, KEY, "fc")
    with pytest.raises(TypeError, match=r"x is torch.int64, expected float32"):
        linear(torch.ones(1, 2).long(), torch.ones(1, 2), None, None, KEY)


def test_modes_see_the_operator() -> None:
    """A mode that looks at operators finds this one, and not the call that goes round the dispatcher."""
    from torch.utils._python_dispatch import TorchDispatchMode

    seen = []

    class Seen(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.append(str(func))
            return func(*args, **(kwargs or {}))

    with torch.no_grad(), Seen():
        linear(torch.rand(1, 2), torch.rand(1, 2), None, None, KEY)
    assert "axsim.linear.default" in seen


@pytest.mark.parametrize("mult", ["L40", "axfpm", "float32"])
def test_biases_of_matrix_products(mult: str) -> None:
    x, w, bias = torch.rand(2, 3, 4), torch.rand(4, 5), torch.rand(5)
    key = arithmetic(mult).key
    torch.testing.assert_close(
        matmul(x, w, None, key, bias=bias), matmul(x, w, None, key) + bias, rtol=1e-6, atol=1e-6
    )


def test_right_operands_are_cut_off_by_their_range() -> None:
    """And no gradient passes to what was."""
    x, w = torch.tensor([[1.0, 2.0]]), torch.tensor([[-3.0], [0.5]], requires_grad=True)
    for gradient, expected in ((STE(), [0.0, 2.0]), (STE(clip=False), [1.0, 2.0])):
        key = arithmetic("exact8", gradient=gradient).key
        y = matmul(x, w, (0.0, 2.0), key, b_range=(-1.0, 1.0))
        torch.testing.assert_close(y, torch.tensor([[-1.0 + 2 * 0.5]]), rtol=0, atol=0.01)
        with torch.no_grad():
            assert torch.equal(matmul(x, w, (0.0, 2.0), key, b_range=(-1.0, 1.0)), y)
        (found,) = torch.autograd.grad(y.sum(), w)
        assert found[:, 0].tolist() == expected
    arguments = (x, w, None, [0.0, 2.0], key, "", [-1.0, 1.0])
    torch.library.opcheck(OPS.matmul.default, arguments)
    with pytest.raises(ValueError, match=r"^scores: b holds NaN"):
        matmul(x, w * torch.nan, None, KEY, label="scores")


def test_compiled_before_it_is_calibrated_again(model: nn.Module) -> None:
    """Ranges are numbers of the graph: another calibration makes another graph, and none that is stale."""
    x = torch.rand(3, 1, 8, 8)
    approx = approximate(model, "L40")
    torch.compiler.reset()  # graphs of other models, where they still live, count towards the same limit
    compiled = torch.compile(approx, fullgraph=True, backend="aot_eager")
    with torch.no_grad():
        for scale in (None, 1.0, 2.0, 3.0):
            if scale is not None:
                calibrate(approx, [scale * x])
            assert torch.equal(compiled(x), approx(x))


@pytest.mark.parametrize("mult", ["L40", "axfpm"])
def test_called_with_other_weights(model: nn.Module, mult: str) -> None:
    """``torch.func.functional_call`` on an approximate model, with gradients."""
    x, approx = torch.rand(3, 1, 8, 8), approximate(model, mult)
    weights = {name: (2 * p).detach().requires_grad_() for name, p in approx.named_parameters()}
    torch.func.functional_call(approx, weights, (x,)).square().sum().backward()
    approx.load_state_dict(weights, strict=False)
    approx(x).square().sum().backward()
    for name, parameter in approx.named_parameters():
        torch.testing.assert_close(weights[name].grad, parameter.grad)


@pytest.mark.parametrize("recorded", [True, False])
def test_examples_one_by_one(model: nn.Module, recorded: bool) -> None:
    """``torch.func.vmap`` calls operators for each example, whether gradients are recorded or not."""
    x = torch.rand(3, 1, 8, 8)
    approx = approximate(model, "L40", calibrate=[x])
    with torch.set_grad_enabled(recorded), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that torch has no faster way
        assert torch.equal(torch.func.vmap(lambda one: approx(one[None])[0])(x), approx(x))


def test_gradients_of_functions_are_refused(model: nn.Module) -> None:
    """torch has no way for operators with a gradient of their own; an error, and no wrong number."""
    x, approx = torch.rand(3, 1, 8, 8), approximate(model, "L40")
    with pytest.raises(RuntimeError):
        torch.func.grad(lambda x: approx(x).sum())(x)


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")  # torch's own use of it
@pytest.mark.parametrize("frozen", [True, False])
def test_tangents_are_refused(model: nn.Module, frozen: bool) -> None:
    """Forward-mode differentiation: an error that names the layer, and no slope of 0."""
    x, approx = torch.rand(3, 1, 8, 8), approximate(model, "L40").requires_grad_(not frozen)
    with pytest.raises(TypeError, match=r"^0: x has a tangent"):
        torch.func.jvp(approx, (x,), (x,))
    with forward_ad.dual_level():
        with pytest.raises(TypeError, match=r"^0: x has a tangent"):
            approx(forward_ad.make_dual(x, x))
        assert torch.equal(approx(x), approx(x.clone()))
        with pytest.raises(TypeError, match=r"^x has a tangent"):
            linear(forward_ad.make_dual(x, x), torch.rand(2, 8), None, None, KEY)
        with pytest.raises(TypeError, match=r"^the weight has a tangent"):
            linear(x, forward_ad.make_dual(torch.rand(2, 8), torch.rand(2, 8)), None, None, KEY)


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.parametrize("recorded", [True, False])
def test_traced_by_torchscript(model: nn.Module, recorded: bool) -> None:
    """``torch.jit.trace`` records the operators, not the results that they had when it did."""
    x, others = torch.rand(2, 3, 1, 8, 8)
    approx = approximate(model, "L40", calibrate=[x])
    with torch.set_grad_enabled(recorded):
        traced = torch.jit.trace(approx, x, check_trace=False)
        assert torch.equal(traced(others), approx(others))
