"""The verdict pane: did each frozen layer hold, bit by bit, and if not, how far did it move, why, and what cures it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, QUrl, Slot
from PySide6.QtWidgets import (
    QFrame,
    QLabel,
    QProgressBar,
    QSizePolicy,
    QStackedWidget,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from freeze_gui.freezing.explain import explain
from freeze_gui.gui.explanations import ExplanationView, case_for
from freeze_gui.gui.forecaster import ForecastText
from freeze_gui.gui.theme import current_theme, theme_manager
from freeze_gui.gui.verdict_html import headline_html, sections_html
from freeze_gui.gui.verdict_sections import claims_section, next_run_section, sections_of
from freeze_gui.gui.verdict_text import VerdictText, verdict_text

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder


class VerdictPanel(QWidget):
    """Shows what is known of one run; call `refresh` to take in what has arrived since.

    Causes, side effects and warnings are links: each opens its explanation in place of the verdict.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._recorder: RunRecorder | None = None
        self._ahead = ForecastText()
        self._shown: VerdictText | None = None
        self._make_verdict()
        self.explanation = ExplanationView(self)
        self.pages = QStackedWidget(self)
        self.pages.addWidget(self._verdict)
        self.pages.addWidget(self.explanation)
        card = QFrame(self)
        card.setProperty("card", True)
        around = QVBoxLayout(self)
        around.setContentsMargins(0, 8, 8, 4)
        around.addWidget(card)
        layout = QVBoxLayout(card)
        layout.setContentsMargins(12, 10, 12, 10)
        layout.addWidget(self.pages)
        self.details.anchorClicked.connect(self.on_link)
        self.explanation.closed.connect(self.show_verdict)
        theme_manager().changed.connect(self.on_theme_changed)
        self.refresh()

    def sizeHint(self) -> QSize:
        """Return a width in which the lines of the verdict are readable."""
        return QSize(300, 320)

    def set_run(self, recorder: RunRecorder | None) -> None:
        """Show another run, or none."""
        if recorder is not self._recorder:
            self.pages.setCurrentWidget(self._verdict)
            self.details.verticalScrollBar().setValue(0)
        self._recorder = recorder
        self.refresh()

    @Slot(object)
    def set_forecast(self, text: ForecastText) -> None:
        """Take what is forecast for the next run."""
        self._ahead = text
        self.refresh()

    def refresh(self) -> None:
        """Show what is known now."""
        self._show_progress()
        text = self._text()
        if text == self._shown:
            return
        before, self._shown = self._shown, text
        theme = current_theme()
        self.label.setText(headline_html(text, theme))
        self.label.setToolTip(text.error)
        self.sub_label.setText(text.sub)
        if before is None or before.sections != text.sections:
            bar = self.details.verticalScrollBar()
            at = bar.value()
            self.details.setVisible(bool(text.sections))   # else an error has its room
            self.details.setHtml(sections_html(text.sections, theme))
            bar.setValue(at)   # a new forecast, or another count, must not take the place from a reader

    def show_explanation(self, kind: str) -> None:
        """Explain a cause, a side effect or a warning, with what is known of it in this run."""
        explanation = explain(kind, case_for(kind, self._recorder, self._ahead))
        if explanation is not None:
            self.explanation.show_explanation(explanation)
            self.pages.setCurrentWidget(self.explanation)
            self.explanation.back_button.setFocus()

    @Slot()
    def show_verdict(self) -> None:
        """Go back from an explanation."""
        self.pages.setCurrentWidget(self._verdict)
        self.details.setFocus()

    @Slot(QUrl)
    def on_link(self, url: QUrl) -> None:
        """Open the explanation that a link names."""
        self.show_explanation(url.path())

    @Slot(object)
    def on_theme_changed(self, theme: object) -> None:
        """Write again in the new colours."""
        self._shown = None
        self.refresh()

    def _text(self) -> VerdictText:
        """Return the verdict with all its sections: a scenario's claims, what leaked and why, the rest, what held."""
        recorder, text = self._recorder, verdict_text(self._recorder)
        if recorder is not None and recorder.ended is None:
            return text
        claims = claims_section(recorder.findings.get("claims", ())) if recorder is not None else None
        leaks = [section for section in text.sections if section.title != "Held"]
        held = [section for section in text.sections if section.title == "Held"]
        further = sections_of(recorder) if recorder is not None else []
        found = [claims, *leaks, *further, *held, next_run_section(self._ahead)]
        return replace(text, sections=tuple(section for section in found if section is not None))

    def _make_verdict(self) -> None:
        self._verdict = QWidget(self)
        title = QLabel("Verdict", self._verdict)
        title.setProperty("title", True)
        self.label = QLabel(self._verdict)
        self.label.setObjectName("verdictLabel")
        self.label.setAccessibleName("Verdict")
        self.label.setTextFormat(Qt.TextFormat.RichText)
        self.label.setWordWrap(True)
        self.label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)   # as high as its words are at this width …
        self.label.setSizePolicy(policy)
        self.label.setMinimumHeight(1)   # … but a long error does not make the window higher than the screen
        self.sub_label = QLabel(self._verdict)
        self.sub_label.setProperty("muted", True)
        self.sub_label.setWordWrap(True)
        self.progress = QProgressBar(self._verdict)
        self.progress.setTextVisible(False)
        self.progress.setMaximumHeight(4)
        self.progress.hide()
        self.details = QTextBrowser(self._verdict)
        self.details.setObjectName("verdictDetails")
        self.details.setAccessibleName("What held and leaked, and why; Tab and Enter open explanations")
        self.details.setOpenLinks(False)
        self.details.setFrameShape(QFrame.Shape.NoFrame)
        self.details.document().setDocumentMargin(0)
        layout = QVBoxLayout(self._verdict)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        for widget in (title, self.label, self.sub_label, self.progress):
            layout.addWidget(widget)
        layout.addWidget(self.details, 1)
        layout.addStretch(0)   # of the room of the details, while they are hidden

    def _show_progress(self) -> None:
        recorder = self._recorder
        running = recorder is not None and recorder.ended is None
        self.progress.setVisible(running)
        if recorder is None or not running:
            return
        done, total = 0, 0
        if recorder.progress is not None and recorder.progress.total:   # before the first step or after the last one
            done, total = recorder.progress.done, recorder.progress.total
        elif recorder.history is not None:
            done, total = recorder.history.steps, recorder.history.total_steps
        thousandths = 1000 * done // total if total else 0   # bytes would overflow the bar's 32 bits
        self.progress.setRange(0, 1000 if total else 0)
        self.progress.setValue(thousandths)
