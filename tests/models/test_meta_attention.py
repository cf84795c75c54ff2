from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import flop_registry

from freeze_gui.models.lean_meta import LeanMeta
from freeze_gui.models.meta_attention import attention_as_on_the_cpu

CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "causal": {"is_causal": True},
    "scaled": {"scale": 0.5},
    "a mask of numbers": {"attn_mask": torch.zeros(6, 6)},
    "a mask that learns, which no kernel can": {"attn_mask": torch.zeros(6, 6, requires_grad=True)},
    "a mask of booleans": {"attn_mask": torch.ones(6, 6, dtype=torch.bool)},
    "dropout, which no kernel of the CPU has": {"dropout_p": 0.3},
    "queries in groups": {"enable_gqa": True},
    "half precision": {"dtype": torch.bfloat16},
    "no heads": {"shape": (6, 8)},
    "columns in one piece": {"shape": (2, 4, 6, 6), "transposed": True},
}


def step(
    device: str, shape: tuple[int, ...] = (2, 4, 6, 8), dtype: Any = None, transposed: bool = False, **how: Any
) -> tuple[object, ...]:
    """Return the bytes kept for backward, the output's shape and strides, and the gradients' shapes."""
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage()._cdata] = tensor.detach()   # held, so that no address comes again
        return tensor

    for name, given in how.items():
        if isinstance(given, Tensor):
            how[name] = given.detach().to(device).requires_grad_(given.requires_grad)
    heads = (2, 2, 6, 8) if how.get("enable_gqa") else shape
    leaves = [torch.ones(size, device=device, dtype=dtype, requires_grad=True) for size in (shape, heads, heads)]
    query, key, value = (leaf.mT if transposed else leaf for leaf in leaves)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = F.scaled_dot_product_attention(query, key, value, **how)
    output.sum().backward()   # type: ignore[no-untyped-call]
    learns = [how["attn_mask"]] if "attn_mask" in how else []
    gradients = [None if x.grad is None else x.grad.shape for x in (*leaves, *learns)]
    kept_bytes = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    return kept_bytes, output.shape, output.stride(), output.dtype, gradients


@pytest.mark.parametrize("name", CASES)
def test_attention_without_values_keeps_for_backward_what_it_keeps_on_the_cpu(name: str) -> None:
    expected = step("cpu", **CASES[name])
    with attention_as_on_the_cpu():
        assert step("meta", **CASES[name]) == expected
        with LeanMeta():
            assert step("meta", **CASES[name]) == expected


def test_a_persons_own_attention_on_the_meta_device_is_torchs_before_and_after_in_other_threads_too() -> None:
    def name() -> str:
        query = torch.empty(2, 4, 6, 8, device="meta", requires_grad=True)
        node = F.scaled_dot_product_attention(query, query, query).grad_fn
        return "" if node is None else node.name()

    with attention_as_on_the_cpu():
        assert name() == "ScaledDotProductFlashAttentionForCpuBackward0"
        with ThreadPoolExecutor(1) as other:
            assert other.submit(name).result() == "UnsafeViewBackward0"
    assert name() == "UnsafeViewBackward0"


def test_tensors_that_no_memory_could_hold_are_attended_to() -> None:
    query = torch.empty(4096, 64, 32768, 128, device="meta")
    with attention_as_on_the_cpu():
        assert F.scaled_dot_product_attention(query, query, query).shape == query.shape


@pytest.mark.parametrize("key", [torch.ones(2, 4, 6, 8), torch.ones(2, 4, 6, 8, device="meta", dtype=torch.bfloat16)])
def test_tensors_that_do_not_fit_each_other_are_refused_as_torch_does(key: Tensor) -> None:
    query = torch.empty(2, 4, 6, 8, device="meta")
    with attention_as_on_the_cpu(), pytest.raises(RuntimeError, match="to have the same"):
        F.scaled_dot_product_attention(query, key, query)


@pytest.mark.parametrize("known", [True, False])
def test_the_operations_of_the_cpus_attention_are_counted_whether_torch_has_a_formula_or_not(
    known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not known:   # as in older versions
        monkeypatch.delitem(flop_registry, torch.ops.aten._scaled_dot_product_flash_attention_for_cpu, raising=False)
        backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward
        monkeypatch.delitem(flop_registry, backward, raising=False)
    with LeanMeta() as counter, attention_as_on_the_cpu():
        step("meta")
    product = 2 * (2 * 4) * 6 * 6 * 8   # one of two matrices for each head of each sample
    assert counter.flops == (2 + 5) * product   # backward computes the scores once more
