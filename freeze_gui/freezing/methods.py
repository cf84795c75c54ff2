"""One small class per freezing method: its hooks in the loop, and nothing else.

The loop calls the hooks in a fixed order and never asks which method it has::

    freeze(modules)   at the top of the step where the plan says so (or after its backward)
    each step: zero_grad → forward → loss → backward → after_backward → clip → optimizer.step → after_step
    thaw(modules)     likewise

The docstring of a class ends with the PyTorch idiom that it stands for, as an indented block; the window's code pane
shows exactly that block.
"""

from __future__ import annotations

import inspect
import textwrap
from typing import Any, ClassVar

import torch
from torch import nn
from torch.utils._pytree import tree_map

from freeze_gui.errors import UserError
from freeze_gui.freezing.context import FreezeContext
from freeze_gui.freezing.param_groups import add_again, drop_empty, rebuilt, take_out
from freeze_gui.models.layer_tree import own_tensors


class FreezingMethod:
    """The hooks of a freezing method, all doing nothing; a method fills in the ones that it needs."""

    id: ClassVar[str]
    label: ClassVar[str]

    def __init__(self, context: FreezeContext) -> None:
        self.context = context

    def freeze(self, modules: frozenset[str]) -> None:
        """Begin to hold `modules`."""

    def thaw(self, modules: frozenset[str]) -> None:
        """Let `modules` go."""

    def after_backward(self) -> None:
        """Run between backward and clipping."""

    def after_step(self) -> None:
        """Run after ``optimizer.step()``."""


class RequiresGrad(FreezingMethod):
    """Autograd computes no gradient for the parameters.

    ::

        for parameter in layer.parameters():
            parameter.requires_grad_(False)      # thaw: requires_grad_(True)
    """

    id = "requires_grad"
    label = "requires_grad = False"

    def __init__(self, context: FreezeContext) -> None:
        super().__init__(context)
        self._were_trainable: set[int] = set()   # a parameter that the model's author froze stays so after a thaw

    def freeze(self, modules: frozenset[str]) -> None:
        """Turn the flags off."""
        for parameter in self.context.parameters(modules):
            if parameter.requires_grad:
                self._were_trainable.add(id(parameter))
                parameter.requires_grad_(False)

    def thaw(self, modules: frozenset[str]) -> None:
        """Turn the flags on again."""
        for parameter in self.context.parameters(modules):
            if id(parameter) in self._were_trainable:
                parameter.requires_grad_(True)


class GradNone(FreezingMethod):
    """The gradient is computed, then dropped, so that the optimizer skips the parameters.

    ::

        loss.backward()
        for parameter in layer.parameters():
            parameter.grad = None
        optimizer.step()
    """

    id = "grad_none"
    label = "grad = None after backward"

    def after_backward(self) -> None:
        """Drop the gradients."""
        for parameter in self.context.frozen_parameters():
            parameter.grad = None


class GradZero(FreezingMethod):
    """The gradient is computed, then set to zero: momentum and weight decay still move the parameters.

    ::

        loss.backward()
        for parameter in layer.parameters():
            if parameter.grad is not None:
                parameter.grad.zero_()
        optimizer.step()
    """

    id = "grad_zero"
    label = "grad.zero_() after backward"

    def after_backward(self) -> None:
        """Zero the gradients that exist."""
        for parameter in self.context.frozen_parameters():
            if parameter.grad is not None:
                parameter.grad.zero_()


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
        self._origin.update(take_out(self.context.optimizer, self.context.parameters(modules)))
        drop_empty(self.context.optimizer, self._added)

    def thaw(self, modules: frozenset[str]) -> None:
        """Add them again, with the hyper-parameters that their group has now."""
        self._added += add_again(self.context.optimizer, self.context.parameters(modules), self._origin)


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
        self._origin.update(take_out(optimizer, self.context.parameters(modules)))
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
        add_again(self.context.optimizer, self.context.parameters(modules), self._origin)


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
        self._cache.update({p: p.detach().clone() for p in self.context.parameters(modules)})

    def thaw(self, modules: frozenset[str]) -> None:
        """Forget the cached values."""
        for parameter in self.context.parameters(modules):
            self._cache.pop(parameter, None)

    def after_step(self) -> None:
        """Copy the cached values back."""
        with torch.no_grad():
            for parameter, value in self._cache.items():
                parameter.copy_(value)


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
        parameters = self.context.parameters(modules)
        self._origin.update(take_out(self.context.optimizer, parameters))
        self._own += add_again(self.context.optimizer, parameters, self._origin, lr=0.0, lr_factor=0.0)

    def thaw(self, modules: frozenset[str]) -> None:
        """Move them back to the groups that they came from."""
        parameters = self.context.parameters(modules)
        take_out(self.context.optimizer, parameters)
        drop_empty(self.context.optimizer, self._own)
        for parameter in parameters:
            if id(parameter) in self._origin:
                self._origin[id(parameter)]["params"].append(parameter)


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


METHODS: dict[str, type[FreezingMethod]] = {
    method.id: method
    for method in (
        RequiresGrad, GradNone, GradZero, Exclude, Filter, Restore, NoGrad, Detach, LrZero, EvalOnly,
    )
}
"""Every freezing method by id, in the order in which they are listed to a person."""


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


def method_class(method: str) -> type[FreezingMethod]:
    """Return the class of a freezing method or of the paused ideal."""
    return PausedIdeal if method == PausedIdeal.id else METHODS[method]


def summary_line(method: type[FreezingMethod]) -> str:
    """Return the sentence that says what `method` does."""
    return (inspect.getdoc(method) or "").partition("\n")[0]


def idiom(method: type[FreezingMethod]) -> str:
    """Return the PyTorch code that `method` stands for."""
    return textwrap.dedent((inspect.getdoc(method) or "").partition("::\n")[2]).strip("\n")


def _detached(module: nn.Module, inputs: object, output: Any) -> Any:
    return tree_map(lambda value: value.detach() if isinstance(value, torch.Tensor) else value, output)
