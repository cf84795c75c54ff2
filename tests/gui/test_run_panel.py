from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from PySide6.QtWidgets import QCheckBox, QComboBox, QLineEdit
from pytestqt.qtbot import QtBot

from freeze_gui.freezing.methods import METHODS
from freeze_gui.gui.form_choices import ZERO_GRAD_TIPS, builtin_choices, fill_models, method_tips
from freeze_gui.gui.hyper_popup import HyperDialog
from freeze_gui.gui.run_panel import RunPanel
from freeze_gui.training.config import load_config

CONFIG: dict[str, Any] = {
    "model": {"source": "builtin:digits-cnn", "weights": "none"},
    "data": {"source": "random", "batch_size": 8},
    "freeze": {"method": "lr_zero", "norm": "eval"},
    "optimizer": {"name": "SGD", "zero_grad": "zero", "lr": 0.05, "momentum": 0.9, "nesterov": True},
    "train": {"steps": 12, "seed": 7, "device": "cpu", "loss": "mse"},
}


@pytest.fixture
def panel(qtbot: QtBot) -> RunPanel:
    panel = RunPanel()
    qtbot.addWidget(panel)
    fill_models(panel.form.model_box, builtin_choices())
    return panel


def shown(panel: RunPanel, config: Mapping[str, Any]) -> dict[str, Any]:
    panel.form.show_values(config)
    panel.form.set_model_source(config["model"]["source"], config["model"].get("weights"))
    panel.form.set_data_source(config["data"]["source"])
    return panel.form.values()


def test_what_goes_into_the_form_comes_out_again(panel: RunPanel) -> None:
    assert shown(panel, CONFIG) == CONFIG


def test_a_run_that_waits_says_so_on_the_button_that_began_it(panel: RunPanel) -> None:
    for paused, text in ((False, "Running…"), (True, "Paused"), (False, "Running…")):
        panel.show_state(running=True, paused=paused)
        assert (panel.run_button.text(), panel.compare_button.text()) == (text, "Compare methods…")
    panel.show_state(running=True, paused=True, comparing=True)
    assert (panel.run_button.text(), panel.compare_button.text()) == ("Run", "Paused")


def test_every_field_says_what_it_is_for_and_what_the_choice_in_it_means(panel: RunPanel) -> None:
    form = panel.form
    assert [field.objectName() for field in (*form.fields, form.model_box, form.pace_box) if not field.toolTip()] == []
    form.zero_grad_box.setCurrentText("zero")
    assert form.zero_grad_box.toolTip().endswith(f"zero: {dict(ZERO_GRAD_TIPS)['zero']}")
    form.method_box.setCurrentText("detach")
    assert form.method_box.toolTip().endswith(f"detach: {dict(method_tips())['detach']}")


def test_a_source_that_is_longer_than_its_field_is_read_whole_over_it(panel: RunPanel) -> None:
    source = f"file:/{'a_long_folder/' * 20}net.py:build"
    panel.form.set_model_source(source, "none")
    panel.form.set_data_source("random")
    assert panel.form.model_box.toolTip().endswith(f"\n{source}")
    assert panel.form.data_box.toolTip().endswith("\nrandom")


def test_epochs_stay_epochs_until_steps_are_typed(panel: RunPanel) -> None:
    values = shown(panel, {**CONFIG, "train": {"epochs": 3, "seed": 0, "device": "auto"}})
    assert values["train"]["epochs"] == 3
    assert panel.form.steps_edit.text() == "3 epochs"
    panel.form.steps_edit.setValue(50)
    assert panel.form.values()["train"]["steps"] == 50


def test_the_learning_rate_takes_scientific_notation_and_empty_is_the_default(panel: RunPanel) -> None:
    shown(panel, CONFIG)
    panel.form.learning_rate_edit.setText("3e-4")
    assert load_config(panel.form.values()).optimizer.hyper["lr"] == 3e-4
    panel.form.learning_rate_edit.clear()
    assert "lr" not in panel.form.values()["optimizer"]
    load_config(panel.form.values())


