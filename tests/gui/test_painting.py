from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QEvent, Qt
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from freeze_gui.gui.curves import LayerPlot
from freeze_gui.gui.painting import PaintOnce


class Counting(QWidget):
    """Counts how often it is painted, and asks to be painted again when it is laid out."""

    painted = 0

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:
            self.update()
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        self.painted += 1


def window_with_a_plot(qtbot: QtBot) -> tuple[QWidget, Counting, LayerPlot]:
    window = QWidget()
    qtbot.addWidget(window)
    counting, plot = Counting(window), LayerPlot("grad_norm", "plot", window)
    counting.setMinimumHeight(50)
    column = QVBoxLayout(window)
    column.addWidget(counting)
    column.addWidget(plot)
    PaintOnce(window)
    window.resize(400, 400)
    window.show()
    qtbot.waitUntil(lambda: counting.painted > 0)
    qtbot.wait(50)
    counting.painted = 0
    return window, counting, plot


def test_a_window_is_painted_once_a_turn_after_its_plots_and_layouts_have_changed(qtbot: QtBot) -> None:
    _window, counting, plot = window_with_a_plot(qtbot)
    counting.update()
    plot.show_steps(3.0, 9.0)   # a scene that changes has the window painted before what is posted later
    QCoreApplication.postEvent(counting, QEvent(QEvent.Type.LayoutRequest), Qt.EventPriority.NormalEventPriority.value)
    qtbot.wait(50)
    assert counting.painted == 1


def test_what_changes_later_is_painted_again(qtbot: QtBot) -> None:
    _window, counting, _ = window_with_a_plot(qtbot)
    for times in (1, 2, 3):
        counting.update()
        qtbot.waitUntil(lambda times=times: counting.painted == times)   # type: ignore[misc]
    counting.repaint()
    qtbot.waitUntil(lambda: counting.painted == 4)
