"""The PyTorch code that the chosen freezing method stands for, with light colouring and a button that copies it."""

from __future__ import annotations

import keyword
import re

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QSyntaxHighlighter, QTextCharFormat
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPlainTextEdit, QToolButton, QVBoxLayout, QWidget

from freeze_gui.freezing.methods import METHODS, idiom
from freeze_gui.gui.form_choices import sentence_of
from freeze_gui.gui.theme import current_theme, icon, theme_manager

_TOKENS = re.compile(
    rf"(?P<comment>#.*)|(?P<text>\"[^\"]*\"|'[^']*')|(?P<number>\b\d[\d.e_]*\b)"
    rf"|(?P<word>\b(?:{'|'.join(keyword.kwlist)})\b)"
)


class CodePanel(QWidget):
    """Shows one method: a sentence and its idiom."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = QLabel("Code", self)
        self.title.setProperty("title", True)
        self.copy_button = QToolButton(self)
        self.copy_button.setObjectName("copyCodeButton")
        self.copy_button.setProperty("flat", True)
        self.copy_button.setToolTip("Copy the code")
        self.copy_button.setAccessibleName("Copy the code")
        self.sentence = QLabel(self)
        self.sentence.setWordWrap(True)
        self.sentence.setProperty("muted", True)
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
        top.addWidget(self.title, 1)
        top.addWidget(self.copy_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 8, 8)
        layout.setSpacing(6)
        layout.addLayout(top)
        layout.addWidget(self.sentence)
        layout.addWidget(self.view, 1)
        self.copy_button.clicked.connect(self.copy)
        theme_manager().changed.connect(self.on_theme_changed)
        self.on_theme_changed(current_theme())

    def show_method(self, method: str) -> None:
        """Show the idiom of the method with this id."""
        if method in METHODS:
            self.title.setText(f"Code · {METHODS[method].label}")
            self.sentence.setText(sentence_of(method))
            self.view.setPlainText(idiom(METHODS[method]))

    @Slot()
    def copy(self) -> None:
        """Put the code on the clipboard."""
        QGuiApplication.clipboard().setText(self.view.toPlainText())

    @Slot(object)
    def on_theme_changed(self, theme: object) -> None:
        """Take the new colours."""
        self.copy_button.setIcon(icon("copy"))
        self._colours.rehighlight()


class PythonColours(QSyntaxHighlighter):
    """Comments, strings, numbers and keywords in four colours of the theme."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)

    def highlightBlock(self, text: str) -> None:
        """Colour one line."""
        theme = current_theme()
        colours = {"comment": theme.muted, "text": theme.held, "number": theme.warning, "word": theme.accent}
        for token in _TOKENS.finditer(text):
            form = QTextCharFormat()
            form.setForeground(QColor(colours[token.lastgroup or "word"]))
            self.setFormat(token.start(), token.end() - token.start(), form)
