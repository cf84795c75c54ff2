"""Where a run takes place, and how its bits are made repeatable."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from freeze_gui import __version__
from freeze_gui.errors import UserError
from freeze_gui.models.randomness import seed_all


def choose_device(wanted: str) -> torch.device:
    """Return the device for ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    Raises
    ------
    UserError
        When this machine has no such device; what it has is named.
    """
    available = available_devices()
    chosen = {"auto": available[0], "cuda": "cuda:0"}.get(wanted, wanted)
    if chosen not in available:
        raise UserError(f"train.device = {wanted!r}: this machine has {', '.join(available)}")
    return torch.device(chosen)


def available_devices() -> tuple[str, ...]:
    """Return the devices of this machine, the fastest first."""
    found = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    if torch.backends.mps.is_available():
        found.append("mps")
    return (*found, "cpu")


_SMALL = 1_000_000
"""Networks below so many parameters train on one thread."""


def choose_threads(parameters: int) -> int:
    """Return the torch threads for a network of so many parameters.

    A small one gains nothing from a second thread, and loses much where another program wants that core: its threads
    wait for each other many times a step.
    """
    return 1 if parameters < _SMALL else torch.get_num_threads()


@contextmanager
def repeatable(seed: int, device: torch.device, threads: int) -> Iterator[None]:
    """Seed everything, switch deterministic kernels on where they matter, and put the settings back afterwards."""
    threads_before = torch.get_num_threads()
    deterministic_before = torch.are_deterministic_algorithms_enabled()
    warn_only_before = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.set_num_threads(threads)
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")   # what cuBLAS needs to be deterministic
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.cuda.init()   # type: ignore[no-untyped-call]   # the next call refuses a device that nothing was done on
        torch.cuda.reset_peak_memory_stats(device)
    seed_all(seed)
    try:
        yield
    finally:
        torch.set_num_threads(threads_before)
        torch.use_deterministic_algorithms(deterministic_before, warn_only=warn_only_before)


def environment(device: torch.device) -> Mapping[str, Any]:
    """Return the versions and the machine, for the summary."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return {
        "freeze_gui": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "system": platform.system(),
        "device": str(device),
        "device_name": name,
        "threads": torch.get_num_threads(),
    }
