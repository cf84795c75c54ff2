"""The colour and dash of a run: the same ones in table, tiles, curves and legends, by the run's number."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap

from freeze_gui.gui.plot_base import line_pen
from freeze_gui.gui.theme import RUN_DASHES, series_color

DOT_PX = 9
SAMPLE_PX = 36
_HEIGHT_PX = 14


def run_color(number: int) -> str:
    """Return the colour of the run with this number, counted from 0 over all runs of the window."""
    return series_color(number)


def run_dash(number: int) -> tuple[float, ...] | None:
    """Return the dash of a run, None for a full line; no two of a hundred runs have both colour and dash in common."""
    return RUN_DASHES[(number + number // len(RUN_DASHES)) % len(RUN_DASHES)]


def paint_dot(painter: QPainter, number: int) -> None:
    """Paint the spot of a run at the left edge of a strip of 14 pixels."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(run_color(number)))
    painter.drawEllipse(1, (_HEIGHT_PX - DOT_PX) // 2, DOT_PX, DOT_PX)


def sample_icon(number: int) -> QIcon:
    """Return the spot and a stretch of the line of a run as a picture of `SAMPLE_PX` × 14 pixels."""
    pixmap = QPixmap(2 * SAMPLE_PX, 2 * _HEIGHT_PX)
    pixmap.setDevicePixelRatio(2.0)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setPen(line_pen(run_color(number), run_dash(number)))
    painter.drawLine(DOT_PX + 5, _HEIGHT_PX // 2, SAMPLE_PX - 1, _HEIGHT_PX // 2)
    paint_dot(painter, number)
    painter.end()
    icon = QIcon(pixmap)
    icon.addPixmap(pixmap, QIcon.Mode.Selected)   # a selected row would tint it: another colour
    return icon
