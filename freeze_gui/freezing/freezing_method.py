"""The hooks of a freezing method.

The loop calls the hooks in a fixed order and never asks which method it has::

    freeze(modules)   at the top of the step where the plan says so (or after its backward)
    each step: zero_grad → forward → loss → backward → after_backward → clip → optimizer.step → after_step
    thaw(modules)     likewise

The docstring of a method ends with the PyTorch idiom that it stands for, as an indented block; the window's code pane
shows exactly that block.
"""

from __future__ import annotations

from typing import ClassVar

from freeze_gui.freezing.context import FreezeContext


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
