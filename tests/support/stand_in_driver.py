"""What stands in for functions of `torch.cuda`: memory, random state, and marks in the device's queue."""

from __future__ import annotations

import time
from typing import Any, Protocol

import torch


class Device(Protocol):
    """Whether anything was done on the device, and how often somebody waited for a mark in its queue."""

    has_begun: bool
    event_waits: int


def driver(device: Device) -> dict[str, Any]:
    """Return what stands in for functions of `torch.cuda`, by name."""

    def init() -> None:
        device.has_begun = True

    def reset_peak(of: object = None) -> None:
        if not device.has_begun:
            raise RuntimeError("Invalid device argument")

    return {
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

        def __init__(self, enable_timing: bool = False) -> None:
            self._timed = enable_timing
            self._at: float | None = None
            self._is_done = False

        def record(self, stream: object = None) -> None:
            self._at = time.perf_counter()

        def synchronize(self) -> None:
            self._is_done = True
            device.event_waits += 1

        def elapsed_time(self, end: Event) -> float:
            if not self._timed or self._at is None or end._at is None or not end._is_done or end._at < self._at:
                raise RuntimeError("the events were not both recorded, in this order, with timing, and waited for")
            return (end._at - self._at) * 1000

    return Event
