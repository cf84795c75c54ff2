from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu, QMessageBox, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from freeze_gui.gui.gallery import LEAST_CARD_PX, columns_for
from freeze_gui.gui.gallery_card import ScenarioCard
from freeze_gui.gui.main_window import MainWindow
from freeze_gui.runs.claims import scenario_of
from freeze_gui.runs.scenario_cards import list_cards
from tests.gui.conftest import RUN_MS, run_and_wait, start_slowly

pytestmark = pytest.mark.timeout(120)


def card(window: MainWindow, number: int) -> ScenarioCard:
    return next(each for each in window.gallery.cards if each.card.number == number)


def press(button: QPushButton) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def shown_tab(window: MainWindow) -> str:
    return window.tabs.tabText(window.tabs.currentIndex())


def test_the_very_first_start_shows_the_scenarios_and_run_is_ready_all_the_same(
    qtbot: QtBot, window: MainWindow
) -> None:
    assert window.gallery.objectName() == "galleryView"
    assert shown_tab(window) == "Scenarios"
    assert window.run_panel.run_button.isEnabled()
    assert run_and_wait(qtbot, window, steps=5)["status"] == "completed"
    assert shown_tab(window) == "Run"


def test_a_later_start_shows_the_run_tab(make_window: Callable[..., MainWindow], tmp_path: Path) -> None:
    make_window(tmp_path / "later.ini").close()
    assert shown_tab(make_window(tmp_path / "later.ini")) == "Run"


def test_the_menu_and_its_keys_lead_to_the_scenarios(qtbot: QtBot, window: MainWindow) -> None:
    window.show_run_tab()
    QTest.keyClick(window, Qt.Key.Key_4, Qt.KeyboardModifier.ControlModifier)
    assert shown_tab(window) == "Scenarios"
    window.show_run_tab()
    help_menu = next(menu for menu in window.menuBar().findChildren(QMenu) if menu.title() == "&Help")
    next(action for action in help_menu.actions() if action.text() == "Scenarios").trigger()
    assert shown_tab(window) == "Scenarios"


def test_the_width_of_the_cards_does_not_follow_the_height_of_the_window(qtbot: QtBot, window: MainWindow) -> None:
    gallery = window.gallery   # narrower cards are lower: a bar that comes and goes with the height never rests
    window.resize(2000, 700)
    qtbot.wait(50)
    widget = gallery.widget()
    assert widget is not None
    assert gallery.viewport().height() < widget.height()
    assert gallery.verticalScrollBar().isEnabled()
    before = gallery.viewport().width(), widget.width()
    window.resize(2000, 3000)
    qtbot.wait(50)
    assert gallery.verticalScrollBar().maximum() == 0
    assert not gallery.verticalScrollBar().isEnabled()   # its handle would fill it
    assert (gallery.viewport().width(), widget.width()) == before


def test_there_is_a_card_for_every_situation_and_the_keyboard_reaches_its_buttons(window: MainWindow) -> None:
    assert [each.card for each in window.gallery.cards] == list(list_cards())
    for each in window.gallery.cards:
        assert each.card.title in each.accessibleName()
        for button in (each.open_button, each.run_button, each.compare_button):
            assert each.card.title in button.accessibleName()
            assert button.objectName()
            assert button.focusPolicy() & Qt.FocusPolicy.TabFocus
        assert each.chooser.isVisibleTo(each) is (len(each.card.variants) > 1)
        assert each.picture.accessibleName()


@pytest.mark.parametrize("columns", [1, 2, 3, 5])
def test_a_card_is_never_narrower_than_its_words_need_and_no_room_for_another_is_left(columns: int) -> None:
    least = columns * LEAST_CARD_PX + (columns - 1) * 12 + 16   # gaps between cards, margins beside them
    assert columns_for(least) == columns
    assert columns_for(least - 1) == max(columns - 1, 1)


def test_the_cards_stand_side_by_side_as_the_room_allows(qtbot: QtBot, window: MainWindow) -> None:
    for width in (1280, 2300):
        window.resize(width, 800)
        QTest.qWait(50)   # the layout settles
        assert window.gallery.columns == columns_for(window.gallery.viewport().width())
        rows: dict[int, list[QWidget]] = {}
        for each in window.gallery.cards:
            rows.setdefault(each.y(), []).append(each)
        assert max(len(row) for row in rows.values()) == window.gallery.columns
        assert all(each.geometry().right() < window.gallery.viewport().width() for each in window.gallery.cards)
    assert window.gallery.columns > 3


