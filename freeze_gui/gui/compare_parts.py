"""Small parts of the comparison: headings, the page before the first run, and the line about proof and progress."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from freeze_gui.gui.compare_words import EqualRuns, equal_detail, equal_line, progress_of, proof_line
from freeze_gui.gui.elided_label import ElidedLabel
from freeze_gui.gui.theme import set_states

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder

NO_RUNS = "Which way of freezing really holds?"
NO_RUNS_HINT = "Each method runs from the same weights, seed and batches; the runs appear here side by side."
NOT_CHOSEN = "No runs stand side by side yet"
NOT_CHOSEN_HINT = (
    "Select two rows or more in the table below, with Ctrl+click, and press “Side by side”. Or compare methods anew, "
    "from the same weights, seed and batches."
)


def heading(text: str, *widgets: QWidget) -> QHBoxLayout:
    """Return a line with a title on the left and widgets on the right."""
    label = ElidedLabel(Qt.TextElideMode.ElideRight)
    label.setText(text)
    return headed_by(label, *widgets)


def headed_by(label: QLabel, *widgets: QWidget) -> QHBoxLayout:
    """Return a line with this label as title."""
    line = QHBoxLayout()
    line.setSpacing(8)
    label.setProperty("title", True)
    line.addWidget(label, 1)
    for widget in widgets:
        line.addWidget(widget)
    return line


class EmptyPage(QWidget):
    """What stands in the comparison while no runs are chosen for it.

    Signals
    -------
    comparison_wanted(), latest_wanted()
        A button was pressed.
    """

    comparison_wanted = Signal()
    latest_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.words, self.hint = QLabel(self), QLabel(self)
        self.words.setProperty("title", True)
        self.hint.setProperty("muted", True)
        self.hint.setWordWrap(True)
        self.button = QPushButton("Compare methods…", self)
        self.button.setObjectName("emptyCompareButton")
        self.button.clicked.connect(self.comparison_wanted)
        self.latest_button = QPushButton("The latest side by side", self)
        self.latest_button.setObjectName("latestSideBySideButton")
        self.latest_button.setToolTip("Show the latest runs of the table side by side, up to eight")
        self.latest_button.clicked.connect(self.latest_wanted)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addStretch(1)
        buttons.addWidget(self.button)
        buttons.addWidget(self.latest_button)
        buttons.addStretch(1)
        column = QVBoxLayout(self)
        column.setSpacing(8)
        column.addStretch(1)
        for label in (self.words, self.hint):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            column.addWidget(label)
        column.addSpacing(4)
        column.addLayout(buttons)
        column.addStretch(1)
        self.set_count(0)

    def set_count(self, count: int) -> None:
        """Speak of so many runs in the window."""
        self.words.setText(NOT_CHOSEN if count else NO_RUNS)
        self.hint.setText(NOT_CHOSEN_HINT if count else NO_RUNS_HINT)
        self.latest_button.setVisible(count > 1)


class CompareStatus(QWidget):
    """One line: that the runs can be compared, which are equal, and how far they are.

    Signals
    -------
    cancel_wanted()
        The comparison that goes on is to end.
    """

    cancel_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._recorders: list[RunRecorder] = []
        self.equal_runs = EqualRuns()
        self._ended = -1
        self.proof, self.progress = (ElidedLabel(Qt.TextElideMode.ElideRight, self) for _ in range(2))
        for label in (self.proof, self.progress):
            label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)   # before what is beside them
        self.proof.setObjectName("proofLabel")
        self.progress.setObjectName("comparisonProgressLabel")
        self.equal = ElidedLabel(Qt.TextElideMode.ElideRight, self)
        self.equal.setObjectName("equalRunsLabel")
        self.progress.setProperty("muted", True)
        self.bar = QProgressBar(self)
        self.bar.setObjectName("comparisonProgressBar")
        self.bar.setAccessibleName("Progress over all runs")
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setMinimumWidth(60)
        self.bar.setMaximumWidth(140)
        self.cancel_button = QPushButton("Cancel", self)
        self.cancel_button.setObjectName("cancelComparisonButton")
        self.cancel_button.setToolTip("End all runs of the comparison; what they have shown stays")
        self.cancel_button.clicked.connect(self.cancel_wanted)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(12)
        line.addWidget(self.proof)
        line.addWidget(self.equal, 1)
        for widget in (self.progress, self.bar, self.cancel_button):
            line.addWidget(widget)
        self.hide()

    def set_runs(self, recorders: Sequence[RunRecorder]) -> None:
        """Speak of these runs."""
        self._recorders, self._ended = list(recorders), -1

    def refresh(self, comparing: bool, in_turns: bool = False) -> None:
        """Say what is new; `comparing` while the runs go on, one after another or `in_turns`."""
        for widget in (self.progress, self.bar, self.cancel_button):
            widget.setVisible(comparing)
        if comparing:
            progress = progress_of(self._recorders, in_turns)
            self.progress.setText(progress.text)
            self.progress.setToolTip(progress.label)
            self.bar.setValue(round(progress.share * 1000))
        ended = sum(recorder.ended is not None for recorder in self._recorders)
        if ended != self._ended:   # hashes and bits are there when a run ends, and not before
            self._ended = ended
            self._show_proof()
        self.setVisible(comparing or bool(self.proof.text()))

    def _show_proof(self) -> None:
        proof, groups = proof_line(self._recorders), self.equal_runs.groups(self._recorders)
        self.proof.setText(proof.text)
        self.proof.setToolTip(proof.detail)
        set_states(self.proof, held=proof.holds is True, leaked=proof.holds is False, warning=proof.holds is None)
        self.equal.setText(equal_line(groups))
        self.equal.setToolTip(equal_detail(groups))
