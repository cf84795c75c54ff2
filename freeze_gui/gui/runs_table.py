"""The table of runs: one row a run, with its verdict, score and cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QItemSelectionModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSize,
    QSortFilterProxyModel,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetrics,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from freeze_gui.gui.run_look import SAMPLE_PX, sample_icon
from freeze_gui.gui.run_verdict import Verdict, last_evaluation, step_ms_median, verdict_of, version_of
from freeze_gui.gui.theme import current_theme, theme_manager

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder

COLUMNS = ("Run", "Verdict", "Loss", "Accuracy", "ms / step", "Steps", "Gradients", "Optimizer state", "Side effects")
# what usually stands in a column: its width from the start, so that nothing moves when a run fills it
WIDEST = (
    "requires_grad #2", "LEAKED · running statistics", "0.0000", "0.000", "000.00", "100,000", "000.0 MB", "000.0 MB",
)  # fmt: skip
ROW_PX = 25
LEAST_ROWS = 3
SORT_ROLE = Qt.ItemDataRole.UserRole + 1
Index = QModelIndex | QPersistentModelIndex
Cell = tuple[str, float | str]   # words, and what they are sorted by


class RunsModel(QAbstractTableModel):
    """Cells of the table, made ready once per refresh and only for runs with something new."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.recorders: list[RunRecorder] = []
        self._cells: list[tuple[Cell, ...]] = []
        self._verdicts: list[Verdict] = []
        self._seen: list[object] = []

    def set_runs(self, recorders: Sequence[RunRecorder]) -> None:
        """Show these runs: all of the window, as the place of a run decides its colour."""
        self.beginResetModel()
        self.recorders = list(recorders)
        self._seen = [version_of(recorder) for recorder in self.recorders]
        self._verdicts = [verdict_of(recorder) for recorder in self.recorders]
        self._cells = [_cells(*pair) for pair in zip(self.recorders, self._verdicts, strict=True)]
        self.endResetModel()

    def refresh(self) -> bool:
        """Take in what is new; True when there was anything."""
        changed = False
        for row, recorder in enumerate(self.recorders):
            version = version_of(recorder)
            if version == self._seen[row]:
                continue
            self._seen[row], self._verdicts[row] = version, verdict_of(recorder)
            cells = _cells(recorder, self._verdicts[row])
            if cells != self._cells[row]:
                self._cells[row], changed = cells, True
                self.dataChanged.emit(self.index(row, 0), self.index(row, len(COLUMNS) - 1))
        return changed

    def rowCount(self, parent: Index = QModelIndex()) -> int:   # noqa: B008   # Qt's own signature
        """Return the number of runs."""
        return 0 if parent.isValid() else len(self.recorders)

    def columnCount(self, parent: Index = QModelIndex()) -> int:   # noqa: B008
        """Return the number of columns."""
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a column's title."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section]
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(section)
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return words, colours and sort keys."""
        if not index.isValid():
            return None
        row, column = index.row(), index.column()
        words, key = self._cells[row][column]
        if role == Qt.ItemDataRole.DisplayRole:
            return words
        if role == SORT_ROLE:
            return key
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(column)
        if role == Qt.ItemDataRole.DecorationRole and column == 0:
            return sample_icon(row)
        if role == Qt.ItemDataRole.ForegroundRole and column == 1:
            return QColor(getattr(current_theme(), self._verdicts[row].tone))
        if role == Qt.ItemDataRole.FontRole and column == 1 and self._verdicts[row].tone != "muted":
            font = QFont()
            font.setBold(True)
            return font
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._verdicts[row].detail if column == 1 else words
        return None

    def cells(self, row: int) -> list[str]:
        """Return the words of a row."""
        return [words for words, _ in self._cells[row]]


class RunsTable(QTableView):
    """Shows runs; sortable, and Ctrl+C copies the selected rows as tab-separated text.

    Signals
    -------
    run_selected(int)
        A run was chosen; carries its place in what `set_runs` got.
    """

    run_selected = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("runsTable")
        self.setAccessibleName("Runs")
        self.runs_model = RunsModel(self)
        self._proxy = QSortFilterProxyModel(self)
        self._proxy.setSortRole(SORT_ROLE)
        self._proxy.setSourceModel(self.runs_model)
        self.setModel(self._proxy)
        self.setSortingEnabled(True)
        self._proxy.sort(-1)   # in the order of the runs until a person sorts
        self.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setWordWrap(False)
        self.setIconSize(QSize(SAMPLE_PX, 14))
        self.setFont(tabular(self.font()))
        self.verticalHeader().hide()
        self.verticalHeader().setMinimumSectionSize(ROW_PX)
        self.verticalHeader().setDefaultSectionSize(ROW_PX)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setStretchLastSection(True)
        self.diff_only = False
        self.selectionModel().currentRowChanged.connect(self.on_current_changed)
        theme_manager().changed.connect(self.on_theme_changed)

    def set_runs(self, recorders: Sequence[RunRecorder]) -> None:
        """Show these runs."""
        self.runs_model.set_runs(recorders)
        self._fit_columns()

    def refresh(self) -> None:
        """Show what is new; costs next to nothing when hidden or when nothing is new."""
        if self.isVisible() and self.runs_model.refresh():
            self._fit_columns()

    def set_diff_only(self, diff_only: bool) -> None:
        """Hide the columns in which all runs are equal."""
        self.diff_only = diff_only
        self._fit_columns()

    def select_run(self, row: int) -> None:
        """Make the run at this place in what `set_runs` got the current one."""
        index = self._proxy.mapFromSource(self.runs_model.index(row, 0))
        flags = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
        self.selectionModel().setCurrentIndex(index, flags)

    def selected_text(self) -> str:
        """Return the selected rows, or all where none is, as tab-separated text with a line of titles."""
        selected = sorted(index.row() for index in self.selectionModel().selectedRows())
        rows = selected or range(self._proxy.rowCount())
        sources = [self._proxy.mapToSource(self._proxy.index(row, 0)).row() for row in rows]
        return "\n".join("\t".join(line) for line in (COLUMNS, *(self.runs_model.cells(row) for row in sources)))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy with Ctrl+C."""
        if event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(self.selected_text())
        else:
            super().keyPressEvent(event)

    def minimumSizeHint(self) -> QSize:
        """Return a size that shows `LEAST_ROWS` whole rows."""
        frame = 2 * self.frameWidth()
        rows = self.horizontalHeader().sizeHint().height() + LEAST_ROWS * ROW_PX
        return QSize(super().minimumSizeHint().width(), rows + frame)

    def showEvent(self, event: QShowEvent) -> None:
        """Give the columns their widths now that fonts and paddings are known."""
        super().showEvent(event)
        self._fit_columns()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the rows that have room as a whole; what would be cut is reached by scrolling."""
        super().paintEvent(event)
        painter = QPainter(self.viewport())
        for top, height in self.cut_strips():
            painter.fillRect(0, top, self.viewport().width(), height, QColor(current_theme().panel))
        painter.end()

    def cut_strips(self) -> list[tuple[int, int]]:
        """Return (top, height) of each strip of the viewport in which only a part of a row would be seen."""
        height, strips = self.viewport().height(), []
        first, last = self.rowAt(0), self.rowAt(height - 1)
        if first >= 0 and (top := self.rowViewportPosition(first)) < 0:   # scrolled to the end
            strips.append((0, top + ROW_PX))
        if last > first and (top := self.rowViewportPosition(last)) + ROW_PX > height:
            strips.append((top, height - top))
        return strips

    @Slot(QModelIndex, QModelIndex)
    def on_current_changed(self, current: QModelIndex, previous: QModelIndex) -> None:
        """Pass on which run was chosen."""
        if current.isValid():
            self.run_selected.emit(self._proxy.mapToSource(current).row())

    @Slot(object)
    def on_theme_changed(self, theme: object) -> None:
        """Take the new colours."""
        self.viewport().update()

    def _fit_columns(self) -> None:
        bold = QFont(self.font())
        bold.setBold(True)
        plain, strong = QFontMetrics(self.font()), QFontMetrics(bold)
        rows = [self.runs_model.cells(row) for row in range(len(self.runs_model.recorders))]
        for column in range(len(COLUMNS)):
            same = len(rows) > 1 and column > 0 and len({row[column] for row in rows}) == 1
            self.setColumnHidden(column, self.diff_only and same)
            if column == len(COLUMNS) - 1:
                continue   # has what is left; its words are in the tooltip where they are cut
            need = max(self.sizeHintForColumn(column), self.horizontalHeader().sectionSizeHint(column)) + 2
            if column < len(WIDEST):
                around = 22 + (SAMPLE_PX + 10 if column == 0 else 0)
                need = max(need, (strong if column == 1 else plain).horizontalAdvance(WIDEST[column]) + around)
            if need > self.columnWidth(column):   # never narrower while numbers change
                self.setColumnWidth(column, need)


def tabular(font: QFont) -> QFont:
    """Return the font with digits of equal width, where it has them."""
    font = QFont(font)
    font.setFeature(QFont.Tag("tnum"), 1)
    return font


def _alignment(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignLeft if column in (0, 1, len(COLUMNS) - 1) else Qt.AlignmentFlag.AlignRight
    return side | Qt.AlignmentFlag.AlignVCenter


def _cells(recorder: RunRecorder, verdict: Verdict) -> tuple[Cell, ...]:
    loss, accuracy = last_evaluation(recorder)
    cost = recorder.ended.cost if recorder.ended else None
    effects = [effect.kind.replace("_", " ") for effect in recorder.ended.side_effects] if recorder.ended else []
    side_effects = ", ".join(dict.fromkeys(effects))
    return (
        (recorder.label, recorder.label),
        (verdict.words, verdict.words),
        _number(loss, "{:.4f}"),
        _number(accuracy, "{:.3f}"),
        _number(step_ms_median(recorder), "{:.2f}"),
        _number(recorder.history.steps if recorder.history else None, "{:,}"),
        _megabytes(cost.gradient_bytes if cost else None),
        _megabytes(cost.optimizer_state_bytes if cost else None),
        (side_effects, side_effects),
    )


def _number(value: float | None, form: str) -> Cell:
    return ("", -math.inf) if value is None else (form.format(value), float(value))


def _megabytes(count: int | None) -> Cell:
    if count is None:
        return "", -math.inf
    return (f"{count / 2**20:.1f} MB" if count >= 2**19 else f"{count / 1024:.1f} kB"), float(count)
