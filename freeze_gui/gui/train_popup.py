"""The popup with what most runs leave alone: scheduler, clipping, precision, moment of freeze and thaw, measuring."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from freeze_gui.gui.fields import choice_box, number_edit, set_choice, whole_number_box
from freeze_gui.gui.form_choices import AMP_TIPS, MOMENT_TIPS, SCHEDULER_TIPS, THAW_TIPS
from freeze_gui.gui.typed_values import typed, written
from freeze_gui.training.config import TrainSettings
from freeze_gui.training.schedule import scheduler_parameters

_MOST = 1_000_000
_DEFAULTS = TrainSettings()
_PLACEHOLDERS = {"max_lr": "the learning rate"}


class TrainDialog(QDialog):
    """Holds these settings for as long as the form lives; what is set takes effect at once.

    Signals
    -------
    edited()
        Something was changed by hand.
    """

    edited = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("trainSettingsDialog")
        self.setWindowTitle("More settings of the run")
        self._scheduler_fields: dict[str, QCheckBox | QLineEdit] = {}
        self._given: frozenset[str] = frozenset()   # written in the configuration, at its default or not
        self._make_fields()
        self._lay_out()
        self._connect()
        self._show_scheduler_fields({})

    def values(self) -> dict[str, dict[str, Any]]:
        """Return what differs from the defaults, by section of a CONFIG.toml; nothing is checked."""
        optimizer: dict[str, Any] = {}
        if (name := self.scheduler_box.currentText()) != "none":
            hyper = self._scheduler_values()
            optimizer["scheduler"] = {"name": name, **hyper} if hyper else name
        _put(optimizer, "layer_decay", typed(self.layer_decay_edit.text(), None), None)
        train: dict[str, Any] = {}
        _put(train, "amp", self.amp_box.currentText(), _DEFAULTS.amp)
        _put(train, "clip_grad_norm", typed(self.clip_edit.text(), None), None)
        _put(train, "accumulate", self.accumulate_edit.value(), _DEFAULTS.accumulate)
        _put(train, "eval_every", self.eval_every_edit.value(), _DEFAULTS.eval_every)
        _put(train, "measure_every", self.measure_every_edit.value(), 0)
        freeze: dict[str, Any] = {}
        _put(freeze, "moment", self.moment_box.currentText(), "step_start")
        _put(freeze, "thaw", self.thaw_box.currentText(), "keep_state")
        return {"optimizer": optimizer, "train": train, "freeze": freeze}

    def show_values(self, config: Mapping[str, Any]) -> None:
        """Show the settings of a checked configuration."""
        optimizer, train, freeze = (config.get(key, {}) for key in ("optimizer", "train", "freeze"))
        blocked = self.blockSignals(True)
        scheduler = optimizer.get("scheduler", "none")
        hyper = {} if isinstance(scheduler, str) else {k: v for k, v in scheduler.items() if k != "name"}
        set_choice(self.scheduler_box, scheduler if isinstance(scheduler, str) else scheduler["name"])
        self._show_scheduler_fields(hyper)
        self.layer_decay_edit.setText(written(optimizer.get("layer_decay")))
        set_choice(self.amp_box, train.get("amp", _DEFAULTS.amp))
        self.clip_edit.setText(written(train.get("clip_grad_norm")))
        self.accumulate_edit.setValue(train.get("accumulate", _DEFAULTS.accumulate))
        self.eval_every_edit.setValue(train.get("eval_every", _DEFAULTS.eval_every))
        self.measure_every_edit.setValue(train.get("measure_every") or 0)
        set_choice(self.moment_box, freeze.get("moment", "step_start"))
        set_choice(self.thaw_box, freeze.get("thaw", "keep_state"))
        self.blockSignals(blocked)

    def in_words(self) -> list[str]:
        """Return what is not at its default, a few words each."""
        set_now = self.values()
        words = []
        if "scheduler" in set_now["optimizer"]:
            words.append(self.scheduler_box.currentText())
        names = {"clip_grad_norm": "clip", "amp": "", "layer_decay": "layer decay"}
        for key, value in {**set_now["optimizer"], **set_now["train"], **set_now["freeze"]}.items():
            if key != "scheduler":
                words.append(f"{names.get(key, key.replace('_', ' '))} {str(value).replace('_', ' ')}".strip())
        return words

    def show_error(self, text: str) -> None:
        """Say in one sentence what is wrong; an empty text takes it away."""
        self.error_label.setText(text)
        self.error_label.setVisible(bool(text))

    @Slot()
    def on_scheduler_chosen(self) -> None:
        """Show the settings of another scheduler, at their defaults."""
        self._show_scheduler_fields({})
        self.edited.emit()

    @Slot()
    def reset(self) -> None:
        """Put every setting back to its default."""
        self.show_values({})
        self.edited.emit()

    def _scheduler_values(self) -> dict[str, Any]:
        defaults = scheduler_parameters(self.scheduler_box.currentText())
        found: dict[str, Any] = {}
        for key, field in self._scheduler_fields.items():
            value = field.isChecked() if isinstance(field, QCheckBox) else typed(field.text(), defaults[key])
            if value != defaults[key] or key in self._given:
                found[key] = value
        return found

    def _show_scheduler_fields(self, hyper: Mapping[str, Any]) -> None:
        """Make the fields of the chosen scheduler anew."""
        while self._scheduler_form.rowCount():
            self._scheduler_form.removeRow(0)
        self._scheduler_fields, self._given = {}, frozenset(hyper)
        for key, default in scheduler_parameters(self.scheduler_box.currentText()).items():
            field: QCheckBox | QLineEdit
            if isinstance(default, bool):
                field = QCheckBox(self._scheduler_part)
                field.setChecked(hyper.get(key, default))
                field.toggled.connect(self.edited)
            else:
                field = QLineEdit(written(hyper.get(key, default)), self._scheduler_part)
                field.setPlaceholderText(_PLACEHOLDERS.get(key, "by the length of the run"))
                field.textChanged.connect(self.edited)
            field.setObjectName(f"scheduler_{key}")
            field.setAccessibleName(f"{key.replace('_', ' ')} of the scheduler")
            self._scheduler_fields[key] = field
            self._scheduler_form.addRow(key.replace("_", " "), field)
        self._scheduler_part.setVisible(bool(self._scheduler_fields))
        self.scheduler_box.setToolTip(str(self.scheduler_box.currentData(Qt.ItemDataRole.ToolTipRole) or ""))
        self.adjustSize()

    def _make_fields(self) -> None:
        self.scheduler_box = choice_box("schedulerBox", SCHEDULER_TIPS, self)
        self._scheduler_part = QWidget(self)
        self._scheduler_form = QFormLayout(self._scheduler_part)
        self.layer_decay_edit = number_edit("layerDecayEdit", self)
        self.layer_decay_edit.setPlaceholderText("one rate for all")
        self.layer_decay_edit.setToolTip("Such as 0.8: each block learns 0.8 times as fast as the one behind it")
        self.amp_box = choice_box("ampBox", AMP_TIPS, self)
        self.clip_edit = number_edit("clipEdit", self)
        self.clip_edit.setPlaceholderText("no clipping")
        self.clip_edit.setToolTip("The largest norm that all gradients together may have")
        self.accumulate_edit = whole_number_box("accumulateEdit", 1, _MOST, 1, self)
        self.accumulate_edit.setToolTip("Batches whose gradients are added up for one step")
        self.moment_box = choice_box("momentBox", MOMENT_TIPS, self)
        self.thaw_box = choice_box("thawBox", THAW_TIPS, self)
        self.eval_every_edit = whole_number_box("evalEveryEdit", 1, 2**31 - 1, _DEFAULTS.eval_every, self)
        self.eval_every_edit.setSuffix(" steps")
        self.eval_every_edit.setToolTip("Steps between two looks at the validation data")
        self.measure_every_edit = whole_number_box("measureEveryEdit", 0, 2**31 - 1, 0, self)
        self.measure_every_edit.setSpecialValueText("automatic")
        self.measure_every_edit.setSuffix(" steps")
        self.measure_every_edit.setToolTip("Steps between two measurements of norms; frozen layers are always watched")
        self.error_label = QLabel(self)
        self.error_label.setObjectName("trainSettingsError")
        self.error_label.setProperty("leaked", True)
        self.error_label.setWordWrap(True)
        self.error_label.hide()
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        self.reset_button = self.buttons.addButton("Reset", QDialogButtonBox.ButtonRole.ResetRole)
        self.reset_button.setObjectName("trainSettingsReset")
        self.reset_button.setAutoDefault(False)
        self.buttons.button(QDialogButtonBox.StandardButton.Close).setDefault(True)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setVerticalSpacing(6)
        self._scheduler_form.setContentsMargins(12, 0, 0, 4)
        for caption, field in (
            ("Scheduler", self.scheduler_box), ("", self._scheduler_part), ("Layer decay", self.layer_decay_edit),
            ("Mixed precision", self.amp_box), ("Clip gradient norm", self.clip_edit),
            ("Accumulate batches", self.accumulate_edit), ("A freeze takes hold", self.moment_box),
            ("A thawed layer", self.thaw_box), ("Evaluate every", self.eval_every_edit),
            ("Measure every", self.measure_every_edit),
        ):  # fmt: skip
            if caption:
                field.setAccessibleName(caption)
                form.addRow(caption, field)
            else:
                form.addRow(field)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(12)
        layout.addLayout(form)
        layout.addWidget(self.error_label)
        layout.addStretch(1)
        layout.addWidget(self.buttons)
        self.setMinimumWidth(380)

    def _connect(self) -> None:
        self.scheduler_box.currentIndexChanged.connect(self.on_scheduler_chosen)
        for box in (self.amp_box, self.moment_box, self.thaw_box):
            box.currentIndexChanged.connect(self.edited)
        for edit in (self.layer_decay_edit, self.clip_edit):
            edit.textChanged.connect(self.edited)
        for number in (self.accumulate_edit, self.eval_every_edit, self.measure_every_edit):
            number.valueChanged.connect(self.edited)
        self.buttons.rejected.connect(self.reject)
        self.reset_button.clicked.connect(self.reset)


def _put(table: dict[str, Any], key: str, value: Any, default: Any) -> None:
    """Write `value` at `key` unless it is the default."""
    if value != default:
        table[key] = value
