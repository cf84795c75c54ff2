from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QSpinBox, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from freeze_gui.gui.form_choices import builtin_choices, fill_models
from freeze_gui.gui.run_panel import RunPanel
from freeze_gui.gui.typed_values import typed, written
from freeze_gui.training.config import load_config
from freeze_gui.training.schedule import SCHEDULERS, scheduler_parameters

SET: dict[str, Any] = {
    "model": {"source": "builtin:digits-cnn", "weights": "none"},
    "data": {"source": "random", "batch_size": 8},
    "freeze": {"method": "grad_none", "norm": "leave", "moment": "after_backward", "thaw": "reset_state"},
    "optimizer": {
        "name": "SGD", "zero_grad": "none", "lr": 0.05, "layer_decay": 0.8,
        "scheduler": {"name": "StepLR", "step_size": 7, "gamma": 0.1},
    },
    "train": {
        "steps": 12, "seed": 7, "device": "cpu", "amp": "bf16", "clip_grad_norm": 0.5, "accumulate": 4,
        "eval_every": 10, "measure_every": 3,
    },
}  # fmt: skip


@pytest.fixture
def panel(qtbot: QtBot) -> RunPanel:
    panel = RunPanel()
    qtbot.addWidget(panel)
    fill_models(panel.form.model_box, builtin_choices())
    return panel


def shown(panel: RunPanel, config: dict[str, Any]) -> dict[str, Any]:
    panel.form.show_values(config)
    panel.form.set_model_source(config["model"]["source"], config["model"].get("weights"))
    panel.form.set_data_source(config["data"]["source"])
    return panel.form.values()


def box(panel: RunPanel, name: str) -> QComboBox:
    found = panel.findChild(QComboBox, name)
    assert found is not None
    return found


def edit(panel: RunPanel, name: str) -> QLineEdit:
    found = panel.findChild(QLineEdit, name)
    assert found is not None
    return found


def button(panel: RunPanel) -> QToolButton:
    found = panel.findChild(QToolButton, "trainSettingsButton")
    assert found is not None
    return found


def test_every_setting_of_the_loop_goes_into_the_form_and_comes_out_again(panel: RunPanel) -> None:
    assert shown(panel, SET) == SET
    assert load_config(panel.form.values()) == load_config(SET)


def test_written_out_defaults_are_left_out_again(panel: RunPanel) -> None:
    plain = load_config({"model": {"source": "builtin:digits-cnn"}, "data": {"source": "digits"}}).to_dict()
    values = shown(panel, plain)
    assert set(values["train"]) == {"steps", "seed", "device"}
    assert set(values["freeze"]) == {"method", "norm"}
    assert set(values["optimizer"]) == {"name", "zero_grad"}
    assert not button(panel).isChecked()


def test_a_configuration_without_them_puts_all_settings_back(panel: RunPanel) -> None:
    shown(panel, SET)
    plain = {key: SET[key] for key in ("model", "data")}
    assert "amp" not in shown(panel, plain)["train"]
    assert "scheduler" not in panel.form.values()["optimizer"]


@pytest.mark.parametrize("name", [name for name in SCHEDULERS if name != "none"])
def test_each_scheduler_has_fields_for_all_that_it_takes(panel: RunPanel, name: str) -> None:
    box(panel, "schedulerBox").setCurrentText(name)
    fields = {key for key in scheduler_parameters(name) if panel.findChild(QWidget, f"scheduler_{key}") is not None}
    assert fields == set(scheduler_parameters(name))
    assert panel.form.values()["optimizer"]["scheduler"] == name   # nothing but the name: all is at its default
    load_config(panel.form.values() | {"model": {"source": "builtin:digits-cnn"}})


def test_another_scheduler_forgets_the_settings_of_the_one_before(panel: RunPanel) -> None:
    shown(panel, SET)
    box(panel, "schedulerBox").setCurrentText("CosineAnnealingLR")
    edit(panel, "scheduler_T_max").setText("50")
    assert panel.form.values()["optimizer"]["scheduler"] == {"name": "CosineAnnealingLR", "T_max": 50}


def test_the_button_opens_the_settings_and_shows_how_many_are_set(panel: RunPanel, qtbot: QtBot) -> None:
    panel.show()
    QTest.mouseClick(button(panel), Qt.MouseButton.LeftButton)
    dialog = panel.form.train_button.dialog
    assert dialog.isVisible()
    assert not button(panel).isChecked()
    box(panel, "ampBox").setCurrentText("bf16")
    edit(panel, "clipEdit").setText("1.5")
    accumulate = panel.findChild(QSpinBox, "accumulateEdit")
    assert accumulate is not None
    accumulate.setValue(4)
    dialog.reject()
    assert button(panel).isChecked()
    assert button(panel).text() == "More… (3 set)"
    for word in ("bf16", "clip 1.5", "accumulate 4"):
        assert word in button(panel).toolTip()
    assert panel.form.values()["train"] | {"amp": "bf16", "clip_grad_norm": 1.5, "accumulate": 4} == (
        panel.form.values()["train"]
    )
    QTest.mouseClick(dialog.reset_button, Qt.MouseButton.LeftButton)
    assert not button(panel).isChecked()


@pytest.mark.parametrize(
    ("name", "text", "key"),
    [
        ("clipEdit", "1e", "clip_grad_norm"), ("clipEdit", "-1", "clip_grad_norm"),
        ("layerDecayEdit", "x", "layer_decay"),
        ("scheduler_step_size", "1.5", "step_size"), ("scheduler_gamma", "[[", "gamma"),
    ],
)  # fmt: skip
def test_a_half_typed_value_is_one_sentence_that_names_it_and_goes_when_it_is_right(
    panel: RunPanel, name: str, text: str, key: str
) -> None:
    box(panel, "schedulerBox").setCurrentText("StepLR")
    error = panel.findChild(QLabel, "trainSettingsError")
    assert error is not None
    field = edit(panel, name)
    field.setText(text)
    assert key in error.text()
    assert "must be" in error.text()
    assert not error.isHidden()
    field.setText("1")
    assert error.text() == ""
    assert error.isHidden()


def test_an_edit_asks_for_another_forecast(panel: RunPanel, qtbot: QtBot) -> None:
    with qtbot.waitSignal(panel.form.optimizer_changed, timeout=1000):
        box(panel, "thawBox").setCurrentText("reset_state")


def test_an_empty_learning_rate_shows_what_the_optimizer_takes_by_itself(panel: RunPanel) -> None:
    rate = edit(panel, "learningRateEdit")
    for name, default in (("SGD", "0.001"), ("Rprop", "0.01"), ("Adadelta", "1"), ("Adam", "0.001")):
        box(panel, "optimizerBox").setCurrentText(name)
        assert float(rate.placeholderText()) == float(default)


@pytest.mark.parametrize("value", [0.1, 12, True, (0.9, 0.999), "cos", 1e-8, 123456789.5])
def test_a_written_value_is_typed_back_as_it_was(value: Any) -> None:
    default = type(value)() if not isinstance(value, tuple) else (0.0, 0.0)
    assert typed(written(value), default) == value
