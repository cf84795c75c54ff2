"""Takes the pictures of the gallery's cards from real runs; with FREEZE_GUI_SCREENSHOTS=1 they go to resources."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QImage, QPixmap, QRegion
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from freeze_gui.gui.gallery_card import PICTURE
from freeze_gui.gui.heatmap import HeatmapView
from freeze_gui.gui.theme import Choice, apply_theme, current_theme
from freeze_gui.resources import resource_path
from freeze_gui.runs.execute import execute
from freeze_gui.runs.history import History
from freeze_gui.runs.scenario_cards import Card, list_cards, thumbnail_path
from freeze_gui.training.config import load_config

FOR_GOOD = os.environ.get("FREEZE_GUI_SCREENSHOTS") == "1"
MOST_BYTES = 25_000
THEMES: tuple[Choice, ...] = ("light", "dark")
SHARPNESS = 2   # pixels of the file for one of a plain screen, each way


def heatmap_of(card: Card) -> History:
    recorder = execute(load_config(card.variants[0].scenario.path).with_device("cpu"))
    assert recorder.history is not None
    return recorder.history


def picture(qtbot: QtBot, history: History) -> QImage:
    view = HeatmapView(compact=True)
    qtbot.addWidget(view)
    view.setFocusPolicy(Qt.FocusPolicy.NoFocus)   # no ring round the first row
    view.resize(PICTURE)
    view.set_history(history)
    with qtbot.waitExposed(view):
        view.show()
    view.refresh()
    canvas = QPixmap(PICTURE * SHARPNESS)
    canvas.setDevicePixelRatio(SHARPNESS)
    canvas.fill(QColor(current_theme().panel))
    view.render(canvas, QPoint(), QRegion(), QWidget.RenderFlag.DrawChildren)
    image = canvas.toImage().convertToFormat(QImage.Format.Format_RGB32)
    return image.convertToFormat(
        QImage.Format.Format_Indexed8, colours_of(image), Qt.ImageConversionFlag.ThresholdDither
    )


def colours_of(image: QImage) -> list[int]:
    """Return the 256 most frequent colours: all that count, in a third of the bytes."""
    pixels = np.frombuffer(image.constBits(), np.uint32)
    colours, counts = np.unique(pixels, return_counts=True)
    table: list[int] = colours[np.argsort(-counts)][:256].tolist()
    return table


@pytest.mark.parametrize("card", list_cards() if FOR_GOOD else list_cards()[:1], ids=lambda card: str(card.number))
def test_the_picture_of_a_card_is_the_heatmap_of_its_first_scenario_in_both_themes(
    qtbot: QtBot, qapp: QApplication, tmp_path: Path, card: Card
) -> None:
    folder = resource_path("scenarios") / "thumbnails" if FOR_GOOD else tmp_path
    folder.mkdir(exist_ok=True)
    history, pictures = heatmap_of(card), []
    for theme in THEMES:
        apply_theme(qapp, theme)
        image = picture(qtbot, history)
        path = folder / f"{card.number:02}-{theme}.png"
        assert image.save(str(path))
        assert path.stat().st_size < MOST_BYTES
        assert image.size() == PICTURE * SHARPNESS
        pictures.append(image)
    assert pictures[0] != pictures[1]


@pytest.mark.parametrize("theme", THEMES)
def test_every_card_has_its_picture(theme: str) -> None:
    for card in list_cards():
        path = thumbnail_path(card, theme)
        assert path is not None, card.title
        assert QImage(str(path)).size() == PICTURE * SHARPNESS
        assert path.stat().st_size < MOST_BYTES
