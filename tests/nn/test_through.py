"""Interception: what is seen, by whom, with which ranges, and what stays when it ends."""

from __future__ import annotations

import pickle
import threading
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import axsim
from axsim.nn import STE, Quantization, approximate, calibrate_through, calibration, through
from axsim.nn.gradients import Difference1D


class Functional(nn.Module):
    """A small network with products that no layer makes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(6, 8), nn.Linear(8, 3)
        self.mix = nn.Parameter(torch.randn(8, 8) / 3)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.relu(self.first(x))
        h = torch.softmax(h @ h.mT, -1) @ h + h @ self.mix
        return self.last(h)  # type: ignore[no-any-return]


@pytest.fixture
def model() -> Functional:
    torch.manual_seed(0)
    return Functional().eval()


@pytest.fixture
def x() -> Tensor:
    return torch.randn(4, 5, 6)


NAMES = ["first:linear", ":matmul", ":matmul#1", ":matmul#2", "last:linear"]


@torch.no_grad()
def test_what_was_met(model: Functional, x: Tensor) -> None:
    with through("L40") as seen:
        approx = model(x)
        assert torch.equal(model(x), approx)
    assert [met.name for met in seen.calls] == NAMES
    assert [met.calls for met in seen.calls] == [2] * 5
    assert [met.macs // 2 for met in seen.calls] == [4 * 5 * n for n in (48, 40, 40, 64, 24)]
    assert {met.multiplier for met in seen.calls} == {"mul8u_L40"}
    assert seen.calls[0].shapes == ((4, 5, 6), (8, 6), (8,))
    exact = model(x)
    assert not torch.equal(approx, exact)
    with through("float32"):
        torch.testing.assert_close(model(x), exact, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_some_calls(model: Functional, x: Tensor) -> None:
    exact = model(x)
    for layers, through_it in (
        ("first", {"first:linear"}),
        (["*:linear"], {"first:linear", "last:linear"}),
        ([":matmul#*", "last"], {":matmul#1", ":matmul#2", "last:linear"}),
        ("", {":matmul", ":matmul#1", ":matmul#2"}),
    ):
        with through("L40", layers=layers) as seen:
            assert not torch.equal(model(x), exact)
        assert {met.name for met in seen.calls if not met.why} == through_it
        assert {met.why for met in seen.calls if met.name not in through_it} == {"not among the layers"}


def test_a_pattern_that_matches_nothing(model: Functional, x: Tensor) -> None:
    seen = through("L40", layers=["first", "fc*"])
    with pytest.raises(ValueError, match=r"layers holds 'fc\*', which matched no call; .*'first:lin"), seen:
        model(x)
    with pytest.raises(ValueError, match="which matched no call; none was met"), through(layers="a"):
        pass
    with pytest.raises(KeyError), through("L40", layers="fc*"):  # the error that came first
        raise KeyError


@torch.no_grad()
def test_an_inner_one_goes_first_and_leaves_the_rest(model: Functional, x: Tensor) -> None:
    with through("exact8") as outer, through("L40", layers="last") as inner:
        found = model(x)
    assert {met.name for met in inner.calls if met.multiplier} == {"last:linear"}
    assert {met.name: met.multiplier for met in outer.calls if met.multiplier} == dict.fromkeys(
        NAMES[:4], "exact8"
    )
    assert outer.calls[-1].why == "approximate already"
    model.last = approximate(model.last, "L40")
    with through("exact8") as alone:
        assert torch.equal(model(x), found)
    assert alone.calls[-1].why == "approximate already"


@torch.no_grad()
def test_converted_layers_are_left_as_they_are(x: Tensor) -> None:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(6, 4), nn.LSTM(4, 4), nn.Identity())
    heads = nn.MultiheadAttention(6, 2)
    with through("exact8") as seen:
        found = approximate(model, "L40")(x)[0], approximate(heads, "L40")(x, x, x)[0]
    assert torch.equal(found[0], approximate(model, "L40")(x)[0])
    assert torch.equal(found[1], approximate(heads, "L40")(x, x, x)[0])
    assert {met.why for met in seen.calls} == {"approximate already"}


def test_nothing_stays_after_an_error(model: Functional, x: Tensor) -> None:
    exact = model(x)
    seen = through("L40")
    with pytest.raises(ValueError, match=r"^first:linear: x holds NaN"), seen:
        model(x * torch.nan)
    assert torch.equal(model(x), exact)
    with seen:  # may be entered again
        model(x)
    assert [met.name for met in seen.calls] == NAMES
    assert torch.equal(model(x), exact)


@torch.no_grad()
def test_threads(model: Functional, x: Tensor) -> None:
    """Each has its own, also where they share one object."""
    names = ["L40", "exact8", "JV3"]
    alone = {}
    for name in names:
        with through(name):
            alone[name] = model(x)
    exact, found = model(x), dict[str, Tensor]()
    shared = through("KEM")
    barrier = threading.Barrier(len(names) + 2)

    def run(name: str) -> None:
        with torch.no_grad(), through(name):
            barrier.wait()
            found[name] = model(x)

    def run_shared() -> None:
        with torch.no_grad(), shared:
            barrier.wait()
            model(x)

    threads = [threading.Thread(target=run, args=(name,)) for name in names]
    threads += [threading.Thread(target=run_shared) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in names:
        assert torch.equal(found[name], alone[name])
    assert torch.equal(model(x), exact)
    assert [met.calls for met in shared.calls] == [2] * 5


def test_gradients_are_those_of_the_exact_product(model: Functional, x: Tensor) -> None:
    """By STE with exact products: those of torch. A backward pass within the ``with`` is the same."""
    found = []
    for within in (False, True, None):
        model.zero_grad()
        mine = x.clone().requires_grad_()
        if within is None:
            model(mine).square().sum().backward()
        else:
            with through("float32") as seen:
                loss = model(mine).square().sum()
                if within:
                    loss.backward()
            if not within:
                loss.backward()
            assert [met.name for met in seen.calls] == NAMES
        found.append([mine.grad, *(p.grad for p in model.parameters())])
    for ours, within_it, own in zip(*found, strict=True):
        torch.testing.assert_close(ours, own, rtol=1e-4, atol=1e-4)
        assert torch.equal(ours, within_it)


def test_gradients_follow_the_rule() -> None:
    x, w = torch.rand(2, 4, requires_grad=True), torch.rand(4, 3)
    for rule, factor in ((STE(), 1.0), (STE(gain=3.0), 3.0)):
        with through("L40", gradient=rule):
            (found,) = torch.autograd.grad((x @ w).sum(), x)
        torch.testing.assert_close(found, factor * w.sum(1).expand(2, 4))
    with through("L40", gradient=Difference1D()):
        (found,) = torch.autograd.grad((x @ w).sum(), x)
    assert not torch.allclose(found, w.sum(1).expand(2, 4))


@pytest.mark.parametrize("reentrant", [False, True])
def test_what_is_computed_again_for_gradients_is_the_same(
    model: Functional, x: Tensor, reentrant: bool
) -> None:
    calibrated = calibrate_through(model, [x])
    with through("L40", calibrated=calibrated) as seen:
        mine = x.clone().requires_grad_()
        checkpoint(model, mine, use_reentrant=reentrant).square().sum().backward()
    assert all(met.multiplier for met in seen.calls)
    assert [met.calls for met in seen.calls][:4] == [2] * 4  # torch stops when it has what it needs
    kept, mine = [p.grad for p in model.parameters()], x.clone().requires_grad_()
    model.zero_grad()
    with through("L40", calibrated=calibrated):
        model(mine).square().sum().backward()
    for ours, own in zip(kept, model.parameters(), strict=True):
        torch.testing.assert_close(ours, own.grad)


class Doubled(torch.autograd.Function):
    """With a backward pass that multiplies matrices."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        ctx.save_for_backward(w)
        return x @ w

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Any:
        return upstream @ ctx.saved_tensors[0].T, None


