"""The random generators of the process that a run draws from, torch's, Python's, NumPy's: seeded and put back as one.

A person's data may turn to any of the three. All belong to the whole process: what draws beside a run takes numbers
away from it, and what puts their state back gives it the same numbers twice. Trials therefore draw from generators of
their own, which only their thread sees.
"""

from __future__ import annotations

import functools
import random
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import torch

_CPU = torch.device("cpu")


def seed_all(seed: int) -> None:
    """Seed the generators of every device, Python's and NumPy's; NumPy takes seeds from 0 to 2³² - 1."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)


def random_state(device: torch.device = _CPU) -> dict[str, Any]:
    """Return the state of the random generators that a run draws from: tensors and plain numbers, safe to load."""
    of_numpy: Any = np.random.get_state(legacy=False)
    inner = of_numpy["state"].items()
    plain = {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in inner}
    found = {"cpu": torch.get_rng_state(), "python": random.getstate(), "numpy": {**of_numpy, "state": plain}}
    if device.type == "cuda":
        found["cuda"] = torch.cuda.get_rng_state(device)
    return found


def restore_random(state: Mapping[str, Any], device: torch.device = _CPU) -> None:
    """Put the random generators back; a checkpoint of an older version knows torch's alone."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
    if "python" in state:
        random.setstate(state["python"])
        np.random.set_state(state["numpy"])


class _OfThread(threading.local):
    """The generators of a trial in this thread; none outside of one."""

    python: random.Random | None = None
    numpy: np.random.RandomState | None = None
    torch: torch.Generator | None = None


_own = _OfThread()


@contextmanager
def own_random() -> Iterator[None]:
    """Give this thread generators of its own to be seeded, and to be drawn from in place of Python's and NumPy's.

    What is drawn from torch's is up to the modes of `freeze_gui.models.trial`.
    """
    before = _own.python, _own.numpy, _own.torch
    _own.python, _own.numpy, _own.torch = random.Random(0), np.random.RandomState(0), torch.Generator()
    try:
        yield
    finally:
        _own.python, _own.numpy, _own.torch = before


@functools.cache
def look_at_the_thread() -> None:
    """Make the functions of the global generators ask whether their thread has `own_random`; done before a file is run.

    There is no other door: neither Python's nor NumPy's module tells anyone that it is asked for a number, and torch
    does not when it is seeded. A file that is run afterwards gets these functions by whatever way it imports them.
    """
    for home, kind, of_home in (
        (random, "python", random.random.__self__),   # type: ignore[attr-defined]   # both are methods
        (np.random, "numpy", np.random.random_sample.__self__),   # type: ignore[attr-defined]
    ):
        for name, value in list(vars(home).items()):
            if getattr(value, "__self__", None) is of_home:
                _ask(home, name, kind, name)
    for name, method in (("seed", "seed"), ("ranf", "random_sample"), ("sample", "random_sample")):
        _ask(np.random, name, "numpy", method)   # functions around a method
    _ask(torch, "manual_seed", "torch", "manual_seed")


def _ask(home: ModuleType, name: str, kind: str, method: str) -> None:
    usual = getattr(home, name)

    @functools.wraps(usual)
    def draw(*args: Any, **kwargs: Any) -> Any:
        own = getattr(_own, kind)
        return (usual if own is None else getattr(own, method))(*args, **kwargs)

    draw.__module__, draw.__qualname__ = home.__name__, name   # a loader's workers may be sent it, by these names
    setattr(home, name, draw)
