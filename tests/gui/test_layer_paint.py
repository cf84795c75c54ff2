from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QItemSelectionModel, QModelIndex, QPoint, QRect, QSize, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QTreeView, QWidget
from pytestqt.qtbot import QtBot
from torch import nn

from freeze_gui.gui.layer_cells import COLUMNS, DELTA, FREEZE, PARAMS, STATE, STATISTICS
from freeze_gui.gui.layer_model import LayerModel
from freeze_gui.gui.layer_view import LayerView
from freeze_gui.gui.palette import DARK, LIGHT, on_selected, selected_back
from freeze_gui.gui.row_states import HELD, LEAKED, STATES
from freeze_gui.gui.theme import apply_theme, style_sheet
from freeze_gui.gui.timeline_state import whole_run
from freeze_gui.models.layer_tree import build_tree

LONG = "a_name_that_is_longer_than_the_whole_column_has_room_for_whatever_the_font"
FROZEN = frozenset({"block.0", "block.1"})


def styled(qtbot: QtBot, view: QTreeView) -> None:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    apply_theme(app, "light")
    qtbot.addWidget(view)
    view.setStyleSheet(style_sheet(LIGHT))
    view.resize(520, 300)
    view.show()
    view.expandAll()
    QApplication.processEvents()


@pytest.fixture
def view(qtbot: QtBot) -> LayerView:
    net = nn.Sequential()
    net.add_module("block", nn.Sequential(nn.Linear(300, 40), nn.BatchNorm1d(40), nn.ReLU()))
    net.add_module(LONG, nn.Linear(40, 2))
    model = LayerModel()
    model.set_tree(build_tree(net), whole_run(FROZEN))
    view = LayerView(model)
    model.setParent(view)
    styled(qtbot, view)
    return view


def cells_of(view: LayerView) -> Any:
    model = view.model()
    assert isinstance(model, LayerModel)
    return model


def index_of(view: LayerView, path: str, column: int = FREEZE) -> QModelIndex:
    model = cells_of(view)
    found: QModelIndex = model.index_of(model.tree.by_path[path], column)
    return found


