from __future__ import annotations

import pytest
from PySide6.QtCore import QPointF, QRect, Qt

from freeze_gui.gui.heatmap_geometry import RowGeometry, row_after_key

GEOMETRY = RowGeometry(QRect(100, 10, 200, 40), (0.0, 50.0), ("a", "b", "c", "d"))


def test_a_row_reaches_over_its_label_and_its_cells() -> None:
    assert [GEOMETRY.layer_at(QPointF(x, y)) for x, y in ((5, 10), (150, 19.9), (150, 20), (299, 49.9))] == list("aabd")
    assert GEOMETRY.layer_at(QPointF(150, 9.9)) is None
    assert GEOMETRY.layer_at(QPointF(150, 50)) is None
    assert RowGeometry(QRect(0, 0, 10, 10), (0, 1), ()).layer_at(QPointF(5, 5)) is None


def test_steps_and_columns_of_pixels_are_each_others_inverse() -> None:
    assert [GEOMETRY.step_at(x) for x in (100, 200, 299.9)] == pytest.approx([0, 25, 49.975])
    assert GEOMETRY.step_at(99) is None
    assert GEOMETRY.step_at(300) is None
    assert [GEOMETRY.x_of(step) for step in (0, 25, 49.9, 51, -1)] == [100, 200, None, None, None]


@pytest.mark.parametrize(
    ("key", "row", "wanted"),
    [
        (Qt.Key.Key_Down, 3, 4), (Qt.Key.Key_Up, 0, 0), (Qt.Key.Key_PageDown, 15, 19), (Qt.Key.Key_PageUp, 15, 5),
        (Qt.Key.Key_Home, 15, 0), (Qt.Key.Key_End, 0, 19), (Qt.Key.Key_Left, 3, None),
    ],
)  # fmt: skip
def test_keys_lead_to_rows_inside_the_heatmap(key: Qt.Key, row: int, wanted: int | None) -> None:
    assert row_after_key(key, row, 20) == wanted
    assert row_after_key(key, 0, 0) is None
