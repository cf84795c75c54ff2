from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET

import numpy as np
from PySide6.QtCore import QByteArray
from PySide6.QtGui import QImage, QPainter
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

from freeze_gui.gui.export_drawing import Drawing, Line, Marks, Pixels, Rect, Text
from freeze_gui.gui.export_image import to_image
from freeze_gui.gui.export_svg import to_svg

SVG = "{http://www.w3.org/2000/svg}"
XLINK = "{http://www.w3.org/1999/xlink}"


def drawing() -> Drawing:
    made = Drawing(200, 100, "#ffffff", "Loss <of> a & b", "two lines")
    gap = np.array([(20, 20), (60, 80), (100, np.nan), (140, 20), (180, 80)], float)
    made.add(
        Rect((10, 10, 180, 80), "#eeeeee"),
        Line(gap, "#0072b2", 3.0, None, (10, 10, 180, 80)),
        Line(np.array([(20, 50), (180, 50)], float), "#c03d00", 3.0, (12.0, 6.0)),
        Marks(np.array([(40, 30), (np.nan, 3)], float), "diamond", "#00765a", 12),
        Text(100, 96, "a < b & c", "#1c2128", 10, "middle", bold=True),
        Pixels((150, 60, 20, 20), np.array([[0xFFFF0000, 0xFF00FF00], [0xFF0000FF, 0xFF000000]], np.uint32)),
    )
    return made


def test_the_file_is_whole_xml_with_words_as_text_and_nothing_from_outside(qapp: QApplication) -> None:
    text = to_svg(drawing())
    root = ET.fromstring(text)
    assert root.get("viewBox") == "0 0 200 100"
    assert [element.text for element in root.findall(f"{SVG}title")] == ["Loss <of> a & b"]
    assert [element.text for element in root.findall(f"{SVG}text")] == ["a < b & c"]
    links = [element.get(f"{XLINK}href", "") for element in root.iter() if element.get(f"{XLINK}href")]
    assert links
    assert all(link.startswith("data:image/png;base64,") for link in links)
    assert set(re.findall(r"https?://[^\"]+", text)) == {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert not re.search(r"\b(nan|inf)\b", text, re.IGNORECASE)


def test_a_gap_splits_a_line_and_every_point_is_there(qapp: QApplication) -> None:
    lines = [e.get("points") for e in ET.fromstring(to_svg(drawing())).findall(f"{SVG}polyline")]
    assert lines == ["20,20 60,80", "140,20 180,80", "20,50 180,50"]


def test_circles_are_circles_and_those_without_a_place_are_left_out(qapp: QApplication) -> None:
    made = Drawing(200, 100, "#ffffff", "", "")
    made.add(Marks(np.array([(40, 30), (np.nan, 3), (60.5, 20)], float), "circle", "#00765a", 9))
    found = [dict(element.attrib) for element in ET.fromstring(to_svg(made)).iter(f"{SVG}circle")]
    assert found == [{"cx": "40", "cy": "30", "r": "4.5", "fill": "#00765a"},
                     {"cx": "60.5", "cy": "20", "r": "4.5", "fill": "#00765a"}]   # fmt: skip


def test_the_embedded_cells_keep_their_colours(qapp: QApplication) -> None:
    image = next(ET.fromstring(to_svg(drawing())).iter(f"{SVG}image"))
    data = base64.b64decode(image.get(f"{XLINK}href", "").partition(",")[2])
    cells = QImage.fromData(QByteArray(data))
    assert [cells.pixel(x, y) for y in (0, 1) for x in (0, 1)] == [0xFFFF0000, 0xFF00FF00, 0xFF0000FF, 0xFF000000]


def test_a_reader_of_svg_shows_the_same_picture_as_the_png(qapp: QApplication) -> None:
    made = drawing()
    made.shapes = [shape for shape in made.shapes if not isinstance(shape, Text)]   # fonts differ between readers
    wanted = to_image(made, 2.0)
    seen = QImage(wanted.size(), QImage.Format.Format_RGB32)
    renderer = QSvgRenderer(QByteArray(to_svg(made).encode()))
    assert renderer.isValid()
    painter = QPainter(seen)
    renderer.render(painter)
    painter.end()
    pixels = [np.frombuffer(bytes(one.constBits()), np.uint8).reshape(200, 400, 4)[:, :, :3] for one in (wanted, seen)]
    different = np.abs(pixels[0].astype(int) - pixels[1].astype(int)).max(axis=2) > 96
    assert different.mean() < 0.01   # edges only
