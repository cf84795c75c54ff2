"""The PyTorch code that the chosen method and the settings of the loop stand for, coloured, with a copy button."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from freeze_gui.freezing.methods import METHODS, idiom
from freeze_gui.gui.code_view import CodeView
from freeze_gui.gui.form_choices import sentence_of
from freeze_gui.gui.theme import current_theme, icon, theme_manager
from freeze_gui.training.config import RunConfig
from freeze_gui.training.loop_code import loop_code


class CodePanel(QWidget):
    """Shows one method: a sentence, its idiom, and the loop where its settings make it longer.

    Signals
    -------
    script_wanted()
        The whole run is wanted as a script.
    """

    script_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._method = self._loop = ""
        self.copy_button = QToolButton(self)
        self.copy_button.setObjectName("copyCodeButton")
        self.copy_button.setProperty("flat", True)
        self.copy_button.setToolTip("Copy the code")
        self.copy_button.setAccessibleName("Copy the code")
        self.script_button = QToolButton(self)
        self.script_button.setObjectName("wholeScriptButton")
        self.script_button.setAccessibleName("Whole script")
        self.script_button.setProperty("flat", True)
        self.script_button.setToolTip("Show the whole run as a PyTorch script, to copy or save (Ctrl+Shift+E)")
        self.sentence = QLabel(self)
        self.sentence.setWordWrap(True)
        self.sentence.setTextFormat(Qt.TextFormat.RichText)
        self.view = CodeView(self)
        self.view.setObjectName("codeView")
        self.view.setAccessibleName("Code of the freezing method")
        top = QHBoxLayout()
        top.addWidget(self.sentence, 1)
        aside = QVBoxLayout()   # below each other: the sentence needs the width
        aside.setSpacing(0)
        aside.addWidget(self.copy_button)
        aside.addWidget(self.script_button)
        aside.addStretch(1)
        top.addLayout(aside)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 8, 8)
        layout.setSpacing(6)
        layout.addLayout(top)
        layout.addWidget(self.view, 1)
        self.copy_button.clicked.connect(self.view.copy_all)
        self.script_button.clicked.connect(self.script_wanted)
        theme_manager().changed.connect(self.on_theme_changed)
        self.on_theme_changed(current_theme())

    def show_method(self, method: str) -> None:
        """Show the idiom of the method with this id."""
        if method in METHODS:
            self._method = method
            self.sentence.setText(f"<b>{escape(METHODS[method].label)}</b>: {escape(sentence_of(method))}")
            self._show_code()

    def show_loop(self, config: RunConfig) -> None:
        """Show the lines of the loop that this run's settings bring, below the idiom."""
        self._loop = loop_code(config)
        self._show_code()

    def _show_code(self) -> None:
        parts = [idiom(METHODS[self._method])] if self._method else []
        parts += [f"# the loop with this run's settings\n{self._loop}"] if self._loop else []
        code = "\n\n".join(parts)
        if code != self.view.toPlainText():
            self.view.setPlainText(code)

    @Slot(object)
    def on_theme_changed(self, theme: object) -> None:
        """Take the new colours."""
        self.copy_button.setIcon(icon("copy"))
        self.script_button.setIcon(icon("code"))
