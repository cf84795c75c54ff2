"""The kept runs as the window knows them: listed, pictured and changed beside the window, one thing after another."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from PySide6.QtCore import QObject, Signal, Slot

from freeze_gui.errors import UserError
from freeze_gui.gui.background import Job
from freeze_gui.gui.library_reader import FolderReader, Thumbnail, thumbnail_of
from freeze_gui.runs.store import (
    KEPT_DAYS,
    RunCard,
    delete_run,
    empty_trash,
    rename_run,
    restore_run,
    runs_folder,
    set_notes,
    set_tags,
)


@dataclass(frozen=True)
class Change:
    """A change of files, to be called in a thread; what went wrong with one file keeps none of the others back.

    Attributes
    ----------
    kind
        What is done.
    paths
        To which files; ``restore`` takes those in the trash, ``expire`` and ``empty`` the folder whose trash is emptied
        of what is old or of all.
    value
        The new label, tags or notes.
    """

    kind: Literal["label", "tags", "notes", "delete", "restore", "expire", "empty"]
    paths: tuple[Path, ...]
    value: str | tuple[str, ...] = ""

    def __call__(self) -> Changed:
        """Do it."""
        done = Changed(self)
        for path in self.paths:
            try:
                done.paths.append(self._change(path))
            except UserError as error:
                done.errors.append(str(error))
        return done

    def _change(self, path: Path) -> Path:
        match self.kind, self.value:
            case "label", str(label):
                rename_run(path, label)
            case "tags", tuple(tags):
                set_tags(path, tags)
            case "notes", str(notes):
                set_notes(path, notes)
            case "delete", _:
                return delete_run(path)
            case "restore", _:
                return restore_run(path)
            case "expire", _:
                empty_trash(path, KEPT_DAYS)
            case "empty", _:
                empty_trash(path)
        return path


@dataclass
class Changed:
    """What came of a change: where the files lie now, and a sentence for each that could not be changed."""

    change: Change
    paths: list[Path] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class LibraryShelf(QObject):
    """Keeps the list of kept runs up to date when asked to, and changes their files.

    Attributes
    ----------
    deleted
        Where the runs lie that were deleted and can be brought back, one entry a deletion, the last one last.

    Signals
    -------
    listed(object)
        The cards of all kept runs, the newest first.
    pictured(object)
        A `Thumbnail`.
    changed(object)
        `Changed`: files are other than they were.
    said(str)
        One sentence for a person.
    """

    listed = Signal(object)
    pictured = Signal(object)
    changed = Signal(object)
    said = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.deleted: list[tuple[Path, ...]] = []
        self._reader = FolderReader()
        self._listing: Job | None = None
        self._again = self._closed = False
        self._changing: Job | None = None
        self._changes: deque[Change] = deque()
        self._picturing: Job | None = None
        self._pictures: list[RunCard] = []

    def refresh(self) -> None:
        """List the runs anew."""
        if self._listing is not None:
            self._again = True
        elif not self._closed:
            self._listing = self._start(_Listing(self._reader, runs_folder()))
            self._listing.succeeded.connect(self._on_listed)

    def change(self, change: Change) -> None:
        """Change files, after all changes that were asked for before."""
        if not self._closed:
            self._changes.append(change)
            self._next_change()

    def undo_delete(self) -> None:
        """Bring back what was deleted last."""
        if self.deleted:
            self.change(Change("restore", self.deleted.pop()))

    def picture(self, cards: list[RunCard]) -> None:
        """Draw the small pictures of these runs, in this order; those that were asked for before are forgotten."""
        self._pictures = list(cards)
        self._next_picture()

    def close(self) -> None:
        """Finish what was asked for, and wait for it."""
        self._closed = True
        self._pictures = []
        for job in (self._changing, self._listing, self._picturing):
            if job is not None:
                job.wait()
        while self._changes:
            self._changes.popleft()()

    def _start(self, function: object) -> Job:
        assert callable(function)
        job = Job(function, self)
        job.failed.connect(self.said)
        job.finished.connect(self._on_finished)
        job.start()
        return job

    def _next_change(self) -> None:
        if self._changing is None and self._changes:
            self._changing = self._start(self._changes.popleft())
            self._changing.succeeded.connect(self._on_changed)

    def _next_picture(self) -> None:
        if self._picturing is None and self._pictures and not self._closed:
            self._picturing = self._start(_Picturing(self._pictures.pop(0)))
            self._picturing.succeeded.connect(self._on_pictured)

    @Slot()
    def _on_finished(self) -> None:
        job = self.sender()
        assert isinstance(job, Job)
        job.deleteLater()
        if job is self._listing:
            self._listing = None
            if self._again:
                self._again = False
                self.refresh()
        elif job is self._changing:
            self._changing = None
            self._next_change()
        elif job is self._picturing:
            self._picturing = None
            self._next_picture()

    @Slot(object)
    def _on_listed(self, cards: list[RunCard]) -> None:
        self.listed.emit(cards)

    @Slot(object)
    def _on_changed(self, changed: Changed) -> None:
        if changed.change.kind == "delete" and changed.paths:
            self.deleted.append(tuple(changed.paths))
        if changed.change.kind == "empty":
            self.deleted.clear()
        self.changed.emit(changed)
        for error in changed.errors:
            self.said.emit(error)
        if changed.change.kind not in ("expire", "empty"):   # what is in the trash is in no list
            self.refresh()

    @Slot(object)
    def _on_pictured(self, thumbnail: Thumbnail) -> None:
        self.pictured.emit(thumbnail)


@dataclass(frozen=True)
class _Listing:
    """The work of listing a folder."""

    reader: FolderReader
    folder: Path

    def __call__(self) -> list[RunCard]:
        """Do it."""
        return self.reader.cards(self.folder)


@dataclass(frozen=True)
class _Picturing:
    """The work of drawing one small picture."""

    card: RunCard

    def __call__(self) -> Thumbnail:
        """Do it."""
        return thumbnail_of(self.card)
