"""What a window remembers of its runs from one day to the next: which are open, and which stand side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freeze_gui.gui.main_window import MainWindow
    from freeze_gui.runs.recorder import RunRecorder

MOST_RESTORED = 12
"""So many of the last session's runs come back by themselves; all others are in the library."""


class Session:
    """Written down at every change, as a crash asks nobody: Qt writes settings to disk in its next turn.

    Attributes
    ----------
    to_restore
        Files of the last session's runs that have not come back yet.
    """

    def __init__(self, window: MainWindow) -> None:
        self._window = window
        self.to_restore = window.settings.open_runs[-MOST_RESTORED:]

    def remember(self, paths: Mapping[RunRecorder, Path]) -> None:
        """Write down what is open; what is still to come counts as open."""
        settings, bench = self._window.settings, self._window.workbench
        runs = [paths[recorder] for recorder in bench.runs if recorder in paths]
        settings.open_runs = [*self.to_restore, *runs][-MOST_RESTORED:]
        if bench.beside.recorders or not self.to_restore:
            settings.side_by_side = [paths[recorder] for recorder in bench.beside.recorders if recorder in paths]
            settings.in_turns = bench.beside.took_turns(bench.beside.recorders)

    def bring_together(self, paths: Mapping[RunRecorder, Path]) -> None:
        """Put side by side what stood so last time, unless something else does already."""
        known = {path: recorder for recorder, path in paths.items()}
        recorders = [known[path] for path in self._window.settings.side_by_side if path in known]
        beside = self._window.workbench.beside
        if len(recorders) > 1 and not beside.recorders:
            beside.show(recorders, in_turns=self._window.settings.in_turns)
