"""One run among others: its colour and dash, name, verdict, and a small heatmap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from freeze_gui.gui.elided_label import ElidedLabel
from freeze_gui.gui.heatmap import HeatmapView
from freeze_gui.gui.plot_base import line_pen
from freeze_gui.gui.run_look import DOT_PX, paint_dot, run_color, run_dash
from freeze_gui.gui.run_verdict import verdict_of, version_of
from freeze_gui.gui.theme import current_theme, set_states

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder

LEAST_PX = QSize(116, 104)
_MARKS = {"held": "✓", "leaked": "✗", "warning": "!", "muted": ""}


class Dot(QWidget):
    """The spot in a run's colour."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.number = 0
        self.setFixedSize(DOT_PX + 2, 14)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the spot."""
        painter = QPainter(self)
        paint_dot(painter, self.number)
        painter.end()


class RunTile(QWidget):
    """Name and verdict of one run, a stretch of its line, and its small heatmap.

    Attributes
    ----------
    recorder
        The run, None before there is one.

    Signals
    -------
    clicked(bool)
        The tile was clicked, with Ctrl or without; without it a click in the heatmap chooses a layer instead.
    """

    clicked = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._chosen = self._filtered = False
        self.dot = Dot(self)
        self.title = ElidedLabel(Qt.TextElideMode.ElideMiddle, self)   # methods differ at the start, repeats at the end
        self.title.setProperty("title", True)
        self.verdict = ElidedLabel(Qt.TextElideMode.ElideRight, self)
        self.verdict.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        font = self.verdict.font()
        font.setPointSizeF(max(font.pointSizeF() - 1, 7))
        self.verdict.setFont(font)
        self.verdict.setProperty("verdict", True)
        self.heatmap = HeatmapView(self, compact=True)
        self.heatmap.installEventFilter(self)
        self.recorder: RunRecorder | None = None
        self._shown: object = None
        line = QHBoxLayout()
        line.setSpacing(5)
        line.addWidget(self.dot)
        line.addWidget(self.title, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(7, 5, 7, 2)
        column.setSpacing(2)
        column.addLayout(line)
        column.addWidget(self.verdict)
        column.addSpacing(6)
        column.addWidget(self.heatmap, 1)

    def set_run(self, recorder: RunRecorder, number: int) -> None:
        """Show a run, which has this number among all."""
        if recorder is not self.recorder or number != self.dot.number:
            self.recorder = recorder
            self.dot.number = number
            self.heatmap.set_history(recorder.history)
            self.restyle()

    def restyle(self) -> None:
        """Take the colours of the theme in use."""
        self.update()
        self._shown = None
        self._show_words()

    def set_chosen(self, chosen: bool) -> None:
        """Draw a frame around a tile that is chosen."""
        if chosen != self._chosen:
            self._chosen = chosen
            self.update()

    def show_rows(self, layers: tuple[str, ...] | None) -> None:
        """Show only these layers; None shows all."""
        self._filtered, self._shown = layers is not None, None
        self.heatmap.set_row_filter(layers)
        self._show_words()

    def refresh(self) -> None:
        """Draw what has arrived since the last call."""
        if self.recorder is None:
            return
        self.heatmap.live = self.recorder.ended is None
        self.heatmap.set_history(self.recorder.history)
        self.heatmap.refresh()
        self._show_words()

    def minimumSizeHint(self) -> QSize:
        """Return the least size at which something is seen."""
        return LEAST_PX

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the card below title and heatmap, and between them the line with which the run is drawn."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(current_theme().accent), 2) if self._chosen else Qt.PenStyle.NoPen)
        painter.setBrush(QColor(current_theme().panel))
        inside = self.rect().adjusted(1, 1, -1, -1) if self._chosen else self.rect()
        painter.drawRoundedRect(inside, 6, 6)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setPen(line_pen(run_color(self.dot.number), run_dash(self.dot.number)))
        y = self.heatmap.y() - 4
        painter.drawLine(8, y, self.width() - 8, y)
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Pass the click on."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.clicked.emit(bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take clicks with Ctrl away from the heatmap."""
        if (
            event.type() == QEvent.Type.MouseButtonPress
            and isinstance(event, QMouseEvent)
            and event.modifiers() & Qt.KeyboardModifier.ControlModifier
        ):
            self.mousePressEvent(event)
            return True
        return super().eventFilter(watched, event)

    def _show_words(self) -> None:
        if self.recorder is None:
            return
        version = version_of(self.recorder)
        if self._shown == version:
            return
        self._shown = version
        verdict = verdict_of(self.recorder)
        mark = _MARKS[verdict.tone]
        self.title.setText(self.recorder.label)
        short = verdict.words.replace("LEAKED", "leaked").replace("running statistics", "statistics")
        self.verdict.setText(f"{mark} {short}".strip())
        self.verdict.least = mark
        words = f"{self.recorder.label}: {verdict.words}"
        if verdict.detail not in ("", verdict.words):
            words += f"\n{verdict.detail}"
        for label in (self.title, self.verdict):
            label.setToolTip(words)
        self.heatmap.setAccessibleName(f"Heatmap of {words}")
        set_states(self.verdict, **{tone: tone == verdict.tone for tone in _MARKS})
        self.heatmap.empty_text = verdict.detail if verdict.detail != "waiting" else "waits for its turn"
        if self._filtered and self.recorder.history is not None:
            self.heatmap.empty_text = "every layer is equal in all runs"
        self.heatmap.update()
