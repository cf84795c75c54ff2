"""The list of kept runs for a view: a card and a small picture a row."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from freeze_gui.gui.library_reader import Thumbnail
from freeze_gui.gui.library_words import facts, sentence, verdict_words
from freeze_gui.runs.store_files import RunCard

CARD_ROLE = Qt.ItemDataRole.UserRole + 1
THUMBNAIL_ROLE = Qt.ItemDataRole.UserRole + 2
Index = QModelIndex | QPersistentModelIndex


class LibraryModel(QAbstractListModel):
    """Shows cards.

    Attributes
    ----------
    cards
        Those that are shown, in order.

    Signals
    -------
    rename_wanted(object, str)
        The run of this path is to have another label.
    rename_refused(str)
        The run of this label was to have none.
    """

    rename_wanted = Signal(object, str)
    rename_refused = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.cards: list[RunCard] = []
        self._thumbnails: dict[Path, Thumbnail] = {}

    def set_cards(self, cards: Sequence[RunCard]) -> bool:
        """Show these; return False where the rows stay the same runs, so that nothing that is selected is lost."""
        if [card.path for card in cards] != [card.path for card in self.cards]:
            self.beginResetModel()
            self.cards = list(cards)
            self.endResetModel()
            return True
        for row, card in enumerate(cards):
            if card != self.cards[row]:
                self.cards[row] = card
                self.dataChanged.emit(self.index(row), self.index(row))
        return False

    def set_thumbnail(self, thumbnail: Thumbnail) -> None:
        """Keep a picture and show it."""
        self._thumbnails[thumbnail.path] = thumbnail
        row = self.row_of(thumbnail.path)
        if row >= 0:
            self.dataChanged.emit(self.index(row), self.index(row))

    def lacks_thumbnail(self, row: int) -> bool:
        """Tell whether the picture of a row is not there, or of fewer steps than the run has now."""
        card = self.cards[row]
        made = self._thumbnails.get(card.path)
        return card.error is None and (made is None or made.steps != card.steps)

    def row_of(self, path: Path) -> int:
        """Return the row of a run, -1 when it is not shown."""
        return next((row for row, card in enumerate(self.cards) if card.path == path), -1)

    def rowCount(self, parent: Index = QModelIndex()) -> int:   # noqa: B008   # Qt's own signature
        """Return the number of runs."""
        return 0 if parent.isValid() else len(self.cards)

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Let labels be edited where the file can be read."""
        flags = super().flags(index)
        can_be_named = index.isValid() and self.cards[index.row()].error is None
        return flags | Qt.ItemFlag.ItemIsEditable if can_be_named else flags

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the label, or the card and picture for the delegate."""
        if not index.isValid():
            return None
        card = self.cards[index.row()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return card.label
        if role == CARD_ROLE:
            return card
        if role == THUMBNAIL_ROLE:
            return self._thumbnails.get(card.path)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return sentence(card, time.time())
        if role == Qt.ItemDataRole.ToolTipRole:
            parts = (f"{card.label}: {verdict_words(card)[1]}", facts(card), card.notes, str(card.path))
            return "\n".join(part for part in parts if part)
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Pass on another label; the row shows it when it is in the file."""
        label = str(value).strip()
        if role != Qt.ItemDataRole.EditRole or not index.isValid():
            return False
        card = self.cards[index.row()]
        if not label:
            self.rename_refused.emit(card.label)
            return False
        if label != card.label:
            self.rename_wanted.emit(card.path, label)
        return True
