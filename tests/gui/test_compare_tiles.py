from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from freeze_gui.gui import turns
from freeze_gui.gui.compare_tiles import CompareTiles
from freeze_gui.gui.heatmap import HeatmapView
from freeze_gui.gui.run_tile import RunTile
from freeze_gui.runs.recorder import RunRecorder
from tests.gui.recorded_runs import add_steps, end_run, started_run


def finished_runs(count: int) -> list[RunRecorder]:
    runs = [started_run(f"run {at}") for at in range(count)]
    for run in runs:
        add_steps(run, 20)
        end_run(run)
    return runs


@pytest.fixture
def tiles(qtbot: QtBot) -> CompareTiles:
    tiles = CompareTiles()
    qtbot.addWidget(tiles)
    tiles.resize(1200, 500)
    tiles.show()
    return tiles


def drawn(tiles: CompareTiles) -> int:
    """Return how many of the heatmaps show what they should."""
    return sum(is_drawn(tile.heatmap) for tile in tiles.tiles.values())


def is_drawn(heatmap: HeatmapView) -> bool:
    return heatmap._picture is not None and heatmap._picture.is_drawn_for(heatmap._view_key(heatmap.plot_rect()))


def names(tiles: CompareTiles) -> dict[int, str]:
    """Return which run stands at which place."""
    return {at: tile.title.text() for at, tile in tiles.tiles.items()}


def is_seen(tiles: CompareTiles, at: int) -> bool:
    """Whether this run has a tile at its place in sight, with its name, drawn."""
    tile = tiles.tiles.get(at)
    if tile is None or tile.title.text() != f"run {at}" or tile.visibleRegion().isEmpty():
        return False
    return is_drawn(tile.heatmap)


def test_a_run_that_stays_keeps_its_tile_and_picture(tiles: CompareTiles) -> None:
    runs = finished_runs(4)
    tiles.set_runs(runs, range(4))
    of_run = dict(zip((run.label for run in runs), tiles.tiles.values(), strict=True))
    tiles.set_runs([runs[3], runs[1]], [3, 1])
    assert tiles.tiles == {0: of_run["run 3"], 1: of_run["run 1"]}
    assert names(tiles) == {0: "run 3", 1: "run 1"}
    tiles.set_runs(runs, range(4))
    assert names(tiles) == {at: f"run {at}" for at in range(4)}
    assert set(tiles.tiles.values()) == set(of_run.values())   # none is made anew


def test_each_run_has_a_tile_of_its_own_place(tiles: CompareTiles, qtbot: QtBot) -> None:
    runs = finished_runs(5)
    tiles.set_runs(runs[:2], [0, 1])
    tiles.set_runs([runs[4], runs[0], runs[3], runs[1]], [4, 0, 3, 1])
    qtbot.waitUntil(lambda: drawn(tiles) == 4)
    assert [tiles.tiles[at].recorder for at in range(4)] == [runs[4], runs[0], runs[3], runs[1]]
    xs = [tiles.tiles[at].x() for at in range(4)]
    assert xs == sorted(xs) and len(set(xs)) == 4
    assert all(tile.isVisible() for tile in tiles.tiles.values())


