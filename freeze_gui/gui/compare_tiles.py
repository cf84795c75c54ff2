"""Small heatmaps side by side, one a run, on one colour scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from freeze_gui.gui.heatmap_legend import HeatmapLegend
from freeze_gui.gui.run_tile import LEAST_PX, RunTile
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
        self.tiles: list[RunTile] = []
        self.recorders: list[RunRecorder] = []
        self._numbers: list[int] = []
        self._made: list[RunTile] = []
        self._filling: Iterator[None] = iter(())
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
        self.recorders, self._numbers = list(recorders), list(numbers)
        self._filling = self._fill()
        for _ in range(MOST_IN_A_ROW):
            next(self._filling, None)
        self.area.verticalScrollBar().setValue(0)

    def _fill(self) -> Iterator[None]:
        """Give each run its tile: the one that it had, for what that shows is still right, or another one."""
        wanted = {id(recorder) for recorder in self.recorders}
        known = {id(tile.recorder): tile for tile in self._made}
        spare = [tile for tile in self._made if id(tile.recorder) not in wanted]
        for tile in spare:
            tile.hide()
        self.tiles = []
        self._grid.clear()
        self._place()
        for recorder, number in zip(self.recorders, self._numbers, strict=True):
            tile = known.get(id(recorder)) or (spare.pop() if spare else self._new_tile())
            tile.set_run(recorder, number)
            tile.set_chosen(False)
            self.tiles.append(tile)
            self._grid.add(tile)
            if tile.isHidden():
                tile.heatmap.set_metric(self._metric)
                tile.heatmap.set_selected(self._selected)
                tile.heatmap.set_x_range(*self._x_range)
                tile.show_rows(self._filter)
                tile.show()
                yield

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
        for tile in self._shown():
            tile.heatmap.set_cursor(step)

    def mark(self, chosen: Sequence[RunRecorder]) -> None:
        """Put a frame around the tiles of these runs."""
        for tile, recorder in zip(self.tiles, self.recorders, strict=False):
            tile.set_chosen(any(recorder is other for other in chosen))

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
        for _ in self._filling:
            yield
        for tile in self.tiles:
            tile.heatmap.own_levels()   # looks at what is new
            yield
        self._share_levels()
        for tile in self.tiles:
            if not tile.visibleRegion().isEmpty():
                tile.refresh()
                yield

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Use the width for more tiles in a row."""
        super().resizeEvent(event)
        self._place()

    @Slot(bool)
    def on_tile_clicked(self, beside: bool) -> None:
        """Pass on which tile it was."""
        tile = self.sender()
        if isinstance(tile, RunTile):
            self.tile_chosen.emit(self.tiles.index(tile), beside)

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
        own = [levels for tile in self.tiles if (levels := tile.heatmap.own_levels()) is not None]
        if not own:
            return
        low, high = min(levels[0] for levels in own), max(levels[1] for levels in own)
        for tile in self.tiles:
            tile.heatmap.set_levels(low, high)
        self.legend.set_scale(self._metric, self.tiles[0].heatmap.levels())


def tiles_per_row(count: int, most: int = MOST_IN_A_ROW) -> int:
    """Return how many heatmaps stand side by side: up to `most`, and rows as even as can be."""
    rows = -(-count // most)
    return -(-count // rows) if rows else 1
