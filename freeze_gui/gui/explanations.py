"""The page that explains a cause, a side effect or a warning: what happened, why, and the cure with code to copy."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QToolButton, QVBoxLayout, QWidget

from freeze_gui.freezing.explain import Case, case_of_cause, case_of_effect
from freeze_gui.freezing.explanation import Explanation
from freeze_gui.gui.code_view import CodeView
from freeze_gui.gui.theme import current_theme, icon, theme_manager
from freeze_gui.gui.verdict_text import moved_tensors

if TYPE_CHECKING:
    from freeze_gui.gui.forecaster import ForecastText
    from freeze_gui.runs.recorder import RunRecorder

_FRAME_PX = 16   # what border and padding of the code take above and below, and a little air


def case_for(kind: str, recorder: RunRecorder | None, ahead: ForecastText) -> Case:
    """Return what is known of `kind`: in the run on show, else in the forecast of the next one."""
    if recorder is not None and recorder.ended is not None:
        optimizer = recorder.config.optimizer.name
        moved = moved_tensors(recorder)
        if any(cause.cause == kind for tensor in moved for cause in tensor.causes):
            return case_of_cause(kind, moved, optimizer)
        for effect in recorder.ended.side_effects:
            if effect.kind == kind:
                return case_of_effect(effect.layers, recorder.ended.thaws, optimizer)
    told = {**dict(ahead.unsure), **{warning.kind: warning.layers for warning in ahead.warnings}, **dict(ahead.causes)}
    return Case(layers=told.get(kind, ()))


class ExplanationView(QWidget):
    """Shows one explanation at a time.

    Signals
    -------
    closed()
        The person wants to go back.
    """

    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.back_button = QToolButton(self)
        self.back_button.setObjectName("explanationBackButton")
        self.back_button.setText("‹ Back to the verdict")
        self.back_button.setProperty("flat", True)
        self.back_button.setToolTip("Back to the verdict (Esc)")
        self.text = QLabel(self)
        self.text.setObjectName("explanationText")
        self.text.setTextFormat(Qt.TextFormat.RichText)
        self.text.setWordWrap(True)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.place = QLabel(self)
        self.place.setProperty("muted", True)
        self.place.setWordWrap(True)
        self.copy_button = QToolButton(self)
        self.copy_button.setObjectName("copyCureButton")
        self.copy_button.setProperty("flat", True)
        self.copy_button.setToolTip("Copy the code")
        self.copy_button.setAccessibleName("Copy the code of the cure")
        self.code = CodeView(self)
        self.code.setObjectName("cureView")
        self.code.setAccessibleName("Code of the cure")
        self._explanation: Explanation | None = None
        self._lay_out()
        self.back_button.clicked.connect(self.closed)
        self.copy_button.clicked.connect(self.code.copy_all)
        theme_manager().changed.connect(self.on_theme_changed)
        self.on_theme_changed(current_theme())

    def show_explanation(self, explanation: Explanation) -> None:
        """Show this one, from its beginning."""
        self._explanation = explanation
        self.text.setText(explanation_html(explanation))
        self.text.setAccessibleName(explanation.title)
        self.place.setText(f"{explanation.place}:")
        self.code.setPlainText(explanation.code)
        lines = explanation.code.count("\n") + 1
        bar = self.code.horizontalScrollBar().sizeHint().height()
        margins = 2 * round(self.code.document().documentMargin()) + _FRAME_PX
        self.code.setFixedHeight(lines * self.code.fontMetrics().lineSpacing() + margins + bar)
        self._scroll.verticalScrollBar().setValue(0)

    @Slot(object)
    def on_theme_changed(self, theme: object) -> None:
        """Take the new colours."""
        self.copy_button.setIcon(icon("copy"))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go back by Escape, as by the button."""
        if event.key() in (Qt.Key.Key_Escape, Qt.Key.Key_Back):
            self.closed.emit()
        else:
            super().keyPressEvent(event)

    def _lay_out(self) -> None:
        content = QWidget(self)
        inside = QVBoxLayout(content)
        inside.setContentsMargins(0, 0, 8, 0)
        inside.setSpacing(6)
        row = QHBoxLayout()
        row.addWidget(self.place, 1)
        row.addWidget(self.copy_button)
        inside.addWidget(self.text)
        inside.addLayout(row)
        inside.addWidget(self.code)
        inside.addStretch(1)
        self._scroll = QScrollArea(self)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(content)
        self._scroll.viewport().setAutoFillBackground(False)   # the card's surface shows through
        content.setAutoFillBackground(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.back_button, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(self._scroll, 1)


def explanation_html(explanation: Explanation) -> str:
    """Return the words of an explanation as HTML."""
    title = explanation.title[:1].upper() + explanation.title[1:]
    parts = [f'<p style="margin: 0 0 6px 0; font-weight: 600;">{escape(title)}</p>']
    for heading, words in (
        ("What happens", explanation.happened), ("Why", explanation.why), ("The cure", explanation.cure)
    ):
        parts.append(f'<p style="margin: 0 0 6px 0;"><b>{heading}.</b> {escape(words)}</p>')
    return "".join(parts)
