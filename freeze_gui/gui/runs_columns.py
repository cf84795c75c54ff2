"""Which columns of the table of runs are there, and how wide they are."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QFont, QFontMetrics
from PySide6.QtWidgets import QStyleOptionViewItem, QTableView

from freeze_gui.gui.compare_columns import COLUMNS
from freeze_gui.gui.compare_table_model import EQUALS, RUN, VERDICT, RunsModel
from freeze_gui.gui.run_look import SAMPLE_PX

_LAST = len(COLUMNS) - 1
_CUT_PX = 132   # the names of equal runs are cut to it where there is no more room; they are in the tooltip
_AROUND_TITLE_PX = 20   # its padding in the style sheet, and a little more


class RunsColumns(QObject):
    """Gives the columns their widths: of new words alone, however many rows there are.

    Attributes
    ----------
    shown_keys, diff_only
        The columns that a person wants, and whether those that are the same in all rows are left out. `fit` follows.
    is_fitted
        Whether nothing has become wider since the last `fit`.
    """

    def __init__(self, table: QTableView, model: RunsModel) -> None:
        super().__init__(table)
        self._table, self._model = table, model
        self._metrics = table.fontMetrics()
        self.diff_only = self.is_fitted = False
        self.shown_keys = frozenset(column.key for column in COLUMNS if column.shown)
        self._names_need = self._names_width = self._equals_need = self._equals_width = self._last_need = 0
        self.forget()
        model.cells_changed.connect(self.on_cells_changed)
        model.modelReset.connect(self.forget)

    @Slot()
    def forget(self) -> None:
        """Begin anew: no row that was measured is there any more."""
        self._widest_px, self._widest_row = [0] * len(COLUMNS), [0] * len(COLUMNS)

    def measure_anew(self) -> None:
        """Measure all words, if the table has another font by now."""
        if self._table.fontMetrics() == self._metrics:
            return
        self._metrics = self._table.fontMetrics()
        self.forget()
        for row in range(self._model.rowCount()):
            self.on_cells_changed(row, range(len(COLUMNS)))

    @Slot(int, object)
    def on_cells_changed(self, row: int, columns: Iterable[int]) -> None:
        """Measure new words: of all that were measured before, the width of the widest is known."""
        self.is_fitted &= not self.diff_only   # what was the same in all rows may be so no more
        for at in columns:
            wide = self._width(row, at)
            if wide > self._widest_px[at]:
                self._widest_px[at], self._widest_row[at], self.is_fitted = wide, row, False
            elif at == RUN and row == self._widest_row[RUN]:   # the longest name is shorter now, or another one is it
                self.is_fitted = False

    def fit(self) -> None:
        """Show and hide columns, and give them the widths that their words need."""
        self.is_fitted = True
        for at, column in enumerate(COLUMNS):
            hidden = column.key not in self.shown_keys or (self.diff_only and at != RUN and self._model.is_same(at))
            self._table.setColumnHidden(at, hidden)
            if at in (RUN, EQUALS, _LAST) or hidden:
                continue   # the last has what is left; its words are in the tooltip where they are cut
            need = min(max(self._needed_width(at), self._usual_width(at)), column.most_px)
            if need > self._table.columnWidth(at):   # never narrower while numbers change
                self._table.setColumnWidth(at, need)
        self._names_need = min(self._needed_width(RUN), COLUMNS[RUN].most_px)
        self._equals_need = min(self._needed_width(EQUALS), COLUMNS[EQUALS].most_px)
        self._last_need = min(self._needed_width(_LAST), COLUMNS[_LAST].most_px)
        self.fit_names()

    def fit_names(self) -> None:
        """Share what the other columns leave: first for the names, then for the last, then for those that are the same.

        A width that a person chose stays.
        """
        table = self._table
        others = sum(table.columnWidth(at) for at in range(RUN + 1, _LAST) if at != EQUALS)   # 0 of hidden ones
        last = 0 if table.isColumnHidden(_LAST) else self._usual_width(_LAST)
        room = table.viewport().width() - others - last
        least = 0 if table.isColumnHidden(EQUALS) else min(max(self._equals_need, self._usual_width(EQUALS)), _CUT_PX)
        if self._is_ours(RUN, self._names_width):
            self._names_width = max(min(self._names_need, room - least), self._usual_width(RUN))
            table.setColumnWidth(RUN, self._names_width)
        if least and self._is_ours(EQUALS, self._equals_width):
            more = max(self._last_need - last, 0) if last else 0
            self._equals_width = max(min(self._equals_need, room - more - table.columnWidth(RUN)), least)
            table.setColumnWidth(EQUALS, self._equals_width)

    def _is_ours(self, at: int, width: int) -> bool:
        """Tell whether a column has the width that it was given here or at first, and none of a person."""
        return self._table.columnWidth(at) in (width, self._table.horizontalHeader().defaultSectionSize())

    def _needed_width(self, at: int) -> int:
        """Return the width of the widest words of a column: Qt would lay out every cell of it."""
        if not self._model.rowCount():
            return 0
        if self._width(self._widest_row[at], at) < self._widest_px[at]:   # it has other words by now
            widths = ((self._width(row, at), row) for row in range(self._model.rowCount()))
            self._widest_px[at], self._widest_row[at] = max(widths)
        option = QStyleOptionViewItem()
        self._table.initViewItemOption(option)
        index = self._model.index(self._widest_row[at], at)
        return self._table.itemDelegate().sizeHint(option, index).width() + 2

    def _width(self, row: int, at: int) -> int:
        return self._metrics.horizontalAdvance(self._model.words(row, at))

    def _usual_width(self, at: int) -> int:
        """Return the width of a column with its title and what usually stands in it.

        Qt's own hint has room for an arrow beside the title; ours is above it.
        """
        font = QFont(self._table.font())
        font.setBold(at == VERDICT)
        around = 26 + (SAMPLE_PX + 10 if at == RUN else 0)
        widest = QFontMetrics(font).horizontalAdvance(COLUMNS[at].widest) + around
        title = self._table.horizontalHeader().fontMetrics().horizontalAdvance(COLUMNS[at].title)
        return max(title + _AROUND_TITLE_PX, widest)
