"""Small heatmaps side by side, one a run, on one colour scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from freeze_gui.gui.common_scale import CommonScale
from freeze_gui.gui.heatmap_legend import HeatmapLegend
from freeze_gui.gui.run_tile import LEAST_PX, RunTile
from freeze_gui.gui.tab_order import order_tabs
from freeze_gui.gui.theme import theme_manager
from freeze_gui.gui.tile_grid import TileGrid
from freeze_gui.gui.turns import InTurns

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder

MOST_IN_A_ROW = 4
REST_MS = 30
"""So long the size of the window stays before the heatmaps are drawn anew for it."""
TILE_PX = 132
"""Least width of a tile; where there is room for more than `MOST_IN_A_ROW` of twice this width, a row has more."""


class CompareTiles(QWidget):
    """A grid of tiles that scrolls, and the legend of their common scale.

    Only what is in sight, or a row away from it, has a tile: what scrolls out of sight gives its tile to what comes in.
    So hundreds of runs cost no more than those that have room.

    Attributes
    ----------
    tiles
        The tile of each place that has one.
    comes_after
        From where Tab comes to the first tile; None where that does not matter.

    Signals
    -------
    layer_clicked(str), step_hovered(object), reset_requested()
        Those of the heatmaps.
    tile_chosen(int, bool)
        A tile was clicked: its place, and whether it is chosen beside another (Ctrl).
    """

    layer_clicked = Signal(str)
    step_hovered = Signal(object)
    reset_requested = Signal()
    tile_chosen = Signal(int, bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.tiles: dict[int, RunTile] = {}
        self.recorders: list[RunRecorder] = []
        self._numbers: list[int] = []
        self._made: list[RunTile] = []
        self.comes_after: QWidget | None = None
        self._near: list[int] = []   # the places that have, or are given, a tile
        self._filling: Iterator[None] = iter(())
        self._chosen: Sequence[RunRecorder] = ()
        self._cursor: float | None = None
        self._scale = CommonScale()
        self._metric = "weight_delta"
        self._filter: tuple[str, ...] | None = None
        self._selected: Sequence[str] = ()
        self._x_range: tuple[float | None, float | None] = None, None
        self.legend = HeatmapLegend(self)
        self._grid = TileGrid(LEAST_PX, self)
        self.area = QScrollArea(self)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setWidgetResizable(True)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)   # the heatmaps in it have the keyboard
        self.area.setMinimumSize(MOST_IN_A_ROW * TILE_PX, 104)
        self.area.setWidget(self._grid)
        self.area.verticalScrollBar().valueChanged.connect(self.on_scrolled)
        self.area.verticalScrollBar().rangeChanged.connect(self.refresh_later)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.area, 1)
        column.addWidget(self.legend)
        self._turns = InTurns(self)
        theme_manager().changed.connect(self.on_theme_changed)

    def set_runs(self, recorders: Sequence[RunRecorder], numbers: Sequence[int]) -> None:
        """Show these runs, in this order: a row of tiles at once, the others with the next refresh.

        Those that wait have an empty place.
        """
        self.recorders, self._numbers, self._chosen, self.tiles = list(recorders), list(numbers), (), {}
        self.area.verticalScrollBar().setValue(0)
        self._place()
        self._near = self._places()
        self._filling = self._fill()
        for _ in range(MOST_IN_A_ROW):
            next(self._filling, None)

    def _places(self) -> list[int]:
        """Return the places in sight and beside it, and the one that has the keyboard."""
        top = self.area.verticalScrollBar().value()
        near = self._grid.places(top, top + self.area.viewport().height())
        return sorted({*near, *(at for at, tile in self.tiles.items() if tile.heatmap.hasFocus())})

    def _fill(self) -> Iterator[None]:
        """Give each place its tile: the one that its run had, for what that shows is still right, or another one."""
        known = {id(tile.recorder): tile for tile in self._made}
        seen = {id(tile.recorder) for tile in self._shown()}
        wanted = {id(self.recorders[at]): at for at in self._near}
        spare = [tile for tile in self._made if id(tile.recorder) not in wanted]
        for tile in spare:
            tile.hide()
        self.tiles = {}
        self._grid.clear()
        for run, at in sorted(wanted.items(), key=lambda item: item[0] not in seen):   # what is there stays where it is
            tile = known.get(run) or (spare.pop() if spare else self._new_tile())
            tile.set_run(self.recorders[at], self._numbers[at])
            tile.set_chosen(any(tile.recorder is other for other in self._chosen))
            self.tiles[at] = tile
            self._grid.put(at, tile)
            if tile.isHidden():
                self._set_as_the_others(tile)
                tile.show()
                yield
        before = [] if self.comes_after is None else [self.comes_after]
        order_tabs(*before, *(self.tiles[at] for at in sorted(self.tiles)))

    def _set_as_the_others(self, tile: RunTile) -> None:
        tile.heatmap.set_metric(self._metric)
        tile.heatmap.set_selected(self._selected)
        tile.heatmap.set_x_range(*self._x_range)
        tile.heatmap.set_cursor(self._cursor)
        tile.show_rows(self._filter)

    def _shown(self) -> list[RunTile]:
        """Return the tiles that are not hidden: those of these runs, and while they come in turns more than `tiles`."""
        return [tile for tile in self._made if not tile.isHidden()]

    def set_metric(self, metric: str) -> None:
        """Show ``weight_delta``, ``update_norm`` or ``grad_norm``."""
        self._metric = metric
        for tile in self._shown():
            tile.heatmap.set_levels(1.0, None)
            tile.heatmap.set_metric(metric)
        self.refresh()

    def set_selected(self, paths: Sequence[str]) -> None:
        """Highlight the rows of these layers."""
        self._selected = paths
        for tile in self._shown():
            tile.heatmap.set_selected(paths)

    def set_row_filter(self, layers: tuple[str, ...] | None) -> None:
        """Show only these layers; None shows all."""
        if layers == self._filter:
            return
        self._filter = layers
        for tile in self._shown():
            tile.show_rows(layers)

    def set_x_range(self, start: float | None, stop: float | None = None) -> None:
        """Show the steps from `start` to `stop`; None shows the whole runs."""
        self._x_range = start, stop
        for tile in self._shown():
            tile.heatmap.set_x_range(start, stop)

    def set_cursor(self, step: float | None) -> None:
        """Draw the cursor in every heatmap."""
        self._cursor = step
        for tile in self._shown():
            tile.heatmap.set_cursor(step)

    def mark(self, chosen: Sequence[RunRecorder]) -> None:
        """Put a frame around the tiles of these runs."""
        self._chosen = list(chosen)
        for tile in self.tiles.values():
            tile.set_chosen(any(tile.recorder is other for other in chosen))

    def set_short(self, short: bool) -> None:
        """Save height in the legend."""
        self.legend.set_short(short)

    @Slot()
    def refresh(self) -> None:
        """Draw what has arrived since the last call, in the tiles that are seen."""
        if self.isVisible():
            self._turns.start(self.refreshed())

    @Slot()
    def refresh_later(self) -> None:
        """Draw what somebody has seen to be old, once the size has rested: while it changes, pictures stretch."""
        self._turns.start_later(self.refreshed(), REST_MS)

    def refreshed(self) -> Iterator[None]:
        """Do a refresh in small pieces."""
        if (near := self._places()) != self._near:
            self._near = near
            self._filling = self._fill()
        while next(self._filling, True) is None:   # the newest: other runs may have come since
            yield
        yield from self._scale.look([one.history for one in self.recorders if one.history is not None], self._metric)
        self._share_levels()
        for tile in list(self.tiles.values()):
            if not tile.visibleRegion().isEmpty():
                tile.refresh()
                yield

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Use the width for more tiles in a row."""
        super().resizeEvent(event)
        self._place()
        self.refresh_later()

    @Slot(bool)
    def on_tile_clicked(self, beside: bool) -> None:
        """Pass on which tile it was."""
        tile = self.sender()
        if isinstance(tile, RunTile):
            self.tile_chosen.emit(next(at for at, other in self.tiles.items() if other is tile), beside)

    @Slot(int)
    def on_scrolled(self, value: int) -> None:
        """Draw what has come into sight."""
        self.refresh()

    @Slot(object)
    def on_theme_changed(self, theme: object) -> None:
        """Take the new colours."""
        for tile in self._shown():
            tile.restyle()
        self.refresh()

    def _new_tile(self) -> RunTile:
        tile = RunTile(self._grid)
        tile.heatmap.layer_clicked.connect(self.layer_clicked)
        tile.heatmap.step_hovered.connect(self.step_hovered)
        tile.heatmap.reset_requested.connect(self.reset_requested)
        tile.heatmap.outdated.connect(self.refresh_later)
        tile.clicked.connect(self.on_tile_clicked)
        tile.hide()
        self._made.append(tile)
        return tile

    def _place(self) -> None:
        """Put the tiles where the width wants them, and leave room for those to come."""
        count = len(self.recorders)
        self._grid.set_places(count, tiles_per_row(count, max(MOST_IN_A_ROW, self.width() // (2 * TILE_PX))))

    def _share_levels(self) -> None:
        """Give every heatmap the scale that holds the data of all."""
        if (levels := self._scale.levels) is None:
            return
        for tile in self.tiles.values():
            tile.heatmap.set_levels(10.0 ** levels[0], 10.0 ** levels[1])
        self.legend.set_scale(self._metric, levels)


def tiles_per_row(count: int, most: int = MOST_IN_A_ROW) -> int:
    """Return how many heatmaps stand side by side: up to `most`, and rows as even as can be."""
    rows = -(-count // most)
    return -(-count // rows) if rows else 1
