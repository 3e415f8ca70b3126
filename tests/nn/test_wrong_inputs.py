"""What people give by mistake: messages name the layer, the batch or the argument, and say what helps."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from axsim.nn import (
    approximate,
    calibrate,
    calibrate_through,
    compare,
    fold_batch_norm,
    summary,
    through,
)

X = torch.rand(2, 1, 4, 4)
LAYERS: dict[str, tuple[nn.Module, Tensor]] = {
    "conv": (nn.Conv2d(1, 2, 3), X),
    "transposed": (nn.ConvTranspose2d(1, 2, 3), X),
    "linear": (nn.Linear(4, 3), X),
    "lstm": (nn.LSTM(4, 3), X[:, 0]),
}


@pytest.mark.parametrize("name", LAYERS)
def test_arrays_and_lists_where_tensors_are_expected(name: str) -> None:
    layer, x = LAYERS[name]
    approx = approximate(nn.Sequential(layer), "L40")
    with pytest.raises(
        TypeError, match=r"^0: input is a numpy\.ndarray, expected a tensor: pass torch\.from_"
    ):
        approx(x.numpy())
    with pytest.raises(TypeError, match=r"^0: input is a list, expected a tensor$"):
        approx(x.tolist())
    calls = calibrate, compare, summary
    for call in calls:
        with pytest.raises(TypeError, match=r"is a ndarray, expected .*: torch\.from_numpy makes"):
            call(*([approx] * (1 + (call is compare))), [x.numpy()] if call is calibrate else x.numpy())


def test_arrays_for_attention() -> None:
    approx = approximate(nn.MultiheadAttention(4, 2), "L40")
    with pytest.raises(TypeError, match=r"^multiheadattention: key is a numpy\.ndarray, expected a tensor"):
        approx(X[0], X[0].numpy(), X[0])


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (X[:, :, :3], r"^2: mat1 and mat2 shapes"),
        (X.expand(2, 3, 4, 4), r"^0: .*to have 1 channels, but got 3"),
        (X.double(), r"^0: Input type"),
        (X.flatten(1), r"^0: Expected 3D"),
    ],
)
def test_batches_of_a_wrong_shape_or_type(batch: Tensor, message: str) -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3)).eval()
    approx = approximate(model, "L40")
    with pytest.raises(ValueError, match=message) as caught:
        calibrate(approx, [(X, 0), (batch, 0)])
    assert caught.value.__notes__ == [f"in batch 1 of calibrate, of shape {tuple(batch.shape)}"]
    with pytest.raises(RuntimeError) as raised:
        calibrate_through(model, [batch])
    assert raised.value.__notes__ == [f"in batch 0 of calibrate, of shape {tuple(batch.shape)}"]


def test_a_layer_whose_weight_is_used_without_it() -> None:
    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.linear(self.first(x), self.second.weight)

    model = Functional().eval()
    with pytest.raises(ValueError, match=r"never reached second: .* axsim\.nn\.through reaches that product"):
        approximate(model, "L40", calibrate=[X])
    with torch.no_grad(), through("L40") as seen:
        model(X)
    assert [met.multiplier for met in seen.calls] == ["mul8u_L40"] * 2


def pruned() -> nn.Sequential:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).eval()
    prune.l1_unstructured(model[0], "weight", 0.5)
    return model


def test_pruned_weights() -> None:
    """torch copies no model that has them, and does not say which."""
    model = pruned()
    with pytest.raises(RuntimeError):
        copy.deepcopy(model)  # if torch comes to do it, the check may go
    for change in (approximate, fold_batch_norm):
        with pytest.raises(ValueError, match=r"^0\.weight was computed .*remove.*inplace=True"):
            change(model)
    with torch.no_grad():
        expected = approximate(pruned_for_good(model), "L40")(X)
        found = approximate(model, "L40", inplace=True)(X)
    assert torch.equal(found, expected)


def pruned_for_good(model: nn.Sequential) -> nn.Sequential:
    plain = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).eval()
    with torch.no_grad():
        plain[0].weight.copy_(model[0].weight)
        plain[0].bias.copy_(model[0].bias)
    return plain


def test_weights_that_torch_swaps() -> None:
    """What is kept beside a weight refers to it, and torch swaps no tensor that something refers to."""
    model = nn.Sequential(nn.Linear(4, 3), nn.MultiheadAttention(4, 2))
    approx = approximate(model, "L40")
    with torch.no_grad():
        before = approx[0](X), approx[1](X[0, 0], X[0, 0], X[0, 0])[0]
    torch.__future__.set_swap_module_params_on_conversion(True)
    try:
        approx.double().float()
        approx.load_state_dict(model.state_dict())
    finally:
        torch.__future__.set_swap_module_params_on_conversion(False)
    with torch.no_grad():
        after = approx[0](X), approx[1](X[0, 0], X[0, 0], X[0, 0])[0]
    assert all(map(torch.equal, after, before))


@pytest.mark.parametrize("recorded", [True, False])
def test_tensors_without_numbers(recorded: bool) -> None:
    """Shapes are known on the device ``meta``; where one operand is there alone there is no result."""
    approx = approximate(nn.Sequential(nn.Linear(4, 3)), "L40")
    with torch.set_grad_enabled(recorded):
        with pytest.raises(TypeError, match=r"^0: x is on device meta and the weight on cpu"):
            approx(X.to("meta"))
        approx.to("meta")
        out = approx(X.to("meta"))
        assert (out.device.type, tuple(out.shape)) == ("meta", (2, 1, 4, 3))
        with pytest.raises(TypeError, match=r"^0: x is on device cpu and the weight on meta"):
            approx(X)


def test_names_of_calls_are_checked_at_once_where_they_are_known() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    calibrated = calibrate_through(model, [X])
    for good in ("0", "*:linear", ["0", "1:linear"]):
        with through("L40", layers=good, calibrated=calibrated), torch.no_grad():
            model(X)
    with pytest.raises(ValueError, match=r"layers holds 'nope', .*; those are '0:linear', '1:linear'$"):
        through("L40", layers=["0", "nope"], calibrated=calibrated)


def test_a_subclass_that_stays_exact_is_said_what_reaches_it() -> None:
    class Own(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.linear(x, self.weight)

    with pytest.warns(UserWarning, match=r"it stays exact \(axsim\.nn\.through reaches"):
        approximate(nn.Sequential(nn.Linear(4, 4), Own(4, 4)), "L40")
