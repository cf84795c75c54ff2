"""A run as a script, to look at before it is saved: coloured, with a copy button."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

from freeze_gui.gui.code_view import CodeView
from freeze_gui.runs.script import Script

WORDS = "The run that form and tree describe, as a program of its own: it needs torch and nothing of Freeze GUI."
BESIDE = "It reads a file that Save… writes beside it, with the ending .pt."

_SIZE, _AROUND = QSize(900, 680), QSize(60, 60)
"""Room for lines of a hundred letters, inside the window."""


class ScriptDialog(QDialog):
    """Shows a script, and says where it reads a file that saving writes beside it.

    Signals
    -------
    save_wanted()
        The script is to be saved.
    """

    save_wanted = Signal()

    def __init__(self, script: Script, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("scriptDialog")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Run as PyTorch script")
        words = QLabel(f"{WORDS} {BESIDE}" if script.tensors else WORDS, self)
        words.setProperty("muted", True)
        words.setWordWrap(True)
        self.view = CodeView(self)
        self.view.setObjectName("scriptView")
        self.view.setAccessibleName("The script")
        self.view.setPlainText(script.text)
        buttons = QDialogButtonBox(self)
        self.copy_button = buttons.addButton("Copy", QDialogButtonBox.ButtonRole.ActionRole)
        self.copy_button.setObjectName("copyScriptButton")
        self.save_button = buttons.addButton("Save…", QDialogButtonBox.ButtonRole.ActionRole)
        self.save_button.setObjectName("saveScriptButton")
        buttons.addButton(QDialogButtonBox.StandardButton.Close)
        for button in (self.copy_button, self.save_button):
            button.setAutoDefault(False)   # Enter closes
        self.resize(_SIZE.boundedTo(parent.window().size() - _AROUND))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 14, 16, 14)
        layout.setSpacing(10)
        layout.addWidget(words)
        layout.addWidget(self.view, 1)
        layout.addWidget(buttons)
        self.copy_button.clicked.connect(self.view.copy_all)
        self.save_button.clicked.connect(self.save_wanted)
        buttons.rejected.connect(self.reject)
