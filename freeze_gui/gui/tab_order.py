"""The order in which Tab goes through a window: as it is read, not as its widgets were made."""

from __future__ import annotations

from itertools import pairwise

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QTabBar, QWidget

_PLACE = "tabPlace"


def order_tabs(*parts: QWidget) -> None:
    """Have Tab go through these parts in turn, and in each of them as before but for its tabs, which come first."""
    widgets = [widget for part in parts for widget in (*[part] * _stops(part), *_inside(part))]
    for at, widget in enumerate(widgets):
        widget.setProperty(_PLACE, at)
    for one, other in pairwise(widgets):
        QWidget.setTabOrder(one, other)


def _stops(widget: QWidget) -> bool:
    """Whether Tab comes to this widget; where another one has the keyboard for it, it follows that one by itself."""
    return bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus) and widget.focusProxy() is None


def _inside(part: QWidget) -> list[QWidget]:
    """Return where Tab stops in a part, in the order that was set, else in that of its widgets.

    `nextInFocusChain` would tell, but PySide6 makes each widget the owner of the next: the program crashes at its end.
    """
    stops = [widget for widget in part.findChildren(QWidget) if _stops(widget) and part.isAncestorOf(widget)]
    return sorted(stops, key=lambda stop: (not isinstance(stop, QTabBar), stop.property(_PLACE) or 0))
