"""Empties the trash of the library: of what is old at each start, of all when a person says so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Slot
from PySide6.QtWidgets import QMessageBox

from freeze_gui.gui.background import Job
from freeze_gui.gui.library_shelf import Change, Changed
from freeze_gui.runs.store import KEPT_DAYS, Trash, runs_folder, trash_of
from freeze_gui.runs.store_trash import TRASH
from freeze_gui.runs.words import counted

if TYPE_CHECKING:
    from freeze_gui.gui.main_window import MainWindow


class LibraryTrash(QObject):
    """Carries out what a window wants of the trash; files are touched by the library's shelf alone."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window, self._shelf = window, window.library_desk.shelf
        self._counting: Job | None = None
        self._folder = Path()
        self._expired = False
        self._emptied = ""
        desk = window.workbench.desk
        desk.model_opened.connect(self.expire, Qt.ConnectionType.QueuedConnection)
        desk.open_failed.connect(self.expire, Qt.ConnectionType.QueuedConnection)
        self._shelf.changed.connect(self._on_changed)

    @Slot()
    def expire(self) -> None:
        """Delete for good what has been in the trash for too long, once; after the model, so that nothing waits."""
        if not self._expired:
            self._expired = True
            self._shelf.change(Change("expire", (runs_folder(),)))

    @Slot()
    def ask(self) -> None:
        """Count what is in the trash, then ask whether it may go."""
        if self._counting is None:
            self._folder = runs_folder()
            self._counting = Job(_Counting(self._folder), self)
            self._counting.succeeded.connect(self._on_counted)
            self._counting.failed.connect(self._window.say)
            self._counting.finished.connect(self._on_finished)
            self._counting.start()

    @Slot(object)
    def _on_counted(self, trash: Trash) -> None:
        if not trash.runs and not trash.size_bytes:
            self._window.say(f"The trash is empty; deleted runs wait there for {KEPT_DAYS} days")
            return
        self._emptied = f"{counted(trash.runs, 'run')}, {_size(trash.size_bytes)}"
        box = QMessageBox(self._window)
        box.setObjectName("emptyTrashDialog")
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setIcon(QMessageBox.Icon.Warning)
        box.setWindowTitle("Empty the trash?")
        box.setText(f"<b>Delete {self._emptied}, for good?</b>")
        box.setInformativeText(
            f"Nothing of it can be brought back then. Left alone, a deleted run waits {KEPT_DAYS} days in\n"
            f"{self._folder / TRASH}"
        )
        yes = box.addButton("Empty trash", QMessageBox.ButtonRole.AcceptRole)
        yes.setObjectName("emptyTrashButton")
        cancel = box.addButton(QMessageBox.StandardButton.Cancel)
        cancel.setObjectName("keepTrashButton")
        box.setDefaultButton(cancel)
        box.setEscapeButton(cancel)
        box.accepted.connect(self._on_yes)
        box.open()

    @Slot()
    def _on_yes(self) -> None:
        self._shelf.change(Change("empty", (self._folder,)))

    @Slot(object)
    def _on_changed(self, changed: Changed) -> None:
        if changed.change.kind == "empty" and not changed.errors:
            self._window.say(f"The trash is empty: {self._emptied}, deleted for good")

    @Slot()
    def _on_finished(self) -> None:
        if self._counting is not None:
            self._counting.deleteLater()
            self._counting = None


@dataclass(frozen=True)
class _Counting:
    """The work of looking into the trash."""

    folder: Path

    def __call__(self) -> Trash:
        """Do it."""
        return trash_of(self.folder)


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e5 else f"{size_bytes / 1e3:.0f} kB"
