"""The library: all kept runs, newest first, to be searched, opened, named, noted, deleted and brought back."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from freeze_gui.gui.elided_label import ElidedLabel
from freeze_gui.gui.library_details import LibraryDetails
from freeze_gui.gui.library_model import LibraryModel
from freeze_gui.gui.library_shelf import Change, Changed
from freeze_gui.gui.library_view import LibraryView
from freeze_gui.gui.library_words import counted, is_going_on, matches
from freeze_gui.gui.theme import icon, theme_manager
from freeze_gui.runs.store_files import RunCard
from freeze_gui.runs.store_trash import KEPT_DAYS

REFRESH_MS = 3000
"""So often the folder is looked at while the library is seen: other windows write into it as well."""

_LOOKING = ("Looking for runs…", "")
_NOTHING = (
    "No runs are kept yet",
    "Every run is saved as it goes, one file a run, and stays here when the window closes. Press Run above.",
)
_OFF = (
    "No runs are kept",
    "Keeping runs is switched off. Switch it on by “Keep runs” in the File menu, and each run is saved as it goes.",
)
_NO_MATCH = ("No run matches", "Words are looked for in labels, models, methods, verdicts, tags and notes; "
             "#word looks for a tag.")


class LibraryPanel(QWidget):
    """Shows cards and passes on what is wanted of them.

    Attributes
    ----------
    model, view, details
        Its parts.

    Signals
    -------
    refresh_wanted()
        The list is seen and may be old.
    pictures_wanted(object)
        The small pictures of these cards are seen and not there yet.
    change_wanted(object)
        A `Change` of files.
    undo_wanted()
        What was deleted last is to come back.
    show_wanted(object), open_wanted(object), again_wanted(object)
        The run of this path is to be opened; opened and shown; put into the form.
    folder_wanted(), files_wanted()
        The folder is to be shown; files are to be chosen.
    """

    refresh_wanted = Signal()
    pictures_wanted = Signal(object)
    change_wanted = Signal(object)
    undo_wanted = Signal()
    show_wanted = Signal(object)
    open_wanted = Signal(object)
    again_wanted = Signal(object)
    folder_wanted = Signal()
    files_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("libraryPanel")
        self._cards: list[RunCard] | None = None
        self._keeping = True
        self.model = LibraryModel(self)
        self.view = LibraryView(self.model, self)
        self.details = LibraryDetails(self)
        self._make_widgets()
        self._lay_out()
        self._connect()
        self._refresh_timer = QTimer(self)
        self._refresh_timer.setInterval(REFRESH_MS)
        self._refresh_timer.timeout.connect(self.refresh_wanted)
        self.on_theme_changed(None)
        self._show_list()

    def set_keeping(self, keeping: bool) -> None:
        """Say in an empty list whether runs are kept."""
        self._keeping = keeping
        self._show_list()

    @Slot(object)
    def show_cards(self, cards: list[RunCard]) -> None:
        """Show these runs; what is selected stays so."""
        self._cards = cards
        if not self.view.is_editing():   # the next list comes soon
            self._show_list()

    @Slot(object)
    def on_changed(self, changed: Changed) -> None:
        """Offer to undo a deletion."""
        kind, count = changed.change.kind, len(changed.paths)
        if kind == "delete" and count:
            what = f"“{changed.change.value}”" if count == 1 else f"{count} runs"
            self.undo_label.setText(f"Deleted {what}: in the trash for {KEPT_DAYS} days")
            self.undo_bar.show()
        elif kind in ("delete", "restore", "empty"):
            self.undo_bar.hide()

    def showEvent(self, event: QShowEvent) -> None:
        """Look at the folder now, and again while the library is seen."""
        super().showEvent(event)
        self._refresh_timer.start()
        self.refresh_wanted.emit()

    def hideEvent(self, event: QHideEvent) -> None:
        """Let the folder alone."""
        super().hideEvent(event)
        self._refresh_timer.stop()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """More rows may be seen."""
        super().resizeEvent(event)
        self.ask_for_pictures()

    @Slot()
    def ask_for_pictures(self) -> None:
        """Want the pictures of the rows that are seen."""
        rows = [row for row in self.view.seen_rows() if self.model.lacks_thumbnail(row)]
        if rows and self.isVisible():
            self.pictures_wanted.emit([self.model.cards[row] for row in rows])

    @Slot()
    def on_chosen(self) -> None:
        """Show tags and notes of the chosen run."""
        cards = self.view.selected_cards()
        self.details.show_card(cards[0] if cards else None, len(cards))

    @Slot()
    def on_delete(self) -> None:
        """Delete what is selected; runs that are going on stay."""
        cards = [card for card in self.view.selected_cards() if not is_going_on(card)]
        if cards:
            self.change_wanted.emit(Change("delete", tuple(card.path for card in cards), cards[0].label))

    @Slot(object, str)
    def on_rename(self, path: object, label: str) -> None:
        """Pass on a new label."""
        self.change_wanted.emit(Change("label", (path,), label))   # type: ignore[arg-type]   # signals carry objects

    @Slot()
    def on_open(self) -> None:
        """Open the chosen run and show it."""
        self._want(self.open_wanted)

    @Slot()
    def on_again(self) -> None:
        """Put the chosen run into the form."""
        self._want(self.again_wanted)

    @Slot()
    def on_renaming(self) -> None:
        """Edit the label of the chosen run."""
        self.view.setFocus()
        self.view.rename()

    @Slot()
    def on_undo(self) -> None:
        """Bring back what was deleted last."""
        self.undo_bar.hide()
        self.view.setFocus()
        self.undo_wanted.emit()

    @Slot()
    def on_search(self) -> None:
        """Show what matches."""
        self._show_list()

    @Slot(object)
    def on_theme_changed(self, theme: object) -> None:
        """Take icons and rows in the new colours."""
        self.close_button.setIcon(icon("close"))
        self.folder_button.setIcon(icon("open"))
        self.view.viewport().update()

    def _want(self, signal: object) -> None:
        cards = self.view.selected_cards()
        if len(cards) == 1 and cards[0].error is None:
            signal.emit(cards[0].path)   # type: ignore[attr-defined]   # a bound signal

    def _show_list(self) -> None:
        """Fill the list with what the search finds, or say why it is empty."""
        cards, search = self._cards or [], self.find_edit.text()
        found = [card for card in cards if matches(card, search)]
        chosen = {card.path for card in self.view.selected_cards()}
        scrolled = self.view.verticalScrollBar().value()
        if self.model.set_cards(found):
            self.view.select_paths(chosen)
            self.view.verticalScrollBar().setValue(scrolled)
        self.count_label.setText(counted(len(found), len(cards)) if cards else "")
        title, hint = _LOOKING if self._cards is None else _NO_MATCH if cards else _NOTHING if self._keeping else _OFF
        self.empty_title.setText(f"{title} “{search.strip()}”" if cards else title)
        self.empty_hint.setText(hint)
        self.pages.setCurrentIndex(int(not found))
        self.details.setVisible(bool(found))
        self.on_chosen()
        self.ask_for_pictures()

    # ------------------------------------------------------------------------------------------------- set-up

    def _make_widgets(self) -> None:
        self.find_edit = QLineEdit(self)
        self.find_edit.setObjectName("libraryFindEdit")
        self.find_edit.setAccessibleName("Find runs")
        self.find_edit.setPlaceholderText("Find runs: grad_zero leaked #tag")
        self.find_edit.setClearButtonEnabled(True)
        self.count_label = QLabel(self)
        self.count_label.setProperty("muted", True)
        self.files_button = QPushButton("Open run…", self)
        self.files_button.setObjectName("libraryFilesButton")
        self.files_button.setToolTip("Open a run from a file (Ctrl+Shift+L)")
        self.folder_button = QToolButton(self)
        self.folder_button.setObjectName("libraryFolderButton")
        self.folder_button.setAccessibleName("Show the folder of the runs")
        self.folder_button.setToolTip("Show the folder of the runs")
        self.empty_title, self.empty_hint = QLabel(self), QLabel(self)
        self.empty_title.setProperty("title", True)
        self.empty_hint.setProperty("muted", True)
        self.empty_hint.setWordWrap(True)
        self.undo_bar = QFrame(self)
        self.undo_bar.setProperty("card", True)
        self.undo_bar.hide()
        self.undo_label = ElidedLabel(Qt.TextElideMode.ElideRight, self.undo_bar)
        self.undo_button = QPushButton("Undo", self.undo_bar)
        self.undo_button.setObjectName("libraryUndoButton")
        self.undo_button.setToolTip("Bring it back (Ctrl+Z in the list)")
        self.close_button = QToolButton(self.undo_bar)
        self.close_button.setObjectName("libraryUndoClose")
        self.close_button.setAccessibleName("Hide this word")
        self.close_button.setProperty("flat", True)

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(self.find_edit, 1)
        for widget in (self.count_label, self.files_button, self.folder_button):
            top.addWidget(widget)
        empty = QWidget(self)
        column = QVBoxLayout(empty)
        column.setSpacing(8)
        column.addStretch(1)
        for label in (self.empty_title, self.empty_hint):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            column.addWidget(label)
        column.addStretch(1)
        self.pages = QStackedWidget(self)
        self.pages.addWidget(self.view)
        self.pages.addWidget(empty)
        bar = QHBoxLayout(self.undo_bar)
        bar.setContentsMargins(12, 4, 6, 4)
        bar.addWidget(self.undo_label, 1)
        bar.addWidget(self.undo_button)
        bar.addWidget(self.close_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        layout.addLayout(top)
        layout.addWidget(self.pages, 1)
        layout.addWidget(self.undo_bar)
        layout.addWidget(self.details)

    def _connect(self) -> None:
        view, details = self.view, self.details
        self.find_edit.textChanged.connect(self.on_search)
        self.files_button.clicked.connect(self.files_wanted)
        self.folder_button.clicked.connect(self.folder_wanted)
        self.undo_button.clicked.connect(self.on_undo)
        self.close_button.clicked.connect(self.undo_bar.hide)
        self.model.rename_wanted.connect(self.on_rename)
        view.show_wanted.connect(self.show_wanted)
        view.open_wanted.connect(self.open_wanted)
        view.delete_wanted.connect(self.on_delete)
        view.undo_wanted.connect(self.on_undo)
        view.chosen.connect(self.on_chosen)
        view.moved.connect(self.ask_for_pictures)
        details.change_wanted.connect(self.change_wanted)
        details.open_wanted.connect(self.on_open)
        details.again_wanted.connect(self.on_again)
        details.rename_wanted.connect(self.on_renaming)
        details.delete_wanted.connect(self.on_delete)
        theme_manager().changed.connect(self.on_theme_changed)
