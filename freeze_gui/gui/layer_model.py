"""QAbstractItemModel over a LayerTree: a thin reader of values made ready beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal, Slot
from PySide6.QtGui import QBrush, QColor, QUndoStack

from freeze_gui.gui import ticks
from freeze_gui.gui.layer_rows import count_text, row_tip, spark_heights
from freeze_gui.gui.marks import state_mark
from freeze_gui.gui.row_states import (
    FROZEN,
    NOTHING,
    Actual,
    RowState,
    actual_of,
    planned_states,
    row_states,
    statistics_words,
)
from freeze_gui.gui.theme import current_theme
from freeze_gui.gui.timeline_model import TimelineModel
from freeze_gui.gui.timeline_state import Timeline, with_layers
from freeze_gui.models.layer_tree import LayerNode, LayerTree

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder

Index = QModelIndex | QPersistentModelIndex

FREEZE, PARAMS, DELTA, STATE, STATISTICS = range(5)
COLUMNS = ("Freeze", "Params", "Δ", "State", "Stats")
_TIPS = (
    "A tick freezes a layer and everything below it.",
    "Parameter elements of this row and all below it.",
    "How far the layer has moved from its start, over the steps so far.",
    "What really happens to the layer; the tick says what is wanted.",
    "Whether the running statistics of a norm layer move in a run.",
)
KIND_ROLE = Qt.ItemDataRole.UserRole + 1
SPARK_ROLE = Qt.ItemDataRole.UserRole + 2
PATH_ROLE = Qt.ItemDataRole.UserRole


class LayerModel(QAbstractItemModel):
    """The tree of one model, the ticks that are wanted, and what the run on show really did.

    Attributes
    ----------
    tree
        The rows; None before a model is open.
    plan
        What is frozen when; the ticks are the layers of its selected phase.

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
        self._actual: Actual | None = None
        self._seen: object = None
        self._rows: list[int] = []   # place of each node among its siblings
        self._counts: list[tuple[int, int]] = []
        self._states: list[RowState] = []
        self._statistics: list[str] = []
        self._params: list[str] = []
        self._column_of: dict[str, int] = {}
        self._sparks: NDArray[np.float64] | None = None   # (points, layers), 0 to 1
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
        self._memory = self._recorder = self._actual = self._seen = self._sparks = None
        self._rows = [0] * len(tree.nodes)
        for node in tree.nodes:
            for place, child in enumerate(node.children):
                self._rows[child] = place
        self._params = [count_text(node.parameters) for node in tree.nodes]
        self._column_of = {layer: column for column, layer in enumerate(tree.layers)}
        self._compute()
        self.endResetModel()
        self.plan.reset(timeline)

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

    def set_recorder(self, recorder: RunRecorder | None) -> None:
        """Show what this run really did."""
        self._recorder, self._seen = recorder, None
        self._sparks = None
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
        self._actual = actual_of(recorder) if fits else None
        self._update()
        return True

    def take_sparks(self) -> None:
        """Reduce the weight deltas of the run so far to a few bars a layer; the view paints them."""
        history = self._recorder.history if self._recorder is not None and self._actual is not None else None
        self._sparks = spark_heights(history)

    def node(self, index: Index) -> LayerNode | None:
        """Return the row that an index of this model stands for."""
        return self.tree.nodes[index.internalId()] if self.tree is not None and index.isValid() else None

    def index_of(self, node: LayerNode, column: int = FREEZE) -> QModelIndex:
        """Return the index of a row."""
        return self.createIndex(self._rows[node.index], column, node.index)

    def _compute(self) -> None:
        assert self.tree is not None
        timeline, actual = self.plan.timeline, self._actual
        self._counts = self.tree.frozen_counts(timeline.layers)
        planned = planned_states(timeline)
        self._states = row_states(self.tree, planned, timeline, self.plan.span, actual)
        lasting = frozenset(layer for layer, state in planned.items() if state is FROZEN)
        self._statistics = statistics_words(self.tree, lasting, self._method, self._norm)
        if actual is not None and self._recorder is not None:   # of what the run froze, the run tells
            freeze = self._recorder.config.freeze
            ran = statistics_words(self.tree, frozenset(actual.states), freeze.method, freeze.norm)
            for layer in actual.states:
                self._statistics[self.tree.row_of_layer[layer].index] = ran[self.tree.row_of_layer[layer].index]

    def _update(self) -> None:
        """Compute anew, and tell the views one range of changed rows per parent."""
        if self.tree is None:
            return
        counts, states, statistics = self._counts, self._states, self._statistics
        self._compute()
        changed: dict[int, list[int]] = {}
        for node in self.tree.nodes:
            at = node.index
            same = counts[at] == self._counts[at] and states[at] is self._states[at]
            if not same or statistics[at] != self._statistics[at]:
                changed.setdefault(node.parent, []).append(at)
        for places in changed.values():
            first, last = self.tree.nodes[places[0]], self.tree.nodes[places[-1]]
            self.dataChanged.emit(self.index_of(first), self.index_of(last, STATISTICS))

    # ------------------------------------------------------------------------------------------------- Qt's side

    def index(self, row: int, column: int, parent: Index = QModelIndex()) -> QModelIndex:   # noqa: B008
        """Return the index of a child."""
        if self.tree is None or not 0 <= column < len(COLUMNS) or row < 0:
            return QModelIndex()
        if not parent.isValid():
            return self.createIndex(0, column, 0) if row == 0 else QModelIndex()
        children = self.tree.nodes[parent.internalId()].children
        if parent.column() != 0 or row >= len(children):
            return QModelIndex()
        return self.createIndex(row, column, children[row])

    def parent(self, index: Index = QModelIndex()) -> Any:   # noqa: B008
        """Return the index of the parent row."""
        if self.tree is None or not index.isValid():
            return QModelIndex()
        above = self.tree.nodes[index.internalId()].parent
        return QModelIndex() if above < 0 else self.createIndex(self._rows[above], 0, above)

    def rowCount(self, parent: Index = QModelIndex()) -> int:   # noqa: B008
        """Return the number of children."""
        if self.tree is None or (parent.isValid() and parent.column() != 0):
            return 0
        return len(self.tree.nodes[parent.internalId()].children) if parent.isValid() else 1

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
            return _TIPS[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if section == PARAMS else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Return what can be done with a row: only one that owns layers has a tick."""
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        if index.column() == FREEZE and self._counts[index.internalId()][1]:
            flags |= Qt.ItemFlag.ItemIsUserCheckable
        return flags

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return ready values."""
        if self.tree is None or not index.isValid():
            return None
        at, column = index.internalId(), index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(at, column)
        if role == Qt.ItemDataRole.CheckStateRole:
            return self._check_state(at) if column == FREEZE else None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter if column == PARAMS else None
        if role == Qt.ItemDataRole.ForegroundRole:
            return self._brush(at, column)
        if role == Qt.ItemDataRole.DecorationRole:
            return state_mark(self._states[at].tone) if column == STATE and self._states[at] is not NOTHING else None
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(at, column)
        if role == PATH_ROLE:
            return self.tree.nodes[at].path
        if role == KIND_ROLE:
            return self.tree.nodes[at].kind if column == FREEZE else None
        if role == SPARK_ROLE:
            return self._spark(at)
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Tick or untick; views hand over the integer 2, which is not equal to the enum."""
        node = self.node(index)
        if role != Qt.ItemDataRole.CheckStateRole or node is None or self.tree is None:
            return False
        if index.column() != FREEZE or not self._counts[node.index][1]:
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

    def _text(self, at: int, column: int) -> str | None:
        assert self.tree is not None
        if column == FREEZE:
            return self.tree.nodes[at].name
        if column == PARAMS:
            return self._params[at]
        if column == STATE:
            return self._states[at].words
        return self._statistics[at] if column == STATISTICS else None

    def _check_state(self, at: int) -> Qt.CheckState | None:
        frozen, total = self._counts[at]
        if not total:
            return None
        if frozen == 0:
            return Qt.CheckState.Unchecked
        return Qt.CheckState.Checked if frozen == total else Qt.CheckState.PartiallyChecked

    def _brush(self, at: int, column: int) -> QBrush | None:
        theme = current_theme()
        if column == FREEZE and not self._counts[at][1]:
            return QBrush(QColor(theme.muted))
        if column == STATE and (tone := self._states[at].tone) != "none":
            return QBrush(QColor(getattr(theme, tone)))
        return QBrush(QColor(theme.muted)) if column in (PARAMS, STATISTICS) else None

    def _tip(self, at: int, column: int) -> str:
        assert self.tree is not None
        state = self._states[at]
        return state.tip if column == STATE and state.tip else row_tip(self.tree.nodes[at])

    def _spark(self, at: int) -> tuple[NDArray[np.float64], str] | None:
        assert self.tree is not None
        layer = self.tree.nodes[at].layer
        if self._sparks is None or layer is None or layer not in self._column_of:
            return None
        return self._sparks[:, self._column_of[layer]], self._states[at].tone
