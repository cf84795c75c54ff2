from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from freeze_gui.models.lean_meta import LeanMeta

CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "causal": {"is_causal": True},
    "scaled": {"scale": 0.5},
    "a mask of numbers": {"attn_mask": torch.zeros(6, 6)},
    "a mask of booleans": {"attn_mask": torch.ones(6, 6, dtype=torch.bool)},
    "dropout, which no kernel of the CPU has": {"dropout_p": 0.3},
    "queries in groups": {"enable_gqa": True},
    "half precision": {"dtype": torch.bfloat16},
    "no heads": {"shape": (6, 8)},
}


def step(device: str, shape: tuple[int, ...] = (2, 4, 6, 8), dtype: Any = None, **how: Any) -> tuple[object, ...]:
    """Return the bytes kept for backward, the output's shape and strides, and the gradients' shapes."""
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage()._cdata] = tensor.detach()   # held, so that no address comes again
        return tensor

    how = {key: value.to(device) if isinstance(value, Tensor) else value for key, value in how.items()}
    heads = (2, 2, 6, 8) if how.get("enable_gqa") else shape
    query, key, value = (
        torch.ones(size, device=device, dtype=dtype, requires_grad=True) for size in (shape, heads, heads)
    )
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = F.scaled_dot_product_attention(query, key, value, **how)
    output.sum().backward()   # type: ignore[no-untyped-call]
    gradients = [None if x.grad is None else x.grad.shape for x in (query, key, value)]
    kept_bytes = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    return kept_bytes, output.shape, output.stride(), output.dtype, gradients


@pytest.mark.parametrize("name", CASES)
def test_attention_without_values_keeps_for_backward_what_it_keeps_on_the_cpu(name: str) -> None:
    expected = step("cpu", **CASES[name])
    assert step("meta", **CASES[name]) == expected
    with LeanMeta():
        assert step("meta", **CASES[name]) == expected