def test_methods_are_found_by_text_and_by_data_and_explain_themselves(panel: RunPanel) -> None:
    box = panel.form.method_box
    for name in METHODS:
        assert box.findText(name) == box.findData(name) >= 0
    box.setCurrentIndex(box.findText("grad_zero"))
    assert "zero" in box.toolTip()


@pytest.mark.parametrize("box_name", ["modelBox", "dataBox"])
def test_headings_of_groups_cannot_be_chosen(panel: RunPanel, box_name: str) -> None:
    box = panel.findChild(QComboBox, box_name)
    assert isinstance(box, QComboBox)
    headings = [at for at in range(box.count()) if box.itemText(at).startswith("—")]
    assert headings
    for at in headings:
        assert not box.model().index(at, 0).flags().value & 32   # ItemIsEnabled


def test_a_run_greys_what_cannot_change_and_leaves_stop_and_pace(panel: RunPanel) -> None:
    panel.show_state(running=True, paused=False)
    assert not panel.form.method_box.isEnabled()
    assert not panel.run_button.isEnabled()
    assert panel.stop_button.isEnabled()
    assert panel.form.pace_box.isEnabled()
    panel.show_state(running=False, paused=False)
    assert panel.form.method_box.isEnabled()
    assert not panel.stop_button.isEnabled()


def test_the_popup_gives_only_what_differs_from_the_defaults(panel: RunPanel, qtbot: QtBot) -> None:
    dialog = HyperDialog("SGD", {"momentum": 0.5}, panel)
    chosen: list[dict[str, Any]] = []
    dialog.hyper_chosen.connect(chosen.append)
    momentum, nesterov = dialog.findChild(QLineEdit, "hyper_momentum"), dialog.findChild(QCheckBox, "hyper_nesterov")
    assert momentum is not None
    assert nesterov is not None
    assert momentum.text() == "0.5"
    momentum.setText("0.9")
    nesterov.setChecked(True)
    dialog.accept()
    assert chosen == [{"momentum": 0.9, "nesterov": True}]


def test_fused_is_offered_where_torch_has_it_and_given_only_when_ticked(panel: RunPanel) -> None:
    assert HyperDialog("RMSprop", {}, panel).findChild(QCheckBox, "hyper_fused") is None
    dialog = HyperDialog("AdamW", {}, panel)
    chosen: list[dict[str, Any]] = []
    dialog.hyper_chosen.connect(chosen.append)
    fused = dialog.findChild(QCheckBox, "hyper_fused")
    assert fused is not None
    assert not fused.isChecked()
    assert "differs from the usual one" in fused.toolTip()
    dialog.accept()
    fused.setChecked(True)
    dialog.accept()
    assert chosen == [{}, {"fused": True}]
    again = HyperDialog("AdamW", {"fused": True}, panel)
    again.hyper_chosen.connect(chosen.append)
    again.on_reset()
    again.accept()
    assert chosen[2] == {}


def test_the_popup_says_what_is_wrong_and_stays(panel: RunPanel) -> None:
    dialog = HyperDialog("Adam", {}, panel)
    betas = dialog.findChild(QLineEdit, "hyper_betas")
    assert betas is not None
    assert betas.text() == "0.9, 0.999"
    betas.setText("0.9")
    dialog.open()
    dialog.accept()
    assert dialog.isVisible()
    assert "betas" in dialog.error_label.text()
    dialog.reject()


def test_another_optimizer_forgets_the_settings_of_the_one_before(panel: RunPanel) -> None:
    shown(panel, CONFIG)
    box = panel.form.optimizer_box
    box.setCurrentIndex(box.findText("Adam"))
    assert set(panel.form.values()["optimizer"]) == {"name", "zero_grad", "lr"}
