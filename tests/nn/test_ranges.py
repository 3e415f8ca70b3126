"""Calibration: what batches may be, what is found, what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence
from torch.utils.data import DataLoader, TensorDataset

from axsim.nn import Quantization, approximate, calibrate, calibration, load_calibration
from axsim.nn.layers import Approximate


class Named(nn.Module):
    """A model with arguments of its own, one of which it may do without."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, pixels: Tensor, scale: float = 1.0) -> Tensor:
        return self.second(self.first(pixels * scale).relu())


X = torch.tensor([[-1.0, 0.0, 3.0], [0.5, 2.0, 1.0]])


@pytest.mark.parametrize(
    "batches",
    [
        [X],
        [X[:1], X[1:]],
        [(X, torch.tensor([0, 1]))],
        [[X, "labels"]],
        [{"pixels": X, "labels": 3}],
        [{"pixels": X / 2, "scale": 2.0}],
        [({"pixels": X}, torch.tensor([0, 1]))],
        DataLoader(TensorDataset(X, torch.zeros(2)), batch_size=1),
        (x for x in X.split(1)),
        lambda model: model(X),
    ],
)
def test_batches(batches: Any) -> None:
    model = Named()
    approx = approximate(model, "L40", calibrate=batches)
    found = calibration(approx)
    assert found["first"].tolist() == [-1.0, 3.0]
    hidden = model.first(X).relu()  # ranges are those of the exact network
    assert found["second"].tolist() == [0.0, hidden.max().item()]


@pytest.mark.parametrize(
    ("batches", "error", "message"),
    [
        ([], ValueError, "calibrate holds no batches"),
        (X, TypeError, "calibrate is a Tensor"),
        ("batches", TypeError, "calibrate is a str"),
        (3, TypeError, "calibrate is a int"),
        ([None], TypeError, "a batch of calibrate is a NoneType"),
        ([[]], TypeError, "a batch of calibrate is a list"),
        ([X * torch.nan], ValueError, "first: x holds NaN or infinity"),
    ],
)
def test_refused(batches: Any, error: type[Exception], message: str) -> None:
    approx = approximate(Named(), "L40", calibrate=[X])
    before = calibration(approx)
    with pytest.raises(error, match=message):
        calibrate(approx, batches)
    assert {n: r.tolist() for n, r in calibration(approx).items()} == {
        n: r.tolist() for n, r in before.items()
    }
    assert all(m.watched is None for m in approx.modules() if isinstance(m, Approximate))
    assert approx.training


def test_layers_that_are_never_reached_are_named() -> None:
    class Branches(Named):
        def forward(self, pixels: Tensor) -> Tensor:
            return self.first(pixels)

    with pytest.raises(ValueError, match="calibration never reached second: "):
        approximate(Branches(), "L40", calibrate=[X])
    dynamic = {"second": Quantization(activations="dynamic")}
    assert list(calibration(approximate(Branches(), "L40", quantize=dynamic, calibrate=[X]))) == ["first"]
    assert list(
        calibration(approximate(Branches(), "L40", per_layer={"second": "axfpm"}, calibrate=[X]))
    ) == ["first"]


def test_dynamic_layers_ignore_ranges() -> None:
    approx = approximate(nn.Linear(3, 2), "L40", quantize=Quantization(activations="dynamic"))
    with torch.no_grad():
        free = approx(X)
        load_calibration(approx, {"linear": torch.tensor([0.0, 0.1])})
        assert torch.equal(approx(X), free)


def test_a_calibration_does_not_change_what_is_computed_in_it() -> None:
    """Layers compute exactly, in evaluation mode: batch statistics are not touched."""
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).train()
    approx = approximate(model, "L40", calibrate=[X])
    assert torch.equal(approx[1].running_mean, torch.zeros(4))
    outputs = []
    calibrate(approx, lambda m: outputs.append(m(X)))
    assert torch.equal(outputs[0], model.eval()(X))


def test_an_observer_of_ones_own() -> None:
    class Fixed:
        def see(self, seen: Any, x: Tensor) -> Any:
            return seen

        def range(self, seen: Any, rule: Any) -> tuple[float, float]:
            return 0.0, 6.0

    approx = approximate(nn.Linear(3, 2), "L40", quantize=Quantization(observer=Fixed()), calibrate=[X])
    assert calibration(approx)["linear"].tolist() == [0.0, 6.0]


@pytest.mark.parametrize(
    ("ranges", "error", "message"),
    [
        ({}, ValueError, "no ranges for first, second"),
        ({"first": torch.tensor([0.0, 1.0])}, ValueError, "no ranges for second"),
        ({"third": torch.tensor([0.0, 1.0])}, ValueError, "ranges for third"),
        (dict.fromkeys(["first", "second"], torch.tensor([1.0, 0.0])), ValueError, r"first is \[1.0, 0.0\]"),
        (dict.fromkeys(["first", "second"], torch.tensor([0.0, torch.inf])), ValueError, "first is"),
        (dict.fromkeys(["first", "second"], torch.zeros(3)), ValueError, "first is"),
        ({"first": [0.0, 1.0], "second": [0.0, 1.0]}, TypeError, "first is a list"),
    ],
)
def test_ranges_that_do_not_fit(ranges: Any, error: type[Exception], message: str) -> None:
    approx = approximate(Named(), "L40", calibrate=[X])
    before = calibration(approx)
    with pytest.raises(error, match=message):
        load_calibration(approx, ranges)
    assert calibration(approx).keys() == before.keys()


def test_packed_sequences() -> None:
    """They are tuples, too, but of no input and labels."""
    torch.manual_seed(0)
    packed = pack_sequence([torch.randn(length, 3) for length in (6, 4, 1)])
    approx = approximate(nn.LSTM(3, 5), "L40", calibrate=lambda model: model(packed))
    expected = calibration(approx)
    for batch in (packed, (packed, torch.zeros(3))):
        calibrate(approx, [batch])
        assert {k: v.tolist() for k, v in calibration(approx).items()} == {
            k: v.tolist() for k, v in expected.items()
        }


@pytest.mark.parametrize("observer", ["minmax", "moving-average", "percentile", "mse", "entropy"])
def test_batches_without_numbers_are_no_calibration(observer: str) -> None:
    coding = Quantization(observer=observer)
    with pytest.raises(ValueError, match="never reached linear"):
        approximate(nn.Linear(3, 2), "L40", quantize=coding, calibrate=[X[:0]])
    layer = nn.Linear(3, 2)
    ranges = [
        calibration(approximate(layer, "L40", quantize=coding, calibrate=batches))["linear"].tolist()
        for batches in ([X + 3], [X + 3, X[:0]])
    ]
    assert ranges[0] == ranges[1]


def test_the_exact_model_is_refused() -> None:
    """``approximate`` made a copy, and the model itself is calibrated."""
    with pytest.raises(ValueError, match="without approximate layers"):
        calibrate(nn.Linear(3, 2), [X])
    calibrate(approximate(nn.Linear(3, 2), "axfpm"), [X])  # which needs no ranges


def test_compiled_models() -> None:
    """A graph cannot look at numbers; the calibration runs what was compiled as it is written."""
    approx = approximate(Named(), "L40")
    torch.compiler.reset()
    compiled = torch.compile(approx, fullgraph=True, backend="aot_eager")
    calibrate(compiled, [X])
    found = [limits.tolist() for limits in calibration(compiled).values()]
    calibrate(approx, [X])
    assert found == [limits.tolist() for limits in calibration(approx).values()]
