"""Batch normalisation folded into the layers before it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nn_layers import convolutions, transposed_convolutions
from torch import Tensor, nn

from axsim.nn import approximate, fold_batch_norm
from axsim.nn.layers import ApproxConv2d

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


def trained(norm: nn.Module) -> nn.Module:
    """A normalisation that has seen something."""
    nn.init.uniform_(norm.running_mean, -1, 1)
    nn.init.uniform_(norm.running_var, 0.5, 2)
    if norm.affine:
        nn.init.uniform_(norm.weight, -2, 2)
        nn.init.uniform_(norm.bias, -1, 1)
    return norm.eval()


class Residual(nn.Module):
    """Two that can be folded, one whose layer's result goes elsewhere too, one layer that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(2, 2, 3, padding=1, bias=False), trained(nn.BatchNorm2d(2))
        self.conv2, self.bn2 = nn.Conv2d(2, 2, 1), trained(nn.BatchNorm2d(2))
        self.conv3, self.bn3 = nn.Conv2d(2, 2, 1), trained(nn.BatchNorm2d(2))
        self.body = nn.Sequential(nn.Conv2d(2, 3, 3), trained(nn.BatchNorm2d(3, affine=False)), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn1(self.conv1(x)).relu()
        y = self.conv2(x)
        x = self.bn2(y) + y
        x = self.bn3(self.conv3(x)) + self.conv3(x)
        return self.body(x)


def test_pairs() -> None:
    model, x = Residual().eval(), torch.rand(2, 2, 6, 6)
    folded = fold_batch_norm(model)
    identities = [name for name, module in folded.named_modules() if isinstance(module, nn.Identity)]
    assert identities == ["bn1", "body.1"]
    torch.testing.assert_close(folded(x), model(x))
    assert isinstance(model.bn1, nn.BatchNorm2d)
    assert fold_batch_norm(model, inplace=True) is model
    assert isinstance(model.bn1, nn.Identity)


@given(st.one_of(convolutions(), transposed_convolutions()), st.booleans())
def test_all_kinds_of_convolutions(case: tuple[nn.Module, Tensor], affine: bool) -> None:
    layer, x = case
    axes = layer.weight.ndim - 2
    x = x if x.ndim == axes + 2 else x[None]
    model = nn.Sequential(layer, trained(NORMS[axes](layer.out_channels, affine=affine))).eval()
    with torch.no_grad():
        torch.testing.assert_close(fold_batch_norm(model)(x), model(x), rtol=1e-4, atol=1e-4)


def test_fully_connected_layers() -> None:
    model = nn.Sequential(nn.Linear(3, 4), trained(nn.BatchNorm1d(4)))
    torch.testing.assert_close(fold_batch_norm(model.eval())(torch.ones(2, 3)), model(torch.ones(2, 3)))


def test_approximate_layers_stay_approximate() -> None:
    model, x = nn.Sequential(nn.Conv2d(1, 2, 3), trained(nn.BatchNorm2d(2))).eval(), torch.rand(2, 1, 5, 5)
    one = fold_batch_norm(approximate(model, "L40"))
    assert type(one[0]) is ApproxConv2d
    with torch.no_grad():
        assert torch.equal(one(x), approximate(fold_batch_norm(model), "L40")(x))


def test_what_was_frozen_stays_frozen() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), trained(nn.BatchNorm2d(2))).eval().requires_grad_(False)
    assert not any(p.requires_grad for p in fold_batch_norm(model).parameters())


def test_refused() -> None:
    with pytest.raises(ValueError, match="a Sequential without a batch normalisation"):
        fold_batch_norm(nn.Sequential(nn.Linear(2, 2)))
    with pytest.raises(ValueError, match=r"1 is in training mode: call model.eval\(\) first"):
        fold_batch_norm(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)))

    class Choosy(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) if x.sum() > 0 else x

    with pytest.raises(ValueError, match=r"forward torch\.fx cannot follow"):
        fold_batch_norm(Choosy(nn.Linear(2, 2), nn.BatchNorm1d(2)).eval())
