from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QComboBox,
    QLabel,
    QLineEdit,
    QMessageBox,
    QPlainTextEdit,
    QPushButton,
    QSpinBox,
    QTreeView,
)
from pytestqt.qtbot import QtBot

from freeze_gui.gui import model_opener
from freeze_gui.gui.compare_dialog import CompareDialog
from freeze_gui.gui.layer_cells import STATE
from freeze_gui.gui.main_window import MainWindow
from freeze_gui.training.config import load_config
from tests.gui.conftest import RUN_MS, run_and_wait, start_slowly, tree_index
from tests.gui.exporting import save_config

pytestmark = pytest.mark.timeout(90)

NAMES = {
    QTreeView: ("layerTree",),
    QLineEdit: ("findEdit", "learningRateEdit"),
    QComboBox: ("modelBox", "dataBox", "optimizerBox", "methodBox", "normBox", "zeroGradBox", "deviceBox"),
    QSpinBox: ("stepsEdit",),
    QPushButton: ("runButton", "compareButton"),
    QLabel: ("verdictLabel",),
    QPlainTextEdit: ("codeView",),
    object: ("pauseButton", "stopButton", "lossPlot", "weightDeltaPlot", "gradNormPlot", "heatmapView", "runsTable"),
}


def verdict(window: MainWindow) -> str:
    return window.verdict_panel.label.text()


def test_every_widget_that_tests_rely_on_has_its_name(window: MainWindow) -> None:
    for kind, names in NAMES.items():
        for name in names:
            assert window.findChild(kind, name) is not None, name


def test_the_defaults_are_ready_to_run(window: MainWindow) -> None:
    form = window.run_panel.form
    assert form.model_source() == "builtin:digits-cnn"
    assert form.data_source() == "digits"
    assert form.optimizer_box.currentText() == "Adam"
    assert form.learning_rate_edit.text() == "0.001"
    assert form.method_box.currentText() == "requires_grad"
    assert window.run_panel.run_button.isEnabled()
    assert not window.run_panel.stop_button.isEnabled()
    assert "stem.conv" in window.layer_panel.model.layers
    assert "head" not in window.layer_panel.model.layers


def test_a_run_with_the_defaults_shows_curves_early_and_ends_with_a_verdict(qtbot: QtBot, window: MainWindow) -> None:
    seen: list[int] = []

    def look() -> None:
        history = window.controller.recorders[0].history
        if history is not None and history.steps > 10 and window.controller.is_running:
            seen.append(history.steps)

    window.controller.ticked.connect(look)
    summary = run_and_wait(qtbot, window)
    assert seen   # something to draw while the run was going on
    assert summary["status"] == "completed"
    assert summary["evaluations"][-1]["accuracy"] > 0.90   # the pretrained body makes 5–9 easy
    layers = {layer["path"]: layer["verdict"] for layer in summary["layers"]}
    assert layers["stem.conv"] == layers["blocks.0.conv"] == "held"
    assert layers["stem.norm"] == "leaked"
    causes = {c["cause"] for t in summary["tensors"] if t["layer"] == "stem.norm" for c in t["causes"]}
    assert causes == {"running_statistics"}
    assert tree_index(window, "stem.conv", STATE).data() == "held"
    assert tree_index(window, "stem.norm", STATE).data() == "leaked: statistics"
    assert tree_index(window, "head", STATE).data() == "trains"
    assert "leaked: 3 layers" in verdict(window)
    assert "held: 3 layers" in verdict(window)
    assert window.run_plots.weight_delta_plot.series
    assert window.runs_table.model().rowCount() == 1
    assert window.run_panel.run_button.isEnabled()


def test_the_window_fits_the_smallest_usual_screen_with_runs_and_every_tab(qtbot: QtBot, window: MainWindow) -> None:
    for method in ("requires_grad", "eval_only"):
        window.run_panel.form.method_box.setCurrentText(method)
        run_and_wait(qtbot, window, steps=5)
    for tab in range(window.tabs.count()):
        window.tabs.setCurrentIndex(tab)
        qtbot.wait(50)
        least = window.minimumSizeHint()
        assert least.width() <= 1280, window.tabs.tabText(tab)
        assert least.height() <= 720, window.tabs.tabText(tab)


def test_norm_eval_holds_every_frozen_layer(qtbot: QtBot, window: MainWindow) -> None:
    window.run_panel.form.norm_box.setCurrentIndex(window.run_panel.form.norm_box.findText("eval"))
    summary = run_and_wait(qtbot, window, steps=20)
    assert {layer["verdict"] for layer in summary["layers"]} == {"held", "trained"}
    assert "held: 6 layers" in verdict(window)
    assert "leaked" not in verdict(window)


