"""One look at a forward and its graph: which layers ran, which autograd recorded, and what a frozen module cut off."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from freeze_gui.freezing.context import FreezeContext
from freeze_gui.models.nested import tensors_in


class Structure:
    """Listens to one step's forwards from its making to `close`.

    Attributes
    ----------
    recorded
        Layers with parameters that ran, in order → whether autograd recorded them.
    cut_off
        Identities of the parameters in front of a frozen module that took an input from the graph and gave an output
        outside of it, cut there by what the freeze put around its forward or behind it. A module that cuts in its own
        forward does so with or without the freeze.
    """

    def __init__(self, context: FreezeContext, own_forward: frozenset[str]) -> None:
        """Listen; `own_forward` are the modules that had a forward of their own before anything was frozen."""
        self.recorded: dict[str, bool] = {}
        self.cut_off: set[int] = set()
        self._own_forward = own_forward
        self._inputs: dict[str, list[torch.Tensor]] = {}
        self._left_forward: set[str] = set()   # modules whose forward gave something of the graph
        self._hooks: list[torch.utils.hooks.RemovableHandle] = []
        for path, module in context.modules.items():
            is_frozen = path in context.frozen
            if is_frozen or module._parameters:
                self._hooks.append(module.register_forward_pre_hook(self._on_begin(path), with_kwargs=True))
                self._hooks.append(module.register_forward_hook(self._on_end(path, is_frozen)))
            if is_frozen:   # before any other hook has changed the output
                self._hooks.append(module.register_forward_hook(self._on_left(path), prepend=True))

    def close(self) -> None:
        """Stop listening."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
        self._inputs = {}

    def _on_begin(self, path: str) -> Any:
        def listen(module: nn.Module, args: Any, kwargs: Any) -> None:
            # under no_grad somebody further out has cut already
            self._inputs[path] = _tracked((args, kwargs)) if torch.is_grad_enabled() else []

        return listen

    def _on_left(self, path: str) -> Any:
        def listen(module: nn.Module, args: Any, output: Any) -> None:
            if _tracked(output):
                self._left_forward.add(path)

        return listen

    def _on_end(self, path: str, is_frozen: bool) -> Any:
        def listen(module: nn.Module, args: Any, output: Any) -> None:
            recorded = bool(_tracked(output))
            if any(p is not None for p in module._parameters.values()):
                self.recorded[path] = recorded
            inputs = self._inputs.pop(path, [])
            wrapped = "forward" in vars(module) and path not in self._own_forward
            if is_frozen and inputs and not recorded and (wrapped or path in self._left_forward):
                self.cut_off |= _parameters_behind(inputs)
            self._left_forward.discard(path)

        return listen


def with_own_forward(modules: Mapping[str, nn.Module]) -> frozenset[str]:
    """Return the modules whose forward is not that of their class: what wraps a forward puts it there."""
    return frozenset(path for path, module in modules.items() if "forward" in vars(module))


def _tracked(values: Any) -> list[torch.Tensor]:
    return [tensor for tensor in tensors_in(values) if tensor.requires_grad]


def _parameters_behind(tensors: Iterable[torch.Tensor]) -> set[int]:
    """Return the identities of the leaves that `tensors` were computed from."""
    found = {id(tensor) for tensor in tensors if tensor.grad_fn is None}
    waiting: list[Any] = [tensor.grad_fn for tensor in tensors if tensor.grad_fn is not None]
    seen = set(waiting)
    while waiting:
        node = waiting.pop()
        if hasattr(node, "variable"):
            found.add(id(node.variable))
        for before, _ in node.next_functions:
            if before is not None and before not in seen:
                seen.add(before)
                waiting.append(before)
    return found
