from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from freeze_gui.gui.theme import apply_theme
from freeze_gui.gui.timeline_geometry import AXIS_HEIGHT, BAR_HEIGHT, BAR_TOP, ROW_HEIGHT
from freeze_gui.gui.timeline_paint import Actual
from freeze_gui.gui.timeline_state import Bar, Span, TaskBar, Timeline
from freeze_gui.gui.timeline_view import TimelineView

LEFT = Qt.MouseButton.LeftButton
STEM, HEAD = frozenset({"stem"}), frozenset({"head"})
WIDTH, STEPS = 722, 240
STEP_PX = (722 - 22 - 0.3 * 722) / 240   # labels take 0.3 of the width, the margin 22 pixels


@pytest.fixture
def view(qtbot: QtBot) -> TimelineView:
    view = TimelineView()
    qtbot.addWidget(view)
    view.resize(WIDTH, 300)
    bars = (Bar(STEM, 60, 120), Bar(HEAD, 1, 3, "epoch"))
    view.set_content(Timeline(bars), ["stem", "head"], Span(STEPS, 40))
    view.show()
    return view


def at(step: float, row: int = 0) -> QPoint:
    y = AXIS_HEIGHT + row * ROW_HEIGHT + BAR_TOP + BAR_HEIGHT / 2
    return QPoint(round(0.3 * WIDTH + step * STEP_PX), round(y))


def drag(view: TimelineView, start: QPoint, stop: QPoint, let_go: bool = True) -> None:
    QTest.mousePress(view, LEFT, pos=start)
    QTest.mouseMove(view, QPoint((start.x() + stop.x()) // 2, start.y()))
    QTest.mouseMove(view, stop)
    if let_go:
        QTest.mouseRelease(view, LEFT, pos=stop)


def edits(view: TimelineView) -> list[Timeline]:
    found: list[Timeline] = []
    view.edited.connect(lambda timeline, text, merge: found.append(timeline))
    return found


def test_an_end_follows_the_pointer_to_the_nearest_step_and_changes_when_it_is_let_go(view: TimelineView) -> None:
    found = edits(view)
    drag(view, at(120), at(180), let_go=False)
    assert found == []
    assert view.timeline.bar == Bar(STEM, 60, 180)   # what it would be
    QTest.mouseRelease(view, LEFT, pos=at(180))
    assert [timeline.bars[0] for timeline in found] == [Bar(STEM, 60, 180)]
    assert view.timeline.bar == Bar(STEM, 60, 120)   # whoever owns the timeline decides
    drag(view, at(60), at(30))
    assert found[1].bars[0] == Bar(STEM, 30, 120)


def test_an_end_drawn_beyond_the_run_lasts_to_the_end(view: TimelineView) -> None:
    found = edits(view)
    drag(view, at(120), QPoint(WIDTH - 1, at(0).y()))
    assert found[0].bars[0] == Bar(STEM, 60, None)


def test_the_middle_moves_the_whole_bar(view: TimelineView) -> None:
    found = edits(view)
    drag(view, at(90), at(100))
    assert found[0].bars[0] == Bar(STEM, 70, 130)


def test_a_bar_in_epochs_snaps_to_epochs_and_is_selected_first(view: TimelineView, qtbot: QtBot) -> None:
    found = edits(view)
    with qtbot.waitSignal(view.selected) as chosen:
        drag(view, at(120, 1), at(175, 1))   # 175 is nearer to 4 epochs of 40 steps than to 5
    assert chosen.args == [1]
    assert (found[0].bars[1], found[0].selected) == (Bar(HEAD, 1, 4, "epoch"), 1)


def test_a_click_changes_nothing_but_the_selection(view: TimelineView) -> None:
    found = edits(view)
    QTest.mouseClick(view, LEFT, pos=at(90))
    QTest.mouseClick(view, LEFT, pos=QPoint(20, at(0, 1).y()))
    assert found == []
    assert view.timeline.selected == 1


def test_escape_puts_a_dragged_bar_back(view: TimelineView) -> None:
    found = edits(view)
    drag(view, at(120), at(180), let_go=False)
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert view.timeline.bar == Bar(STEM, 60, 120)
    QTest.mouseRelease(view, LEFT, pos=at(180))
    assert found == []


def test_the_pointer_says_what_can_be_taken_hold_of(view: TimelineView) -> None:
    shapes = []
    for step in (60, 90, 120, 200):
        QTest.mouseMove(view, at(step))
        shapes.append(view.cursor().shape())
    ends, hand = Qt.CursorShape.SizeHorCursor, Qt.CursorShape.OpenHandCursor
    assert shapes == [ends, hand, ends, Qt.CursorShape.ArrowCursor]


def test_arrows_move_the_selected_bar_and_shift_extends_it(view: TimelineView) -> None:
    found = edits(view)
    QTest.keyClick(view, Qt.Key.Key_Right)
    QTest.keyClick(view, Qt.Key.Key_Left, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClick(view, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    bars = [timeline.bars[0] for timeline in found]
    assert bars == [Bar(STEM, 61, 121), Bar(STEM, 50, 110), Bar(STEM, 60, 119)]   # each from where it is: not taken
    QTest.keyClick(view, Qt.Key.Key_Down)
    QTest.keyClick(view, Qt.Key.Key_Right)
    assert found[3].bars[1] == Bar(HEAD, 2, 4, "epoch")


def test_enter_double_click_and_delete_are_wishes(view: TimelineView, qtbot: QtBot) -> None:
    with qtbot.waitSignal(view.exact_wanted):
        QTest.keyClick(view, Qt.Key.Key_Return)
    with qtbot.waitSignal(view.exact_wanted):
        QTest.mouseDClick(view, LEFT, pos=at(80, 1))
    with qtbot.waitSignal(view.removal_wanted):
        QTest.keyClick(view, Qt.Key.Key_Delete)


def test_the_drawing_has_words_for_those_who_cannot_see_it(view: TimelineView) -> None:
    assert view.accessibleDescription() == (
        "A run of 240 steps. Phase 1 of 2, selected: stem, steps 60–120. Phase 2 of 2: head, epochs 1–3."
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_bars_tasks_and_what_was_frozen_are_drawn_in_both_themes(
    qtbot: QtBot, qapp: object, view: TimelineView, theme: str
) -> None:
    chosen = apply_theme(qapp, "light" if theme == "light" else "dark")   # type: ignore[arg-type]
    timeline = Timeline((Bar(STEM, 60, 120),), (TaskBar("t", HEAD, ("head",)),))
    view.set_content(timeline, ["stem", "head"], Span(STEPS, None))
    view.set_actual(Actual([([(60, 100)], []), ([], [(0, 100)])], 100, True))
    image = view.grab().toImage()

    def color(step: float, y: float) -> str:
        return image.pixelColor(round(0.3 * WIDTH + step * STEP_PX), round(y)).name()

    middle = AXIS_HEIGHT + BAR_TOP + BAR_HEIGHT / 2
    assert color(63, middle - 7) == chosen.ice
    assert color(130, middle) != chosen.ice
    assert color(80, AXIS_HEIGHT + 36) == chosen.frozen   # the thin line of what was frozen
    assert color(110, AXIS_HEIGHT + 36) != chosen.frozen   # not frozen from step 100 on
    hatched = {color(step, AXIS_HEIGHT + ROW_HEIGHT + BAR_TOP + 5) for step in range(0, 60)}
    assert len(hatched) > 2
    apply_theme(qapp, "light")   # type: ignore[arg-type]
