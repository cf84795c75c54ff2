"""Mouse and keyboard over rows of layers and columns of steps: what heatmap and difference map have in common."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QPointF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QWidget

from freeze_gui.gui.heatmap_geometry import RowGeometry, row_after_key

_CHOOSES = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space)


class RowPointer(QObject):
    """Turns the events of a widget into what a person means by them.

    Attributes
    ----------
    hover
        Where the mouse is, None outside.
    row
        The row that the keyboard is on, -1 before it was on any.
    selected
        The layers that are highlighted: the keyboard begins at the first of them.

    Signals
    -------
    layer_clicked(str)
        A row was clicked, or chosen with the keyboard; carries the layer's path.
    step_hovered(object)
        The mouse is over this step (a float), or has left (None).
    reset_requested()
        Double click.
    """

    layer_clicked = Signal(str)
    step_hovered = Signal(object)
    reset_requested = Signal()

    def __init__(self, widget: QWidget, geometry: Callable[[], RowGeometry]) -> None:
        super().__init__(widget)
        self.hover: QPointF | None = None
        self.row = -1
        self.selected: frozenset[str] = frozenset()
        self._widget, self._geometry = widget, geometry
        widget.setMouseTracking(True)
        widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        widget.installEventFilter(self)

    @property
    def focused_row(self) -> int:
        """The row to draw a frame around, -1 for none."""
        return self.row if self._widget.hasFocus() else -1

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take in mouse, keys and focus; only keys that lead somewhere are kept from the widget."""
        kind = event.type()
        if kind == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            return self._press_key(Qt.Key(event.key()))
        if isinstance(event, QMouseEvent):
            if kind == QEvent.Type.MouseMove:
                self._move(event.position())
            elif kind == QEvent.Type.MouseButtonPress and event.button() == Qt.MouseButton.LeftButton:
                self._click(event.position())
            elif kind == QEvent.Type.MouseButtonDblClick:
                self.reset_requested.emit()
        elif kind == QEvent.Type.Leave:
            self._move(None)
        elif kind == QEvent.Type.FocusIn:
            self._enter()
        return False

    def _move(self, position: QPointF | None) -> None:
        self.hover = position
        self.step_hovered.emit(None if position is None else self._geometry().step_at(position.x()))
        self._widget.update()

    def _click(self, position: QPointF) -> None:
        geometry = self._geometry()
        layer = geometry.layer_at(position)
        if layer is not None:
            self.row = geometry.layers.index(layer)
            self.layer_clicked.emit(layer)

    def _enter(self) -> None:
        """Show where the keyboard is: on the row it was on last, a selected one, or the first."""
        layers = self._geometry().layers
        if layers and not 0 <= self.row < len(layers):
            self.row = next((row for row, path in enumerate(layers) if path in self.selected), 0)
        self._widget.update()

    def _press_key(self, key: Qt.Key) -> bool:
        """Move by rows with the arrow keys; Enter or Space chooses. Return whether the key did anything."""
        layers = self._geometry().layers
        row = row_after_key(key, self.row, len(layers))
        if row is not None:
            self.row = row
            self._widget.update()
        elif key in _CHOOSES and 0 <= self.row < len(layers):
            self.layer_clicked.emit(layers[self.row])
        else:
            return False
        return True
