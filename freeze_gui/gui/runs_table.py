"""The table of runs: one row a run, with its verdict, score and cost."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import (
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QSize,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import (
    QColor,
    QFont,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from freeze_gui.gui.compare_columns import COLUMNS
from freeze_gui.gui.compare_table_model import RUN, RunsModel
from freeze_gui.gui.run_look import SAMPLE_PX
from freeze_gui.gui.runs_columns import RunsColumns
from freeze_gui.gui.runs_delegate import RunsDelegate
from freeze_gui.gui.runs_order import RunsOrder
from freeze_gui.gui.theme import current_theme, theme_manager
from freeze_gui.gui.turns import InTurns

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder

ROW_PX = 25
LEAST_ROWS = 3
AT_ONCE = 12
"""So many new rows are filled as they come, which takes a few milliseconds."""


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
        self._proxy = RunsOrder(self.runs_model, self)
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
        self.columns = RunsColumns(self, self.runs_model)
        self._selected: list[int] = []
        self._turns = InTurns(self)
        self.runs_model.modelReset.connect(self.on_reset)
        self.runs_model.bars_changed.connect(self.on_bars_changed)
        self.selectionModel().currentRowChanged.connect(self.on_current_changed)
        self.selectionModel().selectionChanged.connect(self.on_selection_changed)
        theme_manager().changed.connect(self.on_theme_changed)

    def set_runs(self, recorders: Sequence[RunRecorder]) -> None:
        """Show these runs: the latest at once, the others in the next turns of the event loop."""
        new = self.runs_model.set_runs(recorders)
        work = self._refreshed()
        for _ in range(min(new, AT_ONCE)):   # what others say of the new ones comes after them
            next(work, None)
        self.columns.fit()
        self.doItemsLayout()   # or the run that is chosen next is looked for among the rows before
        self._turns.start_later(work)

    def refresh(self) -> None:
        """Show what is new; costs next to nothing when hidden or when nothing is new."""
        if self.isVisible():
            self._turns.start(self._refreshed())

    def _refreshed(self) -> Iterator[None]:
        """Do a refresh in small pieces."""
        yield from self.runs_model.refreshed()
        if not self.columns.is_fitted:
            self.columns.fit()

    def set_diff_only(self, diff_only: bool) -> None:
        """Hide the columns in which all runs are equal."""
        self.columns.diff_only = diff_only
        self.columns.fit()

    def set_shown_keys(self, keys: Iterable[str]) -> None:
        """Show the columns of these keys; the run's name is always there."""
        self.columns.shown_keys = frozenset(keys) | {COLUMNS[RUN].key}
        self.columns.fit()

    def set_search(self, text: str) -> None:
        """Show the runs in which these words stand somewhere."""
        self._proxy.set_search(text)

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
        self.runs_model.refresh()
        sources = [self._source_row(row) for row in self._selected_rows() or range(self._proxy.rowCount())]
        shown = [at for at in range(len(COLUMNS)) if not self.isColumnHidden(at)]
        lines = [[COLUMNS[at].title for at in shown]]
        lines += [[self.runs_model.words(row, at) for at in shown] for row in sources]
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
        self.columns.measure_anew()
        self.columns.fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Let long names have more of a wide table and less of a narrow one; the chosen run stays in sight."""
        row = self.visualRect(self.currentIndex())
        was_seen = row.isValid() and row.top() >= 0 and row.bottom() <= event.oldSize().height()
        super().resizeEvent(event)
        self.columns.fit_names()
        if was_seen:
            across = self.horizontalScrollBar().value()
            self.scrollTo(self.currentIndex())
            self.horizontalScrollBar().setValue(across)

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
        now = {self._source_row(row) for row in self._selected_rows()}
        kept = [row for row in self._selected if row in now]
        self._selected = [*kept, *sorted(now.difference(kept))]
        self.selection_changed.emit(self.selected_runs())

    @Slot(int)
    def on_bars_changed(self, column: int) -> None:
        """Paint a column anew."""
        left, width = self.columnViewportPosition(column), self.columnWidth(column)
        self.viewport().update(left, 0, width, self.viewport().height())

    @Slot(object)
    def on_theme_changed(self, theme: object) -> None:
        """Take the new colours."""
        self.viewport().update()

    def _selected_rows(self) -> list[int]:
        """Return the rows that are selected, as they stand; Qt's own way asks for every cell of each."""
        selection = self.selectionModel().selection()
        ranges = (selection.at(number) for number in range(selection.count()))
        return sorted({row for found in ranges for row in range(found.top(), found.bottom() + 1)})

    def _source_row(self, row: int) -> int:
        return self._proxy.mapToSource(self._proxy.index(row, 0)).row()

    @Slot()
    def on_reset(self) -> None:
        """Begin anew: no row that was selected is there any more."""
        self._selected = []


def tabular(font: QFont) -> QFont:
    """Return the font with digits of equal width, where it has them."""
    font = QFont(font)
    font.setFeature(QFont.Tag("tnum"), 1)
    return font
