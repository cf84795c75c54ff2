"""torch.optim by name, with its hyper-parameters read from its signature."""

from __future__ import annotations

import difflib
import functools
import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import nn

from freeze_gui.errors import UserError

REFUSED = {
    "LBFGS": "it reads a missing gradient as zero and moves frozen layers through its history, "
    "and it needs a closure that evaluates the loss many times a step",
}
"""Optimizers that cannot be used with freezing, and why."""

_FIRST = ("SGD", "Adam", "AdamW")


def optimizer_names() -> tuple[str, ...]:
    """Return the classes of torch.optim that can be chosen, the most used first."""
    found = [
        name
        for name, value in vars(torch.optim).items()
        if inspect.isclass(value) and issubclass(value, torch.optim.Optimizer) and value is not torch.optim.Optimizer
    ]
    rest = sorted(name for name in found if name not in _FIRST and name not in REFUSED)
    return (*_FIRST, *rest)


def hyper_parameters(name: str) -> dict[str, Any]:
    """Return the hyper-parameters of an optimizer class with their defaults, ``lr`` first."""
    signature = inspect.signature(getattr(torch.optim, name))
    found = {
        key: (None if p.default is inspect.Parameter.empty else p.default)
        for key, p in signature.parameters.items()
        if key not in ("self", "params")
    }
    return {"lr": found.pop("lr"), **found} if "lr" in found else found


def check_optimizer(name: str, hyper: Mapping[str, Any]) -> dict[str, Any]:
    """Check a name and hyper-parameters by building the optimizer once on one small weight.

    Returns
    -------
    dict
        The hyper-parameters, with lists as tuples where torch wants tuples.

    Raises
    ------
    UserError
        For an unknown or refused class, an unknown key, or a value that the class does not take.
    """
    if name in REFUSED:
        raise UserError(f"optimizer.name = {name!r}: refused, because {REFUSED[name]}")
    names = optimizer_names()
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}"
        raise UserError(f"optimizer.name = {name!r}: no class of torch.optim; {hint}")
    known = hyper_parameters(name)
    for key in hyper:
        if key == "fused" and key not in known:
            fused = ", ".join(other for other in names if key in hyper_parameters(other))
            raise UserError(f"optimizer.fused: torch has no fused {name}, only fused {fused}")
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"{name} takes {', '.join(known)}"
            raise UserError(f"optimizer.{key} is not a known key; {hint}")
    checked = {key: tuple(value) if isinstance(value, list) else value for key, value in hyper.items()}
    for key, value in checked.items():
        check_like(key, value, known[key])
    try:
        trial_class(name)([nn.Parameter(torch.zeros(2, 2))], **checked)
    except (ValueError, TypeError, RuntimeError) as error:
        raise UserError(f"optimizer: {name} does not take these values: {error}") from None
    return checked


@functools.cache
def trial_class(name: str) -> Callable[..., torch.optim.Optimizer]:
    """Return a class of torch.optim for trials, whose constructor leaves torch's compiler alone.

    torch wraps `add_param_group` to hide it from torch.compile, and the first call of that wrapper imports the whole
    compiler: 0.9 s in the window's own thread (torch 2.10 to 2.15).
    """
    base: type[torch.optim.Optimizer] = getattr(torch.optim, name)
    return type(name, (base,), {"add_param_group": inspect.unwrap(base.add_param_group)})


def check_like(key: str, value: object, default: object) -> None:
    """Check that a value is of its default's kind: PyTorch itself takes ``nesterov = "yes"`` and an infinite lr.

    Raises
    ------
    UserError
        When it is not.
    """
    if isinstance(default, bool) or (key in ("foreach", "fused") and value is not None):
        if not isinstance(value, bool):
            raise UserError(f"optimizer.{key} = {value!r}: must be true or false")
    elif isinstance(default, int | float):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise UserError(f"optimizer.{key} = {value!r}: must be a finite number")
    elif isinstance(default, tuple):
        numbers = isinstance(value, tuple) and len(value) == len(default)
        if not numbers:
            raise UserError(f"optimizer.{key} = {value!r}: must be {len(default)} numbers, such as {list(default)}")
        for item, like in zip(value, default, strict=True):   # type: ignore[call-overload]
            check_like(key, item, like)


def make_optimizer(
    name: str, parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]], hyper: Mapping[str, Any]
) -> torch.optim.Optimizer:
    """Build the optimizer over `parameters`, in one group, or over groups.

    Raises
    ------
    UserError
        When there are none, or the class refuses them (Muon takes matrices only, for one).
    """
    given: list[Any] = list(parameters)
    if not given:
        raise UserError("The model has no parameters, so there is nothing to train: name another one")
    try:
        optimizer: torch.optim.Optimizer = getattr(torch.optim, name)(given, **hyper)
    except (ValueError, TypeError, RuntimeError) as error:
        raise UserError(f"{name} cannot train this model: {error}") from None
    return optimizer
