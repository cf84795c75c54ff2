"""Where the views of one run lie: heatmap over curves over loss, with borders between them that can be moved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSplitter, QVBoxLayout, QWidget

from freeze_gui.gui.card import Card

if TYPE_CHECKING:
    from freeze_gui.gui.plots import RunPlots


def lay_out(plots: RunPlots) -> None:
    """Put the views in their places."""
    top = QWidget(plots)
    column = _column(top)
    heading = QLabel("Layers × steps", top)
    heading.setProperty("title", True)
    line = QHBoxLayout()
    line.setSpacing(8)
    line.addWidget(heading, 1)
    line.addWidget(plots.metric_box)
    line.addWidget(plots.smoothing_box)   # not beside the chips, whose names need the room
    column.addLayout(line)
    column.addWidget(Card(plots.heatmap, 6, top), 1)
    middle = QWidget(plots)
    column = _column(middle)
    column.addWidget(plots.chips)
    pair = QHBoxLayout()
    pair.setSpacing(8)
    pair.addWidget(Card(plots.weight_delta_plot, 4, middle), 1)
    pair.addWidget(Card(plots.grad_norm_plot, 4, middle), 1)
    column.addLayout(pair, 1)
    splitter = QSplitter(Qt.Orientation.Vertical, plots)
    splitter.setHandleWidth(8)
    splitter.setChildrenCollapsible(False)
    for widget, stretch in ((top, 5), (middle, 4), (Card(plots.loss_plot, 4, plots), 3)):
        splitter.addWidget(widget)
        splitter.setStretchFactor(splitter.count() - 1, stretch)
    splitter.setSizes([500, 400, 300])
    layout = QVBoxLayout(plots)
    layout.setContentsMargins(8, 8, 8, 8)
    layout.addWidget(splitter)
    for plot in plots.plots:
        plot.setMinimumHeight(72)


def choice_box(name: str, words: str, items: Sequence[tuple[str, object]], parent: QWidget) -> QComboBox:
    """Return a box that offers titles, each with what it stands for."""
    box = QComboBox(parent)
    box.setObjectName(name)
    box.setAccessibleName(words)
    box.setToolTip(words)
    for title, meaning in items:
        box.addItem(title, meaning)
    return box


def _column(parent: QWidget) -> QVBoxLayout:
    column = QVBoxLayout(parent)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(4)
    return column
