"""Attention on the meta device by the kernel that the CPU takes, so that a trial keeps for backward what a run keeps.

Left to itself, torch takes attention apart there, and backward then needs each of its steps: of (heads, length, length)
numbers several times over, where the kernel keeps one number a row. CUDA's kernels keep nearly the same as the CPU's.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend

_aten = torch.ops.aten


class _OfThread(threading.local):
    """Whether this thread's attention is the CPU's."""

    on = False


_here = _OfThread()


@contextmanager
def attention_as_on_the_cpu() -> Iterator[None]:
    """Take attention on the meta device as the CPU does; in this thread only, and only here."""
    _tell_torch()
    before, _here.on = _here.on, True
    try:
        yield
    finally:
        _here.on = before


@functools.cache
def _tell_torch() -> torch.library.Library:
    """Register the kernel: no mode is asked before torch has taken attention apart. What is returned holds it."""
    library = torch.library.Library("aten", "IMPL")   # type: ignore[no-untyped-call]
    library.impl("scaled_dot_product_attention", _attention, "AutogradMeta")   # type: ignore[no-untyped-call]
    return library


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
    tensors = (query, key, value, attn_mask)
    how: dict[str, Any] = {"dropout_p": dropout_p, "is_causal": is_causal, "scale": scale}
    output: Tensor
    if _here.on and _is_fused(tensors, how, enable_gqa):
        if attn_mask is not None and attn_mask.dtype == torch.bool:
            attn_mask = torch.empty_like(attn_mask, dtype=query.dtype)   # as torch does
        output = _aten._scaled_dot_product_flash_attention_for_cpu(query, key, value, attn_mask=attn_mask, **how)[0]
    else:   # what torch does where nobody has registered anything; it also says what is wrong with the tensors
        usual = _aten.scaled_dot_product_attention.default.decompose
        output = usual(query, key, value, attn_mask, **how, enable_gqa=enable_gqa)
    return output


def _is_fused(tensors: tuple[Tensor | None, ...], how: dict[str, Any], enable_gqa: bool) -> bool:
    """Ask torch whether it would take its kernel for such tensors on the CPU."""
    given = [tensor for tensor in tensors if tensor is not None]
    if any(tensor.dim() < 2 or not tensor.is_meta for tensor in given) or len({x.dtype for x in given[:3]}) > 1:
        return False   # a mistake
    there: list[Any] = [None if tensor is None else _without_memory(tensor) for tensor in tensors]
    return bool(torch._fused_sdp_choice(*there, **how, enable_gqa=enable_gqa) == SDPBackend.FLASH_ATTENTION.value)


def _without_memory(tensor: Tensor) -> Tensor:
    """Return a tensor of this shape on the CPU, of one row's memory: torch asks whether rows lie in one piece."""
    row = tensor.shape[-1:] if tensor.stride(-1) == 1 else ()
    found = torch.empty(row, dtype=tensor.dtype, device="cpu", requires_grad=tensor.requires_grad)
    return found.expand(tensor.shape)   # and whether a mask learns, which the kernel cannot
