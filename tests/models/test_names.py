"""Networks by name, and what they cost."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import torch
from torch import nn

from axsim import models

SMALL = {
    "alexnet": {"channels": (2, 2, 2, 2, 2), "hidden": (4, 4)},
    "cleverhans": {"width": 2, "in_channels": 3, "size": 32},
    "resnet18": {"width": 2},
    "vit": {"dim": 6, "depth": 1},
}


@pytest.mark.parametrize("name", models.list_models())
def test_every_network_takes_the_same_three_options(name: str) -> None:
    options = {**SMALL.get(name, {}), "in_channels": 3, "size": 32, "classes": 6}
    model = models.get(name, seed=1, **options).eval()
    x = torch.rand(3, 3, 32, 32)
    scores = model(x)
    assert scores.shape == (3, 6)
    torch.testing.assert_close(scores[1:2], model(x[1:2]))  # images do not see each other
    assert all(p.dtype == torch.float32 for p in model.parameters())


@pytest.mark.parametrize("name", models.list_models())
def test_the_counts_in_docstrings_are_right(name: str) -> None:
    model = models.get(name)
    channels, size = (1, 28) if name.startswith(("lenet", "cleverhans", "ffnn")) else (3, 32)
    build = models.names._MODELS[name]
    text = re.sub(r"\s+", " ", build.__doc__ or "")
    for count in models.cost(model, (channels, size, size)):
        assert f"{count:,}" in text


@pytest.mark.parametrize("name", ["lenet5", "resnet20", "vit"])
def test_seeds(name: str) -> None:
    options = SMALL.get(name, {})
    before = torch.random.get_rng_state()
    one, same, other = (models.get(name, seed=seed, **options).state_dict() for seed in (5, 5, 6))
    assert all(torch.equal(one[k], same[k]) for k in one)
    assert any(not torch.equal(one[k], other[k]) for k in one)
    assert torch.equal(torch.random.get_rng_state(), before)  # a seed leaves torch's generator alone
    models.get(name, **options)
    assert not torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("lenet", "lenet5 or lenet5_average or lenet5_da"),
        ("ResNet-20", "resnet20"),
        ("alxnet", "alexnet"),
        ("lenet5avg", "lenet5_average"),
        ("qqq", "list_models"),
        ("", "list_models"),
    ],
)
def test_unknown_names_get_a_hint(name: str, hint: str) -> None:
    with pytest.raises(ValueError, match=rf"^no network is called {name!r}: .*{hint}"):
        models.get(name)


def test_unknown_options_are_named() -> None:
    with pytest.raises(TypeError, match="resnet20 has no option 'width'; its options are in_channels, size"):
        models.get("resnet20", width=3)


def test_without_torch_it_is_said_what_to_install() -> None:
    probe = "import sys; sys.modules['torch'] = None; import axsim.models"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    assert done.returncode == 1
    assert "ImportError: axsim.models needs torch: pip install 'axsim[torch]'" in done.stderr


def test_cost_leaves_the_model_as_it_was() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(), nn.Flatten(), nn.Linear(2, 3))
    model[1].eval()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    assert models.cost(model, (1, 3, 3)) == (18 + 2 + 4 + 6 + 3, 18 + 6)
    assert [m.training for m in model] == [True, False, True, True, True]
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
