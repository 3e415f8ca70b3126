"""The vision transformer."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import gelu, layer_norm

from axsim.models import ViT, cost


def test_parameters_of_deit_ti() -> None:
    """5,717,416 is what the published checkpoint of DeiT-Ti (patches of 16, 224 pixels) holds."""
    model = ViT(size=224, patch=16, classes=1000)
    assert sum(p.numel() for p in model.parameters()) == 5717416


def test_products() -> None:
    tokens, dim = 65, 192
    block = tokens * dim * (3 * dim + dim + 8 * dim) + 2 * tokens * tokens * dim
    assert cost(ViT(), (3, 32, 32)) == (5362762, 64 * 48 * dim + 12 * block + dim * 10)


def test_it_computes_what_its_docstring_says() -> None:
    model = ViT(in_channels=1, size=4, patch=2, dim=6, depth=1, heads=2, mlp=5, classes=3).eval()
    torch.nn.init.normal_(model.token)
    x = torch.rand(2, 1, 4, 4)
    patches = x.unfold(2, 2, 2).unfold(3, 2, 2).reshape(2, 4, 4)
    y = patches @ model.patches.weight.reshape(6, 4).T + model.patches.bias
    y = torch.cat((model.token.expand(2, 1, 6), y), 1) + model.positions
    block = model.blocks[0]
    n = layer_norm(y, (6,), block.norm1.weight, block.norm1.bias, 1e-6)
    q, k, v = (n @ block.attention.in_proj_weight.T + block.attention.in_proj_bias).split(6, -1)
    heads = []
    for h in (slice(0, 3), slice(3, 6)):
        weights = torch.softmax(q[..., h] @ k[..., h].transpose(1, 2) / 3**0.5, -1)
        heads.append(weights @ v[..., h])
    out = block.attention.out_proj
    y = y + torch.cat(heads, -1) @ out.weight.T + out.bias
    n = layer_norm(y, (6,), block.norm2.weight, block.norm2.bias, 1e-6)
    y = y + block.linear2(gelu(block.linear1(n)))
    n = layer_norm(y, (6,), model.norm.weight, model.norm.bias, 1e-6)
    torch.testing.assert_close(model(x), model.linear(n[:, 0]), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patch": 5}, "patch is 5 and size 32"),
        ({"heads": 7}, "heads is 7 and dim 192"),
        ({"patch": 0}, "patch is 0"),
    ],
)
def test_what_does_not_divide(options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ViT(**options)
