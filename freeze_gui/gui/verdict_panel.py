"""The verdict pane: did each frozen layer hold, bit by bit, and if not, how far did it move, why, and what cures it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtWidgets import QFrame, QLabel, QProgressBar, QSizePolicy, QTextBrowser, QVBoxLayout, QWidget

from freeze_gui.gui.theme import Theme, current_theme, theme_manager
from freeze_gui.gui.verdict_text import VerdictText, cause_name, verdict_text

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder

_MARKS = {"held": "✓", "leaked": "✗", "warning": "!", "muted": "·"}


class VerdictPanel(QWidget):
    """Shows what is known of one run; call `refresh` to take in what has arrived since."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        title = QLabel("Verdict", self)
        title.setProperty("title", True)
        self.label = QLabel(self)
        self.label.setObjectName("verdictLabel")
        self.label.setAccessibleName("Verdict")
        self.label.setTextFormat(Qt.TextFormat.RichText)
        self.label.setWordWrap(True)
        self.label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        self.sub_label = QLabel(self)
        self.sub_label.setProperty("muted", True)
        self.sub_label.setWordWrap(True)
        self.progress = QProgressBar(self)
        self.progress.setTextVisible(False)
        self.progress.setMaximumHeight(4)
        self.progress.hide()
        self.details = QTextBrowser(self)
        self.details.setObjectName("verdictDetails")
        self.details.setAccessibleName("Tensors that held and leaked")
        self.details.setOpenLinks(False)
        self.details.setFrameShape(QFrame.Shape.NoFrame)
        self.details.setStyleSheet("QTextBrowser { border: none; padding: 0; }")
        self.details.document().setDocumentMargin(0)
        card = QFrame(self)
        card.setProperty("card", True)
        around = QVBoxLayout(self)
        around.setContentsMargins(0, 8, 8, 4)
        around.addWidget(card)
        layout = QVBoxLayout(card)
        layout.setContentsMargins(12, 10, 12, 10)
        layout.setSpacing(6)
        layout.addWidget(title)
        layout.addWidget(self.label)
        layout.addWidget(self.sub_label)
        layout.addWidget(self.progress)
        layout.addWidget(self.details, 1)
        self._recorder: RunRecorder | None = None
        self._shown: VerdictText | None = None
        theme_manager().changed.connect(self.on_theme_changed)
        self.refresh()

    def sizeHint(self) -> QSize:
        """Return a width in which the lines of the verdict are readable."""
        return QSize(300, 320)

    def set_run(self, recorder: RunRecorder | None) -> None:
        """Show another run, or none."""
        self._recorder = recorder
        self.refresh()

    def refresh(self) -> None:
        """Show what is known now."""
        self._show_progress()
        text = verdict_text(self._recorder)
        if text == self._shown:
            return
        before, self._shown = self._shown, text
        theme = current_theme()
        self.label.setText(headline_html(text, theme))
        self.sub_label.setText(text.sub)
        if before is None or (before.lines, before.advice) != (text.lines, text.advice):
            self.details.setHtml(details_html(text, theme))

    @Slot(object)
    def on_theme_changed(self, theme: object) -> None:
        """Write again in the new colours."""
        self._shown = None
        self.refresh()

    def _show_progress(self) -> None:
        recorder = self._recorder
        running = recorder is not None and recorder.ended is None
        self.progress.setVisible(running)
        if recorder is None or not running:
            return
        done, total = 0, 0
        if recorder.history is not None:
            done, total = recorder.history.steps, recorder.history.total_steps
        elif recorder.progress is not None and recorder.progress.total:
            done, total = recorder.progress.done, recorder.progress.total
        thousandths = 1000 * done // total if total else 0   # bytes would overflow the bar's 32 bits
        self.progress.setRange(0, 1000 if total else 0)
        self.progress.setValue(thousandths)


def headline_html(text: VerdictText, theme: Theme) -> str:
    """Return the headlines, and the error in full, as HTML in the colours of a theme."""
    parts = [
        f'<div style="color: {getattr(theme, tone)}; font-weight: 600;">{escape(words)}</div>'
        for tone, words in text.headlines
    ]
    if text.error:
        parts.append(f'<div style="margin-top: 4px;">{escape(text.error)}</div>')
    return "".join(parts)


def details_html(text: VerdictText, theme: Theme) -> str:
    """Return the lines and the advice as HTML in the colours of a theme."""
    parts = [
        f'<p style="margin: 4px 0 0 0;"><b>Why: {escape(cause_name(cause))}.</b> {escape(why)}</p>'
        f'<p style="margin: 2px 0 6px 0;"><b>Cure:</b> {escape(cure)}</p>'
        for cause, why, cure in text.advice
    ]
    for line in text.lines:
        color = getattr(theme, line.tone)
        parts.append(
            f'<p style="margin: 6px 0 0 0;"><span style="color: {color}; font-weight: 600;">'
            f"{_MARKS.get(line.tone, '')}</span> {escape(line.head)}</p>"
        )
        parts += [
            f'<p style="margin: 1px 0 0 14px; color: {theme.muted};">{escape(detail)}</p>' for detail in line.details
        ]
    return "".join(parts)
