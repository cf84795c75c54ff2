"""Which runs stand side by side: those of one comparison, or those that a person has put together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

if TYPE_CHECKING:
    from freeze_gui.gui.main_window import MainWindow
    from freeze_gui.gui.workbench import Workbench
    from freeze_gui.runs.recorder import RunRecorder

MOST_LATEST = 8
"""So many of the latest runs are offered to be put side by side."""
MOST_SELECTED = 100
"""So many selected runs stand side by side: a thousand heatmaps tell nobody anything, and would stop the window."""


class SideBySide(QObject):
    """Fills the comparison of one window, and follows a comparison that goes on.

    Attributes
    ----------
    recorders
        The runs that stand side by side, in order.

    Signals
    -------
    changed()
        Other runs stand side by side.
    """

    changed = Signal()

    def __init__(self, window: MainWindow, bench: Workbench) -> None:
        super().__init__(bench)
        self._window, self._bench = window, bench
        self.recorders: list[RunRecorder] = []
        self._pair_selected = False
        self._going_on: RunRecorder | None = None
        self._in_turns: list[list[RunRecorder]] = []
        window.compare_view.run_chosen.connect(self.on_tile_chosen)
        window.compare_view.latest_wanted.connect(self.show_latest)
        window.runs_table.selection_changed.connect(self.on_rows_selected)
        window.runs_panel.side_by_side_wanted.connect(self.on_wanted)

    def show(self, recorders: Sequence[RunRecorder], *, in_turns: bool = False) -> None:
        """Put these runs side by side; `in_turns` says that they take turns, or once took them."""
        controller, view = self._bench.controller, self._window.compare_view
        self.recorders = list(recorders)
        if in_turns:
            self._in_turns.append(self.recorders)
        view.comparing = controller.is_comparing and self.recorders == controller.recorders
        view.in_turns = in_turns
        view.set_runs(self.recorders, [self._bench.runs.index(recorder) for recorder in self.recorders])
        self.changed.emit()

    def took_turns(self, recorders: Sequence[RunRecorder]) -> bool:
        """Tell whether these runs took turns with each other, so that their times can be compared."""
        return any(all(recorder in group for recorder in recorders) for group in self._in_turns)

    def begin(self, recorders: Sequence[RunRecorder], *, in_turns: bool) -> None:
        """Show a comparison that has just begun."""
        self._going_on = None
        self.show(recorders, in_turns=in_turns)
        self._window.show_compare_tab()

    def follow(self) -> None:
        """Show the run that a comparison has come to."""
        begun = [recorder for recorder in self._bench.controller.recorders if recorder.status != "waiting"]
        if begun and begun[-1] is not self._going_on:
            self._going_on = begun[-1]
            if not self._pair_selected:   # else a person looks at two runs
                self.on_tile_chosen(begun[-1])

    def end(self) -> None:
        """Take away the progress of a comparison that has ended."""
        self._window.compare_view.comparing = False
        self._window.compare_view.refresh()

    @Slot()
    def show_latest(self) -> None:
        """Put the latest runs of the window side by side."""
        self.show(self._bench.runs[-MOST_LATEST:])

    @Slot(object)
    def on_rows_selected(self, rows: list[int]) -> None:
        """Put two selected runs against each other; fewer or more end that."""
        view = self._window.compare_view
        if len(rows) == 2:
            pair = [self._bench.runs[row] for row in rows]
            if any(run not in self.recorders for run in pair):
                self.show(pair)
            view.show_pair(*pair)
            self._window.show_compare_tab()
        elif self._pair_selected:
            view.show_tiles()
        self._pair_selected = len(rows) == 2

    @Slot(object)
    def on_wanted(self, rows: list[int]) -> None:
        """Show these runs beside each other, whenever they were made."""
        self.show([self._bench.runs[row] for row in sorted(rows)[:MOST_SELECTED]])
        self._window.show_compare_tab()
        if len(rows) > MOST_SELECTED:
            self._window.say(f"The first {MOST_SELECTED} of the {len(rows):,} selected runs stand side by side")

    @Slot(object)
    def on_tile_chosen(self, recorder: RunRecorder) -> None:
        """Show the run of a tile in table, verdict and tree."""
        self._window.runs_table.select_run(self._bench.runs.index(recorder))
