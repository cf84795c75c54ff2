"""The find box over the tree: it hides the rows that are not meant, and freezes those that are."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QItemSelectionModel, QModelIndex, QObject, Qt, QTimer, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QWidget

from freeze_gui.gui.layer_cells import FREEZE
from freeze_gui.gui.layer_find import Finder, Found
from freeze_gui.gui.layer_model import LayerModel
from freeze_gui.gui.layer_view import LayerView

_TIP = 'All words must match path, kind or shape; !bn leaves out; "quotes" are exact.'
_DELAY_MS = 120
_DESELECT = QItemSelectionModel.SelectionFlag.Deselect | QItemSelectionModel.SelectionFlag.Rows


class FindBar(QWidget):
    """Find box and the button that freezes what was found.

    Parameters
    ----------
    model, view
        The tree's rows and the view of them.
    """

    def __init__(self, model: LayerModel, view: LayerView, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model, self._view = model, view
        self._finder: Finder | None = None
        self._found = Found([], [], frozenset())
        self._open_before: list[int] | None = None   # rows that were open before the find box said anything
        self.edit = QLineEdit(self)
        self.edit.setObjectName("findEdit")
        self.edit.setPlaceholderText("Find: conv !bn")
        self.edit.setClearButtonEnabled(True)
        self.edit.setAccessibleName("Find layers")
        self.edit.setToolTip(_TIP)
        self.freeze_button = QPushButton(self)
        self.freeze_button.setObjectName("freezeMatchesButton")
        self.freeze_button.hide()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.edit, 1)
        layout.addWidget(self.freeze_button)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_DELAY_MS)
        self._timer.timeout.connect(self.find_layers)
        self.edit.textChanged.connect(self._timer.start)
        self.edit.returnPressed.connect(self.next_match)
        self.edit.installEventFilter(self)
        self.freeze_button.clicked.connect(self.freeze_matches)

    def forget(self) -> None:
        """Begin anew, for another tree."""
        self._timer.stop()
        self._finder = self._open_before = None
        self.edit.clear()

    @Slot()
    def find_layers(self) -> None:
        """Show the rows that the find box means."""
        tree = self._model.tree
        if tree is None:
            return
        self._timer.stop()   # asked for sooner, as by Return
        text = self.edit.text().strip()
        self._finder = self._finder or Finder(tree)
        self._found = self._finder.find(text)
        if text:
            if self._open_before is None:
                self._open_before = [row.internalId() for row in self._view.open_rows()]
            self._view.collapseAll()   # what is open beyond a screen takes Qt its time
            self._show_found()
            self._view.open_all_that_fits()
        elif self._open_before is not None:
            self._view.collapseAll()
            self._model.show_rows(None)
            for at in self._open_before:
                self._view.setExpanded(self.row(at), True)
            self._open_before = None
        count = len(self._found.layers)
        self.freeze_button.setVisible(bool(text))
        self.freeze_button.setEnabled(count > 0)
        self.freeze_button.setText(f"Freeze matches ({count})" if count else "No match")

    @Slot()
    def freeze_matches(self) -> None:
        """Tick the layers that the find box means, beside those that are ticked."""
        self.find_layers()
        self._model.change(self._model.layers | self._found.layers, f"freeze matches of {self.edit.text()}")

    @Slot()
    def next_match(self) -> None:
        """Go to the next matching row."""
        self._go_to_match(+1)

    def row(self, at: int) -> QModelIndex:
        """Return the view's index of a row of the tree."""
        assert self._model.tree is not None
        return self._model.index_of(self._model.tree.nodes[at])

    def _show_found(self) -> None:
        """Hide the other rows; of those nothing stays selected, and whoever shows the selection hears of it."""
        shown, selection = self._found.shown, self._view.selectionModel()
        for index in selection.selectedRows(FREEZE):
            if shown is not None and not shown[index.internalId()]:
                selection.select(index, _DESELECT)
        self._model.show_rows(shown)

    def _go_to_match(self, step: int) -> None:
        self.find_layers()
        matches = self._found.matches
        if not matches:
            return
        selected = self._view.selectionModel().selectedRows(FREEZE)
        at = max((index.internalId() for index in selected), default=-1)
        if step > 0:
            target = next((match for match in matches if match > at), matches[0])
        else:
            target = next((match for match in reversed(matches) if match < at), matches[-1])
        self._view.choose(self.row(target))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Move through the matches with Up and Down in the find box; Escape empties it."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and watched is self.edit:
            if event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
                self._go_to_match(+1 if event.key() == Qt.Key.Key_Down else -1)
                return True
            if event.key() == Qt.Key.Key_Escape and self.edit.text():
                self.edit.clear()
                return True
        return super().eventFilter(watched, event)
