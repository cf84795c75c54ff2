"""The popup in which the other hyper-parameters of an optimizer are set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QCheckBox, QDialog, QDialogButtonBox, QFormLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from freeze_gui.errors import UserError
from freeze_gui.gui.typed_values import typed, written
from freeze_gui.training.optimizers import check_optimizer, hyper_parameters

_HIDDEN = ("lr", "foreach", "capturable", "differentiable")   # how it is computed, not what
_TIPS = {
    "fused": "Faster: torch takes the whole step in one pass over the memory.\n"
    "A step of AdamW differs from the usual one by about one part in a million, which training may carry further.",
}


class HyperDialog(QDialog):
    """Edits the hyper-parameters of one optimizer class, ``lr`` excepted.

    Signals
    -------
    hyper_chosen(object)
        A dict of the values that differ from the class's defaults.
    """

    hyper_chosen = Signal(object)

    def __init__(self, name: str, hyper: Mapping[str, Any], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("hyperDialog")
        self.setWindowTitle(f"Settings of {name}")
        self._name = name
        self._defaults = {key: value for key, value in hyper_parameters(name).items() if key not in _HIDDEN}
        if "fused" in self._defaults:
            self._defaults["fused"] = False   # None leaves it to torch, which does not fuse by itself
        self._fields: dict[str, QWidget] = {}
        form = QFormLayout()
        for key, default in self._defaults.items():
            self._fields[key] = self._field(hyper.get(key, default), default)
            self._fields[key].setObjectName(f"hyper_{key}")
            form.addRow(key.replace("_", " "), self._fields[key])
            for widget in (self._fields[key], form.labelForField(self._fields[key])):
                widget.setToolTip(_TIPS.get(key, ""))
        self.error_label = QLabel(self)
        self.error_label.setProperty("leaked", True)
        self.error_label.setWordWrap(True)
        self.error_label.hide()
        ok, cancel = QDialogButtonBox.StandardButton.Ok, QDialogButtonBox.StandardButton.Cancel
        reset = QDialogButtonBox.StandardButton.RestoreDefaults
        self.buttons = QDialogButtonBox(ok | cancel | reset, self)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.buttons.button(reset).clicked.connect(self.on_reset)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(12)
        layout.addLayout(form)
        layout.addWidget(self.error_label)
        layout.addWidget(self.buttons)

    def accept(self) -> None:
        """Check the values; close when they are right."""
        try:
            values = {key: self._value(key) for key in self._fields}
            changed = {key: value for key, value in values.items() if value != self._defaults[key]}
            checked = check_optimizer(self._name, changed)
        except UserError as error:
            self.error_label.setText(str(error))
            self.error_label.show()
            return
        self.hyper_chosen.emit(checked)
        super().accept()

    @Slot()
    def on_reset(self) -> None:
        """Put the class's own defaults into the fields."""
        for key, field in self._fields.items():
            if isinstance(field, QCheckBox):
                field.setChecked(bool(self._defaults[key]))
            elif isinstance(field, QLineEdit):
                field.setText(written(self._defaults[key]))

    def _field(self, value: Any, default: Any) -> QWidget:
        if isinstance(default, bool):
            box = QCheckBox(self)
            box.setChecked(bool(value))
            return box
        edit = QLineEdit(written(value), self)
        edit.setPlaceholderText("none")
        return edit

    def _value(self, key: str) -> Any:
        field = self._fields[key]
        if isinstance(field, QCheckBox):
            return field.isChecked()
        assert isinstance(field, QLineEdit)
        return typed(field.text(), self._defaults[key])
