"""How long the parts of a step take: by the machine's clock, and on CUDA by marks in the device's own queue."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch

Mark = float | torch.cuda.Event
Piece = tuple[Mark, Mark]


class Stopwatch:
    """Marks moments (`mark` returns this one), and tells the time between them.

    Work for CUDA is queued: the machine's clock tells when it was asked for and not when it ran, and books the time of
    the training on whoever waits for the device next. An event is a mark in the queue itself.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.mark: Callable[[], Mark] = self._event if device.type == "cuda" else time.perf_counter

    def total(self, pieces: Sequence[Piece]) -> float:
        """Return the seconds of all pieces; on CUDA the device must have come to their ends, or is waited for."""
        return sum(_seconds(begin, end) for begin, end in pieces)

    def _event(self) -> torch.cuda.Event:
        event = torch.cuda.Event(enable_timing=True)   # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self._device))
        return event


class Part:
    """A part of every step, which may come in several pieces: ``with part: …``."""

    def __init__(self, watch: Stopwatch) -> None:
        self._watch = watch
        self._pieces: list[Piece] = []

    def __enter__(self) -> None:
        self._began = self._watch.mark()

    def __exit__(self, *error: object) -> None:
        self._pieces.append((self._began, self._watch.mark()))

    def take(self) -> list[Piece]:
        """Return all pieces since this was asked last."""
        pieces, self._pieces = self._pieces, []
        return pieces


def _seconds(begin: Mark, end: Mark) -> float:
    if isinstance(begin, float) and isinstance(end, float):
        return end - begin
    assert isinstance(begin, torch.cuda.Event)
    assert isinstance(end, torch.cuda.Event)
    end.synchronize()
    return float(begin.elapsed_time(end)) / 1000
