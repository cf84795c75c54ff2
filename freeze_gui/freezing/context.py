"""What a freezing method may touch: the model, its modules by path, the optimizer, and what is frozen now."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

import torch
from torch import nn


class FreezeContext:
    """What a method may touch.

    Attributes
    ----------
    model, modules
        The network, and its modules by path.
    optimizer
        The optimizer in use; a method that rebuilds it puts the new one here.
    frozen
        Paths of the modules frozen now, kept by the loop before it calls a hook.
    """

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        self.model = model
        self.optimizer = optimizer
        self.modules: dict[str, nn.Module] = dict(model.named_modules())
        self.frozen: frozenset[str] = frozenset()
        self._children: list[dict[str, nn.Module | None]] = []
        self._known: list[nn.Module | None] | None = None   # all children, as the tree was walked
        self._owners: list[dict[str, nn.Parameter | None]] = []

    def all_parameters(self) -> list[nn.Parameter]:
        """Return every parameter of the model as it is now, tied ones several times.

        Walking the tree of a small model takes as long as a tenth of its step; it is walked again when a module has
        taken the place of another.
        """
        if list(chain.from_iterable(map(dict.values, self._children))) != self._known:
            modules = list(self.model.modules())
            self._children = [module._modules for module in modules]
            self._known = [child for children in self._children for child in children.values()]
            self._owners = [module._parameters for module in modules]
        return [p for p in chain.from_iterable(map(dict.values, self._owners)) if p is not None]

    def parameters(self, paths: Iterable[str]) -> list[nn.Parameter]:
        """Return the parameters that the modules at `paths` own, each once, in the model's order."""
        wanted = set(paths)
        found: dict[int, nn.Parameter] = {}
        for path, module in self.modules.items():
            if path in wanted:
                found.update((id(p), p) for p in module._parameters.values() if p is not None)
        return list(found.values())

    def changing(self, modules: frozenset[str]) -> list[nn.Parameter]:
        """Return the parameters that freeze or thaw with `modules`.

        A tied one freezes with the first of its layers and thaws with the last.
        """
        others = {id(p) for p in self.parameters(self.frozen - modules)}
        return [p for p in self.parameters(modules) if id(p) not in others]

    def frozen_parameters(self) -> list[nn.Parameter]:
        """Return the parameters frozen now."""
        return self.parameters(self.frozen)

    def wholly_frozen(self) -> list[nn.Module]:
        """Return the modules that are frozen with everything below them: those whose forward may be wrapped."""
        alive = {path for path in self.modules if path not in self.frozen}
        partly = {ancestor for path in alive for ancestor in _ancestors(path)}
        return [module for path, module in self.modules.items() if path in self.frozen and path not in partly]


def _ancestors(path: str) -> list[str]:
    """Return the path of every block around `path`, the root ("") last."""
    parts = path.split(".") if path else []
    return [".".join(parts[:n]) for n in range(len(parts) - 1, -1, -1)]
