"""The cells of the table of runs, made ready once per refresh and only for runs with something new."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QColor, QFont, QIcon

from freeze_gui.gui.compare_columns import COLUMNS, MISSING, Cell, column_at, facts_of, words_cell
from freeze_gui.gui.compare_words import EqualRuns, equals_words
from freeze_gui.gui.run_look import run_color, run_dash, sample_icon
from freeze_gui.gui.run_verdict import Verdict, version_of
from freeze_gui.gui.theme import current_theme

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder

BAR_ROLE = Qt.ItemDataRole.UserRole + 1
"""The number of a cell as a part of the largest in its column, None where there is no bar."""

RUN, VERDICT, EQUALS = 0, 1, column_at("equals")
Index = QModelIndex | QPersistentModelIndex
_UNKNOWN: list[Cell] = [("", "") if column.is_words else MISSING for column in COLUMNS[1:]]
_UNREAD = Verdict("", "", "muted")
_ROWS_AT_ONCE = 50


class RunsModel(QAbstractTableModel):
    """One row a run. A run that has ended is read once: what a refresh costs does not grow with the number of runs.

    Attributes
    ----------
    recorders
        The runs, a row each.
    equal_runs
        Finds those that are one and the same.

    Signals
    -------
    cells_changed(int, object)
        In this row the cells of these columns have other words.
    bars_changed(int)
        All bars of this column have another length. As `dataChanged` it would have every row filtered and sorted anew.
    """

    cells_changed = Signal(int, object)
    bars_changed = Signal(int)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.recorders: list[RunRecorder] = []
        self.equal_runs = EqualRuns()
        self._cells: list[list[Cell]] = []
        self._verdicts: list[Verdict] = []
        self._seen: list[object] = []
        self._labels: list[str] = []
        self._open: set[int] = set()   # rows in which something may still change
        self._ended: list[RunRecorder] = []   # and are still to be compared
        self._same_as: dict[RunRecorder, str] = {}
        self._equals_are_old = False
        self._most: list[float] = [0.0] * len(COLUMNS)
        self._icons: dict[object, QIcon] = {}

    def set_runs(self, recorders: Sequence[RunRecorder]) -> int:
        """Show these runs, all of the window, as the place of a run decides its colour; return how many are new.

        Rows that are there already stay as they are; new ones have a name, and the rest comes with the next refresh.
        """
        there = len(self.recorders)
        if list(recorders[:there]) != self.recorders:
            self.beginResetModel()
            there = 0
            self.recorders, self._cells, self._verdicts, self._seen, self._labels = [], [], [], [], []
            self._open, self._same_as, self._most = set(), {}, [0.0] * len(COLUMNS)
            self.endResetModel()
        new = recorders[there:]
        if not new:
            return 0
        self.beginInsertRows(QModelIndex(), there, there + len(new) - 1)
        self.recorders += new
        self._cells += [[(run.label, run.label), *_UNKNOWN] for run in new]
        self._verdicts += [_UNREAD] * len(new)
        self._seen += [None] * len(new)
        self._labels += [run.label for run in new]
        self._open |= set(range(there, len(self.recorders)))
        self.endInsertRows()
        for row in range(there, len(self.recorders)):
            self.cells_changed.emit(row, [RUN])
        return len(new)

    def refresh(self) -> None:
        """Take in what is new."""
        for _ in self.refreshed():
            pass

    def refreshed(self) -> Iterator[None]:
        """Take in what is new in small pieces, the latest runs first."""
        labels = [recorder.label for recorder in self.recorders]
        if labels != self._labels:
            self._open |= {row for row, label in enumerate(labels) if label != self._labels[row]}
            self._labels = labels
        for row in sorted(self._open, reverse=True):
            version = version_of(self.recorders[row])
            if version != self._seen[row]:
                self._seen[row] = version
                self._read(row)
                yield
        while self._ended:   # all rows have their words before: to compare takes longer
            self.equal_runs.add(self._ended.pop())
            yield
        if self._equals_are_old:
            yield from self._say_equals()
            self._equals_are_old = False

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
        """Return words, colours and bars."""
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
                return self._icon(row)
            case Qt.ItemDataRole.ForegroundRole if column == VERDICT:
                return QColor(getattr(current_theme(), self._verdicts[row].tone))
            case Qt.ItemDataRole.FontRole if column == VERDICT and self._verdicts[row].tone != "muted":
                font = QFont()
                font.setBold(True)
                return font
            case Qt.ItemDataRole.ToolTipRole:
                return self._verdicts[row].detail if column == VERDICT else words
        return self._share(column, words, key) if role == BAR_ROLE else None

    def words(self, row: int, column: int) -> str:
        """Return what stands in a cell."""
        return self._cells[row][column][0]

    def sort_key(self, row: int, column: int) -> float | str:
        """Return what a cell is sorted by."""
        return self._cells[row][column][1]

    def has_words(self, row: int, words: str) -> bool:
        """Tell whether these words stand somewhere in a row, in whatever case; they are given with the case folded."""
        return words in "\n".join(cell[0] for cell in self._cells[row]).casefold()

    def is_same(self, column: int) -> bool:
        """Tell whether the same words stand in all rows of a column, of two rows or more."""
        first, *others = (cells[column][0] for cells in self._cells) if self._cells else ("",)
        return bool(others) and all(words == first for words in others)

    def _icon(self, row: int) -> QIcon:
        """Return the sample of a run's line; there are a hundred of them, however many runs."""
        look = run_color(row), run_dash(row)
        if look not in self._icons:
            self._icons[look] = sample_icon(row)
        return self._icons[look]

    def _share(self, column: int, words: str, key: float | str) -> float | None:
        if not COLUMNS[column].has_bar or not words or self._most[column] <= 0:
            return None
        return float(key) / self._most[column]

    def _read(self, row: int) -> None:
        """Make the cells of a row, and tell which are other than they were: a view paints these and no more."""
        recorder, before = self.recorders[row], self._cells[row]
        if has_ended(recorder):   # asked first: all that is read from now on is the end
            self._ended.append(recorder)
            self._open.discard(row)
            self._equals_are_old = True
        facts = facts_of(recorder, self._same_as.get(recorder, ""))
        cells = [column.cell(facts) for column in COLUMNS]
        changed = [at for at in range(len(COLUMNS)) if cells[at] != before[at]]
        if facts.verdict != self._verdicts[row] and VERDICT not in changed:
            changed.append(VERDICT)
        self._cells[row], self._verdicts[row] = cells, facts.verdict
        for at in changed:
            self.dataChanged.emit(self.index(row, at), self.index(row, at))
            if COLUMNS[at].has_bar:
                self._measure(at, before[at], cells[at])
        self.cells_changed.emit(row, changed)

    def _say_equals(self) -> Iterator[None]:
        """Name in each row the runs that are the same; one more of them is another word in many rows."""
        self._same_as = equals_words(self.equal_runs.groups(self.recorders))
        yield
        changed = [row for row in range(len(self.recorders)) if self._cells[row][EQUALS] != self._equals(row)]
        for start in range(0, len(changed), _ROWS_AT_ONCE):
            rows = changed[start : start + _ROWS_AT_ONCE]
            for row in rows:
                self._cells[row][EQUALS] = self._equals(row)   # asked again: another refresh may have come between
                self.cells_changed.emit(row, [EQUALS])
            self.dataChanged.emit(self.index(rows[0], EQUALS), self.index(rows[-1], EQUALS))
            yield

    def _equals(self, row: int) -> Cell:
        return words_cell(self._same_as.get(self.recorders[row], ""))

    def _measure(self, column: int, before: Cell, now: Cell) -> None:
        """Keep the largest number of a column that has bars; another one changes all of its bars."""
        most = self._most[column]
        if _number(now) > most:
            most = _number(now)
        elif _number(before) == most:
            most = max(_number(cells[column]) for cells in self._cells)
        if most != self._most[column]:
            self._most[column] = most
            self.bars_changed.emit(column)


def has_ended(recorder: RunRecorder) -> bool:
    """Tell whether a run's numbers stay as they are: it has ended, or nobody is there any more to go on with it."""
    ended = recorder.ended
    return recorder.status == ("interrupted" if ended is None else ended.status)


def alignment(column: int) -> Qt.AlignmentFlag:
    """Return where the words of a column stand."""
    side = Qt.AlignmentFlag.AlignLeft if COLUMNS[column].is_words else Qt.AlignmentFlag.AlignRight
    return side | Qt.AlignmentFlag.AlignVCenter


def _number(cell: Cell) -> float:
    words, key = cell
    return float(key) if words else 0.0
