"""What each cell of the tree says: ready values by row, column and role, read by the item model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QIcon

from freeze_gui.gui.layer_rows import count_text, row_tip
from freeze_gui.gui.marks import state_mark
from freeze_gui.gui.row_states import STATES, STATISTICS_WORDS, RowState
from freeze_gui.gui.row_values import RowValues
from freeze_gui.models.layer_tree import LayerTree

FREEZE, PARAMS, DELTA, STATE, STATISTICS = range(5)
COLUMNS = ("Freeze", "Params", "Δ", "State", "Stats")
TIPS = (
    "A tick freezes a layer and everything below it.",
    "Parameter elements of this row and all below it.",
    "How far the layer has moved from its start, over the steps so far.",
    "What really happens to the layer; the tick says what is wanted.",
    "Whether the running statistics of a norm layer move in a run.",
)
PATH_ROLE = Qt.ItemDataRole.UserRole
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter   # joined once: it takes as long as to paint a row
LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
PLAIN = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
TICKABLE = PLAIN | Qt.ItemFlag.ItemIsUserCheckable


@dataclass
class LayerCells:
    """All that the cells of one tree are read from.

    Attributes
    ----------
    tree, values
        Its rows, and what they say now.
    totals
        Layers at and below each row.
    sparks
        Weight deltas of the run on show, shape (points, layers), 0 to 1; None without any.
    """

    tree: LayerTree
    values: RowValues
    sparks: NDArray[np.float64] | None = None
    totals: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.totals = self.tree.sums(np.ones(len(self.tree.layers), bool))

    def read(self, role: int, at: int, column: int) -> Any:
        """Return the value of a role in row `at`."""
        reader = _READERS.get(role)
        return reader(self, at, column) if reader is not None else None

    def text(self, at: int, column: int) -> str:
        """Return the words of a cell."""
        if column == FREEZE:
            return self.tree.nodes[at].name
        if column == PARAMS:
            return count_text(self.tree.nodes[at].parameters)
        if column == STATE:
            return self.state(at).words
        return STATISTICS_WORDS[self.values.statistics[at]] if column == STATISTICS else ""

    def check_state(self, at: int, column: int = FREEZE) -> Qt.CheckState | None:
        """Return the tick of a row, None where it has no box."""
        if column != FREEZE or not (total := self.totals[at]):
            return None
        frozen = self.values.frozen[at]
        if frozen == 0:
            return Qt.CheckState.Unchecked
        return Qt.CheckState.Checked if frozen == total else Qt.CheckState.PartiallyChecked

    def state(self, at: int) -> RowState:
        """Return what happens to the layers of a row."""
        state: RowState = STATES[self.values.states[at]]
        return state

    def bars(self, at: int) -> NDArray[np.float64] | None:
        """Return how far the layer of a row has moved, point by point, 0 to 1; None where nothing is known."""
        layer = self.tree.nodes[at].layer
        if self.sparks is None or layer is None:
            return None
        return self.sparks[:, self.tree.place_of_layer[layer]]

    def depth(self, at: int) -> int:
        """Return how many rows a row lies below."""
        nodes, depth = self.tree.nodes, 0
        while (at := nodes[at].parent) >= 0:
            depth += 1
        return depth

    def _alignment(self, at: int, column: int) -> Qt.AlignmentFlag | None:
        return RIGHT if column == PARAMS else None

    def _mark(self, at: int, column: int) -> QIcon | None:
        return state_mark(self.state(at).tone) if column == STATE else None

    def _tip(self, at: int, column: int) -> str:
        state = self.state(at)
        return state.tip if column == STATE and state.tip else row_tip(self.tree.nodes[at])

    def _path(self, at: int, column: int) -> str:
        return self.tree.nodes[at].path


_READERS: dict[int, Callable[[LayerCells, int, int], Any]] = {
    Qt.ItemDataRole.DisplayRole: LayerCells.text,
    Qt.ItemDataRole.CheckStateRole: LayerCells.check_state,
    Qt.ItemDataRole.TextAlignmentRole: LayerCells._alignment,
    Qt.ItemDataRole.DecorationRole: LayerCells._mark,
    Qt.ItemDataRole.ToolTipRole: LayerCells._tip,
    PATH_ROLE: LayerCells._path,
}
"""What Qt asks for when it measures a row, ticks it or reads it out; `layer_paint` paints it without."""