def test_each_method_shows_its_code(window: MainWindow) -> None:
    box = window.run_panel.form.method_box
    box.setCurrentIndex(box.findText("grad_zero"))
    assert "grad.zero_()" in window.code_panel.view.toPlainText()
    box.setCurrentIndex(box.findData("lr_zero"))
    assert '"lr": 0.0' in window.code_panel.view.toPlainText()


def test_a_diverging_run_shows_a_sentence_and_leaves_the_window_usable(qtbot: QtBot, window: MainWindow) -> None:
    form = window.run_panel.form
    form.optimizer_box.setCurrentIndex(form.optimizer_box.findText("SGD"))
    form.learning_rate_edit.setText("1e9")
    summary = run_and_wait(qtbot, window)
    assert summary["status"] == "diverged"
    head = tree_index(window, "head").internalId()
    assert window.layer_panel.model.cells.bars(head) is not None   # however short the run was
    assert "diverged" in verdict(window)
    assert "learning rate" in verdict(window)
    form.learning_rate_edit.setText("0.01")
    assert run_and_wait(qtbot, window, steps=5)["status"] == "completed"


def test_a_run_that_freezes_everything_says_that_nothing_can_train(qtbot: QtBot, window: MainWindow) -> None:
    tree = window.layer_panel.model.tree
    assert tree is not None
    window.layer_panel.model.change(frozenset(tree.layers), "everything")
    assert "nothing can train" in window.layer_panel.warning_label.text()
    summary = run_and_wait(qtbot, window, steps=5)
    assert summary["status"] == "failed"
    assert "Nothing to train" in verdict(window)


def test_an_error_of_the_form_goes_when_the_field_is_right_and_any_other_stays(
    qtbot: QtBot, window: MainWindow
) -> None:
    panel, rate = window.run_panel, window.run_panel.form.learning_rate_edit

    def enter(text: str) -> None:
        rate.setText(text)
        rate.editingFinished.emit()

    enter("abc")
    QTest.mouseClick(panel.run_button, Qt.MouseButton.LeftButton)
    assert panel.error_label.text() == "optimizer.lr = 'abc': must be a finite number"
    enter("-1")
    assert panel.error_label.isVisible()
    enter("0.01")
    assert not panel.error_label.isVisible()
    panel.show_error("The disk is full.")
    enter("0.02")
    assert panel.error_label.text() == "The disk is full."


