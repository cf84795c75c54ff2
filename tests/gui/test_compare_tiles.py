from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from freeze_gui.gui import turns
from freeze_gui.gui.compare_tiles import CompareTiles
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
    return sum(
        tile.heatmap._picture is not None and tile.heatmap._picture.is_drawn_for(tile.heatmap._view_key())
        for tile in tiles.tiles[: len(tiles.recorders)]
    )


def test_a_run_that_stays_keeps_its_tile_and_picture(tiles: CompareTiles) -> None:
    runs = finished_runs(4)
    tiles.set_runs(runs, range(4))
    of_run = dict(zip((run.label for run in runs), tiles.tiles, strict=True))
    tiles.set_runs([runs[3], runs[1]], [3, 1])
    assert tiles.tiles[:2] == [of_run["run 3"], of_run["run 1"]]
    assert [tile.title.text() for tile in tiles.tiles[:2]] == ["run 3", "run 1"]
    tiles.set_runs(runs, range(4))
    assert [tile.title.text() for tile in tiles.tiles] == ["run 0", "run 1", "run 2", "run 3"]
    assert len(tiles.tiles) == 4   # none is made anew


def test_each_run_has_a_tile_of_its_own_place(tiles: CompareTiles, qtbot: QtBot) -> None:
    runs = finished_runs(5)
    tiles.set_runs(runs[:2], [0, 1])
    tiles.set_runs([runs[4], runs[0], runs[3], runs[1]], [4, 0, 3, 1])
    qtbot.waitUntil(lambda: drawn(tiles) == 4)
    xs = [tile.x() for tile in tiles.tiles[:4]]
    assert xs == sorted(xs) and len(set(xs)) == 4
    assert all(tile.isVisible() for tile in tiles.tiles[:4])


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
    assert [tile.recorder for tile in tiles.tiles] == runs
    for tile in tiles.tiles:
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
    assert [tile.title.text() for tile in tiles.tiles] == ["run 2", "run 3"]
    assert sum(tile.isVisible() for tile in tiles.findChildren(RunTile)) == 2
