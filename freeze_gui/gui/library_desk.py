"""What the library's wishes do in the window: open runs, follow them, run them again, and bring back the last ones."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, QTimer, QUrl, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog

from freeze_gui.errors import UserError
from freeze_gui.gui.background import Job
from freeze_gui.gui.library_opening import Opened, Opening, Purpose, Refreshed, Refreshing, is_followed, opened_words
from freeze_gui.gui.library_session import Session
from freeze_gui.gui.library_shelf import Changed, LibraryShelf
from freeze_gui.gui.run_labels import telling_label
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.runs.store import SUFFIX, FollowedRun, runs_folder
from freeze_gui.training.config import RunConfig, load_config

if TYPE_CHECKING:
    from freeze_gui.gui.main_window import MainWindow

FOLLOW_MS = 1000


class LibraryDesk(QObject):
    """Carries out the wishes of the library of one window, and remembers which runs are open.

    Attributes
    ----------
    shelf
        The kept runs and changes to them.
    paths
        The file of each run of the window that has one.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.shelf = LibraryShelf(self)
        self.paths: dict[RunRecorder, Path] = {}
        self._session = Session(window)
        self._restored = False
        self._cancelled = threading.Event()
        self._jobs: list[Job] = []
        self._followed: list[FollowedRun] = []
        self._refreshing: Job | None = None
        self._follow = QTimer(self)
        self._follow.setObjectName("follow")
        self._follow.setInterval(FOLLOW_MS)
        self._follow.timeout.connect(self._refresh_followed)
        self._connect()

    # ------------------------------------------------------------------------------------------------- opening

    def open_paths(self, paths: Sequence[Path], purpose: Purpose = "turn to") -> None:
        """Open runs' files beside the window; one that is open already is shown."""
        paths = [path.absolute() for path in paths]
        known = {path: recorder for recorder, path in self.paths.items()}
        new = [path for path in paths if path not in known]
        if purpose == "run again" and not new:
            self._run_again(known[paths[0]].config)
        elif new:
            self._start(Opening(new, purpose, self._cancelled), self._on_opened)
            if purpose != "restore":
                self._window.say(f"Opening {new[0].name}…" if len(new) == 1 else f"Opening {len(new)} runs…")
        else:
            self._window.workbench.look_at(known[paths[0]])
            if purpose == "turn to":
                self._window.show_run_tab()

    @Slot(object)
    def show_path(self, path: Path) -> None:
        """Open a run and stay in the library."""
        self.open_paths([path], "show")

    @Slot(object)
    def turn_to_path(self, path: Path) -> None:
        """Open a run and show its picture."""
        self.open_paths([path])

    @Slot(object)
    def run_path_again(self, path: Path) -> None:
        """Put the configuration of a run into the form."""
        self.open_paths([path], "run again")

    @Slot()
    def run_shown_again(self) -> None:
        """Put the configuration of the run on show into the form."""
        shown = self._window.workbench.shown
        if shown is None:
            self._window.say("There is no run yet: press Run, or open one from the library")
        else:
            self._run_again(shown.config)

    @Slot()
    def choose_files(self) -> None:
        """Ask for runs' files."""
        dialog = QFileDialog(self._window, "Open run")
        dialog.setObjectName("openRunDialog")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setNameFilter(f"Runs (*{SUFFIX})")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.filesSelected.connect(self.on_files_chosen)
        dialog.open()

    @Slot(list)
    def on_files_chosen(self, names: list[str]) -> None:
        """Open the chosen files."""
        self.open_paths([Path(name) for name in names])

    @Slot(object)
    def _on_opened(self, opened: Opened) -> None:
        if opened.errors:
            more = len(opened.errors) - 1
            self._window.run_panel.show_error(opened.errors[0] + f" (and {more} more files like it)" * bool(more))
        if opened.purpose == "restore":
            self._session.to_restore = []
        if opened.purpose == "run again":
            for run in opened.runs:
                self._run_again(run.recorder.config)
            return
        known = set(self.paths.values())
        runs = [run for run in opened.runs if run.path not in known]   # asked for twice
        if not runs:
            if opened.errors:   # the sentence above the tabs says why
                self._window.say("The file was not opened" if len(opened.errors) == 1 else "No file was opened")
            return
        self.paths |= {run.recorder: run.path for run in runs}
        self._followed += [run for run in runs if is_followed(run.recorder)]
        self._follow_or_rest()
        bench = self._window.workbench
        bench.take_in([run.recorder for run in runs], look=opened.purpose != "restore" or bench.shown is None)
        if opened.purpose == "restore":
            self._session.bring_together(self.paths)
        if opened.purpose == "turn to":
            QTimer.singleShot(0, self._window.show_run_tab)   # this turn has put the run into its views
        self._window.say(opened_words(opened))
        self._remember()

    def _run_again(self, config: RunConfig) -> None:
        """Put a configuration into the form, once every Python file that it names may be run."""
        window = self._window
        if window.controller.is_running or window.workbench.desk.is_loading:
            window.say("A run is going on or a model is being opened: wait for it, or stop it, first")
            return
        try:
            checked = load_config(config.to_dict())   # the file may be anybody's
        except UserError as error:
            window.run_panel.show_error(f"This run cannot be run again: {error}")
            return
        window.workbench.desk.with_trust(checked, lambda: self._show_config(checked))

    def _show_config(self, config: RunConfig) -> None:
        self._window.workbench.desk.show_config(config)
        self._window.say("The run's settings are in the form: press Run")

    # ------------------------------------------------------------------------------------------------- following

    @Slot()
    def _refresh_followed(self) -> None:
        if self._refreshing is None:
            self._refreshing = self._start(Refreshing(list(self._followed), self._cancelled), self._on_refreshed)

    @Slot(object)
    def _on_refreshed(self, refreshed: Refreshed) -> None:
        self._refreshing = None
        for error in refreshed.errors:
            self._window.run_panel.show_error(error)
        self._followed = [
            run for run in self._followed if run not in refreshed.lost and is_followed(run.recorder)
        ]
        self._follow_or_rest()
        if refreshed.changed and not self._window.controller.is_running:   # else its own tick draws them
            self._window.workbench.on_ticked()

    def _follow_or_rest(self) -> None:
        if self._followed and not self._cancelled.is_set():
            self._follow.start()
        else:
            self._follow.stop()

    # ------------------------------------------------------------------------------------------------- the session

    @Slot()
    def restore(self) -> None:
        """Bring back the runs of the last session, once; after the model is there, so that nothing waits for them."""
        if self._restored or self._cancelled.is_set():
            return
        self._restored = True
        if self._session.to_restore:
            self.open_paths(self._session.to_restore, "restore")

    @Slot(object, object)
    def on_run_kept(self, recorder: RunRecorder, path: Path) -> None:
        """Remember the file of a run of this window."""
        self.paths[recorder] = path
        self._remember()
        self.refresh_library()

    @Slot()
    def refresh_library(self) -> None:
        """List the kept runs anew where somebody sees them."""
        if self._window.library.isVisible():
            self.shelf.refresh()

    @Slot(object)
    def on_changed(self, changed: Changed) -> None:
        """Give the open run the label that its file has now."""
        change = changed.change
        if change.kind == "label" and changed.paths:
            for recorder, path in self.paths.items():
                if path == changed.paths[0]:
                    others = [other for other in self._window.workbench.runs if other is not recorder]
                    recorder.label = telling_label(str(change.value), recorder.config, others)
            self._window.workbench.on_ticked()

    @Slot(str)
    def on_rename_refused(self, label: str) -> None:
        """Say why the label stays."""
        self._window.say(f"A label needs at least one letter or digit: the run is “{label}” as before")

    @Slot()
    def reveal(self) -> None:
        """Show the folder of the kept runs in the system's file manager."""
        folder = runs_folder()
        if not folder.is_dir():
            self._window.say(f"{folder}: there is no such folder yet; the first run that is kept makes it")
        elif not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
            self._window.say(f"The runs are in {folder}; this system has no file manager that could be opened")

    @Slot(bool)
    def set_keeping(self, keeps: bool) -> None:
        """Save runs that start from now on, or do not."""
        self._window.settings.keeps_runs = self._window.controller.keeps_runs = keeps
        self._window.library.set_keeping(keeps)
        self._window.say("Runs are kept from now on" if keeps else "Runs that start from now on are not kept")

    def close(self) -> None:
        """End what goes on beside the window."""
        self._cancelled.set()
        self._follow.stop()
        self._remember()
        for job in self._jobs:
            job.wait()
        self.shelf.close()

    @Slot()
    def _remember(self) -> None:
        """Write down now which runs are open: a crash asks nobody."""
        self._session.remember(self.paths)

    def _start(self, function: Opening | Refreshing, slot: Any) -> Job:
        job = Job(function, self)
        self._jobs.append(job)
        job.succeeded.connect(slot)
        job.failed.connect(self._window.run_panel.show_error)
        job.finished.connect(self._on_finished)
        job.start()
        return job

    @Slot()
    def _on_finished(self) -> None:
        job = self.sender()
        assert isinstance(job, Job)
        self._jobs.remove(job)
        if job is self._refreshing:
            self._refreshing = None
        job.deleteLater()

    def _connect(self) -> None:
        window = self._window
        library, desk, controller = window.library, window.workbench.desk, window.controller
        controller.keeps_runs = window.settings.keeps_runs
        controller.run_kept.connect(self.on_run_kept)
        controller.runs_saved.connect(self.refresh_library)
        controller.said.connect(window.say)
        window.workbench.beside.changed.connect(self._remember)
        desk.model_opened.connect(self.restore, Qt.ConnectionType.QueuedConnection)
        desk.open_failed.connect(self.restore, Qt.ConnectionType.QueuedConnection)
        self.shelf.listed.connect(library.show_cards)
        self.shelf.pictured.connect(library.model.set_thumbnail)
        self.shelf.changed.connect(library.on_changed)
        self.shelf.changed.connect(self.on_changed)
        self.shelf.said.connect(window.say)
        library.model.rename_refused.connect(self.on_rename_refused)
        library.refresh_wanted.connect(self.shelf.refresh)
        library.pictures_wanted.connect(self.shelf.picture)
        library.change_wanted.connect(self.shelf.change)
        library.undo_wanted.connect(self.shelf.undo_delete)
        library.show_wanted.connect(self.show_path)
        library.open_wanted.connect(self.turn_to_path)
        library.again_wanted.connect(self.run_path_again)
        library.folder_wanted.connect(self.reveal)
        library.files_wanted.connect(self.choose_files)
        library.set_keeping(controller.keeps_runs)
