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
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QStyleOptionViewItem, QTableView, QWidget

from freeze_gui.gui.compare_columns import COLUMNS
from freeze_gui.gui.compare_table_model import RUN, SORT_ROLE, VERDICT, RunsModel
from freeze_gui.gui.run_look import SAMPLE_PX
from freeze_gui.gui.runs_delegate import RunsDelegate
from freeze_gui.gui.theme import current_theme, theme_manager

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder

ROW_PX = 25
LEAST_ROWS = 3
_AROUND_TITLE_PX = 20   # its padding in the style sheet, and a little more


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
        self.setItemDelegate(RunsDelegate(self))
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
        self._names_need = self._names_width = 0
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

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Let long names have more of a wide table and less of a narrow one."""
        super().resizeEvent(event)
        self._fit_names()

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
        rows = [self.runs_model.cells(row) for row in range(len(self.runs_model.recorders))]
        for at, column in enumerate(COLUMNS):
            same = len(rows) > 1 and at != RUN and len({row[at] for row in rows}) == 1
            self.setColumnHidden(at, column.key not in self.shown_keys or (self.diff_only and same))
            if at in (RUN, len(COLUMNS) - 1) or self.isColumnHidden(at):
                continue   # the last has what is left; its words are in the tooltip where they are cut
            need = min(max(self._needed_width(at, rows), self._usual_width(at)), column.most_px)
            if need > self.columnWidth(at):   # never narrower while numbers change
                self.setColumnWidth(at, need)
        self._names_need = min(self._needed_width(RUN, rows), COLUMNS[RUN].most_px)
        self._fit_names()

    def _fit_names(self) -> None:
        """Give the names the width that the other columns leave, unless a person chose one."""
        if self.columnWidth(RUN) not in (self._names_width, self.horizontalHeader().defaultSectionSize()):
            return
        others = sum(self.columnWidth(at) for at in range(RUN + 1, len(COLUMNS) - 1))   # 0 of those that are hidden
        if not self.isColumnHidden(len(COLUMNS) - 1):
            others += self._usual_width(len(COLUMNS) - 1)
        room = self.viewport().width() - others
        self._names_width = max(min(self._names_need, room), self._usual_width(RUN))
        self.setColumnWidth(RUN, self._names_width)

    def _needed_width(self, at: int, rows: Sequence[Sequence[str]]) -> int:
        """Return the width of the widest words of a column: Qt would lay out every cell of it."""
        if not rows:
            return 0
        metrics, option = self.fontMetrics(), QStyleOptionViewItem()
        widest = max(range(len(rows)), key=lambda row: metrics.horizontalAdvance(rows[row][at]))
        self.initViewItemOption(option)
        return self.itemDelegate().sizeHint(option, self.runs_model.index(widest, at)).width() + 2

    def _usual_width(self, at: int) -> int:
        """Return the width of a column with its title and what usually stands in it.

        Qt's own hint has room for an arrow beside the title; ours is above it.
        """
        font = QFont(self.font())
        font.setBold(at == VERDICT)
        around = 26 + (SAMPLE_PX + 10 if at == RUN else 0)
        widest = QFontMetrics(font).horizontalAdvance(COLUMNS[at].widest) + around
        title = self.horizontalHeader().fontMetrics().horizontalAdvance(COLUMNS[at].title)
        return max(title + _AROUND_TITLE_PX, widest)


def tabular(font: QFont) -> QFont:
    """Return the font with digits of equal width, where it has them."""
    font = QFont(font)
    font.setFeature(QFont.Tag("tnum"), 1)
    return font
