"""Small widgets that the form is made of."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QLocale, QObject, Qt, Slot
from PySide6.QtGui import QDoubleValidator, QStandardItemModel
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QSpinBox, QVBoxLayout, QWidget


def captioned(caption: str, field: QWidget, parent: QWidget) -> QWidget:
    """Return the field under a small caption that names it to screen readers too."""
    box = QWidget(parent)
    label = QLabel(caption, box)
    label.setProperty("muted", True)
    font = label.font()
    font.setPointSizeF(font.pointSizeF() * 0.85)
    label.setFont(font)
    if not field.accessibleName():
        field.setAccessibleName(caption)
    label.setBuddy(field)
    layout = QVBoxLayout(box)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(2)
    layout.addWidget(label)
    layout.addWidget(field, 1)   # fields of a row are as high as the highest of them
    return box


def choice_box(name: str, choices: Iterable[tuple[str, str]], parent: QWidget) -> QComboBox:
    """Return a box of ids; each is its own text and data, and has a sentence as tooltip."""
    box = QComboBox(parent)
    box.setObjectName(name)
    for value, tip in choices:
        box.addItem(value, value)
        box.setItemData(box.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    return box


class FieldTips(QObject):
    """Says over a field what it is for and, of a box, what the choice in it means; the choice may change at any time.

    Parameters
    ----------
    field, tip
        The field, which owns this, and a sentence. What is typed into a box is repeated: it may be longer than the box.
    """

    def __init__(self, field: QWidget, tip: str) -> None:
        super().__init__(field)
        self._field, self._tip = field, tip
        field.setToolTip(tip)
        if isinstance(field, QComboBox):
            edit = field.lineEdit()   # tells of new text while the signals of its box are blocked, too
            (edit.textChanged if edit is not None else field.currentTextChanged).connect(self.show)
            self.show()

    @Slot()
    def show(self) -> None:
        """Take the choice that is in the box now."""
        if isinstance(self._field, QComboBox):
            text = self._field.currentText()
            meaning = None if self._field.isEditable() else self._field.currentData(Qt.ItemDataRole.ToolTipRole)
            choice = f"{text}: {meaning}" if meaning else text
            self._field.setToolTip(f"{self._tip}\n{choice}")


def source_box(name: str, parent: QWidget) -> QComboBox:
    """Return a box in which a source can be chosen or typed."""
    box = choice_box(name, (), parent)
    box.setEditable(True)
    box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
    box.setMaxVisibleItems(20)
    completer = box.completer()
    if completer is not None:
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setCompletionMode(completer.CompletionMode.PopupCompletion)
    return box


def add_heading(box: QComboBox, text: str) -> None:
    """Add a line that heads a group and cannot be chosen."""
    box.addItem(text)
    model = box.model()
    if isinstance(model, QStandardItemModel):
        model.item(box.count() - 1).setEnabled(False)


def whole_number_box(name: str, least: int, most: int, value: int, parent: QWidget) -> QSpinBox:
    """Return a field for a whole number."""
    box = QSpinBox(parent)
    box.setObjectName(name)
    box.setRange(least, most)
    box.setValue(value)
    box.setGroupSeparatorShown(False)
    box.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
    box.setAccelerated(True)
    return box


def number_edit(name: str, parent: QWidget) -> QLineEdit:
    """Return a field for a number such as 0.001 or 1e-3; empty is the default."""
    edit = QLineEdit(parent)
    edit.setObjectName(name)
    edit.setPlaceholderText("default")
    validator = QDoubleValidator(edit)
    validator.setNotation(QDoubleValidator.Notation.ScientificNotation)
    validator.setLocale(QLocale.c())
    edit.setValidator(validator)
    return edit


def set_choice(box: QComboBox, value: str) -> None:
    """Choose an id; one that is not listed is typed into an editable box, and added to another."""
    at = box.findData(value)
    if at < 0 and not box.isEditable():
        box.addItem(value, value)
        at = box.count() - 1
    if at >= 0:
        box.setCurrentIndex(at)
    if box.isEditable():
        box.setEditText(value)
