"""Freezing methods that put the values back after each step."""

from __future__ import annotations

import torch
from torch import nn

from freeze_gui.freezing.context import FreezeContext
from freeze_gui.freezing.freezing_method import FreezingMethod
from freeze_gui.models.layer_tree import own_tensors


class Restore(FreezingMethod):
    """The step moves the parameters, then their cached values are copied back.

    ::

        cache = {p: p.detach().clone() for p in layer.parameters()}
        ...
        optimizer.step()
        with torch.no_grad():
            for parameter, value in cache.items():
                parameter.copy_(value)           # copy: an assignment would alias the cache
    """

    id = "restore"
    label = "cached, copied back after the step"

    def __init__(self, context: FreezeContext) -> None:
        super().__init__(context)
        self._cache: dict[nn.Parameter, torch.Tensor] = {}

    def freeze(self, modules: frozenset[str]) -> None:
        """Cache the values."""
        self._cache.update({p: p.detach().clone() for p in self.context.changing(modules)})

    def thaw(self, modules: frozenset[str]) -> None:
        """Forget the cached values."""
        for parameter in self.context.changing(modules):
            self._cache.pop(parameter, None)

    def after_step(self) -> None:
        """Copy the cached values back."""
        with torch.no_grad():
            for parameter, value in self._cache.items():
                parameter.copy_(value)


class PausedIdeal(FreezingMethod):
    """What every method would like to be: the frozen layers are held by construction, and all else goes on.

    Their gradients are dropped before clipping and step, so that neither the optimizer's state nor the norm that clips
    the others knows of them, and each of their parameters and buffers gets its bits back after each step. It is no way
    to freeze but the yardstick in a comparison, and so it is not among `METHODS`. The forward is left as it is: a norm
    layer in training mode normalises by its batch, as the policy ``leave`` says.

    ::

        held = {t: t.detach().clone() for t in (*layer.parameters(), *layer.buffers())}
        ...
        loss.backward()
        for parameter in layer.parameters():
            parameter.grad = None
        optimizer.step()
        with torch.no_grad():
            for tensor, value in held.items():
                tensor.copy_(value)
    """

    id = "paused"
    label = "paused ideal"

    def __init__(self, context: FreezeContext) -> None:
        super().__init__(context)
        self._held: dict[tuple[str, str], torch.Tensor] = {}   # by place: a module may put another buffer there

    def freeze(self, modules: frozenset[str]) -> None:
        """Note what the tensors are."""
        for path in modules:
            for key, tensor in own_tensors(self.context.modules[path]).items():
                self._held[path, key] = tensor.detach().clone()

    def thaw(self, modules: frozenset[str]) -> None:
        """Let the tensors go."""
        self._held = {place: value for place, value in self._held.items() if place[0] not in modules}

    def after_backward(self) -> None:
        """Drop the gradients."""
        for parameter in self.context.frozen_parameters():
            parameter.grad = None

    def after_step(self) -> None:
        """Give every tensor its bits back."""
        with torch.no_grad():
            for (path, key), value in self._held.items():
                own_tensors(self.context.modules[path])[key].copy_(value)
