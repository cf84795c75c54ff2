"""Reads runs' files beside the window: to open them, and to follow those that somebody still writes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from freeze_gui.errors import UserError
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.runs.store import FollowedRun

Purpose = Literal["show", "turn to", "run again", "restore"]


@dataclass
class Opened:
    """What came of opening files.

    Attributes
    ----------
    purpose
        Why they were opened.
    runs
        Those that could be opened.
    errors
        A sentence for each that could not.
    """

    purpose: Purpose
    runs: list[FollowedRun] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def opened_words(opened: Opened) -> str:
    """Say what was opened, and that runs have no end where the program that ran them was gone before."""
    count, first = len(opened.runs), opened.runs[0].recorder
    restored = opened.purpose == "restore"
    what = f"“{first.label}”" if count == 1 else f"{count} runs"
    interrupted = sum(run.recorder.status == "interrupted" for run in opened.runs)
    rest = "; every run that is kept is in the library (Ctrl+5)" if restored else ""
    if interrupted:
        rest = f": {interrupted} of them without an end, as the program that ran them was gone"
    if interrupted and count == 1:
        rest = ": it has no end, as the program that ran it was gone"
    return f"{'Brought back' if restored else 'Opened'} {what}{' of last time' * restored}{rest}"


@dataclass(frozen=True)
class Opening:
    """The work of opening files, to be called in a thread; ends early once `cancelled` is set."""

    paths: Sequence[Path]
    purpose: Purpose
    cancelled: threading.Event

    def __call__(self) -> Opened:
        """Do it."""
        opened = Opened(self.purpose)
        for path in self.paths:
            if self.cancelled.is_set():
                break
            if self.purpose == "restore" and not path.exists():
                continue   # deleted or moved since: nothing that a person did not do
            try:
                run = FollowedRun(path)
                find_claims(run)
            except UserError as error:
                opened.errors.append(str(error))
            else:
                opened.runs.append(run)
        return opened


@dataclass(frozen=True)
class Refreshing:
    """The work of reading what has come since, to be called in a thread."""

    runs: Sequence[FollowedRun]
    cancelled: threading.Event

    def __call__(self) -> Refreshed:
        """Do it."""
        done = Refreshed()
        for run in self.runs:
            if self.cancelled.is_set():
                break
            try:
                done.changed = run.refresh() or done.changed
                find_claims(run)
            except UserError as error:
                done.lost.append(run)
                done.errors.append(str(error))
        return done


@dataclass
class Refreshed:
    """Whether there was anything new, and the runs that can no longer be followed, with a sentence each."""

    changed: bool = False
    lost: list[FollowedRun] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def find_claims(run: FollowedRun) -> None:
    """Make the summary of a run that has ended, as tables and exports will: forecast and claims are judged with it.

    Raises
    ------
    UserError
        When the records of its file do not fit together.
    """
    recorder = run.recorder
    if recorder.ended is not None and not recorder.findings:
        try:
            recorder.summary()
        except Exception as error:   # what a stranger's file says can be wrong in any way
            raise UserError(f"{run.path}: this run's file is damaged and cannot be opened ({error})") from None


def is_followed(recorder: RunRecorder) -> bool:
    """Tell whether somebody still writes the run."""
    return recorder.ended is None and recorder.status in ("loading", "running")
