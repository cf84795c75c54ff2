"""Gives the parts of a window the style sheet of the theme, part by part, so that the window never stands still."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from PySide6.QtCore import QChildEvent, QEvent, QObject, Qt, Slot
from PySide6.QtWidgets import QDialog, QMainWindow, QMenu, QWidget
from shiboken6 import isValid

from freeze_gui.gui.theme import current_theme, style_sheet, theme_manager
from freeze_gui.gui.turns import InTurns

FRAME_SHEET = """
QSplitter::handle { background: transparent; }
QSplitter::handle:hover { background: rgba(120, 150, 220, 80); }
QTabWidget::pane { border: none; }
"""
"""For what lies between the parts: the same in all themes, as a change would style everything in the window anew."""


class Styling(QObject):
    """Styles the parts of one window, and its dialogs when they are first shown.

    On the whole window the sheet would take 80 ms for all that is hidden as well. What is seen comes first, and nothing
    is painted before all of it is ready; the rest follows.
    """

    def __init__(self, window: QMainWindow, parts: Sequence[QWidget]) -> None:
        super().__init__(window)
        self._window, self._parts = window, list(parts)
        self._turns = InTurns(self)
        window.setStyleSheet(FRAME_SHEET)
        window.installEventFilter(self)
        theme_manager().changed.connect(self.on_theme_changed)

    def style_all(self) -> Iterator[None]:
        """Style everything, a part at a time."""
        dialogs = self._window.findChildren(QDialog, options=Qt.FindChildOption.FindDirectChildrenOnly)
        parts = [*self._parts, *dialogs]
        seen = [part for part in parts if part.isVisible()]
        for part in seen:
            self._style(part)
            yield
        self._window.setUpdatesEnabled(True)
        for part in parts:
            if part not in seen:
                yield
                self._style(part)

    def _style(self, part: QWidget) -> None:
        if isValid(part):   # a dialog may have been closed since the work began
            part.setStyleSheet(style_sheet(current_theme()))

    @Slot(object)
    def on_theme_changed(self, theme: object) -> None:
        """Begin with the next turn: in this one everybody takes the new colours."""
        self._window.setUpdatesEnabled(False)
        self._turns.start_later(self.style_all())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Style a dialog or menu of the window that is about to be shown for the first time."""
        if event.type() == QEvent.Type.ChildPolished and isinstance(event, QChildEvent):
            child = event.child()
            if isinstance(child, QDialog | QMenu) and child not in self._parts:
                child.setStyleSheet(style_sheet(current_theme()))
        return super().eventFilter(watched, event)
