"""Python code to read: coloured, in letters of one width, to be copied."""

from __future__ import annotations

import keyword
import re

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QSyntaxHighlighter, QTextCharFormat
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from freeze_gui.gui.theme import current_theme, theme_manager

_QUOTES = '"""'
_IN_STRING = 1
_TOKENS = re.compile(
    rf"(?P<comment>#.*)|(?P<long>{_QUOTES})|(?P<text>\"[^\"]*\"|'[^']*')|(?P<number>\b\d[\d.e_]*\b)"
    rf"|(?P<word>\b(?:{'|'.join(keyword.kwlist)})\b)"
)


class CodeView(QPlainTextEdit):
    """Shows code in the colours of the theme; nobody can change it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setReadOnly(True)
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        font.setStyleHint(QFont.StyleHint.Monospace)
        self.setFont(font)
        self._colours = PythonColours(self.document())
        theme_manager().changed.connect(self.on_theme_changed)

    @Slot()
    def copy_all(self) -> None:
        """Put the whole code on the clipboard."""
        QGuiApplication.clipboard().setText(self.toPlainText())

    @Slot(object)
    def on_theme_changed(self, theme: object) -> None:
        """Take the new colours."""
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
