"""Functions of torch that multiply and add up, and that no multiplier is put into: they are recorded."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

T = Tensor


def those_of(place: Any, *names: str) -> list[Any]:
    """The functions of those names that this version of torch has."""
    return [getattr(place, name) for name in names if hasattr(place, name)]


def _overloads(operator: Any) -> list[Any]:
    return [operator, *(getattr(operator, name) for name in operator.overloads())]


_ATEN = (
    "linear", "matmul", "mm", "bmm", "mv", "dot", "addmm", "addmv", "baddbmm", "conv1d", "conv2d", "conv3d",
    "convolution", "scaled_dot_product_attention",
)  # fmt: skip

EXACT: dict[Any, str] = {
    function: name
    for name, functions in {
        "conv_transpose3d": [F.conv_transpose3d],
        "convolution": [torch.convolution],
        "bilinear": [F.bilinear, torch.bilinear],
        "addbmm": [torch.addbmm, T.addbmm, T.addbmm_],
        "addmm_": [T.addmm_],
        "addmv_": [T.addmv_],
        "baddbmm_": [T.baddbmm_],
        "chain_matmul": [torch.chain_matmul],
        "multi_dot": [torch.linalg.multi_dot],
        "vecdot": [torch.linalg.vecdot, torch.vdot, T.vdot],
        "matrix_power": [torch.matrix_power, T.matrix_power, torch.linalg.matrix_power],
        "conv_tbc": [torch.conv_tbc],
        "_addmm_activation": [torch._addmm_activation],
        "_int_mm": [torch._int_mm],
        "scaled_mm": [*those_of(F, "scaled_mm"), torch._scaled_mm],
        "scaled_grouped_mm": [*those_of(F, "scaled_grouped_mm"), *those_of(torch, "_scaled_grouped_mm")],
        **{f"aten.{name}": _overloads(getattr(torch.ops.aten, name)) for name in _ATEN},
        "_native_multi_head_attention": [torch._native_multi_head_attention],
        "_transformer_encoder_layer_fwd": [torch._transformer_encoder_layer_fwd],
    }.items()
    for function in functions
}
"""Functions that multiply and add up, too, and are left to torch."""
