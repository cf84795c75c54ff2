"""What stands around the cells of a heatmap: row labels, the step axis, markers, and the words at the pointer."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPen, QPolygon

from freeze_gui.gui.theme import current_theme

MOST_LABEL_WIDTH = 148
LEAST_LABELLED_ROW_PX = 9   # a name can just be read in a row this high


def row_font(font: QFont, row_height: float) -> QFont:
    """Return the font of the labels: smaller where rows are too thin for `font` but not for any name at all."""
    size = int(row_height)
    if LEAST_LABELLED_ROW_PX <= size < QFontMetrics(font).height() - 3:
        font = QFont(font)
        font.setPixelSize(size)
    return font


def row_label_width(words: Sequence[str], width: int, metrics: QFontMetrics, most_share: float = 0.36) -> int:
    """Return the width that the labels take: as wide as the longest, at most `most_share` of `width`."""
    longest = max((metrics.horizontalAdvance(word) for word in words), default=0)
    most = int(width * most_share) // 8 * 8   # heatmaps side by side differ by a pixel, and should read the same
    return min(longest + 14, MOST_LABEL_WIDTH, max(most, 24)) if words else 8


def fitted_paths(paths: Sequence[str], metrics: QFontMetrics, room: int) -> list[str]:
    """Return all `paths` in at most `room` pixels each: ``b.0.conv`` for every ``blocks.0.conv`` if one has no room."""
    deepest = max((path.count(".") for path in paths), default=0)
    for depth in range(deepest + 1):
        short = [_initials(path, depth) for path in paths]
        if all(metrics.horizontalAdvance(path) <= room for path in short):
            return short
    return [metrics.elidedText(path, Qt.TextElideMode.ElideMiddle, room) for path in short]


def _initials(path: str, depth: int) -> str:
    """Return the path with its first `depth` parents as first letters; numbers stay."""
    *parents, own = path.split(".")
    return ".".join([part if part.isdigit() or at >= depth else part[:1] for at, part in enumerate(parents)] + [own])


def block_starts(layers: Sequence[str], depth: int) -> list[tuple[int, int, str]]:
    """Return (first row, row after the last, path) of each block of layers that share `depth` parts of their path."""
    blocks: list[tuple[int, int, str]] = []
    for row, path in enumerate(layers):
        name = ".".join(path.split(".")[:depth])
        if blocks and blocks[-1][2] == name:
            blocks[-1] = (blocks[-1][0], row + 1, name)
        else:
            blocks.append((row, row + 1, name))
    return blocks


def labels_for(layers: Sequence[str], height: int, line: int) -> list[tuple[int, int, str]]:
    """Return (first row, row after the last, words): a label a row, or a block where rows are too thin for names."""
    row_height = height / max(len(layers), 1)
    if row_height >= min(line - 3, LEAST_LABELLED_ROW_PX):
        return [(row, row + 1, path or "(model)") for row, path in enumerate(layers)]
    deepest = max((path.count(".") for path in layers), default=0)
    for depth in range(deepest, 0, -1):
        blocks = block_starts(layers, depth)
        if sum((stop - start) * row_height < line - 3 for start, stop, _ in blocks) <= len(blocks) // 4:
            return blocks
    return block_starts(layers, 1)


def label_width(layers: tuple[str, ...], height: int, width: int, font: QFont, most_share: float = 0.36) -> int:
    """Return the width of the labels of these rows in a plot so high, of a widget so wide."""
    return _label_width(layers, height, width, font.toString(), most_share)


@functools.lru_cache(maxsize=64)   # measuring a hundred words takes longer than painting all the cells
def _label_width(layers: tuple[str, ...], height: int, width: int, font_key: str, most_share: float) -> int:
    font = _font_of(font_key)
    words = [label[2] for label in labels_for(layers, height, QFontMetrics(font).height())]
    return row_label_width(words, width, QFontMetrics(row_font(font, height / max(len(layers), 1))), most_share)


@functools.lru_cache(maxsize=64)
def _placed_labels(
    layers: tuple[str, ...], top: int, height: int, room: int, font_key: str
) -> tuple[tuple[int, str, str | None], ...]:
    """Return (top, words, path of the one row it names or None) of each label that has room below the one above."""
    metrics, per_row = QFontMetrics(_font_of(font_key)), height / len(layers)
    labels = labels_for(layers, height, metrics.height())
    texts = fitted_paths([words for _, _, words in labels], metrics, room)
    placed: list[tuple[int, str, str | None]] = []
    free_from = -math.inf
    for (start, stop, _), text in zip(labels, texts, strict=True):
        at = max(top + (start + stop) / 2 * per_row - metrics.height() / 2, 0.0)
        if at >= free_from - 3:
            free_from = at + metrics.height()
            placed.append((round(at), text, layers[start] if stop - start == 1 else None))
    return tuple(placed)


def _font_of(key: str) -> QFont:
    font = QFont()
    font.fromString(key)
    return font


def paint_row_labels(painter: QPainter, rect: QRect, layers: tuple[str, ...], selected: frozenset[str]) -> None:
    """Paint the labels left of `rect`."""
    theme, before = current_theme(), painter.font()
    font = row_font(before, rect.height() / len(layers))
    painter.setFont(font)
    line, room = painter.fontMetrics().height(), rect.left() - 10
    normal, chosen = QColor(theme.muted), QColor(theme.text)
    for top, text, path in _placed_labels(layers, rect.top(), rect.height(), room, font.toString()):
        painter.setPen(chosen if path in selected else normal)
        painter.drawText(
            QRect(0, top, room, line), Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text
        )
    painter.setFont(before)


def paint_marked_rows(
    painter: QPainter, rect: QRect, layers: Sequence[str], selected: frozenset[str], focus: int
) -> None:
    """Mark the selected rows, and the one that has the keyboard's focus, -1 for none."""
    per_row, color = rect.height() / len(layers), QColor(current_theme().accent)
    for row, path in enumerate(layers):
        if path in selected or row == focus:
            top_edge = rect.top() + math.ceil(row * per_row)
            tall = max(rect.top() + math.ceil((row + 1) * per_row) - top_edge, 2)
            if path in selected:
                painter.fillRect(QRect(rect.left() - 6, top_edge, 4, tall - (tall > 4)), color)
            if row == focus:
                painter.setPen(QPen(color, 2))   # around the row, where no pattern hides it
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRect(QRect(rect.left() - 1, top_edge - 1, rect.width() + 2, tall + 1))


