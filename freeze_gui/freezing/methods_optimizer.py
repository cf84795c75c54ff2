"""Freezing methods that decide what the optimizer holds, and at which rate."""

from __future__ import annotations

from typing import Any

from freeze_gui.errors import UserError
from freeze_gui.freezing.context import FreezeContext
from freeze_gui.freezing.freezing_method import FreezingMethod
from freeze_gui.freezing.methods_gradient import RequiresGrad
from freeze_gui.freezing.param_groups import add_again, drop_empty, rebuilt, take_out


class Exclude(FreezingMethod):
    """The optimizer does not know the parameters; their gradients are computed and pile up in ``.grad``.

    ::

        frozen = set(layer.parameters())
        optimizer = torch.optim.Adam(p for p in model.parameters() if p not in frozen)
        ...                                      # thaw:
        optimizer.add_param_group({"params": layer.parameters()})
    """

    id = "exclude"
    label = "left out of the optimizer"

    def __init__(self, context: FreezeContext) -> None:
        super().__init__(context)
        self._origin: dict[int, dict[str, Any]] = {}   # identity of a parameter → the group it was taken from
        self._added: list[dict[str, Any]] = []

    def freeze(self, modules: frozenset[str]) -> None:
        """Take the parameters out of their groups, in place: everyone else keeps their state."""
        self._origin.update(take_out(self.context.optimizer, self.context.changing(modules)))
        drop_empty(self.context.optimizer, self._added)

    def thaw(self, modules: frozenset[str]) -> None:
        """Add them again, with the hyper-parameters that their group has now."""
        self._added += add_again(self.context.optimizer, self.context.changing(modules), self._origin)


class Filter(RequiresGrad):
    """Flags off, and the optimizer built anew from what is trainable: everyone's momentum starts from nothing.

    ::

        for parameter in layer.parameters():
            parameter.requires_grad_(False)
        optimizer = torch.optim.Adam(p for p in model.parameters() if p.requires_grad)
        ...                                      # thaw:
        for parameter in layer.parameters():
            parameter.requires_grad_(True)
        optimizer.add_param_group({"params": layer.parameters()})
    """

    id = "filter"
    label = "flag off, optimizer rebuilt"

    def __init__(self, context: FreezeContext) -> None:
        super().__init__(context)
        self._origin: dict[int, dict[str, Any]] = {}

    def freeze(self, modules: frozenset[str]) -> None:
        """Turn the flags off and rebuild the optimizer."""
        super().freeze(modules)
        optimizer = self.context.optimizer
        self._origin.update(take_out(optimizer, self.context.changing(modules)))
        groups = [dict(group) for group in optimizer.param_groups if group["params"]]
        if not groups:
            raise UserError(
                "The method filter leaves nothing to train: every parameter is frozen, and PyTorch refuses an "
                "optimizer without parameters. Leave one layer unfrozen"
            )
        self.context.optimizer = rebuilt(optimizer, groups)

    def thaw(self, modules: frozenset[str]) -> None:
        """Turn the flags on and add the parameters to the optimizer."""
        super().thaw(modules)
        add_again(self.context.optimizer, self.context.changing(modules), self._origin)


class LrZero(FreezingMethod):
    """The parameters get a group of their own, with learning rate 0; state and gradients go on.

    ::

        optimizer = torch.optim.Adam([
            {"params": layer.parameters(), "lr": 0.0},
            {"params": head.parameters()},
        ], lr=0.001)
    """

    id = "lr_zero"
    label = "own group at lr = 0"

    def __init__(self, context: FreezeContext) -> None:
        super().__init__(context)
        self._origin: dict[int, dict[str, Any]] = {}
        self._own: list[dict[str, Any]] = []

    def freeze(self, modules: frozenset[str]) -> None:
        """Move the parameters to groups at learning rate 0."""
        parameters = self.context.changing(modules)
        self._origin.update(take_out(self.context.optimizer, parameters))
        self._own += add_again(self.context.optimizer, parameters, self._origin, lr=0.0, lr_factor=0.0)

    def thaw(self, modules: frozenset[str]) -> None:
        """Move them back to the groups that they came from."""
        parameters = self.context.changing(modules)
        take_out(self.context.optimizer, parameters)
        drop_empty(self.context.optimizer, self._own)
        for parameter in parameters:
            if id(parameter) in self._origin:
                self._origin[id(parameter)]["params"].append(parameter)
