"""How long the parts of a step take: by the machine's clock, and on CUDA by marks in the device's own queue."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

Mark = float | torch.cuda.Event


class Stopwatch:
    """Marks moments (`mark` returns this one), and tells the time between them.

    Work for CUDA is queued: the machine's clock tells when it was asked for and not when it ran, and books the time of
    the training on whoever waits for the device next. An event is a mark in the queue itself.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.mark: Callable[[], Mark] = self._event if device.type == "cuda" else time.perf_counter

    def seconds(self, begin: Mark, end: Mark) -> float:
        """Return the time between two moments; on CUDA the device must have come to the later one, or is waited for."""
        if isinstance(begin, float) and isinstance(end, float):
            return end - begin
        assert isinstance(begin, torch.cuda.Event)
        assert isinstance(end, torch.cuda.Event)
        end.synchronize()
        return float(begin.elapsed_time(end)) / 1000

    def _event(self) -> torch.cuda.Event:
        event = torch.cuda.Event(enable_timing=True)   # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self._device))
        return event


class Part:
    """A part of every step, which may come in several pieces: ``with part: …``."""

    def __init__(self, watch: Stopwatch) -> None:
        self._watch = watch
        self._pieces: list[tuple[Mark, Mark]] = []

    def __enter__(self) -> None:
        self._began = self._watch.mark()

    def __exit__(self, *error: object) -> None:
        self._pieces.append((self._began, self._watch.mark()))

    def seconds(self) -> float:
        """Return the time of all pieces since this was asked last."""
        total = sum(self._watch.seconds(*piece) for piece in self._pieces)
        self._pieces.clear()
        return total