def test_opening_a_scenario_gives_exactly_its_run_and_never_asks_for_trust(
    qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QMessageBox, "open", lambda box: pytest.fail(box.text()))
    for each in window.gallery.cards:
        for at, variant in enumerate(each.card.variants):
            qtbot.waitUntil(each.open_button.isEnabled, timeout=RUN_MS)
            each.chooser.setCurrentIndex(at)
            with qtbot.waitSignal(window.workbench.desk.model_opened, timeout=RUN_MS):
                press(each.open_button)
            assert scenario_of(window.workbench.desk.config()) is variant.scenario
    assert shown_tab(window) == "Scenarios"


def test_running_a_scenario_from_its_card_shows_a_run_with_its_label_and_judges_its_claims(
    qtbot: QtBot, window: MainWindow
) -> None:
    each = card(window, 1)
    for number in (1, 2):
        window.show_gallery_tab()
        with qtbot.waitSignal(window.controller.run_ended, timeout=RUN_MS) as ended:
            press(each.run_button)
        (summary,) = ended.args
        assert summary["scenario"] == "01-two-tasks-adam-zeroed"
        assert [claim["agrees"] for claim in summary["claims"]] == [True] * 4
        assert shown_tab(window) == "Run"
        assert window.workbench.runs[-1].label == "Adam, zeroed gradients" + " #2" * (number == 2)


def test_a_card_says_of_the_chosen_variant_what_its_run_has_shown(qtbot: QtBot, window: MainWindow) -> None:
    each = card(window, 3)
    assert not each.result.isVisibleTo(each)
    with qtbot.waitSignal(window.controller.run_ended, timeout=RUN_MS):
        press(each.run_button)
    assert each.result.isVisibleTo(each)
    assert each.result.text() == "✓ run: 4 claims, 3 true, 1 false, as expected"
    window.gallery.show_result({"scenario": "10-names", "claims": [
        {"agrees": True, "claimed_true": True}, {"agrees": False, "claimed_true": False},
    ]})   # fmt: skip
    names = card(window, 10)
    assert names.result.text() == "✗ run: 1 of 2 claims not as expected"
    names.chooser.setCurrentIndex(1)   # the other variant has not run
    assert not names.result.isVisibleTo(names)


def test_a_changed_scenario_is_a_run_of_ones_own_and_named_by_its_method(qtbot: QtBot, window: MainWindow) -> None:
    with qtbot.waitSignal(window.workbench.desk.model_opened, timeout=RUN_MS):
        press(card(window, 3).open_button)
    window.run_panel.form.learning_rate_edit.setText("0.05")
    summary = run_and_wait(qtbot, window)
    assert "claims" not in summary
    assert window.workbench.runs[-1].label == "requires_grad"


def test_comparing_a_card_runs_its_variants_side_by_side_under_their_labels(qtbot: QtBot, window: MainWindow) -> None:
    each = card(window, 1)
    assert each.compare_button.text() == "Compare all"
    with qtbot.waitSignal(window.controller.comparison_ended, timeout=RUN_MS) as ended:
        press(each.compare_button)
    (comparison,) = ended.args
    labels = [variant.label for variant in each.card.variants]
    assert [run["label"] for run in comparison["runs"]] == labels
    assert [run.label for run in window.workbench.runs] == labels
    assert all(claim["agrees"] for run in comparison["runs"] for claim in run["summary"]["claims"])
    assert shown_tab(window) == "Compare"
    assert window.layer_panel.tree_view.hasFocus()   # and not the next field after a button that is gone


def test_only_variants_that_train_the_same_model_are_compared(window: MainWindow) -> None:
    each = card(window, 4)
    assert [variant.label for variant in each.alike()] == ["eval() only", "flag off", "flag off and eval", "no_grad"]
    assert each.compare_button.text() == "Compare 4"
    each.chooser.setCurrentIndex(4)
    assert [variant.label for variant in each.alike()] == ["dropout draws", "dropout rests"]
    single = card(window, 7)
    single.chooser.setCurrentIndex(3)   # accumulation stands alone
    assert not single.compare_button.isVisibleTo(single)


def test_nothing_can_be_started_from_a_card_while_a_run_is_going_on(qtbot: QtBot, window: MainWindow) -> None:
    each = card(window, 2)
    assert each.run_button.isEnabled()
    start_slowly(qtbot, window)
    assert not each.run_button.isEnabled()
    assert not each.open_button.isEnabled()
    assert not each.compare_button.isEnabled()
    window.gallery_desk.run(each.variant)   # as a click that was under way
    assert len(window.workbench.runs) == 1
    with qtbot.waitSignal(window.controller.run_ended, timeout=RUN_MS):
        window.controller.stop()
    assert each.run_button.isEnabled()


def test_a_card_shows_the_picture_of_the_theme_in_use(window: MainWindow) -> None:
    picture = card(window, 1).picture
    window.choose_theme("light")
    light = picture.grab().toImage()
    window.choose_theme("dark")
    assert picture.grab().toImage() != light