def test_after_a_change_of_size_all_heatmaps_are_drawn_a_few_a_turn(
    tiles: CompareTiles, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiles.set_runs(finished_runs(4), range(4))
    tiles.refresh()
    qtbot.waitUntil(lambda: drawn(tiles) == 4)
    monkeypatch.setattr(turns, "AT_ONCE_S", 0.0)   # one piece a turn
    monkeypatch.setattr(turns, "PIECE_S", 0.0)
    tiles.resize(900, 400)
    assert drawn(tiles) < 4
    qtbot.waitUntil(lambda: drawn(tiles) == 4)


def test_tiles_of_many_runs_come_in_turns_each_at_its_final_place_and_set_as_the_others(
    tiles: CompareTiles, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "AT_ONCE_S", 0.0)
    monkeypatch.setattr(turns, "PIECE_S", 0.0)
    runs = finished_runs(9)
    tiles.set_runs(runs, range(9))
    tiles.set_selected(["stem"])
    tiles.set_x_range(3.0, 7.0)
    tiles.set_row_filter(("stem", "head"))
    tiles.refresh()
    assert len(tiles.tiles) < 9   # the window is not held up for all of them
    qtbot.wait(1)
    place = tiles.tiles[0].geometry()
    qtbot.waitUntil(lambda: len(tiles.tiles) == 9 and drawn(tiles) == 9)
    assert tiles.tiles[0].geometry() == place
    assert [tiles.tiles[at].recorder for at in range(9)] == runs
    for tile in tiles.tiles.values():
        assert tile.isVisible() and tile.heatmap.x_range() == (3.0, 7.0)
        assert tile.heatmap.shown_layers == ("stem", "head") and tile.heatmap.pointer.selected == {"stem"}


def test_other_runs_in_the_middle_of_it_take_the_place_of_those_before(
    tiles: CompareTiles, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "AT_ONCE_S", 0.0)
    monkeypatch.setattr(turns, "PIECE_S", 0.0)
    runs = finished_runs(12)
    for shown in (runs[:9], runs[6:], runs[2:4]):
        tiles.set_runs(shown, range(len(shown)))
        tiles.refresh()
    qtbot.waitUntil(lambda: drawn(tiles) == 2)
    assert names(tiles) == {0: "run 2", 1: "run 3"}
    assert sum(tile.isVisible() for tile in tiles.findChildren(RunTile)) == 2


def test_of_hundreds_of_runs_only_those_near_have_tiles_which_others_take_over_when_these_are_scrolled_away(
    tiles: CompareTiles, qtbot: QtBot
) -> None:
    tiles.set_runs(finished_runs(200), range(200))   # 4 in a row, rows of 112 pixels: 4 or 5 are seen
    tiles.set_selected(["stem"])
    tiles.refresh()
    qtbot.waitUntil(lambda: all(is_seen(tiles, at) for at in range(16)))
    bar = tiles.area.verticalScrollBar()
    for value, place in ((bar.maximum(), 199), (bar.maximum() // 2, 102), (0, 0)):
        bar.setValue(value)
        qtbot.waitUntil(lambda place=place: is_seen(tiles, place))   # type: ignore[misc]
        tile = tiles.tiles[place]
        assert tile.dot.number == place and tile.heatmap.pointer.selected == {"stem"}
        assert names(tiles) == {at: f"run {at}" for at in tiles.tiles}
    assert len(tiles.findChildren(RunTile)) <= 4 * (5 + 2 + 1)   # seen, one row on each side, and a part of one more


def test_the_common_scale_holds_what_runs_out_of_sight_have_measured(tiles: CompareTiles, qtbot: QtBot) -> None:
    runs = finished_runs(60)
    far = started_run("far")
    add_steps(far, 5, (900.0, 0.1, 0.1, 0.1))
    tiles.set_runs([*runs, far], range(61))
    tiles.refresh()
    qtbot.waitUntil(lambda: drawn(tiles) >= 16)
    assert 60 not in tiles.tiles
    assert tiles.tiles[0].heatmap.levels()[1] == 3.0   # the first half of a power of ten above 900


def test_tab_goes_on_to_the_next_run_and_scrolls_it_into_sight(tiles: CompareTiles, qtbot: QtBot) -> None:
    tiles.set_runs(finished_runs(60), range(60))
    tiles.refresh()
    tiles.area.verticalScrollBar().setValue(3000)
    qtbot.waitUntil(lambda: is_seen(tiles, 40))
    tiles.area.verticalScrollBar().setValue(0)
    qtbot.waitUntil(lambda: is_seen(tiles, 0))
    tiles.activateWindow()
    tiles.tiles[0].heatmap.setFocus()
    for at in range(30):
        assert QApplication.focusWidget() is tiles.tiles[at].heatmap and is_seen(tiles, at)
        QTest.keyClick(tiles.tiles[at].heatmap, Qt.Key.Key_Tab)
        qtbot.waitUntil(lambda at=at: is_seen(tiles, at + 1))   # type: ignore[misc]


def test_the_tile_with_the_keyboard_keeps_it_when_it_is_scrolled_out_of_sight(
    tiles: CompareTiles, qtbot: QtBot
) -> None:
    tiles.set_runs(finished_runs(60), range(60))
    tiles.refresh()
    qtbot.waitUntil(lambda: is_seen(tiles, 0))
    tiles.activateWindow()
    heatmap = tiles.tiles[0].heatmap
    heatmap.setFocus()
    for value, place in ((1_500, 56), (1_000, 40), (1_400, 52)):
        tiles.area.verticalScrollBar().setValue(value)
        qtbot.waitUntil(lambda place=place: is_seen(tiles, place))   # type: ignore[misc]
        assert QApplication.focusWidget() is heatmap and tiles.tiles[0].heatmap is heatmap


def test_a_run_that_was_chosen_has_its_frame_when_it_comes_back_into_sight(tiles: CompareTiles, qtbot: QtBot) -> None:
    runs = finished_runs(60)
    tiles.set_runs(runs, range(60))
    tiles.mark([runs[1]])
    for value, place in ((1_500, 56), (0, 1)):
        tiles.area.verticalScrollBar().setValue(value)
        qtbot.waitUntil(lambda place=place: is_seen(tiles, place))   # type: ignore[misc]
        assert [at for at, tile in tiles.tiles.items() if tile._chosen] == [1][: 1 in tiles.tiles]
