"""What the colours and patterns of a heatmap mean: a scale with ticks, and a swatch for each state."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from freeze_gui.gui import heatmap_codes as codes
from freeze_gui.gui.palette import Theme, color_map, mix, rgb
from freeze_gui.gui.theme import current_theme, theme_manager

METRIC_TITLES = {"weight_delta": "weight delta", "update_norm": "update norm", "grad_norm": "gradient norm"}
SHORT_PX = 190
"""A heatmap lower than this has a legend of one line."""

STATES = (
    (codes.FROZEN, "frozen, held"),
    (codes.LEAKED, "frozen, leaked"),
    (codes.MISSING, "no gradient"),
    (codes.ZERO, "zero"),
    (codes.NAN, "NaN"),
)


@functools.lru_cache(maxsize=8)
def lookup_table(theme: Theme) -> NDArray[np.uint32]:
    """Return the colour of each code as 0xffRRGGBB, shape (256,); it belongs to all and must not be written."""
    table = np.full(256, rgb(theme.plot_background), np.uint32)
    table[codes.SCALE_FIRST : codes.SCALE_LAST + 1] = color_map(theme, codes.SCALE_LAST + 1 - codes.SCALE_FIRST)
    table[codes.EMPTY] = rgb(mix(theme.plot_background, theme.text, 0.045))
    table[codes.FROZEN] = table[codes.FROZEN_NO_GRADIENT] = rgb(theme.ice)
    table[codes.FROZEN_HATCH] = rgb(mix(theme.ice, "#10283f", 0.45))
    table[codes.MISSING] = rgb(mix(theme.plot_background, theme.text, 0.10))
    table[codes.MISSING_HATCH] = rgb(mix(theme.plot_background, theme.text, 0.50))
    table[codes.ZERO] = rgb(theme.zero)
    table[codes.NAN], table[codes.NAN_HATCH] = rgb("#ffffff"), rgb("#000000")
    table[codes.LEAKED] = rgb("#ff6a33")
    table[codes.LEAKED_HATCH] = rgb("#7a1f00")
    table.flags.writeable = False
    return table


def pixels_to_image(pixels: codes.Codes, table: NDArray[np.uint32]) -> QImage:
    """Return (height, width) codes as a picture that owns its memory."""
    height, width = pixels.shape
    colors = np.ascontiguousarray(table[pixels])
    return QImage(colors.data, width, height, 4 * width, QImage.Format.Format_RGB32).copy()


def power_text(power: float) -> str:
    """Return 10 to the `power` in few characters: ``0.01``, ``1``, ``300``, ``1e-5``."""
    value = 10.0**power
    if -3 <= power < 4:
        return f"{value:.2g}" if value < 10 else f"{value:.0f}"
    return f"1e{round(power):d}" if abs(power - round(power)) < 1e-6 else f"{value:.0e}".replace("e-0", "e-")


def scale_ticks(low: float, high: float, most: int = 4) -> list[float]:
    """Return whole powers of ten in [low, high], at most `most` of them, or the ends where there are too few."""
    whole = list(range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1))
    if len(whole) < 2:
        return [low, high]
    every = -(-len(whole) // most)
    return [float(power) for power in whole[::-1][::every][::-1]]


class HeatmapLegend(QWidget):
    """One line of scale and swatches; drops swatches from the right when it is too narrow."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._levels = (-3.0, 0.0)
        self._title = ""
        self._short = False
        theme_manager().changed.connect(self.update)

    def set_scale(self, metric: str, levels: tuple[float, float]) -> None:
        """Show the scale of `metric` between two powers of ten."""
        new = METRIC_TITLES.get(metric, metric), levels
        if new != (self._title, self._levels):
            self._title, self._levels = new
            self.update()

    def set_short(self, short: bool) -> None:
        """Write the ends of the scale beside it, in one line, instead of ticks below it."""
        if short != self._short:
            self._short = short
            self.updateGeometry()
            self.update()

    def place(self, around: QSize, cells: Callable[[], QRect]) -> None:
        """Lie down below the cells in a heatmap of this size; in a low one as one line, so that the rows have the rest.

        Where the cells are is asked after the legend has chosen its height, which they make room for.
        """
        self.set_short(around.height() < SHORT_PX)
        height, rect = self.sizeHint().height(), cells()
        below = rect.bottom() + QFontMetrics(self.font()).height() + 11
        left = 0 if self._short else rect.left()   # a single line has all the width for its words
        self.setGeometry(left, min(below, around.height() - height), around.width() - left, height)

    def sizeHint(self) -> QSize:
        """Return a line of swatches, above a line of ticks where there is room for one."""
        line = QFontMetrics(self.font()).height()
        return QSize(400, line if self._short else self._bar_height + 4 + line)

    minimumSizeHint = sizeHint

    _bar_height = 10

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint title, scale, ticks and swatches."""
        painter = QPainter(self)
        theme, metrics = current_theme(), QFontMetrics(self.font())
        table = lookup_table(theme)
        painter.setPen(QColor(theme.muted))
        left = metrics.horizontalAdvance(self._title) + 12 if self._title else 0
        painter.drawText(QRect(0, -2, left, metrics.height()), Qt.AlignmentFlag.AlignLeft, self._title)
        if self._short:
            left += self._paint_word(painter, left, power_text(self._levels[0])) + 6
        width = min(max(self.width() // 5, 90), 200)
        ramp = np.linspace(codes.SCALE_FIRST, codes.SCALE_LAST, width).astype(np.uint8)[None, :]
        bar = QRect(left, 1, width, self._bar_height)
        painter.drawImage(bar, pixels_to_image(ramp, table))
        if self._short:
            right = left + width + 6
            right += self._paint_word(painter, right, power_text(self._levels[1]))
        else:
            right = left + width
            self._paint_ticks(painter, bar)
        self._paint_states(painter, right + 20, metrics, table)
        painter.end()

    def _paint_word(self, painter: QPainter, x: int, text: str) -> int:
        """Paint one end of the scale; return its width."""
        metrics = painter.fontMetrics()
        width = metrics.horizontalAdvance(text)
        painter.drawText(QRect(x, -2, width + 2, metrics.height()), Qt.AlignmentFlag.AlignLeft, text)
        return width

    def _paint_ticks(self, painter: QPainter, bar: QRect) -> None:
        metrics, left, width = painter.fontMetrics(), bar.left(), bar.width()
        low, high = self._levels
        text_y = bar.bottom() + 3
        for power in scale_ticks(low, high, most=max(width // 40, 2)):
            text = power_text(power)
            advance = metrics.horizontalAdvance(text)
            x = left + round((power - low) / (high - low) * (width - 1))
            painter.drawLine(x, bar.bottom() + 1, x, bar.bottom() + 3)
            place = min(max(x - advance // 2, left), left + width - advance + advance // 2)
            painter.drawText(QRect(place, text_y, advance + 4, metrics.height()), Qt.AlignmentFlag.AlignLeft, text)

    def _paint_states(self, painter: QPainter, x: int, metrics: QFontMetrics, table: NDArray[np.uint32]) -> None:
        theme = current_theme()
        for code, text in STATES:
            need = 22 + metrics.horizontalAdvance(text)
            if x + need > self.width():
                return
            swatch = codes.to_pixels(np.full((1, 16), code, np.uint8), self._bar_height)
            painter.drawImage(x, 1, pixels_to_image(swatch, table))
            painter.setPen(QColor(theme.border))
            painter.drawRect(QRect(x, 1, 15, self._bar_height - 1))
            painter.setPen(QColor(theme.muted))
            painter.drawText(QRect(x + 21, -2, need, metrics.height()), Qt.AlignmentFlag.AlignLeft, text)
            x += need + 14
