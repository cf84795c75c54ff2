from __future__ import annotations

import pytest
import torch
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from freeze_gui.gui.export_script import BESIDE, ScriptDialog
from freeze_gui.gui.theme import current_theme
from freeze_gui.runs.script import Script

SCRIPT = '''"""A run.

for nothing
"""

x = """one""" + "two"   # three
for y in """a
b""", 4:
    pass
'''


@pytest.fixture
def parent(qtbot: QtBot) -> QWidget:
    """Return what the dialog opens over."""
    widget = QWidget()
    widget.resize(1280, 720)
    qtbot.addWidget(widget)
    return widget


@pytest.fixture
def dialog(parent: QWidget) -> ScriptDialog:
    """Return the dialog with the script."""
    return ScriptDialog(Script(SCRIPT, {}), parent)


def color_at(dialog: ScriptDialog, words: str) -> str:
    document = dialog.view.document()
    cursor = document.find(words)
    at = cursor.selectionStart() - cursor.block().position()
    for part in cursor.block().layout().formats():
        if part.start <= at < part.start + part.length:
            return part.format.foreground().color().name()
    return ""


def test_strings_of_several_lines_are_coloured_to_their_end_and_no_further(dialog: ScriptDialog) -> None:
    theme = current_theme()
    assert color_at(dialog, "for nothing") == theme.held
    assert color_at(dialog, "one") == theme.held
    assert color_at(dialog, "# three") == theme.muted
    assert color_at(dialog, "for y") == theme.accent
    assert color_at(dialog, 'b"""') == theme.held
    assert color_at(dialog, "4") == theme.warning
    assert color_at(dialog, "pass") == theme.accent


def test_the_dialog_stays_inside_its_window(dialog: ScriptDialog) -> None:
    assert dialog.width() == 900
    assert dialog.height() == 720 - 60


def test_a_script_that_reads_a_file_says_that_saving_writes_it(parent: QWidget, dialog: ScriptDialog) -> None:
    reading = ScriptDialog(Script(SCRIPT, {"labels": torch.zeros(3)}), parent)
    assert any(BESIDE in label.text() for label in reading.findChildren(QLabel))
    assert not any(BESIDE in label.text() for label in dialog.findChildren(QLabel))