def pixels(view: QWidget) -> NDArray[np.uint32]:
    """Return 0xffRRGGBB of the view's rows, shape (height, width)."""
    viewport = view.viewport() if isinstance(view, QTreeView) else view
    image = viewport.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    values = np.frombuffer(image.constBits(), np.uint32).reshape(image.height(), image.bytesPerLine() // 4)
    return values[:, : image.width()] | np.uint32(0xFF000000)


def value(color: str) -> int:
    return QColor(color).rgb()


def cut(picture: NDArray[np.uint32], area: QRect) -> NDArray[np.uint32]:
    return picture[area.top() : area.bottom() + 1, area.left() : area.right() + 1]


def row_area(view: QTreeView, index: QModelIndex) -> QRect:
    area = view.visualRect(index)
    return QRect(0, area.top(), view.viewport().width(), area.height())


def edges(cell: NDArray[np.uint32]) -> tuple[int, ...] | None:
    """Return the first and last column and line that are not background, None where all is."""
    lines, columns = np.nonzero(cell != value(LIGHT.panel))
    return (columns.min(), columns.max(), lines.min(), lines.max()) if len(lines) else None


def select(view: LayerView, path: str) -> None:
    flags = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
    view.selectionModel().select(index_of(view, path), flags)


def test_rows_stand_where_qt_itself_would_put_them(qtbot: QtBot, view: LayerView) -> None:
    plain = QTreeView()
    plain.setModel(view.model())
    plain.setUniformRowHeights(True)
    plain.setIndentation(view.indentation())
    plain.setIconSize(view.iconSize())
    styled(qtbot, plain)
    plain.header().setStretchLastSection(False)
    plain.header().setMinimumSectionSize(40)
    for column in range(len(COLUMNS)):
        plain.header().resizeSection(column, view.columnWidth(column))
    ours, theirs = pixels(view), pixels(plain)
    for path in ("", "block", "block.0", "block.1", "block.2", LONG):
        for column in (PARAMS, STATE, STATISTICS):
            area = view.visualRect(index_of(view, path, column))
            assert area == plain.visualRect(index_of(view, path, column))
            mine, its = edges(cut(ours, area)), edges(cut(theirs, area))
            assert (mine is None) == (its is None)
            if mine is not None and its is not None:
                np.testing.assert_allclose(mine, its, atol=1)   # Qt puts numbers between two pixels
        area = view.visualRect(index_of(view, path))
        if path == "block.2":   # has no box: its name stands there
            area.setWidth(8)   # of its one letter, as only we paint the kind after it
        else:
            box, area = QRect(area.topLeft(), QSize(20, area.height())), area.adjusted(20, 0, 0, 0)
            assert edges(cut(ours, box)) == edges(cut(theirs, box))
            area.setWidth(10)
        np.testing.assert_array_equal(cut(ours, area) != value(LIGHT.panel), cut(theirs, area) != value(LIGHT.panel))
        row = view.visualRect(index_of(view, path))
        before = QRect(0, row.top(), row.left(), row.height())   # the arrow, if any
        np.testing.assert_array_equal(cut(ours, before), cut(theirs, before))


def test_painting_asks_the_model_for_no_value(view: LayerView, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(LayerModel, "data", lambda self, index, role=0: asked.append(role))
    view.viewport().repaint()
    assert asked == []


def test_a_click_on_the_painted_box_ticks(view: LayerView) -> None:
    area = view.visualRect(index_of(view, "block.0"))
    lines, columns = np.nonzero(cut(pixels(view), area) == value(LIGHT.accent))
    box = QPoint(area.left() + int(np.median(columns)), area.top() + int(np.median(lines)))
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=box)
    assert cells_of(view).layers == {"block.1"}


@pytest.mark.parametrize(("state", "tone"), [(HELD, "held"), (LEAKED, "leaked")])
def test_a_selected_row_keeps_the_colour_of_its_verdict(view: LayerView, state: Any, tone: str) -> None:
    index = index_of(view, "block.0", STATE)
    cells_of(view).cells.values.states[index.internalId()] = STATES.index(state)
    select(view, "block.0")
    area = view.visualRect(index)
    cell = cut(pixels(view), area)
    words = cell[:, area.width() // 4 :]   # the mark is before
    assert (words == value(on_selected(LIGHT, getattr(LIGHT, tone)))).any()
    assert (cell == value(selected_back(LIGHT))).mean() > 0.5
    assert not (words == value(LIGHT.text)).any()


def test_the_whole_row_is_marked_that_is_selected_and_the_one_under_the_pointer(view: LayerView) -> None:
    select(view, "block.0")
    QTest.mouseMove(view.viewport(), view.visualRect(index_of(view, "block.2", STATISTICS)).center())
    QApplication.processEvents()
    picture = pixels(view)
    selected, hovered, other = (
        cut(picture, row_area(view, index_of(view, path)))[1, [1, 200, -2]] for path in ("block.0", "block.2", "block")
    )
    assert (selected == value(selected_back(LIGHT))).all()
    assert len(set(hovered.tolist())) == 1
    assert hovered[0] not in (value(LIGHT.panel), value(selected_back(LIGHT)))
    assert (other == value(LIGHT.panel)).all()


def test_the_current_row_has_a_frame_where_it_is_not_selected_and_the_tree_has_the_keyboard(view: LayerView) -> None:
    index = index_of(view, "block.1")
    view.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.NoUpdate)
    area = row_area(view, index)
    view.clearFocus()
    framed = [cut(pixels(view), area)[0, 0] == value(LIGHT.accent)]
    view.setFocus()
    view.activateWindow()
    QApplication.processEvents()
    framed.append(cut(pixels(view), area)[0, 0] == value(LIGHT.accent))
    select(view, "block.1")
    framed.append(cut(pixels(view), area)[0, 0] == value(LIGHT.accent))
    assert framed == [False, True, False]


def test_a_long_name_is_cut_before_the_next_column(view: LayerView) -> None:
    area = view.visualRect(index_of(view, LONG))
    found = edges(cut(pixels(view), area))
    assert found is not None
    assert area.width() * 0.8 < found[1] < area.width() - 2


def test_words_grow_with_the_font_and_stay_in_their_rows(view: LayerView) -> None:
    heights = []
    for size in (9.0, 18.0):
        font = view.font()
        font.setPointSizeF(size)
        view.setFont(font)
        QApplication.processEvents()
        area = view.visualRect(index_of(view, "block.1", PARAMS))
        found = edges(cut(pixels(view), area))
        assert found is not None
        heights.append(found[3] - found[2])
        assert 0 < found[2] < found[3] < area.height() - 1
    assert heights[1] > 1.6 * heights[0]


def test_another_theme_takes_other_colours(view: LayerView) -> None:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    area = view.visualRect(index_of(view, "block.0", STATE))
    assert (cut(pixels(view), area) == value(LIGHT.frozen)).any()
    apply_theme(app, "dark")
    view.setStyleSheet(style_sheet(DARK))
    QApplication.processEvents()
    cell = cut(pixels(view), area)
    assert (cell == value(DARK.frozen)).any()
    assert not (cell == value(LIGHT.frozen)).any()
    apply_theme(app, "light")


def test_a_tree_that_cannot_be_used_has_no_colour_of_a_verdict(view: LayerView) -> None:
    view.setEnabled(False)
    QApplication.processEvents()
    picture = pixels(view)
    for color in (LIGHT.frozen, LIGHT.text, LIGHT.muted):
        assert not (cut(picture, view.visualRect(index_of(view, "block.0", STATE))) == value(color)).any()


def test_bars_are_as_high_as_the_weights_have_moved_and_zero_is_a_line(view: LayerView) -> None:
    cells = cells_of(view).cells
    moved = np.array([0.0, 0.5, 1.0])
    cells.sparks = np.zeros((3, len(cells.tree.layers)))
    cells.sparks[:, cells.tree.place_of_layer[LONG]] = moved
    area = view.visualRect(index_of(view, LONG, DELTA))
    cell = cut(pixels(view), area)
    heights = (cell == value(LIGHT.accent)).sum(axis=0).tolist()
    found = list(dict.fromkeys(height for height in heights if height))   # from left to right
    room = area.height() - 9   # 5 pixels above, 4 below
    np.testing.assert_allclose(found, [1, room / 2, room], atol=1)
    assert edges(cut(pixels(view), view.visualRect(index_of(view, "block", DELTA)))) is None   # no layer of its own


def name_pixels(view: LayerView, path: str) -> NDArray[np.bool_]:
    """Return where the name of a row is painted, its box left out."""
    ink: NDArray[np.bool_] = cut(pixels(view), view.visualRect(index_of(view, path))) != value(LIGHT.panel)
    return ink[:, 20:]


def test_names_fill_what_the_other_columns_leave_and_are_never_squeezed_to_nothing(view: LayerView) -> None:
    others = sum(view.columnWidth(column) for column in (PARAMS, DELTA, STATE, STATISTICS))
    assert view.columnWidth(FREEZE) + others == view.viewport().width()
    least = view.fontMetrics().horizontalAdvance("abcdefgh")
    view.resize(others, 300)
    assert view.columnWidth(FREEZE) > least
    view.resize(others + 400, 300)
    assert view.columnWidth(FREEZE) + others == view.viewport().width()
    font = view.font()
    font.setPointSizeF(3 * font.pointSizeF())
    view.setFont(font)
    assert view.columnWidth(FREEZE) > 2 * least
    assert view.columnWidth(PARAMS) > view.fontMetrics().horizontalAdvance("Params")


def test_two_long_names_that_end_otherwise_look_otherwise(qtbot: QtBot) -> None:
    net = nn.Module()
    for number in (0, 1):
        net.add_module(f"{LONG}_{number}", nn.Linear(4, 4))
    model = LayerModel()
    model.set_tree(build_tree(net), whole_run(frozenset()))
    view = LayerView(model)
    model.setParent(view)
    styled(qtbot, view)
    assert view.fontMetrics().horizontalAdvance(LONG) > view.columnWidth(FREEZE)
    assert (name_pixels(view, f"{LONG}_0") != name_pixels(view, f"{LONG}_1")).any()
