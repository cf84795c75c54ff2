"""One run among others: its colour and dash, name, verdict, and a small heatmap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from freeze_gui.gui.heatmap import HeatmapView
from freeze_gui.gui.plot_base import line_pen
from freeze_gui.gui.run_verdict import verdict_of, version_of
from freeze_gui.gui.theme import RUN_DASHES, current_theme, series_color

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder


class DashSample(QWidget):
    """A dot and a stretch of the line with which a run is drawn."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.number = 0
        self.setFixedSize(38, 14)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the sample."""
        painter = QPainter(self)
        painter.setPen(line_pen(series_color(self.number), RUN_DASHES[self.number % len(RUN_DASHES)]))
        painter.drawLine(14, 7, 36, 7)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(series_color(self.number)))
        painter.drawEllipse(1, 3, 9, 9)
        painter.end()


class RunTile(QWidget):
    """Title and small heatmap of one run."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.sample = DashSample(self)
        self.title = QLabel(self)
        self.title.setProperty("title", True)
        self.verdict = QLabel(self)
        self.verdict.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.heatmap = HeatmapView(self, compact=True)
        self._recorder: RunRecorder | None = None
        self._shown: object = None
        line = QHBoxLayout()
        line.setSpacing(4)
        line.addWidget(self.sample)
        line.addWidget(self.title)
        line.addWidget(self.verdict, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 4)
        column.setSpacing(4)
        column.addLayout(line)
        column.addWidget(self.heatmap, 1)

    def set_run(self, recorder: RunRecorder, number: int) -> None:
        """Show a run, which has this number among those compared."""
        self._recorder = recorder
        self.sample.number = number
        self.sample.update()
        self.heatmap.set_history(recorder.history)
        self._shown = None
        self._show_words()

    def refresh(self) -> None:
        """Draw what has arrived since the last call."""
        if self._recorder is None:
            return
        self.heatmap.set_history(self._recorder.history)
        self.heatmap.refresh()
        self._show_words()

    def minimumSizeHint(self) -> QSize:
        """Return the least size at which something is seen."""
        return QSize(140, 96)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the card below title and heatmap."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(current_theme().panel))
        painter.drawRoundedRect(self.rect(), 6, 6)
        painter.end()

    def _show_words(self) -> None:
        if self._recorder is None:
            return
        theme, version = current_theme(), version_of(self._recorder)
        if self._shown == (version, theme.name):
            return
        self._shown = version, theme.name
        verdict = verdict_of(self._recorder)
        self.title.setText(self._recorder.label)
        self.verdict.setText(verdict.words)
        self.verdict.setToolTip(verdict.detail)
        weight = 400 if verdict.tone == "muted" else 600
        self.verdict.setStyleSheet(f"color: {getattr(theme, verdict.tone)}; font-weight: {weight};")
        self.heatmap.empty_text = verdict.detail if verdict.detail != "waiting" else "waits for its turn"
        self.heatmap.update()
