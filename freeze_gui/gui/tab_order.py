"""The order in which Tab goes through a window: as it is read, not as its widgets were made."""

from __future__ import annotations

from itertools import pairwise

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QTabBar, QWidget


def order_tabs(*parts: QWidget) -> None:
    """Have Tab go through these parts in turn, and in each of them as before but for its tabs, which come first."""
    widgets = [widget for part in parts for widget in (*[part] * _stops(part), *_inside(part))]
    for one, other in pairwise(widgets):
        QWidget.setTabOrder(one, other)


def _stops(widget: QWidget) -> bool:
    """Whether Tab comes to this widget; where another one has the keyboard for it, it follows that one by itself."""
    return bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus) and widget.focusProxy() is None


def _inside(part: QWidget) -> list[QWidget]:
    """Return where Tab stops in a part, in the order of Tab."""
    stops = {widget for widget in part.findChildren(QWidget) if _stops(widget) and part.isAncestorOf(widget)}
    if len(stops) == 1:   # as in a tile: the chain goes through all widgets of the window, and takes a millisecond
        return [*stops]
    found: list[QWidget] = []
    widget = part.nextInFocusChain()
    while widget is not None and widget is not part and len(found) < len(stops):
        if widget in stops:
            found.append(widget)
        widget = widget.nextInFocusChain()
    return sorted(found, key=lambda inside: not isinstance(inside, QTabBar))   # made last, read first
