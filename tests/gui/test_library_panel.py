from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QAbstractItemModelTester, QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from freeze_gui.gui.heatmap_codes import LEAKED
from freeze_gui.gui.library_delegate import picture_rect
from freeze_gui.gui.library_panel import LibraryPanel
from freeze_gui.gui.library_reader import Thumbnail
from freeze_gui.gui.library_shelf import Change, Changed
from freeze_gui.gui.palette import mix
from freeze_gui.gui.theme import Choice, apply_theme, current_theme, style_sheet
from freeze_gui.runs.store import RunCard

pytestmark = pytest.mark.timeout(60)


def card(number: int, **values: object) -> RunCard:
    path = Path(f"/runs/{number}.freezerun")
    plain = RunCard(path, f"run {number}", "completed", "held", 1000.0 - number, 100, "builtin:digits-cnn", "grad_zero")
    return replace(plain, **values)   # type: ignore[arg-type]


@pytest.fixture
def panel(qtbot: QtBot) -> LibraryPanel:
    panel = LibraryPanel()
    panel.setObjectName("mainWindow")   # the one window that may be seen at the end of a test
    qtbot.addWidget(panel)
    panel.resize(676, 520)
    panel.show()
    panel.show_cards([card(number) for number in range(1, 6)])
    return panel


@pytest.fixture
def themes_come_back(qapp: QApplication) -> Iterator[None]:
    before = current_theme().name
    yield
    apply_theme(qapp, before)


def row(panel: LibraryPanel, number: int) -> QPoint:
    return panel.view.visualRect(panel.model.index(number)).center()


