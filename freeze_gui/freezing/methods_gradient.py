"""Freezing methods that decide which gradient the optimizer sees: none computed, none left, or zeros."""

from __future__ import annotations

from freeze_gui.freezing.context import FreezeContext
from freeze_gui.freezing.freezing_method import FreezingMethod


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
        for parameter in self.context.changing(modules):
            if parameter.requires_grad:
                self._were_trainable.add(id(parameter))
                parameter.requires_grad_(False)

    def thaw(self, modules: frozenset[str]) -> None:
        """Turn the flags on again."""
        for parameter in self.context.changing(modules):
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
