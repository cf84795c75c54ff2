"""The tree itself: which columns are how wide, which rows are open, and how one column is painted anew."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QEvent,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    Slot,
)
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QStyleOptionViewItem, QTreeView, QWidget

from freeze_gui.gui.layer_cells import DELTA, FREEZE, PARAMS, STATE, STATISTICS
from freeze_gui.gui.layer_look import RowLook
from freeze_gui.gui.layer_model import LayerModel
from freeze_gui.gui.layer_paint import RowPainter
from freeze_gui.gui.theme import theme_manager

Index = QModelIndex | QPersistentModelIndex

_OPEN_ROWS = 60   # more would not fit a screen
_FOUND_ROWS = 300   # what is found beyond stays closed, but is there: nobody reads so far, and each row takes its time
_LOOKS = (
    QEvent.Type.FontChange, QEvent.Type.StyleChange, QEvent.Type.PaletteChange, QEvent.Type.EnabledChange,
)  # fmt: skip
_LEAST_NAME = "0" * 8   # names are cut, but never to nothing: in large letters the other columns took all the room
_MODE = QHeaderView.ResizeMode
_SELECT = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows


class LayerView(QTreeView):
    """A tree of layers: Space ticks, several rows can be selected."""

    def __init__(self, model: LayerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("layerTree")
        self.setAccessibleName("Layers")
        self._model = model
        self._look: RowLook | None = None
        self._made_for = (0, 1.0)
        self._painter: RowPainter | None = None   # while it paints
        self.setModel(model)
        self.setUniformRowHeights(True)
        self.setAllColumnsShowFocus(True)
        self.setIndentation(12)
        self.setExpandsOnDoubleClick(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setIconSize(QSize(14, 14))
        self._size_columns()
        theme_manager().changed.connect(self.on_theme_changed)

    def open_first_levels(self) -> None:
        """Open as many levels as fit on a screen, and go to the first row."""
        model = self.model()
        level, rows_open = [model.index(0, 0)], 1
        while level and rows_open <= _OPEN_ROWS:
            deeper = [model.index(row, 0, index) for index in level for row in range(model.rowCount(index))]
            rows_open += len(deeper)
            if rows_open > _OPEN_ROWS and level[0].parent().isValid():
                break
            for index in level:
                self.setExpanded(index, True)
            level = deeper
        self.setCurrentIndex(QModelIndex())
        self.clearSelection()

    def open_rows(self) -> list[QModelIndex]:
        """Return the rows that are open and can be seen, parents first."""
        model, found = self.model(), []
        waiting = [model.index(0, 0)]
        while waiting:
            index = waiting.pop()
            if self.isExpanded(index):
                found.append(index)
                waiting += [model.index(row, 0, index) for row in range(model.rowCount(index))]
        return found

    def open_all_that_fits(self) -> None:
        """Open everything from the top down to some hundred rows."""
        model, count = self.model(), 0
        waiting = [model.index(0, 0)]
        while waiting and count < _FOUND_ROWS:
            index = waiting.pop()
            below = model.rowCount(index)
            if below:
                self.setExpanded(index, True)
                count += below
                waiting += [model.index(row, 0, index) for row in reversed(range(below))]

    def choose(self, index: QModelIndex) -> None:
        """Select one row and show it."""
        if index.isValid():
            self.selectionModel().setCurrentIndex(index, _SELECT)
            self.scrollTo(index)

    def show_statistics(self, there: bool) -> None:
        """Show the column of running statistics where a layer has any; else the names have its room."""
        self.setColumnHidden(STATISTICS, not there)
        self.fit_names()

    def repaint_column(self, column: int) -> None:
        """Paint one column again, and nothing else."""
        area = QRect(self.columnViewportPosition(column), 0, self.columnWidth(column), self.viewport().height())
        self.viewport().update(area)

    def dataChanged(self, top_left: Index, bottom_right: Index, roles: Sequence[int] = ()) -> None:
        """Paint again what can be seen.

        Since Qt 6.7 the base class looks up the place of every changed cell, seen or not: 0.7 s for 20,000 rows.
        """
        self.viewport().update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the rows that are in the area."""
        first = self.indexAt(QPoint(0, 0))
        if first.isValid():
            self._painter = RowPainter(self, event.rect(), self._model.cells, self._look_for(self.rowHeight(first)))
        super().paintEvent(event)
        self._painter = None   # it knows the view: kept, the two would hold each other

    def drawRow(self, painter: QPainter, options: QStyleOptionViewItem, index: Index) -> None:
        """Paint one row without the many questions of the base class."""
        if self._painter is not None:
            self._painter.paint(painter, options, index)

    def changeEvent(self, event: QEvent) -> None:
        """Look anew with another font, style or palette: a theme comes with the last two."""
        super().changeEvent(event)
        if event.type() in _LOOKS:
            self._look = None
        if event.type() == QEvent.Type.FontChange:
            self._size_columns()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Share the new width."""
        super().resizeEvent(event)
        self.fit_names()

    @Slot()
    def fit_names(self) -> None:
        """Give the names what the other columns leave; where that is next to nothing, the view scrolls sideways."""
        header = self.header()
        others = sum(header.sectionSize(column) for column in range(header.count()) if column != FREEZE)
        least = 3 * self.indentation() + QFontMetrics(self.font()).horizontalAdvance(_LEAST_NAME)
        narrow = self.viewport().width() - others < least
        header.setSectionResizeMode(FREEZE, _MODE.Fixed if narrow else _MODE.Stretch)
        if narrow:
            header.resizeSection(FREEZE, least)

    @Slot(object)
    def on_theme_changed(self, theme: object) -> None:
        """Paint in the new colours."""
        self.viewport().update()

    def _look_for(self, height: int) -> RowLook:
        """Return how rows of this height look on this screen."""
        made_for = height, self.devicePixelRatioF()
        if self._look is None or made_for != self._made_for:
            self._look, self._made_for = RowLook(self, height), made_for
        return self._look

    def _size_columns(self) -> None:
        metrics = QFontMetrics(self.font())
        header = self.header()
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(40)
        header.setSectionsMovable(False)
        widest = {PARAMS: "Params", DELTA: "000000", STATE: "leaked: momentum", STATISTICS: "moving"}
        for column, text in widest.items():
            extra = 28 if column == STATE else 16
            header.resizeSection(column, metrics.horizontalAdvance(text) + extra)
        self.fit_names()
