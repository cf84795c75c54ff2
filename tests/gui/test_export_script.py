from __future__ import annotations

import pytest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from freeze_gui.gui.code_panel import PythonColours
from freeze_gui.gui.export_script import ScriptDialog
from freeze_gui.gui.theme import current_theme

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
    return ScriptDialog(SCRIPT, parent)


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
    assert isinstance(dialog._colours, PythonColours)
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
