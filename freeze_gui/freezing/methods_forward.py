"""Freezing methods that change how the layer's forward runs."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from freeze_gui.freezing.context import FreezeContext
from freeze_gui.freezing.freezing_method import FreezingMethod
from freeze_gui.models.nested import map_tensors


class NoGrad(FreezingMethod):
    """The layer's forward runs under no_grad: no gradient for it, and none for anything in front of it.

    ::

        def forward(self, x):
            with torch.no_grad():
                x = self.layer(x)
            return self.head(x)
    """

    id = "no_grad"
    label = "forward under no_grad"

    def __init__(self, context: FreezeContext) -> None:
        super().__init__(context)
        self._wrapped: list[nn.Module] = []

    def freeze(self, modules: frozenset[str]) -> None:
        """Wrap the forward of every module that is frozen with all below it."""
        for module in self._wrapped:
            del module.forward
        self._wrapped = [m for m in self.context.wholly_frozen() if "forward" not in vars(m)]
        for module in self._wrapped:
            module.forward = torch.no_grad()(module.forward)

    def thaw(self, modules: frozenset[str]) -> None:
        """Unwrap what is no longer frozen."""
        self.freeze(modules)


class Detach(FreezingMethod):
    """The layer's output is detached from the graph: no gradient for it, and none for anything in front of it.

    ::

        def forward(self, x):
            x = self.layer(x).detach()
            return self.head(x)
    """

    id = "detach"
    label = "output detached"

    def __init__(self, context: FreezeContext) -> None:
        super().__init__(context)
        self._hooks: list[torch.utils.hooks.RemovableHandle] = []

    def freeze(self, modules: frozenset[str]) -> None:
        """Hook every module that is frozen with all below it."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = [module.register_forward_hook(_detached) for module in self.context.wholly_frozen()]

    def thaw(self, modules: frozenset[str]) -> None:
        """Unhook what is no longer frozen."""
        self.freeze(modules)


class EvalOnly(FreezingMethod):
    """``eval()`` on the layer and nothing else: dropout and batch statistics rest, the weights train on.

    ::

        layer.eval()                             # thaw: layer.train()
    """

    id = "eval_only"
    label = "eval() only"

    def freeze(self, modules: frozenset[str]) -> None:
        """Switch the modules to eval mode."""
        for path in modules:
            self.context.modules[path].training = False

    def thaw(self, modules: frozenset[str]) -> None:
        """Switch them back to training mode."""
        for path in modules:
            self.context.modules[path].training = True


def _detached(module: nn.Module, inputs: object, output: Any) -> Any:
    return map_tensors(torch.Tensor.detach, output)
