"""The list of kept runs: chosen with mouse and keyboard, renamed in place."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import cast

from PySide6.QtCore import QEvent, QItemSelectionModel, QItemSelectionRange, QModelIndex, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QListView, QWidget

from freeze_gui.gui.library_delegate import LibraryDelegate
from freeze_gui.gui.library_model import CARD_ROLE, LibraryModel
from freeze_gui.runs.store_files import RunCard

_OWN_KEYS = (Qt.Key.Key_Delete, Qt.Key.Key_Backspace, Qt.Key.Key_F2, Qt.Key.Key_Return, Qt.Key.Key_Enter)


class LibraryView(QListView):
    """Shows a `LibraryModel`.

    Signals
    -------
    show_wanted(object), open_wanted(object)
        The run of this path was clicked; it was double-clicked, or Enter was pressed on it.
    delete_wanted(), undo_wanted()
        Del; Ctrl+Z.
    chosen()
        Other runs are selected.
    moved()
        Other rows are seen.
    """

    show_wanted = Signal(object)
    open_wanted = Signal(object)
    delete_wanted = Signal()
    undo_wanted = Signal()
    chosen = Signal()
    moved = Signal()

    def __init__(self, model: LibraryModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("libraryList")
        self.setAccessibleName("Kept runs")
        self._cards = model
        self.setModel(model)
        self.setItemDelegate(LibraryDelegate(self))
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)   # rows show that the pointer is over them
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.clicked.connect(self._on_clicked)
        self.doubleClicked.connect(self._on_double_clicked)
        self.selectionModel().selectionChanged.connect(self.chosen)
        self.verticalScrollBar().valueChanged.connect(self.moved)

    def selected_cards(self) -> list[RunCard]:
        """Return the cards that are selected, from top to bottom."""
        # not selectedIndexes(), which asks for the flags of every row; the stubs do not know that a selection is a list
        parts = cast("list[QItemSelectionRange]", self.selectionModel().selection())
        rows = sorted(row for part in parts for row in range(part.top(), part.bottom() + 1))
        return [self._cards.cards[row] for row in rows]

    def select_paths(self, paths: Collection[Path]) -> None:
        """Choose the rows of these runs, as far as they are shown."""
        model = self.selectionModel()
        for row, card in enumerate(self._cards.cards):
            if card.path in paths:
                model.setCurrentIndex(self._cards.index(row), QItemSelectionModel.SelectionFlag.Select)

    def rename(self) -> None:
        """Edit the label of the current row, unless it is edited already."""
        if self.currentIndex().isValid() and not self.is_editing():
            self.edit(self.currentIndex())

    def is_editing(self) -> bool:
        """Tell whether a label is being edited."""
        return self.state() == QAbstractItemView.State.EditingState

    def seen_rows(self) -> range:
        """Return the rows of which anything is seen."""
        count = self.model().rowCount()
        if not count:
            return range(0)
        first, last = self.indexAt(self.viewport().rect().topLeft()), self.indexAt(self.viewport().rect().bottomLeft())
        return range(max(first.row(), 0), last.row() + 1 if last.isValid() else count)

    def event(self, event: QEvent) -> bool:
        """Keep the keys that mean something here from the menus: Ctrl+Z undoes a deletion, not a tick."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and _is_own(event):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Open, delete and undo."""
        if event.matches(QKeySequence.StandardKey.Undo):
            self.undo_wanted.emit()
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.delete_wanted.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            if not self.is_editing():   # else it ends the editing, and comes here from the field
                self._on_double_clicked(self.currentIndex())
        elif event.key() == Qt.Key.Key_F2:   # on macOS the view itself would take Return
            self.rename()
        else:
            super().keyPressEvent(event)

    @Slot(QModelIndex)
    def _on_clicked(self, index: QModelIndex) -> None:
        path = _readable(index)
        if path is not None and len(self.selected_cards()) == 1:
            self.show_wanted.emit(path)

    @Slot(QModelIndex)
    def _on_double_clicked(self, index: QModelIndex) -> None:
        path = _readable(index)
        if path is not None:
            self.open_wanted.emit(path)


def _is_own(event: QKeyEvent) -> bool:
    return event.matches(QKeySequence.StandardKey.Undo) or event.key() in _OWN_KEYS


def _readable(index: QModelIndex) -> Path | None:
    card: RunCard = index.data(CARD_ROLE)
    return card.path if card.error is None else None
