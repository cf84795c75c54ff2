"""Which parts of the window a frame draws: beside the training frames are short."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Part(Protocol):
    """What shows runs, and draws what has arrived since the last time."""

    def refresh(self) -> None:
        """Draw it."""


class FrameParts:
    """Chooses the parts of each frame.

    While runs go on a panel has its turn once in some twenty frames, which can be seconds: what a run has come to must
    not wait for that, or it is still said to be loading when half of its steps are done.

    Attributes
    ----------
    pictures, panels
        What moves with each step, and what is read.
    """

    def __init__(self, pictures: Sequence[Part], panels: Sequence[Part]) -> None:
        self.pictures, self.panels = pictures, panels
        self._stage: object = None
        self._frame = 0

    def next(self, is_running: bool, stage: object) -> Sequence[Part]:
        """Return what is to be drawn now.

        All parts are where no run goes on or one has come to another stage; else the pictures, and in each third frame
        one panel in their place.
        """
        self._frame += 1
        if not is_running or stage != self._stage:
            self._stage = stage
            return *self.pictures, *self.panels
        at, rest = divmod(self._frame, 3)
        return self.pictures if rest else (self.panels[at % len(self.panels)],)
