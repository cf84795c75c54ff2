"""Build and run modules only to look at them: no weights, no trace.

The window opens models while a run trains in another thread, and both share the global random generators. Saving and
restoring their state here would rewind the run's dropout, so that nothing here may draw from them in the first place.
"""

from __future__ import annotations

import copy
import importlib
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from freeze_gui.models.randomness import own_random

_LIKE = hasattr(torch.ops.aten.rand_like, "generator")   # newer than the oldest torch that will do
_DRAWS = frozenset(
    {
        *("rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial"),
        *("normal_", "uniform_", "bernoulli_", "random_", "exponential_", "cauchy_", "geometric_", "log_normal_"),
        *("poisson", "binomial", *(("rand_like", "randn_like", "randint_like") if _LIKE else ())),
        *("kaiming_uniform_", "kaiming_normal_"),  # of torch.nn.init, whose calls come here as a whole
    }
)


class _Trial(TorchFunctionMode):
    """Gives every draw a generator of its own, and new weights no values; works in this thread only."""

    def __init__(self, *, weights_on_meta: bool) -> None:
        super().__init__()
        self._weights_on_meta = weights_on_meta
        self._generator = torch.Generator().manual_seed(0)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name not in _DRAWS and not self._weights_on_meta:
            return func(*args, **(kwargs or {}))   # some ten thousand calls a trial come here
        kwargs = dict(kwargs or {})
        if self._weights_on_meta and func is torch.empty and kwargs.get("device") is None:
            kwargs["device"] = "meta"
        elif name in _DRAWS and kwargs.get("generator") in (None, torch.default_generator):   # random_split says so
            first = kwargs.get("tensor", args[0] if args and isinstance(args[0], Tensor) else None)
            device = torch.device(kwargs.get("device") or ("cpu" if first is None else first.device))
            if device.type == "meta" and name.endswith("_"):
                return first  # there are no values to draw
            if device.type == "cpu":
                kwargs["generator"] = self._generator
        return func(*args, **kwargs)


def import_compiler() -> None:
    """Import torch's compiler: to be called first in a thread beside others, a second's work for the first of them.

    Optimizers, torchvision and many operations on the meta device import it, or a part of it, when they are first used.
    Two threads that enter its circle of imports at two places would wait for each other, and Python then hands one of
    them a module that is half there. By this one door the second waits for the first.
    """
    importlib.import_module("torch._dynamo")


@contextmanager
def structure_only() -> Iterator[None]:
    """Build modules without allocating or drawing their weights, which lie on the meta device.

    ``torch.device("meta")`` would take the values of every tensor, and some constructors compute with theirs (regnet's
    widths). torch.nn makes all its weights by ``torch.empty``, so that taking those is enough; what little is left on
    the CPU can follow by `meta_twin`.
    """
    with _Trial(weights_on_meta=True), own_random(), _silence():
        yield


@contextmanager
def quiet_trial() -> Iterator[None]:
    """Run a constructor or forward without warnings and without drawing from the global random generators."""
    with _Trial(weights_on_meta=False), own_random(), _silence():
        yield


@contextmanager
def _silence() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def meta_twin(module: nn.Module) -> nn.Module:
    """Copy a module onto the meta device without allocating its weights; what is tied stays tied."""
    # deepcopy takes what the memo holds instead of copying it: every tensor becomes one without values.
    memo: dict[int, Any] = {}
    for parameter in module.parameters():
        memo[id(parameter)] = nn.Parameter(_without_values(parameter), requires_grad=parameter.requires_grad)
    for buffer in module.buffers():
        memo[id(buffer)] = _without_values(buffer)
    for child in module.modules():   # a dozen empty dicts each, mostly of hooks, take longer than all the rest
        for value in vars(child).values():
            if type(value) in (dict, OrderedDict) and not value:
                memo[id(value)] = type(value)()
    return copy.deepcopy(module, memo)


def _without_values(tensor: Tensor) -> Tensor:
    alone = tensor.detach()
    return alone if alone.is_meta else alone.to("meta")