def test_other_backward_passes_are_exact() -> None:
    x, w = torch.rand(2, 4, requires_grad=True), torch.rand(4, 3)
    with through("L40") as seen:
        Doubled.apply(x, w).sum().backward()
    assert torch.equal(x.grad, torch.ones(2, 3) @ w.T)
    assert [met.why for met in seen.calls] == ["", "part of a backward pass"]


@torch.no_grad()
def test_weights_are_prepared_once(model: Functional, x: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    original = axsim.nn.products._prepared

    def counted(*arguments: Any, **kwargs: Any) -> Any:
        made.append("")
        return original(*arguments, **kwargs)

    monkeypatch.setattr("axsim.nn.products._prepared", counted)
    with through("L40"):
        before = model(x)
        assert len(made) == 3  # two layers, and the parameter
        model(x)
        assert len(made) == 3
        model.mix.mul_(2)
        assert not torch.equal(model(x), before)
        assert len(made) == 4


@torch.no_grad()
def test_calibrated(model: Functional, x: Tensor) -> None:
    calibrated = calibrate_through(model, x.split(2))
    assert set(calibrated.seen) == {
        "first:linear", ":matmul a", ":matmul b", ":matmul#1 a", ":matmul#1 b", ":matmul#2 a", "last:linear"
    }  # fmt: skip
    assert calibrated.right == {":matmul b", ":matmul#1 b"}
    assert calibrated.seen["first:linear"].high == float(x.max())
    for mult in ("L40", "mul8s_1L2D", "float32"):
        for kept in (calibrated, pickle.loads(pickle.dumps(calibrated))):
            with through(mult, calibrated=kept, quantize=Quantization(activations="static")):
                whole = model(x)
                assert torch.equal(model(x[:1]), whole[:1])  # whatever stands beside it
    with through("L40", calibrated=calibrated):
        static = model(3 * x)
    with through("L40", calibrated=calibrated, quantize=Quantization(activations="dynamic")):
        assert not torch.equal(model(3 * x), static)


@torch.no_grad()
def test_calibrated_as_converted_layers_are(x: Tensor) -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(6, 2, 12, batch_first=True)
    model = nn.Sequential(nn.TransformerEncoder(layer, 1), nn.GRU(6, 4)).eval()
    for quantize in (Quantization(), Quantization(observer="percentile", w_granularity="channel")):
        expected = approximate(model, "L40", calibrate=[x], quantize=quantize)(x)[0]
        calibrated = calibrate_through(model, [x], observer=quantize.observer)
        with through("L40", calibrated=calibrated, quantize=quantize):
            assert torch.equal(model(x)[0], expected)


@torch.no_grad()
def test_calibration_of_a_function() -> None:
    def function(x: Tensor) -> Tensor:
        return F.linear(x, torch.ones(2, 3)) @ torch.ones(2, 2)

    batches = [torch.rand(4, 3) for _ in range(3)]
    calibrated = calibrate_through(function, batches)
    assert calibrated.seen[":linear"].batches == 3
    with through("exact8", calibrated=calibrated):
        function(batches[0])
        with pytest.raises(ValueError, match=r"^:linear#1: the calibration never came here, but to ':linear"):
            function(batches[0])


@torch.no_grad()
def test_calibration_leaves_a_model_as_it_was(model: Functional, x: Tensor) -> None:
    model.train()
    model.first.eval()
    calibrate_through(model, [(x, None)])
    assert [m.training for m in model.modules()] == [True, False, True]
    with pytest.raises(ValueError, match=r"^first:linear: .*NaN"):
        calibrate_through(model, [x * torch.nan])
    assert [m.training for m in model.modules()] == [True, False, True]
    with pytest.raises(ValueError, match="batches holds no batches"):
        calibrate_through(model, [])
    with pytest.raises(ValueError, match=r"nothing was multiplied .*: .* \(not among the layers\)"):
        calibrate_through(model, [x], layers="fc")
    some = calibrate_through(model, [x], layers="last")
    seen = through("L40", calibrated=some)
    with (
        pytest.raises(ValueError, match=r"^first:linear: the calibration never came here, but to 'last"),
        seen,
    ):
        model(x)


def test_static_without_ranges(model: Functional, x: Tensor) -> None:
    seen = through("L40", quantize=Quantization(activations="static"))
    with pytest.raises(ValueError, match=r"^first:linear: operands are to have static ranges"), seen:
        model(x)


def test_arguments_are_checked() -> None:
    with pytest.raises(TypeError, match="layers holds 3, expected glob patterns"):
        through("L40", layers=[3])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="calibrated is a dict"):
        through("L40", calibrated={})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="quantize is a int"):
        through("L40", quantize=8)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="nonesuch"):
        through("nonesuch")


