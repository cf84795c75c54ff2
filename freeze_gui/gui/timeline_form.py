"""The exact numbers of the selected phase: from, to, unit and learning-rate factor."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QSizePolicy, QVBoxLayout, QWidget

from freeze_gui.errors import UserError
from freeze_gui.gui.fields import captioned, choice_box
from freeze_gui.gui.theme import set_states
from freeze_gui.gui.timeline_state import Bar, Span, counting_in

_UNITS = (("step", "Count optimizer steps"), ("epoch", "Count passes over the data"))
_WHOLE = "must be a whole number, 0 or more"


class PhaseForm(QWidget):
    """Four fields for one bar.

    Signals
    -------
    edited(object, str)
        The bar as it is wanted now, and the name of the change.
    """

    edited = Signal(object, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bar, self._span = Bar(), Span(1)
        self.from_edit = _edit("phaseFromEdit", "First step or epoch, counted from 0", self)
        self.to_edit = _edit("phaseToEdit", 'Where the layers thaw; "end" is the end of the run', self)
        self.unit_box = choice_box("phaseUnitBox", _UNITS, self)
        factor = "Learning rate of these layers whenever they train, as a factor: 0.1 is ten times slower"
        self.factor_edit = _edit("phaseFactorEdit", factor, self)
        self.error_label = QLabel(self)
        self.error_label.setObjectName("phaseError")
        self.error_label.setProperty("warning", True)
        self.error_label.setWordWrap(True)
        self.error_label.hide()
        self._lay_out()
        for edit in (self.from_edit, self.to_edit, self.factor_edit):
            edit.editingFinished.connect(self.take)
        self.unit_box.currentIndexChanged.connect(self.take_unit)
        self.show_bar(self._bar, self._span)

    def show_bar(self, bar: Bar, span: Span) -> None:
        """Show the numbers of a bar."""
        self._bar, self._span = bar, span
        self.from_edit.setText(str(bar.start))
        self.to_edit.setText("end" if bar.stop is None else str(bar.stop))
        self.factor_edit.setText(f"{bar.lr_factor:.12g}")
        blocked = self.unit_box.blockSignals(True)
        self.unit_box.setCurrentIndex(self.unit_box.findData(bar.unit))
        self.unit_box.blockSignals(blocked)
        self._say("", None)

    def go_to_numbers(self) -> None:
        """Put the cursor into the first field."""
        self.from_edit.setFocus()
        self.from_edit.selectAll()

    @Slot()
    def take(self) -> None:
        """Take the numbers that were typed, or say which one is wrong."""
        texts = (self.from_edit.text(), self.to_edit.text(), self.factor_edit.text())
        try:
            bar = typed_bar(self._bar, *texts)
        except UserError as error:
            self._say(str(error), self._wrong(texts))
            return
        self._say("", None)
        if bar != self._bar:
            self._bar = bar
            self.edited.emit(bar, "numbers of a phase")

    @Slot()
    def take_unit(self) -> None:
        """Count in the chosen unit."""
        bar = counting_in(self._bar, str(self.unit_box.currentData()), self._span)
        if bar != self._bar:
            self.edited.emit(bar, f"count in {bar.unit}s")

    def _wrong(self, texts: tuple[str, str, str]) -> QLineEdit:
        """Return the first field whose text alone is wrong, the end where only both together are."""
        good = (str(self._bar.start), "end", "1")
        for place, edit in ((0, self.from_edit), (2, self.factor_edit)):
            try:
                typed_bar(self._bar, *(texts[at] if at == place else good[at] for at in range(3)))
            except UserError:
                return edit
        return self.to_edit

    def _say(self, text: str, wrong: QLineEdit | None) -> None:
        for edit in (self.from_edit, self.to_edit, self.factor_edit):
            set_states(edit, invalid=edit is wrong)
        self.error_label.setText(text)
        self.error_label.setVisible(bool(text))

    def _lay_out(self) -> None:
        line = QHBoxLayout()
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(8)
        fields: tuple[tuple[str, QWidget], ...] = (
            ("From", self.from_edit), ("To", self.to_edit), ("Unit", self.unit_box),
            ("Learning-rate factor", self.factor_edit),
        )  # fmt: skip
        for caption, field in fields:
            field.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            line.addWidget(captioned(caption, field, self), 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(line)
        layout.addWidget(self.error_label)


def typed_bar(bar: Bar, start: str, stop: str, factor: str) -> Bar:
    """Return `bar` with the numbers that were typed.

    Raises
    ------
    UserError
        When a text is no number or the numbers do not go together.
    """
    first = _whole("From", start)
    end = stop.strip().lower()
    last = None if end in ("", "end") else _whole("To", stop, ', or "end"')
    if last is not None and last < first:
        raise UserError(f"To = {last}: must be at least From ({first})")
    try:
        rate = float(factor)
    except ValueError:
        rate = 0.0
    if not 0 < rate < float("inf"):
        raise UserError(f"Learning-rate factor = {factor.strip() or 'nothing'}: must be a number above 0, such as 0.1")
    return replace(bar, start=first, stop=last, lr_factor=rate)


def _whole(name: str, text: str, also: str = "") -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise UserError(f"{name} = {text or 'nothing'}: {_WHOLE}{also}")
    return int(text)


def _edit(name: str, tip: str, parent: QWidget) -> QLineEdit:
    edit = QLineEdit(parent)
    edit.setObjectName(name)
    edit.setToolTip(tip)
    return edit
