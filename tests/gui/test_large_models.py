"""The largest models of torchvision in the window: their structure at once, and no memory for what cannot be run."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from freeze_gui.gui import forecaster
from freeze_gui.gui.main_window import MainWindow
from freeze_gui.training import loading, memory
from tests.gui.conftest import RUN_MS

# As torchvision documents them, with a head of 1,000 classes.
LARGEST = {"vit_h_14": 632_045_800, "regnet_y_128gf": 644_812_894, "convnext_large": 197_767_336}
FREE_BYTES = 2_000_000_000


@pytest.mark.parametrize("name", LARGEST)
def test_a_model_too_large_is_open_without_its_weights_and_refused_in_one_sentence_when_it_is_run(
    name: str, qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (memory, loading, forecaster):
        monkeypatch.setattr(module, "free_bytes", lambda device: FREE_BYTES)
    desk, panel = window.workbench.desk, window.run_panel
    with qtbot.waitSignal(desk.opener.models_listed, timeout=RUN_MS):
        desk.list_models_once()
    before = resident_bytes_at_most(reset=True)
    with qtbot.waitSignal(desk.model_opened, timeout=RUN_MS):
        panel.form.model_box.setCurrentIndex(panel.form.model_box.findData(f"torchvision:{name}"))
    assert desk.opened is not None
    assert desk.opened.tree.root.parameters == LARGEST[name]
    assert f"{LARGEST[name]:,} parameters" in window.status_label.text()
    assert {parameter.device.type for parameter in desk.opened.loaded.module.parameters()} == {"meta"}
    with qtbot.waitSignal(window.controller.run_ended, timeout=RUN_MS) as ended:
        QTest.mouseClick(panel.run_button, Qt.MouseButton.LeftButton)
    summary = ended.args[0]
    assert (summary["status"], summary["steps"]) == ("out_of_memory", 0)
    sentence = summary["error"]
    assert sentence.startswith("This run needs ")
    assert f"cpu has 2.0 GB free for it (weights {memory.bytes_text(4 * LARGEST[name])}, " in sentence
    assert "choose a smaller batch" in sentence
    assert "\n" not in sentence
    assert sentence in window.verdict_panel.label.text()
    assert resident_bytes_at_most() - before < 4 * LARGEST[name] / 4


def resident_bytes_at_most(*, reset: bool = False) -> int:
    """Return the most memory that this process held at once since the last reset; 0 where the system does not say."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:")), 0)
