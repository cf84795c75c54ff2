"""Attention on the meta device by the kernel that the CPU takes, so that a trial keeps for backward what a run keeps.

Left to itself, torch takes attention apart there, and backward then needs each of its steps: of (heads, length, length)
numbers several times over, where the kernel keeps one number a row. CUDA's kernels keep nearly the same as the CPU's.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend

_aten = torch.ops.aten


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        attn_mask = torch.empty_like(attn_mask, dtype=query.dtype)   # as torch does
    output: Tensor
    if _is_fused(query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa):
        kernel = _aten._scaled_dot_product_flash_attention_for_cpu
        output = kernel(query, key, value, dropout_p, is_causal, attn_mask=attn_mask, scale=scale)[0]
    else:
        plain = _aten._scaled_dot_product_attention_math
        output = plain(query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa)[0]
    return output


def _is_fused(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    dropout: float,
    is_causal: bool,
    scale: float | None,
    enable_gqa: bool,
) -> bool:
    """Ask torch what it would take for such tensors on the CPU; they are never written, and so take no memory."""
    q, k, v = (torch.empty_like(tensor, device="cpu") for tensor in (query, key, value))
    there = None if mask is None else torch.empty_like(mask, device="cpu")
    chosen = torch._fused_sdp_choice(q, k, v, there, dropout, is_causal, scale=scale, enable_gqa=enable_gqa)
    return chosen == SDPBackend.FLASH_ATTENTION.value


_library = torch.library.Library("aten", "IMPL")   # type: ignore[no-untyped-call]   # what it holds is gone with it
_library.impl("scaled_dot_product_attention", _attention, "AutogradMeta")   # type: ignore[no-untyped-call]
