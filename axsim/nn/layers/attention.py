"""Attention of several heads: projections, scores and what is attended to, all through the multiplier."""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor, nn

from axsim.nn.attending import RIGHT_SITES, SITES, Multihead, multihead
from axsim.nn.layers.base import Approximate, registered
from axsim.nn.layers.several import products_of
from axsim.nn.weights import forget


class AttentionPart(Approximate):
    """``torch.nn.MultiheadAttention`` whose products go through a multiplier.

    Left operands are query, key and value where they are projected, the projected query ("scores q"), the
    attention, and what goes through the last projection ("out"). Right ones are the weights, the projected
    key ("scores k") and the projected value ("values"); these two are coded as weights are, per tensor.
    Scaling, masks, softmax and dropout are exact.
    """

    sites = SITES
    right_sites = RIGHT_SITES

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Arguments and results as those of ``torch.nn.MultiheadAttention``.

        Raises:
            ValueError: shapes do not fit.
        """
        layer = cast(Any, self)
        for name, x in (("query", query), ("key", key), ("value", value)):
            if not isinstance(x, Tensor):
                self.refuse(x, name)
        batch_first = layer.batch_first and query.ndim == 3
        if batch_first:
            query, key, value = (x.transpose(0, 1) for x in (query, key, value))
        try:
            out, weights = multihead(
                products_of(self),
                parameters_of(layer),
                query,
                key,
                value,
                padding=key_padding_mask,
                mask=attn_mask,
                need_weights=need_weights,
                average=average_attn_weights,
                is_causal=is_causal,
            )
        except ValueError as error:
            if str(error).startswith(self.label):
                raise
            raise ValueError(f"{self.label}: {error}") from error
        return out.transpose(0, 1) if batch_first else out, weights

    def refresh(self) -> None:
        """As ``Approximate.refresh``, the last projection's weight among them."""
        super().refresh()
        forget(cast(Any, self).out_proj.weight)


def parameters_of(layer: nn.MultiheadAttention) -> Multihead:
    """Those of a layer of torch."""
    return Multihead(
        layer.num_heads,
        layer.in_proj_weight,
        (layer.q_proj_weight, layer.k_proj_weight, layer.v_proj_weight),
        layer.in_proj_bias,
        layer.bias_k,
        layer.bias_v,
        layer.add_zero_attn,
        layer.out_proj.weight,
        layer.out_proj.bias,
        layer.dropout if layer.training else 0.0,
    )


@registered
class ApproxMultiheadAttention(AttentionPart, nn.MultiheadAttention):
    """``torch.nn.MultiheadAttention`` through a multiplier."""

    exact_class = nn.MultiheadAttention
