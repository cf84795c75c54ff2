"""What a plot or a table offers to take away: entries of its context menu, which only emit wishes."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QObject, QPoint, Qt, Signal, Slot
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QAbstractScrollArea, QMenu, QWidget

PLOT_ACTIONS = {
    "png": "Save picture as PNG…",
    "svg": "Save picture as SVG…",
    "copy": "Copy picture",
    "csv": "Save numbers as CSV…",
    "copy_csv": "Copy numbers as CSV",
}
TABLE_ACTIONS = {"csv": "Save table as CSV…", "copy_csv": "Copy table as CSV"}


class ExportWishes(QObject):
    """Hears the context menus of all plots and tables.

    Signals
    -------
    wanted(object, str)
        Something of a widget is to be taken away; carries the widget and a key of `PLOT_ACTIONS`.
    """

    wanted = Signal(object, str)

    def offer(self, widget: QWidget, entries: Mapping[str, str]) -> None:
        """Give a widget these entries in its context menu; Ctrl+C copies its picture while it has the keyboard."""
        for kind, text in entries.items():
            action = QAction(text, widget)
            action.setObjectName(f"{kind}Action")
            action.setData(kind)
            if kind == "copy":
                action.setShortcut(QKeySequence(QKeySequence.StandardKey.Copy))
                action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            action.triggered.connect(self.on_triggered)
            widget.addAction(action)
        widget.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        widget.customContextMenuRequested.connect(self.show_menu)

    @Slot()
    def on_triggered(self) -> None:
        """Pass on what is wanted of which widget."""
        action = self.sender()
        if isinstance(action, QAction):
            self.wanted.emit(action.parent(), str(action.data()))

    @Slot(QPoint)
    def show_menu(self, at: QPoint) -> None:
        """Show the entries of the widget that was clicked, or that has the keyboard."""
        widget = self.sender()
        if isinstance(widget, QWidget):
            surface = widget.viewport() if isinstance(widget, QAbstractScrollArea) else widget
            menu = QMenu(widget)
            menu.setObjectName("exportMenu")
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.addActions(widget.actions())
            menu.popup(surface.mapToGlobal(at))


_wishes: ExportWishes | None = None


def export_wishes() -> ExportWishes:
    """Return the one object that hears all menus, which lives as long as the program."""
    global _wishes
    if _wishes is None:
        _wishes = ExportWishes()
    return _wishes
