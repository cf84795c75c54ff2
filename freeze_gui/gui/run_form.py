"""The fields of the form, and how they turn into the tables of a CONFIG.toml and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QComboBox, QGridLayout, QHBoxLayout, QSizePolicy, QToolButton, QWidget

from freeze_gui.errors import UserError
from freeze_gui.gui.fields import (
    FieldTips,
    captioned,
    choice_box,
    number_edit,
    set_choice,
    source_box,
    whole_number_box,
)
from freeze_gui.gui.form_choices import (
    DEVICE_TIPS,
    FIELD_TIPS,
    LOSS_TIPS,
    NORM_TIPS,
    PACES,
    WEIGHT_TIPS,
    ZERO_GRAD_TIPS,
    devices,
    fill_data,
    fill_models,
    method_tips,
)
from freeze_gui.gui.hyper_popup import HyperDialog
from freeze_gui.gui.tab_order import order_tabs
from freeze_gui.gui.theme import current_theme, icon, theme_manager
from freeze_gui.gui.train_button import TrainButton
from freeze_gui.models.loaded import ModelChoice
from freeze_gui.training.config import load_config
from freeze_gui.training.optimizers import hyper_parameters, optimizer_names
from freeze_gui.training.settings import DEFAULT_STEPS, MOST_SEED

MOST_STEPS = 10_000_000
_BESIDE_HYPER = ("name", "zero_grad", "scheduler", "layer_decay")


class RunForm(QWidget):
    """Two rows of fields.

    Signals
    -------
    optimizer_changed()
        Optimizer, its settings, zero_grad, batch size or the loop: something that a forecast or the code depends on.

    Attributes
    ----------
    model_shown, data_shown
        Sources that were passed on last: what the boxes return to when a dialog is cancelled.
    """

    optimizer_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._hyper: dict[str, Any] = {}
        self._epochs: int | None = None
        self.model_shown = self.data_shown = ""
        self._make_fields()
        self._lay_out()
        self.optimizer_box.currentIndexChanged.connect(self.on_optimizer_chosen)
        self.more_button.clicked.connect(self.edit_hyper)
        self.train_button.dialog.edited.connect(self.on_train_edited)
        self.zero_grad_box.currentIndexChanged.connect(self.optimizer_changed)
        self.learning_rate_edit.editingFinished.connect(self.optimizer_changed)
        self.batch_edit.valueChanged.connect(self.optimizer_changed)
        theme_manager().changed.connect(self.on_theme_changed)
        self.on_theme_changed(current_theme())

    def values(self) -> dict[str, Any]:
        """Return what the form says, as tables of a CONFIG.toml; nothing is checked yet."""
        learning_rate = self.learning_rate_edit.text().strip()
        hyper = {**({"lr": _number(learning_rate)} if learning_rate else {}), **self._hyper}
        steps = self.steps_edit.value()
        train: dict[str, Any] = {"seed": self.seed_edit.value(), "device": self.device_box.currentText()}
        train |= {"epochs": self._epochs} if steps == 0 and self._epochs else {"steps": steps}
        if self.loss_box.currentData():
            train["loss"] = self.loss_box.currentData()
        more = self.train_button.dialog.values()
        data: dict[str, Any] = {"batch_size": self.batch_edit.value()}
        if self.data_source():
            data["source"] = self.data_source()
        return {
            "model": {"source": self.model_source(), "weights": self.weights_box.currentText()},
            "data": data,
            "freeze": {"method": self.method_box.currentText(), "norm": self.norm_box.currentText()} | more["freeze"],
            "optimizer": {
                "name": self.optimizer_box.currentText(), "zero_grad": self.zero_grad_box.currentText(), **hyper
            } | more["optimizer"],
            "train": train | more["train"],
        }

    def show_values(self, config: Mapping[str, Any]) -> None:
        """Put a checked configuration into the form; model and data sources are set by whoever opens them."""
        train, optimizer, freeze = config.get("train", {}), config.get("optimizer", {}), config.get("freeze", {})
        set_choice(self.method_box, freeze.get("method", "requires_grad"))
        set_choice(self.norm_box, freeze.get("norm", "leave"))
        set_choice(self.optimizer_box, optimizer.get("name", "Adam"))
        set_choice(self.zero_grad_box, optimizer.get("zero_grad", "none"))
        hyper = {key: value for key, value in optimizer.items() if key not in _BESIDE_HYPER}
        learning_rate = hyper.pop("lr", None)
        self.learning_rate_edit.setText("" if learning_rate is None else f"{learning_rate:.12g}")
        self._set_hyper(hyper)
        self.batch_edit.setValue(config.get("data", {}).get("batch_size", 32))
        self._epochs = train.get("epochs")
        self.steps_edit.setMinimum(0 if self._epochs else 1)
        self.steps_edit.setSpecialValueText(f"{self._epochs} epochs" if self._epochs else "")
        self.steps_edit.setValue(0 if self._epochs else train.get("steps", DEFAULT_STEPS))
        self.seed_edit.setValue(min(train.get("seed", 0), self.seed_edit.maximum()))
        set_choice(self.device_box, train.get("device", "auto"))
        self.loss_box.setCurrentIndex(max(self.loss_box.findData(train.get("loss", "")), 0))
        self.train_button.dialog.show_values(config)
        self.train_button.refresh()
        if "weights" in config.get("model", {}):
            set_choice(self.weights_box, config["model"]["weights"])

    def model_source(self) -> str:
        """Return the model that the form names."""
        return self.model_box.currentText().strip()

    def data_source(self) -> str:
        """Return the data that the form names."""
        return self.data_box.currentText().strip()

    def set_model_source(self, source: str, weights: str | None = None) -> None:
        """Name another model, and its usual weights."""
        blocked = self.model_box.blockSignals(True)
        set_choice(self.model_box, source)
        self.model_box.blockSignals(blocked)
        self.model_shown = source
        if weights is not None:
            set_choice(self.weights_box, weights)

    def set_data_source(self, source: str) -> None:
        """Name other data."""
        blocked = self.data_box.blockSignals(True)
        set_choice(self.data_box, source)
        self.data_box.blockSignals(blocked)
        self.data_shown = source

    def set_models(self, choices: list[ModelChoice]) -> None:
        """List these models; what is shown stays."""
        source = self.model_box.currentText()
        blocked = self.model_box.blockSignals(True)
        fill_models(self.model_box, choices)
        set_choice(self.model_box, source)
        self.model_box.blockSignals(blocked)

    @Slot()
    def on_optimizer_chosen(self) -> None:
        """Forget the hyper-parameters of another class."""
        rate = hyper_parameters(self.optimizer_box.currentText()).get("lr")
        self.learning_rate_edit.setPlaceholderText("default" if rate is None else f"{rate:g}")
        self._set_hyper({})

    @Slot()
    def on_train_edited(self) -> None:
        """Have the popup say what is wrong with its values; sources are of no concern there."""
        try:
            load_config({**self.values(), "model": {"source": "any"}, "data": {}})
        except UserError as error:
            self.train_button.dialog.show_error(str(error).removeprefix("config: "))
        else:
            self.train_button.dialog.show_error("")
        self.optimizer_changed.emit()

    @Slot()
    def edit_hyper(self) -> None:
        """Open the other hyper-parameters of the optimizer."""
        self.more_button.setChecked(bool(self._hyper))   # a click toggles it
        dialog = HyperDialog(self.optimizer_box.currentText(), self._hyper, self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.hyper_chosen.connect(self.on_hyper_chosen)
        dialog.open()

    @Slot(object)
    def on_hyper_chosen(self, hyper: dict[str, Any]) -> None:
        """Take the values from the popup."""
        self._set_hyper(hyper)

    @Slot(object)
    def on_theme_changed(self, theme: object) -> None:
        """Take the icon in the new colours."""
        self.more_button.setIcon(icon("settings"))

    def _set_hyper(self, hyper: Mapping[str, Any]) -> None:
        self._hyper = dict(hyper)
        text = ", ".join(f"{key} = {value}" for key, value in self._hyper.items())
        self.more_button.setToolTip(f"More settings of the optimizer ({text or 'all at their defaults'})")
        self.more_button.setChecked(bool(self._hyper))
        self.optimizer_changed.emit()

    def _make_fields(self) -> None:
        self.model_box = source_box("modelBox", self)
        self.data_box = source_box("dataBox", self)
        fill_data(self.data_box)
        self.weights_box = choice_box("weightsBox", WEIGHT_TIPS, self)
        self.batch_edit = whole_number_box("batchSizeEdit", 1, 65536, 32, self)
        self.loss_box = choice_box("lossBox", LOSS_TIPS, self)
        self.loss_box.setItemData(0, "")
        self.steps_edit = whole_number_box("stepsEdit", 1, MOST_STEPS, DEFAULT_STEPS, self)
        self.seed_edit = whole_number_box("seedEdit", 0, min(MOST_SEED, 2**31 - 1), 0, self)
        self.device_box = choice_box("deviceBox", ((name, DEVICE_TIPS.get(name, name)) for name in devices()), self)
        self.method_box = choice_box("methodBox", method_tips(), self)
        self.norm_box = choice_box("normBox", NORM_TIPS, self)
        self.optimizer_box = choice_box(
            "optimizerBox", ((name, f"torch.optim.{name}") for name in optimizer_names()), self
        )
        set_choice(self.optimizer_box, "Adam")
        self.learning_rate_edit = number_edit("learningRateEdit", self)
        self.learning_rate_edit.setText("0.001")
        self.learning_rate_edit.setToolTip("Such as 0.001 or 1e-3; empty takes the optimizer's own default")
        self.zero_grad_box = choice_box("zeroGradBox", ZERO_GRAD_TIPS, self)
        self.pace_box = QComboBox(self)
        self.pace_box.setObjectName("paceBox")
        for text, pace in PACES:
            self.pace_box.addItem(text, pace)
        self.more_button = QToolButton(self)
        self.more_button.setObjectName("hyperButton")
        self.more_button.setCheckable(True)
        self.more_button.setAccessibleName("More settings of the optimizer")
        self._set_hyper({})
        self.train_button = TrainButton(self)
        self.fields: tuple[QWidget, ...] = (
            self.data_box, self.weights_box, self.batch_edit, self.loss_box, self.steps_edit, self.seed_edit,
            self.device_box, self.method_box, self.norm_box, self.optimizer_box, self.learning_rate_edit,
            self.zero_grad_box, self.more_button, self.train_button,
        )  # fmt: skip

    def _lay_out(self) -> None:
        rate = QWidget(self)
        line = QHBoxLayout(rate)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(4)
        line.addWidget(self.learning_rate_edit, 1)
        line.addWidget(self.more_button)
        self.more_button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Ignored)
        self.learning_rate_edit.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        rows: tuple[tuple[tuple[str, QWidget], ...], ...] = (
            (
                ("Model", self.model_box), ("Weights", self.weights_box), ("Data", self.data_box),
                ("Batch size", self.batch_edit), ("Steps", self.steps_edit), ("Seed", self.seed_edit),
                ("Device", self.device_box), ("Pace", self.pace_box),
            ),
            (
                ("Freezing method", self.method_box), ("Norm layers", self.norm_box),
                ("Optimizer", self.optimizer_box), ("Learning rate", rate), ("zero_grad", self.zero_grad_box),
                ("Loss", self.loss_box), ("Training", self.train_button),
            ),
        )  # fmt: skip
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(6)
        for row, fields in enumerate(rows):
            for column, (caption, field) in enumerate(fields):
                field.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
                if field.objectName() in FIELD_TIPS:
                    FieldTips(field, FIELD_TIPS[field.objectName()])
                grid.addWidget(captioned(caption, field, self), row, column, 1, 1 + (field is self.train_button))
        for column, (stretch, least) in enumerate(
            ((5, 168), (2, 84), (3, 120), (2, 96), (2, 76), (2, 100), (2, 76), (2, 104))
        ):
            grid.setColumnStretch(column, stretch)
            grid.setColumnMinimumWidth(column, least)
        for field in (rate, self.learning_rate_edit):
            field.setMinimumWidth(40)
        order_tabs(*(field for fields in rows for _, field in fields))


def _number(text: str) -> float | str:
    """Return the number that was typed, or the text itself for the check to refuse by name."""
    try:
        return float(text)
    except ValueError:
        return text
