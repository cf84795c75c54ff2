"""Every freezing method by id, and what its docstring says of it. The classes stand by what they act on."""

from __future__ import annotations

import inspect
import textwrap

from freeze_gui.freezing.freezing_method import FreezingMethod
from freeze_gui.freezing.methods_forward import Detach, EvalOnly, NoGrad
from freeze_gui.freezing.methods_gradient import GradNone, GradZero, RequiresGrad
from freeze_gui.freezing.methods_optimizer import Exclude, Filter, LrZero
from freeze_gui.freezing.methods_values import PausedIdeal, Restore

__all__ = ["METHODS", "FreezingMethod", "PausedIdeal", "idiom", "method_class", "summary_line"]

METHODS: dict[str, type[FreezingMethod]] = {
    method.id: method
    for method in (
        RequiresGrad, GradNone, GradZero, Exclude, Filter, Restore, NoGrad, Detach, LrZero, EvalOnly,
    )
}
"""Every freezing method by id, in the order in which they are listed to a person."""


def method_class(method: str) -> type[FreezingMethod]:
    """Return the class of a freezing method or of the paused ideal."""
    return PausedIdeal if method == PausedIdeal.id else METHODS[method]


def summary_line(method: type[FreezingMethod]) -> str:
    """Return the sentence that says what `method` does."""
    return (inspect.getdoc(method) or "").partition("\n")[0]


def idiom(method: type[FreezingMethod]) -> str:
    """Return the PyTorch code that `method` stands for."""
    return textwrap.dedent((inspect.getdoc(method) or "").partition("::\n")[2]).strip("\n")
