"""Which tensors of a model lie in the same memory, so that what moves one moves the other."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from freeze_gui.freezing.watched import Watched


def aliases_of(frozen: Iterable[Watched], model: nn.Module) -> dict[int, list[nn.Parameter]]:
    """Return the other parameters that lie in the memory of each frozen tensor; nothing for most models."""
    in_memory: dict[int, dict[int, nn.Parameter]] = {}
    for parameter in model.parameters():
        if parameter.layout == torch.strided and (address := parameter.untyped_storage().data_ptr()):
            in_memory.setdefault(address, {})[id(parameter)] = parameter
    found: dict[int, list[nn.Parameter]] = {}
    for watched in frozen:
        tensor = watched.read()
        if tensor.layout != torch.strided:
            continue
        others = [
            p
            for key, p in in_memory.get(tensor.untyped_storage().data_ptr(), {}).items()
            if key != id(tensor) and _overlap(p, tensor)
        ]
        if others:
            found[id(watched)] = others
    return found


def _overlap(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Tell whether two tensors in one storage may have an element in common: slices of one block have none."""
    (a_from, a_to), (b_from, b_to) = _span(a), _span(b)
    return a_from < b_to and b_from < a_to


def _span(tensor: torch.Tensor) -> tuple[int, int]:
    """Return the bytes of its storage that lie between a tensor's first and last element."""
    start = int(tensor.storage_offset()) * tensor.element_size()
    if tensor.numel() == 0:
        return start, start
    last = sum((int(size) - 1) * int(stride) for size, stride in zip(tensor.size(), tensor.stride(), strict=True))
    return start, start + (last + 1) * tensor.element_size()
