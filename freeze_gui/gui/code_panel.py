"""The PyTorch code that the chosen method and the settings of the loop stand for, coloured, with a copy button."""

from __future__ import annotations

import keyword
import re
from html import escape

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QSyntaxHighlighter, QTextCharFormat
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPlainTextEdit, QToolButton, QVBoxLayout, QWidget

from freeze_gui.freezing.methods import METHODS, idiom
from freeze_gui.gui.form_choices import sentence_of
from freeze_gui.gui.theme import current_theme, icon, theme_manager
from freeze_gui.training.config import RunConfig
from freeze_gui.training.loop_code import loop_code

_QUOTES = '"""'
_IN_STRING = 1
_TOKENS = re.compile(
    rf"(?P<comment>#.*)|(?P<long>{_QUOTES})|(?P<text>\"[^\"]*\"|'[^']*')|(?P<number>\b\d[\d.e_]*\b)"
    rf"|(?P<word>\b(?:{'|'.join(keyword.kwlist)})\b)"
)


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
        self.view = QPlainTextEdit(self)
        self.view.setObjectName("codeView")
        self.view.setAccessibleName("Code of the freezing method")
        self.view.setReadOnly(True)
        self.view.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        font.setStyleHint(QFont.StyleHint.Monospace)
        self.view.setFont(font)
        self._colours = PythonColours(self.view.document())
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
        self.copy_button.clicked.connect(self.copy)
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

    @Slot()
    def copy(self) -> None:
        """Put the code on the clipboard."""
        QGuiApplication.clipboard().setText(self.view.toPlainText())

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
        self._colours.rehighlight()


class PythonColours(QSyntaxHighlighter):
    """Comments, strings, numbers and keywords in four colours of the theme."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)

    def highlightBlock(self, text: str) -> None:
        """Colour one line; a string of several lines goes on until its end."""
        theme = current_theme()
        colours = {"comment": theme.muted, "text": theme.held, "number": theme.warning, "word": theme.accent}
        self.setCurrentBlockState(-1)
        at = self._string(text, 0, 0) if self.previousBlockState() == _IN_STRING else 0
        while (token := _TOKENS.search(text, at)) is not None:
            if token.lastgroup == "long":
                at = self._string(text, token.start(), token.end())
                continue
            self._colour(token.start(), token.end(), colours[token.lastgroup or "word"])
            at = token.end()

    def _string(self, text: str, start: int, inside: int) -> int:
        """Colour a string in three quotes whose text goes on at `inside`; return where it ends."""
        end = text.find(_QUOTES, inside)
        self.setCurrentBlockState(_IN_STRING if end < 0 else -1)
        end = len(text) if end < 0 else end + 3
        self._colour(start, end, current_theme().held)
        return end

    def _colour(self, start: int, end: int, color: str) -> None:
        form = QTextCharFormat()
        form.setForeground(QColor(color))
        self.setFormat(start, end - start, form)