def click(panel: LibraryPanel, number: int, keys: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    QTest.mouseClick(panel.view.viewport(), Qt.MouseButton.LeftButton, keys, row(panel, number))


def double_click(panel: LibraryPanel, number: int) -> None:
    click(panel, number)   # QTest's double click lacks the first of the two
    QTest.mouseDClick(panel.view.viewport(), Qt.MouseButton.LeftButton, pos=row(panel, number))


def wishes(signal: object) -> list[object]:
    got: list[object] = []
    signal.connect(got.append)   # type: ignore[attr-defined]
    return got


def test_the_list_keeps_the_rules_of_its_kind(panel: LibraryPanel) -> None:
    QAbstractItemModelTester(panel.model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    panel.show_cards([card(2, label="other"), card(3)])
    panel.show_cards([card(2, label="again"), card(3)])
    assert [panel.model.index(at).data() for at in range(2)] == ["again", "run 3"]


def test_a_click_opens_and_enter_and_a_double_click_open_and_show(panel: LibraryPanel) -> None:
    shown, opened = wishes(panel.show_wanted), wishes(panel.open_wanted)
    click(panel, 1)
    assert (shown, opened) == ([card(2).path], [])
    QTest.keyClick(panel.view, Qt.Key.Key_Down)
    assert (shown, opened) == ([card(2).path], [])   # moving through the list opens nothing
    QTest.keyClick(panel.view, Qt.Key.Key_Return)
    assert opened == [card(3).path]
    double_click(panel, 0)
    assert opened == [card(3).path, card(1).path]


def test_f2_renames_in_place(qtbot: QtBot, panel: LibraryPanel) -> None:
    changes = wishes(panel.change_wanted)
    click(panel, 1)
    QTest.keyClick(panel.view, Qt.Key.Key_F2)
    editor = panel.findChild(QLineEdit, "libraryLabelEdit")
    assert editor is not None
    assert editor.text() == "run 2"
    editor.setText("the good one")
    panel.show_cards([card(9)])   # a list that comes meanwhile takes nothing away
    QTest.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: bool(changes))   # the delegate takes it in by an event
    assert changes == [Change("label", (card(2).path,), "the good one")]


@pytest.mark.parametrize("text", ["", "   ", "run 2"])
def test_an_empty_or_equal_label_changes_nothing(panel: LibraryPanel, text: str) -> None:
    changes = wishes(panel.change_wanted)
    panel.model.setData(panel.model.index(1), text)
    assert changes == []


def test_tags_and_notes_are_saved_when_their_field_is_left(panel: LibraryPanel) -> None:
    changes = wishes(panel.change_wanted)
    click(panel, 0)
    panel.details.tags_edit.setFocus()
    QTest.keyClicks(panel.details.tags_edit, "baseline, paper 3")
    QTest.keyClick(panel.details.tags_edit, Qt.Key.Key_Tab)
    QTest.keyClicks(panel.details.notes_edit, "look again")
    click(panel, 2)
    assert set(changes) == {
        Change("tags", (card(1).path,), ("baseline", "paper 3")), Change("notes", (card(1).path,), "look again")
    }
    assert panel.details.tags_edit.text() == ""
    assert panel.details.notes_edit.toPlainText() == ""


def test_what_is_being_written_is_not_overwritten_by_a_new_list(panel: LibraryPanel) -> None:
    click(panel, 0)
    panel.details.notes_edit.setFocus()
    QTest.keyClicks(panel.details.notes_edit, "half a sen")
    panel.show_cards([card(1, steps=500), *(card(number) for number in range(2, 6))])
    assert panel.details.notes_edit.toPlainText() == "half a sen"


def test_del_deletes_what_is_selected_and_ctrl_z_brings_it_back(panel: LibraryPanel) -> None:
    changes, undone = wishes(panel.change_wanted), []
    panel.undo_wanted.connect(lambda: undone.append(True))
    click(panel, 0)
    click(panel, 1, Qt.KeyboardModifier.ControlModifier)
    assert panel.details.delete_button.text() == "Delete 2"
    assert not panel.details.tags_edit.isEnabled()
    QTest.keyClick(panel.view, Qt.Key.Key_Delete)
    change = Change("delete", (card(1).path, card(2).path), "run 1")
    assert changes == [change]
    panel.on_changed(Changed(change, [Path("/runs/.trash/1.freezerun"), Path("/runs/.trash/2.freezerun")]))
    assert panel.undo_bar.isVisible()
    assert panel.undo_label.text() == "Deleted 2 runs: in the trash for 30 days"
    QTest.keyClick(panel.view, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert undone == [True]
    assert not panel.undo_bar.isVisible()


def test_a_run_that_is_going_on_cannot_be_deleted(panel: LibraryPanel) -> None:
    changes = wishes(panel.change_wanted)
    panel.show_cards([card(1, status="running"), card(2)])
    click(panel, 0)
    assert not panel.details.delete_button.isEnabled()
    QTest.keyClick(panel.view, Qt.Key.Key_Delete)
    assert changes == []


def test_a_file_that_cannot_be_read_can_only_be_deleted(panel: LibraryPanel) -> None:
    shown, opened = wishes(panel.show_wanted), wishes(panel.open_wanted)
    panel.show_cards([card(1, status="unreadable", error="/runs/1.freezerun: is empty")])
    double_click(panel, 0)
    assert (shown, opened) == ([], [])
    assert not panel.details.open_button.isEnabled()
    assert not panel.details.again_button.isEnabled()
    assert panel.details.delete_button.isEnabled()


def test_a_new_list_keeps_what_is_selected(panel: LibraryPanel) -> None:
    click(panel, 2)
    panel.show_cards([card(0), *(card(number) for number in range(1, 6))])   # a run began in another window
    assert [chosen.path for chosen in panel.view.selected_cards()] == [card(3).path]


def test_the_search_narrows_the_list_and_says_how_much_it_hides(panel: LibraryPanel) -> None:
    panel.show_cards([card(1, tags=("baseline",)), card(2, verdict="leaked"), card(3)])
    QTest.keyClicks(panel.find_edit, "leaked")
    assert [shown.label for shown in panel.model.cards] == ["run 2"]
    assert panel.count_label.text() == "1 of 3 runs"
    panel.find_edit.setText("#base")
    assert [shown.label for shown in panel.model.cards] == ["run 1"]
    panel.find_edit.setText("nothing like it")
    assert not panel.view.isVisible()
    assert "nothing like it" in panel.empty_title.text()


def test_an_empty_library_says_why(qtbot: QtBot) -> None:
    panel = LibraryPanel()
    qtbot.addWidget(panel)
    assert "Looking" in panel.empty_title.text()
    panel.show_cards([])
    assert panel.empty_title.text() == "No runs are kept yet"
    panel.set_keeping(False)
    assert "File menu" in panel.empty_hint.text()


def test_pictures_are_wanted_only_of_rows_that_are_seen_and_only_once(panel: LibraryPanel) -> None:
    wanted = wishes(panel.pictures_wanted)
    panel.show_cards([card(number) for number in range(1, 101)])
    (cards,) = wanted[-1:]
    assert isinstance(cards, list)
    assert 3 <= len(cards) <= 8   # 520 pixels less search and details, by 68 a row
    for each in cards:
        panel.model.set_thumbnail(Thumbnail(each.path, each.steps, None))
    count = len(wanted)
    panel.ask_for_pictures()
    assert len(wanted) == count
    panel.view.scrollToBottom()
    last = wanted[-1]
    assert isinstance(last, list)
    assert last[-1].path == card(100).path


def test_the_picture_and_the_verdict_are_painted_in_the_colours_of_each_theme(
    panel: LibraryPanel, qapp: QApplication, themes_come_back: None
) -> None:
    panel.show_cards([card(1, verdict="leaked")])
    panel.model.set_thumbnail(Thumbnail(card(1).path, 100, np.full((88, 208), LEAKED, np.uint8)))
    choices: tuple[Choice, ...] = ("light", "dark")
    for choice in choices:
        apply_theme(qapp, choice)
        image = panel.view.viewport().grab().toImage()
        rect = panel.view.visualRect(panel.model.index(0))
        assert image.pixelColor(picture_rect(rect).center()).name() == "#ff6a33"
        colors = {image.pixelColor(x, rect.y() + y).name() for x in range(120, 500) for y in range(8, 60)}
        assert current_theme().leaked in colors


def test_everything_that_can_be_used_has_a_name_and_is_reached_by_keyboard(panel: LibraryPanel) -> None:
    click(panel, 0)
    panel.undo_bar.show()
    buttons = (panel.files_button, panel.folder_button, panel.undo_button, panel.close_button)
    details = panel.details
    fields: tuple[QWidget, ...] = (panel.find_edit, panel.view, details.tags_edit, details.notes_edit)
    for widget in (*buttons, *fields, details.open_button, details.again_button, details.rename_button):
        assert widget.objectName()
        assert widget.accessibleName() or widget.text()   # type: ignore[attr-defined]
        assert widget.focusPolicy() & Qt.FocusPolicy.TabFocus
    assert "held" in panel.model.index(0).data(Qt.ItemDataRole.AccessibleTextRole)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_chosen_row_has_the_colour_on_which_its_words_can_be_read(
    panel: LibraryPanel, theme: Choice, themes_come_back: None
) -> None:
    colours = apply_theme(QApplication.instance(), theme)   # type: ignore[arg-type]
    panel.setStyleSheet(style_sheet(colours))
    click(panel, 1)
    corner = panel.view.visualRect(panel.model.index(1)).bottomRight() - QPoint(30, 6)
    picture = panel.view.viewport().grab().toImage()
    assert picture.pixelColor(corner).name() == QColor(mix(colours.panel, colours.accent, 0.18)).name()


def test_notes_are_kept_when_another_run_is_chosen_by_something_that_takes_no_focus(
    panel: LibraryPanel, qtbot: QtBot
) -> None:
    click(panel, 1)
    panel.details.notes_edit.setPlainText("too fast")
    with qtbot.waitSignal(panel.change_wanted) as wanted:
        panel.view.setCurrentIndex(panel.model.index(2))
    assert wanted.args == [Change("notes", (panel.model.cards[1].path,), "too fast")]
    assert panel.details.notes_edit.toPlainText() == ""
