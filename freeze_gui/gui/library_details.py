"""Tags, notes and buttons of the chosen run in the library."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QFocusEvent
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QWidget,
)

from freeze_gui.gui.library_shelf import Change
from freeze_gui.gui.library_words import is_going_on, tags_of
from freeze_gui.runs.store_files import RunCard

_NOTES_PX = 54


class NotesEdit(QPlainTextEdit):
    """A field of a few lines; Tab leaves it.

    Signals
    -------
    editing_finished()
        The field was left.
    """

    editing_finished = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTabChangesFocus(True)
        self.setFixedHeight(_NOTES_PX)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Say that the field was left."""
        super().focusOutEvent(event)
        if event.reason() != Qt.FocusReason.PopupFocusReason:   # its own context menu
            self.editing_finished.emit()


class LibraryDetails(QFrame):
    """Shows one card, and what can be done with its run.

    Signals
    -------
    change_wanted(object)
        A `Change` of tags or notes.
    open_wanted(), again_wanted(), rename_wanted(), delete_wanted()
        A button was pressed.
    """

    change_wanted = Signal(object)
    open_wanted = Signal()
    again_wanted = Signal()
    rename_wanted = Signal()
    delete_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("card", True)
        self._card: RunCard | None = None
        self._path: Path | None = None
        self.tags_edit = QLineEdit(self)
        self.tags_edit.setObjectName("libraryTagsEdit")
        self.tags_edit.setAccessibleName("Tags of the run, set apart by commas")
        self.tags_edit.setPlaceholderText("set apart by commas")
        self.notes_edit = NotesEdit(self)
        self.notes_edit.setObjectName("libraryNotesEdit")
        self.notes_edit.setAccessibleName("Notes about the run")
        self.notes_edit.setPlaceholderText("what you want to remember of this run")
        self._buttons = QGridLayout()
        self._buttons.setSpacing(6)
        self.open_button = self._button("Open", "libraryOpenButton", "Show the run in the window (Enter)")
        self.again_button = self._button(
            "Run again", "libraryAgainButton", "Put the run's settings into the form, ready to run"
        )
        self.rename_button = self._button("Rename", "libraryRenameButton", "Give the run another label (F2)")
        self.delete_button = self._button("Delete", "libraryDeleteButton", "Delete the run (Del); it can be undone")
        self._buttons.setRowStretch(2, 1)
        self._lay_out()
        self.open_button.clicked.connect(self.open_wanted)
        self.again_button.clicked.connect(self.again_wanted)
        self.rename_button.clicked.connect(self.rename_wanted)
        self.delete_button.clicked.connect(self.delete_wanted)
        self.tags_edit.editingFinished.connect(self.commit)
        self.notes_edit.editing_finished.connect(self.commit)
        self.show_card(None)

    def show_card(self, card: RunCard | None, count: int = 1) -> None:
        """Show this run, or none, or that `count` are chosen; what is being written is left alone."""
        if card is None or card.path != self._path:
            self.commit()   # a list or a button that takes no focus leaves the fields as they are
        self._card = card
        readable = card is not None and card.error is None
        one = readable and count == 1
        for widget in (self.tags_edit, self.notes_edit, self.open_button, self.again_button, self.rename_button):
            widget.setEnabled(one)
        self.delete_button.setEnabled(card is not None and (count > 1 or not is_going_on(card)))
        self.delete_button.setText("Delete" if count < 2 else f"Delete {count}")
        path = card.path if card is not None and one else None
        if path == self._path and (self.tags_edit.hasFocus() or self.notes_edit.hasFocus()):
            return
        self._path = path
        tags, notes = (", ".join(card.tags), card.notes) if card is not None and one else ("", "")
        if tags != self.tags_edit.text():
            self.tags_edit.setText(tags)
        if notes != self.notes_edit.toPlainText():
            self.notes_edit.setPlainText(notes)

    @Slot()
    def commit(self) -> None:
        """Pass on tags and notes that are other than they were."""
        card = self._card
        if card is None or card.path != self._path:
            return
        tags, notes = tuple(tags_of(self.tags_edit.text())), self.notes_edit.toPlainText().strip()
        if tags != card.tags:
            self.change_wanted.emit(Change("tags", (card.path,), tags))
        if notes != card.notes.strip():
            self.change_wanted.emit(Change("notes", (card.path,), notes))

    def _button(self, text: str, name: str, tip: str) -> QPushButton:
        button = QPushButton(text, self)
        button.setObjectName(name)
        button.setToolTip(tip)
        self._buttons.addWidget(button, *divmod(self._buttons.count(), 2))
        return button

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(6)
        for row, (text, field) in enumerate((("&Tags", self.tags_edit), ("&Notes", self.notes_edit))):
            label = QLabel(text, self)
            label.setProperty("muted", True)
            label.setBuddy(field)
            grid.addWidget(label, row, 0, Qt.AlignmentFlag.AlignTop if row else Qt.AlignmentFlag.AlignVCenter)
            grid.addWidget(field, row, 1)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 10, 12, 10)
        layout.setSpacing(12)
        layout.addLayout(grid, 1)
        layout.addLayout(self._buttons)