def nice_step(span: float, most: int) -> int:
    """Return 1, 2 or 5 times a power of ten, so that `span` has at most `most` ticks."""
    least = max(span / max(most, 1), 1.0)
    power = 10 ** math.floor(math.log10(least))
    return int(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least - 1e-9))


def paint_axis(painter: QPainter, rect: QRect, x_range: tuple[float, float]) -> None:
    """Paint step numbers below `rect`."""
    theme, metrics = current_theme(), painter.fontMetrics()
    start, stop = x_range
    scale = rect.width() / max(stop - start, 1e-9)
    every = nice_step(stop - start, max(rect.width() // 80, 2))
    first = math.ceil(start / every) * every
    painter.setPen(QColor(theme.muted))
    y = rect.top() + rect.height()
    name_first = rect.width() >= 140
    free_from = -math.inf
    for step in range(first, math.floor(stop) + 1, every):
        x = rect.left() + round((step - start) * scale)
        painter.drawLine(x, y, x, y + 3)
        text = f"step {step}" if step == first and name_first else f"{step:,}"
        wide = metrics.horizontalAdvance(text)
        left = min(max(x - wide // 2, rect.left()), rect.left() + rect.width() - wide + 8)
        if left >= free_from:
            painter.drawText(QRect(left, y + 4, wide + 2, metrics.height()), Qt.AlignmentFlag.AlignLeft, text)
            free_from = left + wide + 6


def paint_wedges(
    painter: QPainter, rect: QRect, x_range: tuple[float, float], markers: Sequence[tuple[int, str]]
) -> None:
    """Paint a small wedge where layers froze or thawed."""
    theme, (start, stop) = current_theme(), x_range
    y, scale = rect.top() + rect.height(), rect.width() / max(stop - start, 1e-9)
    painter.setPen(QColor(theme.panel))
    painter.setBrush(QColor(theme.text))
    seen = set()
    for step, _ in markers:
        x = rect.left() + round((step - start) * scale)
        if rect.left() <= x <= rect.right() and x not in seen:
            seen.add(x)
            painter.drawPolygon(QPolygon([QPoint(x - 5, y + 1), QPoint(x + 5, y + 1), QPoint(x, y - 6)]))


def paint_cursor(painter: QPainter, rect: QRect, x: int | None) -> None:
    """Paint the line that all plots share, where it is in sight."""
    if x is not None:
        painter.setPen(QColor(current_theme().text))
        painter.drawLine(x, rect.top(), x, rect.bottom())


def paint_message(painter: QPainter, rect: QRect, text: str) -> None:
    """Paint one friendly line in the middle."""
    painter.setPen(QColor(current_theme().muted))
    painter.drawText(rect, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, text)


def paint_tooltip(painter: QPainter, bounds: QRect, at: QPoint, text: str) -> None:
    """Paint words in a small box beside `at`, inside `bounds`."""
    theme, metrics = current_theme(), painter.fontMetrics()
    box = QRect(0, 0, metrics.horizontalAdvance(text) + 16, metrics.height() + 8)
    box.moveTopLeft(at + QPoint(14, 14))
    if box.right() > bounds.right():
        box.moveRight(max(at.x() - 10, box.width()))
    if box.bottom() > bounds.bottom():
        box.moveBottom(at.y() - 8)
    painter.setPen(QColor(theme.border))
    painter.setBrush(QColor(theme.raised))
    painter.drawRoundedRect(box, 4, 4)
    painter.setPen(QColor(theme.text))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
