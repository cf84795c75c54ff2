"""What the Freeze menu and the context menu of the tree offer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QWidget

from freeze_gui.freezing.presets import gradual_unfreezing, has_body, head_first
from freeze_gui.gui import ticks
from freeze_gui.gui.layer_model import LayerModel
from freeze_gui.gui.timeline_state import whole_run, with_phases
from freeze_gui.models.blocks import blocks, head
from freeze_gui.models.layer_tree import LayerNode

_MOST_BLOCKS = 24

Nodes = Callable[[], list[LayerNode]]

_ROWS = (
    ("up_to", "Freeze up to here", "Ctrl+U", "Every layer from the first to the selected one"),
    ("only", "Freeze only this", "Ctrl+Shift+O", "The selected rows, and nothing else"),
    ("all_but", "Freeze everything but this", "Ctrl+Shift+B", "Only the selected rows train"),
)
_MODEL = (
    ("invert", "Invert", "Ctrl+I", "What is frozen trains, what trains is frozen"),
    ("norms", "Freeze all norm layers too", "", "Beside what is ticked"),
)
_SCHEDULES = (
    ("gradual", "Gradual unfreezing", "", "The head trains first; block after block thaws, from the last to the first"),
    ("head_first", "Head first", "", "Half of the run for the head alone, then the last block too, ten times slower"),
    ("whole_run", "One phase: the whole run", "", "The ticks hold from the first step to the last; other phases go"),
)
_PRESETS = (
    ("head", "Only the head trains", "", "Everything but the last block is frozen"),
    ("scratch", "From scratch: nothing is frozen", "", "Every layer trains"),
    ("everything", "Everything is frozen", "", "No layer trains"),
)


class FreezeActions(QObject):
    """Actions on the ticks of a `LayerModel`.

    Attributes
    ----------
    menu
        All of them, as the Freeze menu and the context menu show them.
    """

    def __init__(self, model: LayerModel, selected: Nodes, parent: QWidget) -> None:
        super().__init__(parent)
        self._model, self._selected = model, selected
        self.menu = QMenu("F&reeze", parent)
        for row in _ROWS:
            self._add(self.menu, row)
        self.menu.addSeparator()
        for row in _MODEL:
            self._add(self.menu, row)
        presets = self.menu.addMenu("Presets")
        for row in _PRESETS:
            self._add(presets, row)
        self.blocks_menu = self.menu.addMenu("First blocks")
        self.menu.addSeparator()
        self._schedules = [self._add(self.menu, row, self.on_schedule) for row in _SCHEDULES]
        self.menu.addSeparator()
        self.undo_action = model.undo_stack.createUndoAction(self, "Undo")
        self.undo_action.setShortcut(QKeySequence.StandardKey.Undo)
        self.redo_action = model.undo_stack.createRedoAction(self, "Redo")
        self.redo_action.setShortcuts([QKeySequence("Ctrl+Shift+Z"), QKeySequence("Ctrl+Y")])
        self.menu.addAction(self.undo_action)
        self.menu.addAction(self.redo_action)
        self.menu.aboutToShow.connect(self.on_about_to_show)

    def fill_blocks(self) -> None:
        """Offer the blocks of the model that is open now."""
        self.blocks_menu.clear()
        tree = self._model.tree
        found = blocks(tree)[:_MOST_BLOCKS] if tree is not None else []
        for count, block in enumerate(found, 1):
            action = self.blocks_menu.addAction(f"First {count}: up to {block.path or block.name}")
            action.setData(count)
            action.triggered.connect(self.on_blocks)
        self.blocks_menu.setEnabled(bool(found))
        for action in self._schedules[:2]:
            action.setEnabled(tree is not None and has_body(tree))

    @Slot()
    def on_about_to_show(self) -> None:
        """Offer what needs a selected row only where there is one."""
        selected = bool(self._selected())
        for action in self.menu.actions()[: len(_ROWS)]:
            action.setEnabled(selected)

    @Slot()
    def on_blocks(self) -> None:
        """Freeze the first blocks of the model."""
        action = self.sender()
        if isinstance(action, QAction) and self._model.tree is not None:
            self._model.change(ticks.first_blocks(self._model.tree, int(action.data())), action.text().lower())

    @Slot()
    def on_schedule(self) -> None:
        """Choose the schedule of a menu entry."""
        action = self.sender()
        if isinstance(action, QAction):
            self.choose_schedule(str(action.data()))

    @Slot(str)
    def choose_schedule(self, name: str) -> None:
        """Replace all phases by those of a preset: ``gradual``, ``head_first`` or ``whole_run``."""
        tree, plan = self._model.tree, self._model.plan
        if tree is None:
            return
        timeline = plan.timeline
        match name:
            case "gradual":
                timeline = with_phases(timeline, gradual_unfreezing(tree, plan.span.total_steps), tree)
            case "head_first":
                timeline = with_phases(timeline, head_first(tree, plan.span.total_steps), tree)
            case "whole_run":
                timeline = replace(whole_run(timeline.layers), tasks=timeline.tasks)
        plan.change(timeline, next(text.lower() for key, text, *_ in _SCHEDULES if key == name))

    @Slot()
    def on_triggered(self) -> None:
        """Do what the action says."""
        action, tree, nodes = self.sender(), self._model.tree, self._selected()
        if not isinstance(action, QAction) or tree is None:
            return
        layers = self._model.layers
        match action.data():
            case "up_to" if nodes:
                layers = ticks.up_to(tree, nodes[-1])
            case "only" if nodes:
                layers = ticks.only(tree, nodes)
            case "all_but" if nodes:
                layers = ticks.all_but(tree, nodes)
            case "invert":
                layers = ticks.inverted(tree, layers)
            case "norms":
                layers = layers | ticks.norm_layers(tree)
            case "head":
                layers = ticks.all_but(tree, [head(tree)])
            case "scratch":
                layers = frozenset()
            case "everything":
                layers = frozenset(tree.layers)
        self._model.change(layers, action.text().lower())

    def _add(self, menu: QMenu, row: tuple[str, str, str, str], slot: Callable[[], None] | None = None) -> QAction:
        name, text, shortcut, tip = row
        action = menu.addAction(text)
        action.setData(name)
        action.setToolTip(tip)
        action.setStatusTip(tip)
        if shortcut:
            action.setShortcut(QKeySequence(shortcut))
        action.triggered.connect(slot or self.on_triggered)
        return action
