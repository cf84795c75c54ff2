"""Saves the runs of the window while they go on: each in a file of its own, begun and fed in the training thread."""

from __future__ import annotations

from pathlib import Path

from freeze_gui.errors import UserError
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.runs.store import RunWriter, new_run_path, runs_folder
from freeze_gui.training.events import RunEnded, RunEvent


class RunKeeper:
    """Saves a run, or each run of a comparison. Whatever happens to the disk, training goes on.

    Attributes
    ----------
    kept
        Each run whose file was begun, with the file, in order; only ever grows, so that the window may read it.
    """

    def __init__(self) -> None:
        self.kept: list[tuple[RunRecorder, Path]] = []
        self._writers: dict[RunRecorder, RunWriter] = {}
        self._cannot_begin: str | None = None

    @property
    def error(self) -> str | None:
        """Why a run is not saved or no longer, as one sentence; None while all is well."""
        if self._cannot_begin is not None:
            return self._cannot_begin
        errors = (writer.error for writer in list(self._writers.values()))
        return next((error for error in errors if error is not None), None)

    def handle(self, recorder: RunRecorder, event: RunEvent) -> None:
        """Take in the next event of a run; the first one begins its file."""
        writer = self._writers.get(recorder)
        if writer is None and self._cannot_begin is None and not _never_began(event):
            writer = self._begin(recorder)
        if writer is not None:
            writer.handle(event)

    def close(self) -> None:
        """Wait until all is in the files."""
        for writer in list(self._writers.values()):
            writer.close()

    def _begin(self, recorder: RunRecorder) -> RunWriter | None:
        try:
            writer = RunWriter(new_run_path(runs_folder(), recorder.label), recorder.config, recorder.label)
        except UserError as error:
            self._cannot_begin = f"This run is not kept: {error}"
            return None
        self._writers[recorder] = writer
        self.kept.append((recorder, writer.path))
        return writer


def _never_began(event: RunEvent) -> bool:
    """Tell whether this first event says that the run was stopped while it waited: there is nothing to keep."""
    return isinstance(event, RunEnded) and event.status == "stopped"
