"""A drawing as pixels: antialiased, at twice the resolution of a screen. May be called in any thread."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QBuffer, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QGuiApplication, QImage, QPainter, QPen, QPolygonF

from freeze_gui.errors import UserError
from freeze_gui.gui.export_drawing import Drawing, Line, Marks, Pixels, Rect, Shape, Text, finite_runs, symbol_points
from freeze_gui.runs.history import Floats

SCALE = 2.0


def to_image(drawing: Drawing, scale: float = SCALE) -> QImage:
    """Return a drawing as a picture of `scale` pixels to each of its own."""
    size = (round(drawing.width * scale), round(drawing.height * scale))
    image = QImage(*size, QImage.Format.Format_RGB32)
    image.fill(QColor(drawing.background))
    inch = 96 / 0.0254 * scale   # so that a document shows it in its own size
    image.setDotsPerMeterX(round(inch))
    image.setDotsPerMeterY(round(inch))
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(scale, scale)
    for shape in drawing.shapes:
        _paint(painter, shape)
    painter.end()
    return image


def to_png(image: QImage) -> bytes:
    """Return a picture as the content of a PNG file.

    Raises
    ------
    UserError
        When there is no memory for it.
    """
    buffer = QBuffer()
    buffer.open(QBuffer.OpenModeFlag.WriteOnly)
    if not image.save(buffer, "PNG"):   # type: ignore[call-overload]   # PySide6's types forget devices
        raise UserError("The picture cannot be made: it does not fit into memory")
    return bytes(buffer.data().data())


def colors_image(shape: Pixels) -> QImage:
    """Return the pixels of a shape as a picture that owns its memory."""
    height, width = shape.colors.shape
    colors = np.ascontiguousarray(shape.colors)
    return QImage(colors.data, width, height, 4 * width, QImage.Format.Format_RGB32).copy()


def text_font(px: float, bold: bool = False) -> QFont:
    """Return the program's font in this size."""
    font = QFont(QGuiApplication.font())
    font.setPixelSize(round(px))
    font.setBold(bold)
    return font


def text_width(words: str, px: float = 12.0, bold: bool = False) -> float:
    """Return how wide words are drawn."""
    return QFontMetricsF(text_font(px, bold)).horizontalAdvance(words)


def elided(words: str, px: float, room: float) -> str:
    """Return words cut in the middle where they are wider than `room`."""
    return QFontMetricsF(text_font(px)).elidedText(words, Qt.TextElideMode.ElideMiddle, room)


def _paint(painter: QPainter, shape: Shape) -> None:
    match shape:
        case Rect():
            painter.fillRect(QRectF(*shape.box), QColor(shape.fill))
        case Line():
            _paint_line(painter, shape)
        case Marks():
            _paint_marks(painter, shape)
        case Text():
            painter.setFont(text_font(shape.px, shape.bold))
            painter.setPen(QColor(shape.color))
            share = {"start": 0.0, "middle": 0.5, "end": 1.0}[shape.anchor]
            x = shape.x - share * text_width(shape.words, shape.px, shape.bold)
            painter.drawText(QPointF(x, shape.y), shape.words)
        case Pixels():
            painter.drawImage(QRectF(*shape.box), colors_image(shape))


def _paint_line(painter: QPainter, line: Line) -> None:
    pen = QPen(QColor(line.color), line.width)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    if line.dash:
        pen.setDashPattern([length / line.width for length in line.dash])   # Qt counts in widths of the pen
    painter.save()
    painter.setPen(pen)
    if line.clip:
        painter.setClipRect(QRectF(*line.clip))
    for part in finite_runs(line.points):
        if len(part) == 1:
            painter.drawPoint(QPointF(*part[0]))
        else:
            painter.drawPolyline(_polygon(part))
    painter.restore()


def _paint_marks(painter: QPainter, marks: Marks) -> None:
    corners = symbol_points(marks.symbol, marks.size)
    is_open = marks.symbol == "cross"
    painter.setPen(QPen(QColor(marks.color), 1.5) if is_open else Qt.PenStyle.NoPen)
    painter.setBrush(QColor(marks.color))
    for point in marks.points[np.isfinite(marks.points).all(axis=1)]:
        for stroke in corners:
            if is_open:
                painter.drawPolyline(_polygon(stroke + point))
            else:
                painter.drawPolygon(_polygon(stroke + point))


def _polygon(points: Floats) -> QPolygonF:
    return QPolygonF([QPointF(x, y) for x, y in points.tolist()])
