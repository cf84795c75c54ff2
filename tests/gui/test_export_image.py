from __future__ import annotations

import numpy as np
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication

from freeze_gui.gui.export_drawing import Drawing, Line, Marks, Pixels, Rect, Text
from freeze_gui.gui.export_image import elided, text_width, to_image, to_png


def test_a_picture_has_two_pixels_for_each_of_its_own(qapp: QApplication) -> None:
    image = to_image(Drawing(100, 50, "#123456", "", "", [Rect((10, 10, 20, 20), "#ff0000")]))
    assert (image.width(), image.height()) == (200, 100)
    assert image.pixelColor(0, 0) == QColor("#123456")
    assert [image.pixelColor(x, 40).name() for x in (19, 20, 59, 60)] == ["#123456", "#ff0000", "#ff0000", "#123456"]
    assert QImage.fromData(to_png(image)) == image


def test_lines_are_antialiased_and_end_at_the_edge_of_the_plot(qapp: QApplication) -> None:
    slope = Line(np.array([(0, 0), (100, 50)], float), "#000000", 2.0, None, (0, 0, 50, 50))
    image = to_image(Drawing(100, 50, "#ffffff", "", "", [slope]))
    shades = {image.pixelColor(x, y).lightness() for x in range(200) for y in range(100)}
    assert len(shades) > 2   # black and white alone without antialiasing
    assert {image.pixelColor(x, y).name() for x in range(101, 200) for y in range(100)} == {"#ffffff"}


def test_cells_are_not_blurred(qapp: QApplication) -> None:
    cells = np.array([[0xFF0000FF, 0xFFFF0000]], np.uint32)
    image = to_image(Drawing(10, 10, "#ffffff", "", "", [Pixels((0, 0, 10, 10), cells)]))
    assert {image.pixelColor(x, y).name() for x in range(20) for y in range(20)} == {"#0000ff", "#ff0000"}


def test_a_mark_without_a_place_is_left_out(qapp: QApplication) -> None:
    marks = Marks(np.array([(np.nan, 5), (5, 5)], float), "circle", "#ff0000", 6)
    image = to_image(Drawing(10, 10, "#ffffff", "", "", [marks]))
    assert image.pixelColor(10, 10).name() == "#ff0000"


def test_words_end_where_they_are_anchored(qapp: QApplication) -> None:
    image = to_image(Drawing(200, 30, "#ffffff", "", "", [Text(150, 20, "stem.conv", "#000000", 12, "end")]))
    dark = [x for x in range(400) for y in range(60) if image.pixelColor(x, y).lightness() < 128]
    assert 290 <= max(dark) <= 301
    assert min(dark) >= 2 * (150 - text_width("stem.conv")) - 2
    assert elided("blocks.0.conv.weight", 12, 60).count("…") == 1
