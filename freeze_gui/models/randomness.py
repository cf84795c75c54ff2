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
from typing import Any, NamedTuple

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
    look_at_the_thread()
    _own.python, _own.numpy, _own.torch = random.Random(0), np.random.RandomState(0), torch.Generator()
    try:
        yield
    finally:
        _own.python, _own.numpy, _own.torch = before
        _look_away()


class _Numpy(np.random.RandomState):
    """Stands for NumPy's global generator, which scikit-learn and SciPy take as it is."""

    def __getattribute__(self, name: str) -> Any:
        return getattr(_NUMPY if _own.numpy is None else _own.numpy, name)


def _set_bit_generator(bitgen: Any) -> None:
    """Do what NumPy's function of this name does, which reaches past the attributes of what stands in for it."""
    _NUMPYS.__init__(bitgen)   # type: ignore[misc]


class _Door(NamedTuple):
    """A name by which a global generator is reached, what was there, and what asks the thread first."""

    home: ModuleType
    name: str
    usual: Any
    asks: Any


_PYTHON: random.Random = random._inst   # whose methods the module's functions are
_NUMPY: np.random.RandomState = np.random.mtrand._rand
_NUMPYS = _Numpy()
_OF_TORCH = {   # by name in torch: method of a generator
    **{"manual_seed": "manual_seed", "seed": "seed", "initial_seed": "initial_seed"},
    **{"get_rng_state": "get_state", "set_rng_state": "set_state"},
}
_OF_DEVICE = {"manual_seed": "manual_seed", "manual_seed_all": "manual_seed", "seed": "seed", "seed_all": "seed"}
_lock = threading.Lock()
_doors: list[_Door] = []
_lookers = 0


def look_at_the_thread() -> None:
    """Make the functions of the global generators ask whether their thread has `own_random`.

    There is no other door: neither Python's nor NumPy's module tells anyone that it is asked for a number, and torch
    does not when it is seeded. While a trial is on they ask anyway. In the window they do so from the start, for the
    sake of files that take such a function by its name; a program that calls us as a library keeps its own.
    """
    global _lookers
    with _lock:
        _lookers += 1
        if _lookers == 1:
            _doors.extend(_found_doors())
            for door in _doors:
                setattr(door.home, door.name, door.asks)


def _look_away() -> None:
    global _lookers
    with _lock:
        _lookers -= 1
        if _lookers == 0:
            for door in _doors:
                if getattr(door.home, door.name) is door.asks:   # nobody has put another there meanwhile
                    setattr(door.home, door.name, door.usual)
            _doors.clear()


def _found_doors() -> Iterator[_Door]:
    of_python = {name: name for name, value in vars(random).items() if getattr(value, "__self__", None) is _PYTHON}
    of_numpy = {name: name for name, value in vars(np.random).items() if getattr(value, "__self__", None) is _NUMPY}
    devices = torch.cuda, torch.cuda.random, torch.mps, torch.xpu, torch.xpu.random
    yield _Door(np.random.mtrand, "_rand", _NUMPY, _NUMPYS)   # read by the functions of NumPy that are no methods, too
    yield _Door(np.random, "set_bit_generator", np.random.mtrand.set_bit_generator, _set_bit_generator)
    for home, kind, methods in (
        (random, "python", of_python),
        (np.random, "numpy", of_numpy),
        *((home, "torch", _OF_TORCH) for home in (torch, torch.random)),
        *((home, "torch", _OF_DEVICE) for home in devices),
    ):
        for name, method in methods.items():
            if hasattr(home, name):
                yield _asking(home, name, kind, method)


def _asking(home: ModuleType, name: str, kind: str, method: str) -> _Door:
    usual = getattr(home, name)

    @functools.wraps(usual)
    def draw(*args: Any, **kwargs: Any) -> Any:
        own = getattr(_own, kind)
        return (usual if own is None else getattr(own, method))(*args, **kwargs)

    draw.__module__, draw.__qualname__ = home.__name__, name   # a loader's workers may be sent it, by these names
    return _Door(home, name, usual, draw)
