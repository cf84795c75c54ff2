"""Small heatmaps side by side, one a run, on one colour scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QScrollArea, QVBoxLayout, QWidget

from freeze_gui.gui.heatmap_legend import HeatmapLegend
from freeze_gui.gui.run_tile import RunTile
from freeze_gui.gui.theme import theme_manager
from freeze_gui.gui.turns import InTurns

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder

MOST_IN_A_ROW = 4
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
        self._metric = "weight_delta"
        self._filter: tuple[str, ...] | None = None
        self._per_row = 0
        self.legend = HeatmapLegend(self)
        self._grid = QGridLayout()
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(8)
        inside = QWidget(self)
        inside.setLayout(self._grid)
        self.area = QScrollArea(self)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setWidgetResizable(True)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)   # the heatmaps in it have the keyboard
        self.area.setMinimumSize(MOST_IN_A_ROW * TILE_PX, 104)
        self.area.setWidget(inside)
        self.area.verticalScrollBar().valueChanged.connect(self.on_scrolled)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.area, 1)
        column.addWidget(self.legend)
        self._turns = InTurns(self)
        theme_manager().changed.connect(self.on_theme_changed)

    def set_runs(self, recorders: Sequence[RunRecorder], numbers: Sequence[int]) -> None:
        """Show these runs, in this order; those that wait have an empty place."""
        drawn = {id(recorder): tile for recorder, tile in zip(self.recorders, self.tiles, strict=False)}
        self.recorders, self._numbers = list(recorders), list(numbers)
        kept = [drawn.pop(id(recorder), None) for recorder in self.recorders]   # what a run's tile shows is still right
        left = set(kept)
        spare = [tile for tile in self.tiles if tile not in left]
        self.tiles = [tile or (spare.pop() if spare else self._new_tile()) for tile in kept] + spare
        for at, recorder in enumerate(self.recorders):
            self.tiles[at].set_run(recorder, self._numbers[at])
        self.mark(())
        self._per_row = 0
        self._place()
        self.area.verticalScrollBar().setValue(0)

    def set_metric(self, metric: str) -> None:
        """Show ``weight_delta``, ``update_norm`` or ``grad_norm``."""
        self._metric = metric
        for tile in self.tiles:
            tile.heatmap.set_levels(1.0, None)
            tile.heatmap.set_metric(metric)
        self.refresh()

    def set_selected(self, paths: Sequence[str]) -> None:
        """Highlight the rows of these layers."""
        for tile in self.tiles:
            tile.heatmap.set_selected(paths)

    def set_row_filter(self, layers: tuple[str, ...] | None) -> None:
        """Show only these layers; None shows all."""
        self._filter = layers
        for tile in self.tiles:
            tile.show_rows(layers)

    def set_x_range(self, start: float | None, stop: float | None = None) -> None:
        """Show the steps from `start` to `stop`; None shows the whole runs."""
        for tile in self.tiles:
            tile.heatmap.set_x_range(start, stop)

    def set_cursor(self, step: float | None) -> None:
        """Draw the cursor in every heatmap."""
        for tile in self.tiles:
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
            self._turns.start(self._refreshed())

    @Slot()
    def refresh_later(self) -> None:
        """Draw soon what somebody has seen to be old."""
        self._turns.start_later(self._refreshed())

    def _refreshed(self) -> Iterator[None]:
        tiles = self.tiles[: len(self.recorders)]
        for tile in tiles:
            tile.heatmap.own_levels()   # looks at what is new
            yield
        self._share_levels()
        for tile in tiles:
            if not tile.visibleRegion().isEmpty():
                tile.refresh()
                yield

    def ensure_visible(self, at: int) -> None:
        """Scroll to the tile at this place."""
        self.area.ensureWidgetVisible(self.tiles[at], 0, 8)

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
        for at, recorder in enumerate(self.recorders):
            self.tiles[at].set_run(recorder, self._numbers[at])
        self.refresh()

    def _new_tile(self) -> RunTile:
        tile = RunTile(self)
        tile.heatmap.layer_clicked.connect(self.layer_clicked)
        tile.heatmap.step_hovered.connect(self.step_hovered)
        tile.heatmap.reset_requested.connect(self.reset_requested)
        tile.heatmap.outdated.connect(self.refresh_later)
        tile.clicked.connect(self.on_tile_clicked)
        tile.heatmap.set_metric(self._metric)
        return tile

    def _place(self) -> None:
        count = len(self.recorders)
        per_row = tiles_per_row(count, max(MOST_IN_A_ROW, self.width() // (2 * TILE_PX)))
        if per_row == self._per_row:
            return
        for column in range(self._grid.columnCount()):
            self._grid.setColumnStretch(column, int(column < per_row))
        self._per_row = per_row
        for at, tile in enumerate(self.tiles):
            self._grid.removeWidget(tile)
            tile.setVisible(at < count)
            if at < count:
                self._grid.addWidget(tile, at // per_row, at % per_row)
                self._grid.setColumnStretch(at % per_row, 1)

    def _share_levels(self) -> None:
        """Give every heatmap the scale that holds the data of all."""
        tiles = self.tiles[: len(self.recorders)]
        own = [levels for tile in tiles if (levels := tile.heatmap.own_levels()) is not None]
        if not own:
            return
        low, high = min(levels[0] for levels in own), max(levels[1] for levels in own)
        for tile in tiles:
            tile.heatmap.set_levels(low, high)
        self.legend.set_scale(self._metric, tiles[0].heatmap.levels())


def tiles_per_row(count: int, most: int = MOST_IN_A_ROW) -> int:
    """Return how many heatmaps stand side by side: up to `most`, and rows as even as can be."""
    rows = -(-count // most)
    return -(-count // rows) if rows else 1
