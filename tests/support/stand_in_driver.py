"""What stands in for functions of `torch.cuda`: memory, random state, and marks in the device's queue."""

from __future__ import annotations

import time
from typing import Any, Protocol

import torch
from torch import Tensor


class Device(Protocol):
    """What is known of the device.

    Attributes
    ----------
    has_begun
        Whether anything was done on it.
    operations, waits
        What was queued, and what the program waited for with nothing queued behind.
    refuses_waits
        Whether each of these, events aside, is an error.
    come_to
        How many of the operations are known to be done.
    on_the_way
        Tensors of the machine that nobody has waited for yet, and what comes into them.
    """

    has_begun: bool
    operations: list[str]
    waits: list[str]
    refuses_waits: bool
    come_to: int
    on_the_way: list[tuple[Tensor, Tensor]]


def driver(device: Device) -> dict[str, Any]:
    """Return what stands in for functions of `torch.cuda`, by name."""

    def init() -> None:
        device.has_begun = True

    def reset_peak(of: object = None) -> None:
        if not device.has_begun:
            raise RuntimeError("Invalid device argument")

    def set_debug_mode(mode: str) -> None:
        device.refuses_waits = mode == "error"

    return {
        "set_sync_debug_mode": set_debug_mode,
        "synchronize": lambda of=None: None,
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "init": init,
        "get_device_name": lambda of=None: "stand-in",
        "current_stream": lambda of=None: None,
        "mem_get_info": lambda of=None: (2**33, 2**34),
        "memory_reserved": lambda of=None: 2**20,
        "memory_allocated": lambda of=None: 2**19,
        "max_memory_allocated": lambda of=None: 2**20,
        "reset_peak_memory_stats": reset_peak,
        "get_rng_state": lambda of=None: torch.zeros(16, dtype=torch.uint8),
        "set_rng_state": lambda state, of=None: None,
        "is_bf16_supported": lambda: True,
        "Event": _event_of(device),
    }


def _event_of(device: Device) -> type:
    class Event:
        """A mark in the queue: read before the device came to it, it raises as CUDA's does."""

        def __init__(self, enable_timing: bool = False, blocking: bool = False) -> None:
            self._timed = enable_timing
            self._at: float | None = None
            self._place = 0   # in the queue
            self._before: list[tuple[Tensor, Tensor]] = []
            self._is_done = False

        def record(self, stream: object = None) -> None:
            self._at, self._place, self._before = time.perf_counter(), len(device.operations), list(device.on_the_way)

        def synchronize(self) -> None:
            if device.come_to < self._place == len(device.operations):
                device.waits.append("an event with nothing behind it: the device runs dry meanwhile")
            self._is_done, device.come_to = True, max(self._place, device.come_to)
            for target, values in self._before:
                target.copy_(values)
            come = {id(target) for target, _ in self._before}
            device.on_the_way[:] = [one for one in device.on_the_way if id(one[0]) not in come]
            self._before = []

        def elapsed_time(self, end: Event) -> float:
            if not self._timed or self._at is None or end._at is None or not end._is_done or end._at < self._at:
                raise RuntimeError("the events were not both recorded, in this order, with timing, and waited for")
            return (end._at - self._at) * 1000

    return Event
