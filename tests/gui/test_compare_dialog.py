from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QLabel, QLineEdit, QPushButton
from pytestqt.qtbot import QtBot

from freeze_gui.gui.compare_choices import HONEST_FOUR
from freeze_gui.gui.compare_dialog import CompareDialog
from freeze_gui.runs.grid import Axes, OptimizerChoice, grid
from freeze_gui.training.config import RunConfig, load_config


def config(**more: Any) -> RunConfig:
    return load_config({"model": {"source": "builtin:digits-cnn"}, "freeze": {"layers": ["stem"]}, **more})


def opened(qtbot: QtBot, *args: Any, form: RunConfig | None = None) -> CompareDialog:
    dialog = CompareDialog(form or config(), *args)
    qtbot.addWidget(dialog)
    dialog.show()
    return dialog


def box(dialog: CompareDialog, name: str) -> QCheckBox:
    found = dialog.findChild(QCheckBox, name)
    assert found is not None
    return found


def test_it_says_live_how_many_runs_it_makes_and_how_long_they_take(qtbot: QtBot) -> None:
    dialog = opened(qtbot, Axes(methods=["requires_grad", "grad_zero"]), 100, 0.02)
    assert dialog.plan_label.text() == "2 runs of 100 steps, about 4 seconds"
    box(dialog, "optimizer_SGD").setChecked(True)
    box(dialog, "zero_grad_zero").setChecked(True)
    box(dialog, "norm_eval").setChecked(True)
    assert dialog.ok_button.text() == "Compare 16 runs"
    box(dialog, "beside_reference").setChecked(True)   # one for each optimizer and mode: norm says nothing there
    assert dialog.plan_label.text() == "20 runs of 100 steps, about 40 seconds"
    assert len(grid(config(), dialog.axes())) == 20


def test_it_is_as_wide_as_its_sentences_in_large_letters_too(qtbot: QtBot) -> None:
    dialog = CompareDialog(config())
    qtbot.addWidget(dialog)
    font = dialog.font()
    font.setPointSizeF(2 * font.pointSizeF())
    dialog.setFont(font)
    dialog.show()
    texts = [label for label in dialog.findChildren(QLabel) if label.text() and not label.wordWrap()]
    assert len(texts) > 10
    for widget in (*texts, *dialog.findChildren(QCheckBox), *dialog.findChildren(QPushButton)):
        assert widget.width() >= widget.sizeHint().width()


def test_what_the_form_says_is_ticked_at_first(qtbot: QtBot) -> None:
    form = config(optimizer={"name": "AdamW", "lr": 0.03, "zero_grad": "zero"})
    dialog = CompareDialog(form)
    qtbot.addWidget(dialog)
    axes = dialog.axes()
    assert axes.optimizers == [OptimizerChoice("AdamW")] and axes.zero_grad == ["zero"] and axes.norm == ["leave"]
    assert all(run.config.optimizer == form.optimizer for run in grid(form, axes))


def test_enter_runs_what_is_ticked(qtbot: QtBot) -> None:
    dialog = opened(qtbot)
    dialog.choose(["exclude"])
    with qtbot.waitSignal(dialog.comparison_chosen) as chosen:
        QTest.keyClick(dialog, Qt.Key.Key_Return)
    assert list(chosen.args[0].methods) == ["exclude"]


def test_without_a_method_nothing_runs_and_it_says_why(qtbot: QtBot) -> None:
    dialog = opened(qtbot)
    dialog.none_button.click()
    assert dialog.plan_label.text() == "Tick at least one method" and not dialog.ok_button.isEnabled()
    with qtbot.assertNotEmitted(dialog.comparison_chosen):
        dialog.accept()
    dialog.honest_button.click()
    assert dialog.chosen() == list(HONEST_FOUR) and dialog.ok_button.isEnabled()


def test_a_learning_rate_that_no_optimizer_takes_is_refused_in_the_dialog(qtbot: QtBot) -> None:
    dialog = opened(qtbot)
    box(dialog, "optimizer_SGD").setChecked(True)
    edit = dialog.findChild(QLineEdit, "optimizer_SGD_lr")
    assert edit is not None
    edit.setText("-1")
    assert "learning rate" in dialog.plan_label.text().lower() and not dialog.ok_button.isEnabled()
    edit.setText("0.1")
    assert dialog.ok_button.isEnabled()


def test_what_was_compared_last_is_ticked_again(qtbot: QtBot) -> None:
    last = Axes(["detach"], [OptimizerChoice("SGD", {"lr": 0.25})], ["never"], ["eval"], reference=True, ideal=True)
    dialog = opened(qtbot, last)
    again = dialog.axes()
    assert (again.methods, again.zero_grad, again.norm) == (["detach"], ["never"], ["eval"])
    assert again.optimizers == [OptimizerChoice("SGD", {"lr": 0.25})] and again.reference and again.ideal


def test_turns_are_passed_on(qtbot: QtBot) -> None:
    dialog = opened(qtbot)
    box(dialog, "in_turns").setChecked(True)
    with qtbot.waitSignal(dialog.comparison_chosen) as chosen:
        dialog.accept()
    assert chosen.args[1] is True


def test_each_optimizer_is_set_beside_its_fused_self_where_it_has_one(qtbot: QtBot) -> None:
    form = config(optimizer={"name": "RMSprop", "alpha": 0.5})
    dialog = opened(qtbot, Axes(methods=("requires_grad",)), form=form)
    box(dialog, "optimizer_AdamW").setChecked(True)
    assert dialog.ok_button.text() == "Compare 2 runs"
    box(dialog, "fused_beside").setChecked(True)
    assert dialog.ok_button.text() == "Compare 3 runs"   # torch has no fused RMSprop
    found = [run.config.optimizer for run in grid(form, dialog.axes())]
    assert [(one.name, one.hyper.get("fused")) for one in found] == [
        ("RMSprop", None), ("AdamW", False), ("AdamW", True)
    ]   # fmt: skip
    again = opened(qtbot, dialog.axes(), form=form)
    assert box(again, "fused_beside").isChecked() and again.ok_button.text() == "Compare 3 runs"


def test_the_forms_own_optimizer_keeps_its_settings_beside_its_fused_self(qtbot: QtBot) -> None:
    form = config(optimizer={"name": "SGD", "lr": 0.1, "momentum": 0.5, "fused": True})
    dialog = opened(qtbot, Axes(methods=("requires_grad",)), form=form)
    box(dialog, "fused_beside").setChecked(True)
    found = [dict(run.config.optimizer.hyper) for run in grid(form, dialog.axes())]
    assert found == [{"lr": 0.1, "momentum": 0.5, "fused": fused} for fused in (False, True)]
