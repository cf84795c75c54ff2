from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QHelpEvent
from PySide6.QtWidgets import QApplication, QToolTip
from pytestqt.qtbot import QtBot

from freeze_gui.gui.elided_label import ElidedLabel

WORDS = "requires_grad · fused off"


@pytest.mark.parametrize(("width", "own", "said"), [(60, "", WORDS), (400, "", None), (60, "more", "more")])
def test_words_that_are_cut_are_told_in_full(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, width: int, own: str, said: str | None
) -> None:
    told: list[str] = []
    monkeypatch.setattr(QToolTip, "showText", lambda _at, text, *_rest: told.append(text))
    label = ElidedLabel(Qt.TextElideMode.ElideMiddle)
    qtbot.addWidget(label)
    label.setText(WORDS)
    label.setToolTip(own)
    label.resize(width, 20)
    assert (label.shown_text() == WORDS) == (width == 400)
    QApplication.sendEvent(label, QHelpEvent(QEvent.Type.ToolTip, QPoint(5, 5), QPoint(5, 5)))
    assert told == ([said] if said == WORDS else [])   # Qt itself shows a tooltip that was set