@torch.no_grad()
@pytest.mark.filterwarnings("ignore:Using `torch.compile.module.` when there are global hooks:UserWarning")
def test_compiled_models(model: Functional, x: Tensor) -> None:
    """Whether they were compiled, and run, before or within."""
    with through("L40"):
        expected = model(x)
    compiled = torch.compile(model, backend="eager")
    exact = compiled(x)
    with through("L40"):
        assert torch.equal(compiled(x), expected)
        assert torch.equal(compiled(x), expected)
        assert torch.equal(torch.compile(model, backend="eager")(x), expected)
    assert torch.equal(compiled(x), exact)


@torch.no_grad()
def test_autocast(model: Functional, x: Tensor) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16), through("float32") as seen:
        found = model(x)
    assert not any(met.why for met in seen.calls)
    torch.testing.assert_close(found.float(), model(x), rtol=0.1, atol=0.1)


def test_calibration_computes_as_the_model_does(x: Tensor) -> None:
    """To the bit, biases too, so that its ranges are those that layers find."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Unflatten(1, (1, 6)), nn.Conv1d(1, 8, 3, padding=1), nn.Conv1d(8, 8, 2),
        nn.ConvTranspose1d(8, 8, 3), nn.Flatten(), nn.Linear(56, 16), nn.Linear(16, 2),
    )  # fmt: skip
    outputs: list[Tensor] = []
    model.register_forward_hook(lambda _module, _x, out: outputs.append(out))
    x = x.reshape(-1, 6)
    found = calibrate_through(model, [x])
    with torch.no_grad():
        assert torch.equal(outputs[0], model(x))
    ranges = calibration(approximate(model, "L40", calibrate=[x])).values()
    assert [(seen.low, seen.high) for seen in found.seen.values()] == [tuple(r.tolist()) for r in ranges]


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_traced_by_torchscript(model: Functional, x: Tensor) -> None:
    """A trace that is made within keeps the operators, and weights as they are when it runs."""
    with torch.no_grad(), through("L40") as seen:
        traced = torch.jit.trace(model, x, check_trace=False)
        assert not [met for met in seen.calls if met.why]
        model.mix.mul_(2)
        expected = model(x / 2)
    with torch.no_grad():
        assert torch.equal(traced(x / 2), expected)


def test_batches_without_numbers_are_no_calibration(model: Functional, x: Tensor) -> None:
    with pytest.raises(ValueError, match="nothing was multiplied"):
        calibrate_through(model, [x[:0]])
    one, both = calibrate_through(model, [x]), calibrate_through(model, [x, x[:0]])
    assert one.seen == both.seen
