"""What a step keeps in memory: gradients, optimizer state, activations saved for backward."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from freeze_gui.training.events import Cost


class SavedActivations:
    """Counts the bytes that autograd keeps for the backward pass of one step; parameters are not counted.

    Attributes
    ----------
    total_bytes
        Of the last counted step; None before the first.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self.total_bytes: int | None = None

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count what is saved inside and still there at the end; each piece of memory once.

        What autograd lets go on the way, as in front of a detached output, is not held for backward.
        """
        own = {_memory(t) for t in (*self._model.parameters(), *self._model.buffers())}
        saved: list[weakref.ref[torch.Tensor]] = []   # weak: the address of what is gone comes again

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            if _memory(tensor) in own:
                return tensor
            alone = tensor.detach()   # an output that keeps its graph, kept by its graph, is never let go
            saved.append(weakref.ref(alone))
            return alone

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            yield
        alive = [tensor for reference in saved if (tensor := reference()) is not None]
        self.total_bytes = sum({_memory(tensor): tensor.untyped_storage().nbytes() for tensor in alive}.values())


def cost_of(
    model: nn.Module, optimizer: torch.optim.Optimizer, activations: SavedActivations, gradient_bytes: int
) -> Cost:
    """Return what the run holds now; `gradient_bytes` were held after the last backward."""
    state = (value for values in optimizer.state.values() for value in values.values())
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    state_bytes = sum(_bytes(value) for value in state if isinstance(value, torch.Tensor))
    return Cost(gradient_bytes, state_bytes, activations.total_bytes, peak)


def gradient_bytes(model: nn.Module) -> int:
    """Return the bytes of all gradients that exist now."""
    return sum(_bytes(p.grad) for p in model.parameters() if p.grad is not None)


def _bytes(tensor: torch.Tensor) -> int:
    """Return the memory of a tensor; a sparse one holds its values and where they belong."""
    if tensor.layout == torch.sparse_coo:
        return tensor._values().nbytes + tensor._indices().nbytes
    return tensor.nbytes


def _memory(tensor: torch.Tensor) -> int:
    """Return what tells one piece of memory from another, on the meta device too, where there are no addresses."""
    identity: int = tensor.untyped_storage()._cdata
    return identity