def test_a_bad_file_is_one_sentence_and_the_model_stays(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("def build():\n    raise ValueError('no such thing')\n")
    window.settings.trust(bad)
    window.menus.open_path(bad)
    qtbot.waitUntil(window.run_panel.error_label.isVisible, timeout=RUN_MS)
    assert "no such thing" in window.run_panel.error_label.text()
    assert window.workbench.desk.opened is not None
    assert window.workbench.desk.opened.loaded.source == "builtin:digits-cnn"


def test_a_broken_configuration_is_one_sentence(window: MainWindow, tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text('[model]\nsource = "builtin:digits-cnn"\n[trian]\nsteps = 3\n')
    window.menus.open_path(path)
    assert "train" in window.run_panel.error_label.text()
    assert window.run_panel.error_label.isVisible()


def test_a_persons_file_runs_only_after_a_yes_that_is_remembered(
    qtbot: QtBot, make_window: Callable[..., MainWindow], tmp_path: Path
) -> None:
    net, mark = tmp_path / "net.py", tmp_path / "ran"
    net.write_text(
        f"from pathlib import Path\nimport torch\nPath({str(mark)!r}).touch()\n"
        "def build():\n    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 5))\n"
    )
    window = make_window()
    window.menus.open_path(net)
    box = window.findChild(QMessageBox, "trustDialog")
    assert box is not None
    assert "net.py" in box.text()
    box.button(QMessageBox.StandardButton.Cancel).click()
    assert not mark.exists()
    window.menus.open_path(net)
    qtbot.waitUntil(lambda: len(window.findChildren(QMessageBox, "trustDialog")) > 0)
    button = window.findChildren(QMessageBox, "trustDialog")[-1].findChild(QPushButton, "trustButton")
    assert button is not None
    button.click()
    qtbot.waitUntil(lambda: window.workbench.desk.opened is not None
                    and window.workbench.desk.opened.loaded.source.startswith("file:"), timeout=RUN_MS)
    assert mark.exists()
    assert window.settings.is_trusted(net)
    net.write_text(net.read_text() + "# changed\n")
    assert not window.settings.is_trusted(net)


def test_a_comparison_sets_three_methods_side_by_side(qtbot: QtBot, window: MainWindow) -> None:
    window.run_panel.form.steps_edit.setValue(30)
    QTest.mouseClick(window.run_panel.compare_button, Qt.MouseButton.LeftButton)
    dialog = window.findChild(CompareDialog, "compareDialog")
    assert dialog is not None
    dialog.choose(["requires_grad", "grad_zero", "eval_only"])
    with qtbot.waitSignal(window.controller.comparison_ended, timeout=RUN_MS) as ended:
        dialog.ok_button.click()
    runs = ended.args[0]["runs"]
    assert [run["method"] for run in runs] == ["requires_grad", "grad_zero", "eval_only"]
    assert len({run["summary"]["loss"][0] for run in runs[:2]}) == 1   # the same start
    assert runs[2]["summary"]["layers"][0]["verdict"] == "leaked"
    assert window.runs_table.model().rowCount() == 3
    assert window.tabs.currentIndex() == 1
    assert len(window.compare_view.recorders) == 3


def test_a_wrong_value_is_said_inline_and_nothing_runs(qtbot: QtBot, window: MainWindow) -> None:
    window.run_panel.form.learning_rate_edit.setText("-1")
    QTest.mouseClick(window.run_panel.run_button, Qt.MouseButton.LeftButton)
    assert window.run_panel.error_label.isVisible()
    assert "learning rate" in window.run_panel.error_label.text().lower()
    assert not window.controller.is_running
    assert window.run_panel.form.learning_rate_edit.text() == "-1"


def test_another_model_is_opened_by_typing_its_name_and_pressing_run(qtbot: QtBot, window: MainWindow) -> None:
    window.run_panel.form.model_box.setEditText("builtin:five-linear")
    summary = run_and_wait(qtbot, window, steps=3)
    assert summary["config"]["model"]["source"] == "builtin:five-linear"
    assert summary["status"] == "completed"


def test_a_torchvision_model_opens_beside_the_window(qtbot: QtBot, window: MainWindow) -> None:
    window.run_panel.form.model_box.setEditText("torchvision:resnet18")
    opened = window.workbench.desk.opener.opened
    with qtbot.waitSignal(opened, timeout=RUN_MS):
        window.run_panel.on_model_edited()
        assert not window.run_panel.run_button.isEnabled()
    tree = window.layer_panel.model.tree
    assert tree is not None
    assert "layer1.0.conv1" in tree.layers
    assert window.run_panel.form.data_source() == "random"
    assert window.run_panel.run_button.isEnabled()


def test_a_configuration_is_saved_and_opened_again(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    path, form = tmp_path / "saved.toml", window.run_panel.form
    form.method_box.setCurrentIndex(form.method_box.findText("restore"))
    form.steps_edit.setValue(77)
    window.layer_panel.model.change(frozenset({"head"}), "head")
    save_config(qtbot, window, path)
    form.method_box.setCurrentIndex(0)
    form.steps_edit.setValue(5)
    window.layer_panel.model.change(frozenset(), "nothing")
    window.menus.open_path(path)
    assert form.method_box.currentText() == "restore"
    assert form.steps_edit.value() == 77
    assert window.layer_panel.model.layers == {"head"}


def test_a_window_from_a_file_stays_while_its_ticks_change(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    path = tmp_path / "window.toml"
    path.write_text(
        '[model]\nsource = "builtin:digits-cnn"\n[freeze]\nlayers = ["stem"]\nfrom_step = 0\nto_step = 4\n'
        "[train]\nsteps = 10\nclip_grad_norm = 1.0\n"
    )
    window.menus.open_path(path)
    assert window.layer_panel.phase_label.text() == "Ticks: the one phase, steps 0–4"
    summary = run_and_wait(qtbot, window)
    assert summary["layers"][0]["frozen_steps"] == [[0, 4]]
    assert summary["config"]["train"]["clip_grad_norm"] == 1.0
    window.layer_panel.model.change(frozenset({"head"}), "head")
    freeze = window.workbench.desk.config().freeze
    assert (freeze.layers, freeze.from_step, freeze.to_step) == (("head",), 0, 4)
    assert window.workbench.desk.config().train.clip_grad_norm == 1.0


def test_an_earlier_run_is_shown_again_when_its_row_is_chosen(qtbot: QtBot, window: MainWindow) -> None:
    run_and_wait(qtbot, window, steps=5)
    run_and_wait(qtbot, window, steps=6)
    first, second = window.workbench.runs
    assert window.workbench.shown is second
    window.runs_table.select_run(0)
    assert window.workbench.shown is first
    assert second.label == "requires_grad · 6 steps"


def test_the_status_bar_speaks_of_the_run_that_goes_on_not_of_the_one_before(qtbot: QtBot, window: MainWindow) -> None:
    run_and_wait(qtbot, window, steps=5)
    assert window.status_label.text() == "requires_grad: completed after 5 steps"
    start_slowly(qtbot, window)
    assert window.status_label.text() == "requires_grad #2: running"


def test_the_window_closes_during_a_run_without_a_question(qtbot: QtBot, window: MainWindow) -> None:
    start_slowly(qtbot, window)
    with qtbot.waitSignal(window.controller.run_ended, timeout=5000) as ended:
        window.close()
    assert ended.args[0]["status"] == "stopped"
    assert not window.controller.is_running
    assert not window.controller.start(window.workbench.desk.config())   # a closed window refuses


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_theme_is_taken_at_once_and_remembered(
    window: MainWindow, theme: str, make_window: Callable[..., MainWindow]
) -> None:
    window.choose_theme("light" if theme == "dark" else "dark")
    window.choose_theme("light" if theme == "light" else "dark")
    assert window.settings.theme == theme
    window.close()
    assert make_window().settings.theme == theme


def test_garbage_is_collected_by_the_window_alone_while_it_is_open(make_window: Callable[..., MainWindow]) -> None:
    gc.enable()
    window = make_window()
    assert not gc.isenabled()
    window.close()
    assert gc.isenabled()
    gc.disable()   # as the tests around it want it


def test_another_model_keeps_the_settings_of_the_form_and_says_so_and_the_menu_puts_them_back(
    qtbot: QtBot, window: MainWindow
) -> None:
    form, desk = window.run_panel.form, window.workbench.desk
    desk.show_config(load_config({
        "model": {"source": "builtin:digits-cnn"}, "optimizer": {"name": "SGD", "lr": 0.3},
        "train": {"steps": 7, "clip_grad_norm": 1.0}, "freeze": {"method": "grad_zero", "layers": ["stem"]},
    }))
    qtbot.waitUntil(lambda: not desk.is_loading, timeout=RUN_MS)
    with qtbot.waitSignal(desk.model_opened, timeout=RUN_MS):
        form.model_box.setCurrentIndex(form.model_box.findData("builtin:five-linear"))
    assert "all other settings stay" in window.status_label.text()
    config = desk.config()
    assert (config.optimizer.name, config.train.steps, config.train.clip_grad_norm) == ("SGD", 7, 1.0)
    with qtbot.waitSignal(desk.model_opened, timeout=RUN_MS):
        window.menus.take_defaults()
    plain = load_config({"model": {"source": "builtin:five-linear"}})
    config = desk.config()
    assert (config.optimizer, config.train) == (plain.optimizer, plain.train)
    assert (config.model.source, config.freeze.method) == ("builtin:five-linear", "requires_grad")


def test_an_error_of_many_lines_asks_for_no_more_height_than_a_small_screen_has(
    qtbot: QtBot, window: MainWindow
) -> None:
    run_and_wait(qtbot, window, steps=5)
    window.resize(1280, 720)
    window.run_panel.show_error("a long sentence about a file that is not where it should be; " * 20)
    QTest.qWait(50)   # the layout settles
    assert (window.width(), window.height()) == (1280, 720)
    assert window.run_panel.error_label.toolTip() == window.run_panel.error_label.text()


def test_stop_ends_the_wait_for_a_model_that_takes_for_ever_and_keeps_the_one_that_is_open(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, panel = window.workbench.desk, window.run_panel
    qtbot.waitUntil(lambda: desk.opened is not None, timeout=RUN_MS)
    before, released = desk.opened, threading.Event()
    monkeypatch.setattr(model_opener, "open_structure", lambda source, data: released.wait(30) and before)
    desk.show_model("torchvision:resnet18")
    assert "torchvision:resnet18" in window.status_label.text()
    assert (panel.run_button.isEnabled(), panel.stop_button.isEnabled()) == (False, True)
    QTest.mouseClick(panel.stop_button, Qt.MouseButton.LeftButton)
    assert not desk.is_loading
    assert (panel.run_button.isEnabled(), panel.stop_button.isEnabled()) == (True, False)
    assert panel.form.model_source() == "builtin:digits-cnn"
    opened: list[object] = []
    desk.model_opened.connect(lambda: opened.append(1))
    released.set()   # what comes too late is thrown away
    qtbot.waitUntil(lambda: not desk.opener._jobs, timeout=RUN_MS)
    assert desk.opened is before
    assert not opened
