"""The cells of the table of runs, made ready once per refresh and only for runs with something new."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor, QFont

from freeze_gui.gui.compare_columns import COLUMNS, Cell, facts_of
from freeze_gui.gui.compare_words import EqualRuns, equals_of
from freeze_gui.gui.run_look import sample_icon
from freeze_gui.gui.run_verdict import Verdict, version_of
from freeze_gui.gui.theme import current_theme

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder

SORT_ROLE = Qt.ItemDataRole.UserRole + 1
BAR_ROLE = Qt.ItemDataRole.UserRole + 2
"""The number of a cell as a part of the largest in its column, None where there is no bar."""

RUN, VERDICT = 0, 1
Index = QModelIndex | QPersistentModelIndex


class RunsModel(QAbstractTableModel):
    """One row a run."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.recorders: list[RunRecorder] = []
        self._cells: list[tuple[Cell, ...]] = []
        self._verdicts: list[Verdict] = []
        self._seen: list[object] = []
        self.equal_runs = EqualRuns()
        self._most: list[float] = [0.0] * len(COLUMNS)

    def set_runs(self, recorders: Sequence[RunRecorder]) -> None:
        """Show these runs: all of the window, as the place of a run decides its colour."""
        self.beginResetModel()
        self.recorders = list(recorders)
        self._cells, self._verdicts, self._seen = [], [], []
        groups = self.equal_runs.groups(self.recorders)
        for recorder in self.recorders:
            facts = facts_of(recorder, equals_of(recorder, groups))
            self._seen.append((version_of(recorder), facts.equals))
            self._verdicts.append(facts.verdict)
            self._cells.append(tuple(column.cell(facts) for column in COLUMNS))
        self.endResetModel()
        self._measure()

    def refresh(self) -> bool:
        """Take in what is new; True when there was anything."""
        changed = False
        groups = self.equal_runs.groups(self.recorders)
        for row, recorder in enumerate(self.recorders):
            equals = equals_of(recorder, groups)
            version = version_of(recorder), equals
            if version == self._seen[row]:
                continue
            facts = facts_of(recorder, equals)
            self._seen[row], self._verdicts[row] = version, facts.verdict
            cells = tuple(column.cell(facts) for column in COLUMNS)
            if cells != self._cells[row]:
                self._cells[row], changed = cells, True
                self.dataChanged.emit(self.index(row, 0), self.index(row, len(COLUMNS) - 1))
        if changed:
            self._measure()
        return changed

    def rowCount(self, parent: Index = QModelIndex()) -> int:   # noqa: B008   # Qt's own signature
        """Return the number of runs."""
        return 0 if parent.isValid() else len(self.recorders)

    def columnCount(self, parent: Index = QModelIndex()) -> int:   # noqa: B008
        """Return the number of columns."""
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a column's title, and what it means."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section].title
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.ToolTipRole:
            return COLUMNS[section].tip
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.TextAlignmentRole:
            return alignment(section)
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return words, colours, bars and sort keys."""
        if not index.isValid():
            return None
        row, column = index.row(), index.column()
        words, key = self._cells[row][column]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return words
            case Qt.ItemDataRole.TextAlignmentRole:
                return alignment(column)
            case Qt.ItemDataRole.DecorationRole if column == RUN:
                return sample_icon(row)
            case Qt.ItemDataRole.ForegroundRole if column == VERDICT:
                return QColor(getattr(current_theme(), self._verdicts[row].tone))
            case Qt.ItemDataRole.FontRole if column == VERDICT and self._verdicts[row].tone != "muted":
                font = QFont()
                font.setBold(True)
                return font
            case Qt.ItemDataRole.ToolTipRole:
                return self._verdicts[row].detail if column == VERDICT else words
        if role == SORT_ROLE:
            return key
        return self._share(column, words, key) if role == BAR_ROLE else None

    def cells(self, row: int) -> list[str]:
        """Return the words of a row."""
        return [words for words, _ in self._cells[row]]

    def _share(self, column: int, words: str, key: float | str) -> float | None:
        if not COLUMNS[column].has_bar or not words or self._most[column] <= 0:
            return None
        return float(key) / self._most[column]

    def _measure(self) -> None:
        """Find the largest number of each column that has bars; another one changes all of its bars."""
        for at, column in enumerate(COLUMNS):
            if not column.has_bar:
                continue
            most = max((float(cells[at][1]) for cells in self._cells if cells[at][0]), default=0.0)
            if most != self._most[at] and self._cells:
                self._most[at] = most
                self.dataChanged.emit(self.index(0, at), self.index(len(self._cells) - 1, at), [BAR_ROLE])


def alignment(column: int) -> Qt.AlignmentFlag:
    """Return where the words of a column stand."""
    side = Qt.AlignmentFlag.AlignLeft if COLUMNS[column].is_words else Qt.AlignmentFlag.AlignRight
    return side | Qt.AlignmentFlag.AlignVCenter
