"""Draws a timeline: the axis, a row for each phase and task, what really was frozen, and the playhead."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFontMetricsF, QPainter, QPen, QPolygonF

from freeze_gui.gui.marks import tinted
from freeze_gui.gui.palette import Theme, mix
from freeze_gui.gui.timeline_geometry import (
    ACTUAL_HEIGHT,
    ACTUAL_TOP,
    AXIS_HEIGHT,
    BAR_HEIGHT,
    BAR_TOP,
    ROW_HEIGHT,
    Geometry,
    Spans,
    axis_marks,
)
from freeze_gui.gui.timeline_state import Bar, Timeline
from freeze_gui.gui.timeline_words import factor_words, stop_words, window_words

_PAD = 10.0


@dataclass(frozen=True)
class Actual:
    """What the run on show did: for each row where all its layers were frozen and where some were, and its next step.

    `live` tells whether the run goes on.
    """

    rows: list[tuple[Spans, Spans]]
    step: int
    live: bool


@dataclass(frozen=True)
class Picture:
    """All that is drawn.

    Attributes
    ----------
    names
        Of the bars and then of the tasks.
    top
        Where the visible part begins: the axis stays there.
    focused
        Whether the keyboard acts on the selected bar.
    dragging
        Whether the selected bar is being dragged: its numbers are shown large.
    """

    geometry: Geometry
    timeline: Timeline
    names: list[str]
    actual: Actual | None
    top: float
    focused: bool
    dragging: bool


def paint(painter: QPainter, picture: Picture, height: float, theme: Theme) -> None:
    """Draw the picture."""
    geometry, timeline = picture.geometry, picture.timeline
    rows = len(timeline.bars) + len(timeline.tasks)
    _grid(painter, picture, rows, theme)
    for row, bar in enumerate(timeline.bars):
        _row(painter, picture, row, bar, theme)
    for row, task in enumerate(timeline.tasks, len(timeline.bars)):
        _label(painter, geometry, row, task.task, picture.names[row], False, theme)
        _task_bar(painter, geometry, row, f"every step of {task.task}", theme)
        _actual_line(painter, picture, row, theme)
    _playhead(painter, picture, geometry.row_top(rows), theme)
    _axis(painter, picture, theme)
    if picture.dragging:
        _bubble(painter, picture, theme)


def _grid(painter: QPainter, picture: Picture, rows: int, theme: Theme) -> None:
    geometry = picture.geometry
    painter.setPen(QPen(QColor(theme.grid), 1))
    for row in range(rows + 1):
        y = round(geometry.row_top(row)) + 0.5
        painter.drawLine(QPointF(0, y), QPointF(geometry.width, y))
    for mark in axis_marks(geometry.span.total_steps, geometry.right - geometry.left):
        x = round(geometry.x_of(mark)) + 0.5
        painter.drawLine(QPointF(x, AXIS_HEIGHT), QPointF(x, geometry.row_top(rows)))


def _axis(painter: QPainter, picture: Picture, theme: Theme) -> None:
    """Draw the steps, and the epochs below them where their length is known or something counts them."""
    geometry, span = picture.geometry, picture.geometry.span
    painter.fillRect(QRectF(0, picture.top, geometry.width, AXIS_HEIGHT), QColor(theme.panel))
    painter.setPen(QPen(QColor(theme.border), 1))
    base = round(picture.top + AXIS_HEIGHT) - 0.5
    painter.drawLine(QPointF(0, base), QPointF(geometry.width, base))
    width = geometry.right - geometry.left
    counted = span.epoch_steps is not None or any(bar.unit == "epoch" for bar in picture.timeline.bars)
    _marks(painter, picture, [(mark, f"{mark:,}") for mark in axis_marks(span.total_steps, width)], 0, theme.text)
    _text(painter, QRectF(_PAD, picture.top, geometry.left - 20, AXIS_HEIGHT / 2), "Step", theme.muted)
    if counted:
        scale = span.unit_steps("epoch")
        epochs = axis_marks(span.total_steps // scale, width * scale / max(span.total_steps, 1) *
                            max(span.total_steps // scale, 1), 40)
        _marks(painter, picture, [(mark * scale, f"{mark:,}") for mark in epochs], AXIS_HEIGHT / 2 - 2, theme.muted)
        word = "Epoch" if span.epoch_steps is not None else f"Epoch (if {scale} steps)"
        _text(painter, QRectF(_PAD, picture.top + AXIS_HEIGHT / 2 - 2, geometry.left - 20, AXIS_HEIGHT / 2), word,
              theme.muted)


def _marks(painter: QPainter, picture: Picture, marks: list[tuple[int, str]], down: float, color: str) -> None:
    geometry, metrics = picture.geometry, QFontMetricsF(painter.font())
    painter.setPen(QColor(color))
    for step, text in marks:
        width = metrics.horizontalAdvance(text) + 2
        x = min(max(geometry.x_of(step) - width / 2, geometry.left - 4), geometry.width - width)
        box = QRectF(x, picture.top + down, width, AXIS_HEIGHT / 2)
        painter.drawText(box, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter, text)


def _row(painter: QPainter, picture: Picture, row: int, bar: Bar, theme: Theme) -> None:
    geometry, selected = picture.geometry, row == picture.timeline.selected
    top = geometry.row_top(row)
    if selected:
        ground = QColor(mix(theme.panel, theme.accent, 0.1))
        painter.fillRect(QRectF(0, top + 1, geometry.width, ROW_HEIGHT - 1), ground)
        painter.fillRect(QRectF(0, top + 1, 3, ROW_HEIGHT - 1), QColor(theme.accent))
    _label(painter, geometry, row, str(row + 1), picture.names[row], not bar.layers, theme)
    left, right = geometry.ends(bar)
    box = QRectF(left, top + BAR_TOP, right - left, BAR_HEIGHT)
    empty = not bar.layers
    edge = theme.accent if selected else theme.frozen
    pen = QPen(QColor(edge), 2 if selected and picture.focused else 1)
    pen.setStyle(Qt.PenStyle.DashLine if empty else Qt.PenStyle.SolidLine)
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush if empty else QBrush(QColor(theme.ice)))
    painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
    if selected:
        _grips(painter, box, theme.accent if empty else _ink(theme))
    _bar_words(painter, geometry, bar, box, theme)
    _actual_line(painter, picture, row, theme)


def _label(
    painter: QPainter, geometry: Geometry, row: int, number: str, name: str, empty: bool, theme: Theme
) -> None:
    """Draw number, snowflake and names to the left of a row."""
    top, metrics = geometry.row_top(row), QFontMetricsF(painter.font())
    wide = min(metrics.horizontalAdvance(number), geometry.left / 3)
    shown = metrics.elidedText(number, Qt.TextElideMode.ElideRight, wide + 1)
    _text(painter, QRectF(_PAD, top, wide + 2, ROW_HEIGHT), shown, theme.muted)
    at = _PAD + wide + 8
    if not empty:
        tinted("snowflake", theme.frozen).paint(painter, int(at), int(top + ROW_HEIGHT / 2 - 7), 14, 14)
        at += 20
    room = geometry.left - at - 8
    words = metrics.elidedText(name, Qt.TextElideMode.ElideRight, room)
    _text(painter, QRectF(at, top, room, ROW_HEIGHT), words, theme.muted if empty else theme.text)


def _ink(theme: Theme) -> str:
    """Return the colour of what is written on ice, which is pale in both themes."""
    return theme.text if theme.name == "light" else theme.window


def _grips(painter: QPainter, box: QRectF, color: str) -> None:
    """Draw the two handles of the selected bar."""
    if box.width() < 24:
        return
    painter.setPen(QPen(QColor(color), 2))
    for x in (box.left() + 4.5, box.right() - 4.5):
        painter.drawLine(QPointF(x, box.top() + 6), QPointF(x, box.bottom() - 6))


def _bar_words(painter: QPainter, geometry: Geometry, bar: Bar, box: QRectF, theme: Theme) -> None:
    """Write the numbers into the bar, or beside it where it is too short; the longest words that have room."""
    metrics = QFontMetricsF(painter.font())
    numbers = f"{bar.start:,}–{stop_words(bar)}"
    factor = factor_words(bar)
    choices = [f"{window_words(bar)} · {factor}", f"{numbers} · {factor}"] if factor else []
    choices += [window_words(bar), numbers]
    fits = next((words for words in choices if metrics.horizontalAdvance(words) + 20 <= box.width()), None)
    if fits is not None:
        color = _ink(theme) if bar.layers else theme.muted
        _text(painter, box, fits, color, Qt.AlignmentFlag.AlignHCenter)
        return
    words = choices[0]
    width = metrics.horizontalAdvance(words) + 8
    if box.right() + 8 + width <= geometry.width:
        _text(painter, QRectF(box.right() + 8, box.top(), width, box.height()), words, theme.text)
    elif box.left() - 8 - width >= geometry.left:
        _text(painter, QRectF(box.left() - 8 - width, box.top(), width, box.height()), words, theme.text,
              Qt.AlignmentFlag.AlignRight)


def _task_bar(painter: QPainter, geometry: Geometry, row: int, words: str, theme: Theme) -> None:
    """Draw a hatched bar over the whole run: the steps of one task, wherever they fall."""
    box = QRectF(geometry.left, geometry.row_top(row) + BAR_TOP, geometry.right - geometry.left, BAR_HEIGHT)
    painter.setPen(QPen(QColor(theme.frozen), 1))
    painter.setBrush(QBrush(QColor(theme.frozen), Qt.BrushStyle.BDiagPattern))
    painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
    metrics = QFontMetricsF(painter.font())
    width = metrics.horizontalAdvance(words) + 16
    plate = QRectF(box.center().x() - width / 2, box.top() + 2, width, box.height() - 4)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(theme.panel))
    painter.drawRoundedRect(plate, 3, 3)
    _text(painter, plate, words, theme.text, Qt.AlignmentFlag.AlignHCenter)


def _actual_line(painter: QPainter, picture: Picture, row: int, theme: Theme) -> None:
    """Draw thin under the bar what really was frozen: full where all its layers were, hatched where some were."""
    if picture.actual is None or row >= len(picture.actual.rows):
        return
    geometry = picture.geometry
    top = geometry.row_top(row) + ACTUAL_TOP
    painter.setPen(Qt.PenStyle.NoPen)
    every, some = picture.actual.rows[row]
    for spans, style in ((every, Qt.BrushStyle.SolidPattern), (some, Qt.BrushStyle.Dense4Pattern)):
        painter.setBrush(QBrush(QColor(theme.frozen), style))
        drawn = -1.0
        for start, stop in spans:
            left, right = geometry.x_of(start), geometry.x_of(stop)
            if right > drawn:   # of thousands of steps by turns, one a pixel is enough
                drawn = max(right, left + 1)
                painter.drawRect(QRectF(left, top, drawn - left, ACTUAL_HEIGHT))


def _playhead(painter: QPainter, picture: Picture, bottom: float, theme: Theme) -> None:
    actual = picture.actual
    if actual is None or not actual.live:
        return
    x = picture.geometry.x_of(actual.step)
    painter.setPen(QPen(QColor(theme.text), 1.5))
    painter.drawLine(QPointF(x, AXIS_HEIGHT), QPointF(x, bottom))
    painter.setBrush(QColor(theme.text))
    top = picture.top + AXIS_HEIGHT
    painter.drawPolygon(QPolygonF([QPointF(x - 5, top), QPointF(x + 5, top), QPointF(x, top + 6)]))


def _bubble(painter: QPainter, picture: Picture, theme: Theme) -> None:
    """Show the numbers of the bar that is being dragged beside it, or on it where neither side has room."""
    geometry, bar = picture.geometry, picture.timeline.bar
    words = window_words(bar)
    width = QFontMetricsF(painter.font()).horizontalAdvance(words) + 20
    left, right = geometry.ends(bar)
    sides = (right + 10, left - 10 - width, (left + right - width) / 2)
    x = next((at for at in sides if at >= geometry.left and at + width <= geometry.width - 2), sides[2])
    box = QRectF(x, geometry.row_top(picture.timeline.selected) + BAR_TOP - 1, width, BAR_HEIGHT + 2)
    painter.setPen(QPen(QColor(theme.accent), 1))
    painter.setBrush(QColor(theme.raised))
    painter.drawRoundedRect(box, 5, 5)
    _text(painter, box, words, theme.text, Qt.AlignmentFlag.AlignHCenter)


def _text(
    painter: QPainter, box: QRectF, words: str, color: str,
    side: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft,
) -> None:  # fmt: skip
    painter.setPen(QColor(color))
    painter.drawText(box, side | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine, words)
