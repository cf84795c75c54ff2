"""QAbstractItemModel over a LayerTree: a thin reader of values made ready beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal, Slot
from PySide6.QtGui import QUndoStack

from freeze_gui.gui import ticks
from freeze_gui.gui.layer_cells import (
    COLUMNS,
    FREEZE,
    LEFT,
    PARAMS,
    PLAIN,
    RIGHT,
    STATISTICS,
    TICKABLE,
    TIPS,
    LayerCells,
)
from freeze_gui.gui.layer_rows import spark_heights
from freeze_gui.gui.row_states import Actual, NormRows, actual_of
from freeze_gui.gui.row_values import RowValues, row_values
from freeze_gui.gui.shown_rows import ABOVE_ROOT, ShownRows
from freeze_gui.gui.timeline_model import TimelineModel
from freeze_gui.gui.timeline_state import Timeline, with_layers
from freeze_gui.models.layer_tree import LayerNode, LayerTree

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder

Index = QModelIndex | QPersistentModelIndex

_NO_ROWS = LayerTree([])
_SAYS_NOTHING = RowValues(np.zeros(0, np.int64), np.zeros(0, np.int8), np.zeros(0, np.int8))


class LayerModel(QAbstractItemModel):
    """The tree of one model, the ticks that are wanted, and what the run on show really did.

    Attributes
    ----------
    tree
        The rows; None before a model is open.
    plan
        What is frozen when; the ticks are the layers of its selected phase.
    cells
        What the rows say now.

    Signals
    -------
    layers_changed(object)
        The ticks have changed; carries the set of layer paths.
    """

    layers_changed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.tree: LayerTree | None = None
        self.plan = TimelineModel(self)
        self._shown: Timeline = self.plan.timeline
        self._method, self._norm = "requires_grad", "leave"
        self._memory: ticks.MixedMemory | None = None
        self._recorder: RunRecorder | None = None
        self._obeys = True
        self._actual: Actual | None = None
        self._seen: object = None
        self._shown_rows = ShownRows(_NO_ROWS)
        self.cells = LayerCells(_NO_ROWS, _SAYS_NOTHING)
        self._norms = NormRows(_NO_ROWS)
        self.plan.changed.connect(self.on_plan_changed)

    @property
    def layers(self) -> frozenset[str]:
        """Paths of the layers that are ticked."""
        return self.plan.timeline.layers

    @property
    def undo_stack(self) -> QUndoStack:
        """Every change of ticks and phases, by whatever hand."""
        return self.plan.undo_stack

    # ------------------------------------------------------------------------------------------------- content

    def set_tree(self, tree: LayerTree, timeline: Timeline) -> None:
        """Show another model with these ticks and phases; its undo history begins anew."""
        self.beginResetModel()
        self.tree = tree
        self.plan.timeline = self._shown = timeline
        self._memory = self._recorder = self._actual = self._seen = None
        self._shown_rows = ShownRows(tree)
        self._norms = NormRows(tree)
        self.cells = LayerCells(tree, self._now())
        self.endResetModel()
        self.plan.reset(timeline)

    def show_rows(self, shown: Sequence[bool] | None) -> None:
        """Hide the rows without a flag; None shows all. What is selected and open stays so where it is shown."""
        if self.tree is None:
            return
        self.layoutAboutToBeChanged.emit()
        self._shown_rows = ShownRows(self.tree, shown)
        before = self.persistentIndexList()
        after = [self.index_of(self.tree.nodes[index.internalId()], index.column()) for index in before]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def change(self, layers: frozenset[str], text: str, memory: ticks.MixedMemory | None = None) -> None:
        """Tick exactly `layers`, as one step that can be undone under the name `text`."""
        if layers != self.layers:
            self.plan.change(with_layers(self.plan.timeline, layers), text)
        self._memory = memory

    @Slot(object)
    def on_plan_changed(self, timeline: Timeline) -> None:
        """Show the ticks of the selected phase, and what all phases mean for the rows."""
        before, self._shown = self._shown, timeline
        self._update()
        if timeline.layers != before.layers:
            self.layers_changed.emit(timeline.layers)

    def set_policy(self, method: str, norm: str) -> None:
        """Take another freezing method and norm policy into account."""
        if (method, norm) != (self._method, self._norm):
            self._method, self._norm = method, norm
            self._update()

    def set_recorder(self, recorder: RunRecorder | None, obeys: bool = True) -> None:
        """Show what this run really did, or does; `obeys` says whether it takes ticks while it goes on."""
        self._recorder, self._obeys, self._seen = recorder, obeys, None
        self.cells.sparks = None
        self.refresh()

    def refresh(self) -> bool:
        """Take in what the run did since; return True when a row says something new."""
        recorder = self._recorder
        seen = None
        if recorder is not None and recorder.history is not None:
            seen = id(recorder), recorder.status, id(recorder.frozen), (recorder.leaked > 0).tobytes()
        if seen == self._seen:
            return False
        self._seen = seen
        history = recorder.history if recorder is not None else None
        fits = self.tree is not None and history is not None and history.layers == self.tree.layers
        self._actual = actual_of(recorder, self._obeys) if fits else None
        self._update()
        return True

    def take_sparks(self) -> None:
        """Reduce the weight deltas of the run so far to a few bars a layer; the view paints them."""
        history = self._recorder.history if self._recorder is not None and self._actual is not None else None
        self.cells.sparks = spark_heights(history)

    def node(self, index: Index) -> LayerNode | None:
        """Return the row that an index of this model stands for."""
        return self.tree.nodes[index.internalId()] if self.tree is not None and index.isValid() else None

    def index_of(self, node: LayerNode, column: int = FREEZE) -> QModelIndex:
        """Return the index of a row; an invalid one where the row is hidden."""
        place = self._shown_rows.place(node.index)
        return QModelIndex() if place is None else self.createIndex(place, column, node.index)

    def _now(self) -> RowValues:
        assert self.tree is not None
        policy, actual, of_run = (self._method, self._norm), self._actual, ("", "")
        if actual is not None and self._recorder is not None:
            freeze = self._recorder.config.freeze
            of_run = freeze.method, freeze.norm
        return row_values(self.tree, self._norms, self.plan.timeline, self.plan.span, policy, actual, of_run)

    def _update(self) -> None:
        """Compute anew, and tell the views one range of changed rows per parent.

        Rows that nobody has asked for are on no screen: of them nothing is said.
        """
        if self.tree is None:
            return
        before, self.cells.values = self.cells.values, self._now()
        changed: dict[int, list[int]] = {}
        for row in self.cells.values.changed_rows(before).tolist():
            if self._shown_rows.is_asked_for(row):
                changed.setdefault(self.tree.nodes[row].parent, []).append(row)
        for rows in changed.values():
            first, last = self.tree.nodes[rows[0]], self.tree.nodes[rows[-1]]
            self.dataChanged.emit(self.index_of(first), self.index_of(last, STATISTICS))

    # ------------------------------------------------------------------------------------------------- Qt's side

    def index(self, row: int, column: int, parent: Index = QModelIndex()) -> QModelIndex:   # noqa: B008
        """Return the index of a child."""
        if not 0 <= column < len(COLUMNS) or not 0 <= row < self.rowCount(parent):
            return QModelIndex()
        above = parent.internalId() if parent.isValid() else ABOVE_ROOT
        return self.createIndex(row, column, self._shown_rows.below(above)[row])

    def parent(self, index: Index = QModelIndex()) -> Any:   # noqa: B008
        """Return the index of the parent row."""
        if self.tree is None or not index.isValid():
            return QModelIndex()
        above = self.tree.nodes[index.internalId()].parent
        return QModelIndex() if above == ABOVE_ROOT else self.index_of(self.tree.nodes[above])

    def sibling(self, row: int, column: int, index: Index) -> QModelIndex:
        """Return another cell beside an index; a cell of the same row without a detour over its parent."""
        if row == index.row() and 0 <= column < len(COLUMNS):
            return self.createIndex(row, column, index.internalId())
        return super().sibling(row, column, index)

    def rowCount(self, parent: Index = QModelIndex()) -> int:   # noqa: B008
        """Return the number of children."""
        if not parent.isValid():
            return len(self._shown_rows.below(ABOVE_ROOT))
        return len(self._shown_rows.below(parent.internalId())) if parent.column() == 0 else 0

    def hasChildren(self, parent: Index = QModelIndex()) -> bool:   # noqa: B008
        """Tell whether there is anything below a row; Qt's own answer asks for two numbers."""
        return self.rowCount(parent) > 0

    def columnCount(self, parent: Index = QModelIndex()) -> int:   # noqa: B008
        """Return the number of columns, the same everywhere."""
        return len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the title of a column and what it means."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section]
        if role == Qt.ItemDataRole.ToolTipRole:
            return TIPS[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return RIGHT if section == PARAMS else LEFT
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Return what can be done with a row: only one that owns layers has a tick."""
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        if index.column() == FREEZE and self.cells.totals[index.internalId()]:
            return TICKABLE
        return PLAIN

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return ready values."""
        if self.tree is None or not index.isValid():
            return None
        return self.cells.read(role, index.internalId(), index.column())

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Tick or untick; views hand over the integer 2, which is not equal to the enum."""
        node = self.node(index)
        if role != Qt.ItemDataRole.CheckStateRole or node is None or self.tree is None:
            return False
        if index.column() != FREEZE or not self.cells.totals[node.index]:
            return False
        try:
            state = Qt.CheckState(value)
        except ValueError:
            return False
        if state == Qt.CheckState.PartiallyChecked:
            return False
        tick = state == Qt.CheckState.Checked
        layers, memory = ticks.click(self.tree, self.layers, node, tick, self._memory)
        verb = "freeze" if len(layers) > len(self.layers) else "thaw"
        self.change(layers, f"{verb} {node.path or 'everything'}", memory)
        return True
