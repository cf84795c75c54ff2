"""The table of runs: one row a run, with its verdict, score and cost."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import (
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
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
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from freeze_gui.gui.compare_columns import COLUMNS
from freeze_gui.gui.compare_table_model import BAR_ROLE, RUN, SORT_ROLE, VERDICT, RunsModel
from freeze_gui.gui.run_look import SAMPLE_PX
from freeze_gui.gui.theme import current_theme, theme_manager

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder

ROW_PX = 25
LEAST_ROWS = 3
_BAR_PX = 3


class RunsTable(QTableView):
    """Shows runs; sortable, and Ctrl+C copies the selected rows as tab-separated text.

    Signals
    -------
    run_selected(int)
        A run was chosen; carries its place in what `set_runs` got.
    selection_changed(object)
        Other rows are selected: their places, in the order in which they were selected.
    """

    run_selected = Signal(int)
    selection_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("runsTable")
        self.setAccessibleName("Runs")
        self.runs_model = RunsModel(self)
        self._proxy = QSortFilterProxyModel(self)
        self._proxy.setSortRole(SORT_ROLE)
        self._proxy.setFilterKeyColumn(-1)
        self._proxy.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self._proxy.setSourceModel(self.runs_model)
        self.setModel(self._proxy)
        self.setItemDelegate(_BarDelegate(self))
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
        self.horizontalHeader().setDefaultSectionSize(40)   # columns grow from here to what stands in them
        self.horizontalHeader().setStretchLastSection(True)
        self.diff_only = False
        self.shown_keys = frozenset(column.key for column in COLUMNS if column.shown)
        self._selected: list[int] = []
        self._fitted_for: list[int] = []
        self.selectionModel().currentRowChanged.connect(self.on_current_changed)
        self.selectionModel().selectionChanged.connect(self.on_selection_changed)
        theme_manager().changed.connect(self.on_theme_changed)

    def set_runs(self, recorders: Sequence[RunRecorder]) -> None:
        """Show these runs."""
        self._selected = []
        self.runs_model.set_runs(recorders)
        self._fit_columns()

    def refresh(self) -> None:
        """Show what is new; costs next to nothing when hidden or when nothing is new."""
        if self.isVisible() and self.runs_model.refresh() and (self.diff_only or self._longest() != self._fitted_for):
            self._fit_columns()

    def set_diff_only(self, diff_only: bool) -> None:
        """Hide the columns in which all runs are equal."""
        self.diff_only = diff_only
        self._fit_columns()

    def set_shown_keys(self, keys: Iterable[str]) -> None:
        """Show the columns of these keys; the run's name is always there."""
        self.shown_keys = frozenset(keys) | {COLUMNS[RUN].key}
        self._fit_columns()

    def set_search(self, text: str) -> None:
        """Show the runs in which these words stand somewhere."""
        self._proxy.setFilterFixedString(text.strip())

    def select_run(self, row: int) -> None:
        """Make the run at this place in what `set_runs` got the current one."""
        index = self._proxy.mapFromSource(self.runs_model.index(row, 0))
        if index.isValid():   # else the search leaves it out
            flags = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
            self.selectionModel().setCurrentIndex(index, flags)

    def selected_runs(self) -> list[int]:
        """Return the places of the selected runs, in the order in which they were selected."""
        return list(self._selected)

    def selected_text(self, separator: str = "\t") -> str:
        """Return the selected rows, or all where none is, as a person sees them, with a line of titles."""
        selected = sorted(index.row() for index in self.selectionModel().selectedRows())
        rows = selected or range(self._proxy.rowCount())
        sources = [self._proxy.mapToSource(self._proxy.index(row, 0)).row() for row in rows]
        shown = [at for at in range(len(COLUMNS)) if not self.isColumnHidden(at)]
        lines = [[COLUMNS[at].title for at in shown]]
        lines += [[self.runs_model.cells(row)[at] for at in shown] for row in sources]
        out = io.StringIO()
        csv.writer(out, delimiter=separator, lineterminator="\n").writerows(lines)
        return out.getvalue().rstrip("\n")

    @Slot()
    def copy_text(self) -> None:
        """Copy for a spreadsheet or a text."""
        QGuiApplication.clipboard().setText(self.selected_text())

    @Slot()
    def copy_csv(self) -> None:
        """Copy as lines of a CSV file."""
        QGuiApplication.clipboard().setText(self.selected_text(","))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy with Ctrl+C."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy_text()
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
        if not self._proxy.rowCount():
            painter.setPen(QColor(current_theme().muted))
            painter.drawText(self.viewport().rect(), Qt.AlignmentFlag.AlignCenter, self.empty_text())
        painter.end()

    def empty_text(self) -> str:
        """Return why there is nothing to see, empty where there is something."""
        if self._proxy.rowCount():
            return ""
        found = self.runs_model.rowCount()
        return "No run matches the search" if found else "Runs appear here as they start or are opened"

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

    @Slot(QItemSelection, QItemSelection)
    def on_selection_changed(self, selected: QItemSelection, deselected: QItemSelection) -> None:
        """Pass on which rows are selected now."""
        now = {self._proxy.mapToSource(index).row() for index in self.selectionModel().selectedRows()}
        kept = [row for row in self._selected if row in now]
        self._selected = [*kept, *sorted(now.difference(kept))]
        self.selection_changed.emit(self.selected_runs())

    @Slot(object)
    def on_theme_changed(self, theme: object) -> None:
        """Take the new colours."""
        self.viewport().update()

    def _longest(self) -> list[int]:
        """Return the number of characters of the longest words in each column."""
        rows = [self.runs_model.cells(row) for row in range(len(self.runs_model.recorders))]
        return [max(map(len, words)) for words in zip(*rows, strict=True)]

    def _fit_columns(self) -> None:
        self._fitted_for = self._longest()
        bold = QFont(self.font())
        bold.setBold(True)
        plain, strong = QFontMetrics(self.font()), QFontMetrics(bold)
        rows = [self.runs_model.cells(row) for row in range(len(self.runs_model.recorders))]
        for at, column in enumerate(COLUMNS):
            same = len(rows) > 1 and at != RUN and len({row[at] for row in rows}) == 1
            self.setColumnHidden(at, column.key not in self.shown_keys or (self.diff_only and same))
            if at == len(COLUMNS) - 1 or self.isColumnHidden(at):
                continue   # the last has what is left; its words are in the tooltip where they are cut
            around = 26 + (SAMPLE_PX + 10 if at == RUN else 0)
            need = max(
                self.sizeHintForColumn(at) + 2,
                self.horizontalHeader().sectionSizeHint(at) + 2,
                (strong if at == VERDICT else plain).horizontalAdvance(column.widest) + around,
            )
            need = min(need, column.most_px)
            if need > self.columnWidth(at):   # never narrower while numbers change
                self.setColumnWidth(at, need)


class _BarDelegate(QStyledItemDelegate):
    """Draws a thin bar below numbers that have one."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Paint the cell, then the bar over its lower edge."""
        super().paint(painter, option, index)
        share = index.data(BAR_ROLE)
        if share is None:
            return
        theme, cell = current_theme(), option.rect
        track = QRect(cell.left() + 8, cell.bottom() - _BAR_PX, cell.width() - 16, _BAR_PX)
        painter.fillRect(track, QColor(theme.grid))
        track.setWidth(max(round(track.width() * share), 1))
        painter.fillRect(track, QColor(theme.accent))


def tabular(font: QFont) -> QFont:
    """Return the font with digits of equal width, where it has them."""
    font = QFont(font)
    font.setFeature(QFont.Tag("tnum"), 1)
    return font
