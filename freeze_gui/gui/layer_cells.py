"""What each cell of the tree says: ready values by row, column and role, read by the item model."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QBrush, QColor, QIcon

from freeze_gui.gui.layer_rows import count_text, row_tip
from freeze_gui.gui.marks import state_mark
from freeze_gui.gui.row_states import STATES, STATISTICS_WORDS
from freeze_gui.gui.row_values import RowValues
from freeze_gui.gui.theme import current_theme
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
KIND_ROLE = Qt.ItemDataRole.UserRole + 1
SPARK_ROLE = Qt.ItemDataRole.UserRole + 2
PATH_ROLE = Qt.ItemDataRole.UserRole
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter   # joining flags takes as long as a paint of a row
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

    def _text(self, at: int, column: int) -> str | None:
        if column == FREEZE:
            return self.tree.nodes[at].name
        if column == PARAMS:
            return count_text(self.tree.nodes[at].parameters)
        if column == STATE:
            return STATES[self.values.states[at]].words
        return STATISTICS_WORDS[self.values.statistics[at]] if column == STATISTICS else None

    def _check_state(self, at: int, column: int) -> Qt.CheckState | None:
        if column != FREEZE or not (total := self.totals[at]):
            return None
        frozen = self.values.frozen[at]
        if frozen == 0:
            return Qt.CheckState.Unchecked
        return Qt.CheckState.Checked if frozen == total else Qt.CheckState.PartiallyChecked

    def _alignment(self, at: int, column: int) -> Qt.AlignmentFlag | None:
        return RIGHT if column == PARAMS else None

    def _foreground(self, at: int, column: int) -> QBrush | None:
        if column == STATE:
            tone = STATES[self.values.states[at]].tone
            return None if tone == "none" else _brush(getattr(current_theme(), tone))
        muted = column in (PARAMS, STATISTICS) or (column == FREEZE and not self.totals[at])
        return _brush(current_theme().muted) if muted else None

    def _mark(self, at: int, column: int) -> QIcon | None:
        return state_mark(STATES[self.values.states[at]].tone) if column == STATE else None

    def _tip(self, at: int, column: int) -> str:
        state = STATES[self.values.states[at]]
        return state.tip if column == STATE and state.tip else row_tip(self.tree.nodes[at])

    def _path(self, at: int, column: int) -> str:
        return self.tree.nodes[at].path

    def _kind(self, at: int, column: int) -> str | None:
        return self.tree.nodes[at].kind if column == FREEZE else None

    def _spark(self, at: int, column: int) -> tuple[NDArray[np.float64], str] | None:
        layer = self.tree.nodes[at].layer
        if self.sparks is None or layer is None:
            return None
        return self.sparks[:, self.tree.place_of_layer[layer]], STATES[self.values.states[at]].tone


_READERS: dict[int, Callable[[LayerCells, int, int], Any]] = {
    Qt.ItemDataRole.DisplayRole: LayerCells._text,
    Qt.ItemDataRole.CheckStateRole: LayerCells._check_state,
    Qt.ItemDataRole.TextAlignmentRole: LayerCells._alignment,
    Qt.ItemDataRole.ForegroundRole: LayerCells._foreground,
    Qt.ItemDataRole.DecorationRole: LayerCells._mark,
    Qt.ItemDataRole.ToolTipRole: LayerCells._tip,
    PATH_ROLE: LayerCells._path,
    KIND_ROLE: LayerCells._kind,
    SPARK_ROLE: LayerCells._spark,
}
"""What each role reads, for a row and a column; Qt asks for some thirty values a row at every paint."""


@functools.cache
def _brush(color: str) -> QBrush:
    return QBrush(QColor(color))
