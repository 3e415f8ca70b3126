"""A small vision transformer."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Block(nn.Module):
    """Attention and a two-layer network, each behind a layer normalisation and with a way round it.

    ``(N, L, dim)`` stays ``(N, L, dim)``. Source: A. Dosovitskiy et al., ICLR 2021, equations 2 and 3.

    >>> Block(8, heads=2, mlp=16)(torch.zeros(1, 5, 8)).shape
    torch.Size([1, 5, 8])
    """

    def __init__(self, dim: int, heads: int, mlp: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.linear1 = nn.Linear(dim, mlp)
        self.linear2 = nn.Linear(mlp, dim)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.linear2(functional.gelu(self.linear1(self.norm2(x))))


class ViT(nn.Module):
    """A vision transformer: patches, a class token, encoder blocks, one linear layer.

        (N, C, S, S) -> patches (a convolution whose stride is its kernel) -> (N, P, dim)
                     -> class token in front, positions added -> blocks -> layer normalisation
                     -> the class token -> linear -> (N, classes)

    The default is ViT-Ti's width and depth on patches of 4 x 4 pixels, of which a 32 x 32 image has 64:
    5,362,762 parameters and 365,107,584 multiply-accumulates for 3 x 32 x 32. ``size=224, patch=16,
    classes=1000`` has the 5,717,416 parameters of DeiT-Ti (the paper: 5 million).

    Args:
        in_channels, size, classes: an image's channels, its height and width, and how many scores. Default:
            3, 32, 10.
        patch: height and width of a patch; it divides ``size``. Default: 4.
        dim: length of a token. Default: 192.
        depth: encoder blocks. Default: 12.
        heads: attention heads; they divide ``dim``. Default: 3.
        mlp: hidden units of a block. Default: 4 * dim.

    Raises:
        ValueError: a patch that does not divide the size, or heads that do not divide the dimension.

    Sources: A. Dosovitskiy et al., "An Image is Worth 16x16 Words: Transformers for Image Recognition at
    Scale", ICLR 2021; H. Touvron et al., "Training data-efficient image transformers & distillation through
    attention", ICML 2021, table 1 (DeiT-Ti).

    >>> ViT(dim=24, depth=2)(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        size: int = 32,
        classes: int = 10,
        patch: int = 4,
        dim: int = 192,
        depth: int = 12,
        heads: int = 3,
        mlp: int | None = None,
    ) -> None:
        super().__init__()
        for name, part, whole_name, whole in (("patch", patch, "size", size), ("heads", heads, "dim", dim)):
            if part < 1 or whole % part:
                raise ValueError(f"{name} is {part} and {whole_name} {whole}; a divisor of it was expected")
        self.patches = nn.Conv2d(in_channels, dim, patch, stride=patch)
        self.token = nn.Parameter(torch.zeros(1, 1, dim))
        self.positions = nn.Parameter(torch.empty(1, (size // patch) ** 2 + 1, dim))
        nn.init.trunc_normal_(self.positions, std=0.02)
        self.blocks = nn.Sequential(*(Block(dim, heads, mlp or 4 * dim) for _ in range(depth)))
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.linear = nn.Linear(dim, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.token.expand(len(x), -1, -1), x), dim=1) + self.positions
        return self.linear(self.norm(self.blocks(x))[:, 0])
