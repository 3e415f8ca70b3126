"""The trained network of Ax-FPM's authors as a model of torch, through ``approximate``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from axsim.nn import approximate

IMAGES = 200


class LeNet(nn.Module):
    """The layers of ``lenet5/architecture.json``, by the names of the authors' weights."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3, padding=1), nn.Conv2d(32, 64, 3, padding=1)
        self.linear1, self.linear2 = nn.Linear(3136, 200), nn.Linear(200, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for conv in (self.conv1, self.conv2):
            x = nn.functional.max_pool2d(conv(x).relu(), 2)
        return self.linear2(self.linear1(x.flatten(1)).relu())


@pytest.fixture(scope="module")
def images(shared: Path) -> torch.Tensor:
    with np.load(shared / "datasets" / "mnist.npz") as mnist:
        return torch.from_numpy(mnist["test_images"][:IMAGES, None] / np.float32(255))


@pytest.fixture(scope="module")
def model(shared: Path) -> nn.Module:
    made = LeNet().eval()
    with np.load(shared / "lenet5" / "lenet5_da.npz") as weights:
        made.load_state_dict({name: torch.from_numpy(weights[name]) for name in weights})
    return made


@pytest.mark.parametrize(
    ("variant", "per_layer"), [("approx", None), ("conv_only_approx", {"linear*": None})]
)
@pytest.mark.parametrize("batch", [IMAGES, 7])
def test_logits_and_predictions_are_the_published_ones(
    model: nn.Module,
    images: torch.Tensor,
    shared: Path,
    variant: str,
    per_layer: dict[str, None] | None,
    batch: int,
) -> None:
    approx = approximate(model, "axfpm", per_layer=per_layer)
    with np.load(shared / "lenet5" / "reference_test_0_199.npz") as expected, torch.no_grad():
        logits = torch.cat([approx(some) for some in images.split(batch)]).numpy()
        # Torch's exact layers sum in float32, where the published ones do in float64.
        rtol = 1e-6 if per_layer is None else 1e-5
        np.testing.assert_allclose(
            logits, expected[f"logits_{variant}"], rtol=rtol, atol=0 if rtol < 1e-5 else 1e-4
        )
        assert np.array_equal(logits.argmax(1), expected[f"prediction_{variant}"])


def test_conv_only_is_exact_to_the_last_digits_in_float64(
    model: nn.Module, images: torch.Tensor, shared: Path
) -> None:
    """The published exact layers sum in float64: so do these, and round after each layer."""
    approx = approximate(model, "axfpm", layers=nn.Conv2d)
    for name in ("linear1", "linear2"):
        layer = getattr(approx, name)
        layer.double()
        layer.register_forward_pre_hook(lambda module, args: (args[0].double(),))
        layer.register_forward_hook(lambda module, args, output: output.float())
    with np.load(shared / "lenet5" / "reference_test_0_199.npz") as expected, torch.no_grad():
        logits = approx(images).numpy()
        np.testing.assert_allclose(logits, expected["logits_conv_only_approx"], rtol=1e-6)


def test_every_layer_of_one_image(model: nn.Module, images: torch.Tensor, shared: Path) -> None:
    approx = approximate(model, "axfpm")
    outputs = {}
    for name, layer in approx.named_children():
        layer.register_forward_hook(lambda module, args, output, name=name: outputs.update({name: output[0]}))
    with np.load(shared / "lenet5" / "trace_test_0.npz") as trace, torch.no_grad():
        approx(images[:1])
        for name, values in outputs.items():
            np.testing.assert_allclose(values.numpy(), trace[name], rtol=1e-6, atol=1e-7, err_msg=name)
    assert len(outputs) == 4
