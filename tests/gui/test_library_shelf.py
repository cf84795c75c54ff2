from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from freeze_gui.gui.library_reader import Thumbnail
from freeze_gui.gui.library_shelf import Change, Changed, LibraryShelf
from freeze_gui.runs.store import RunCard, RunWriter, card_of
from freeze_gui.training.config import load_config
from tests.support.events import ended, events

pytestmark = pytest.mark.timeout(60)
CONFIG = load_config({"model": {"source": "builtin:digits-cnn"}})


def save(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    with RunWriter(folder / f"{name}.freezerun", CONFIG, name) as writer:
        for event in (*events(4, 20), ended(20)):
            writer.handle(event)
    return writer.path


@pytest.fixture
def shelf() -> Iterator[LibraryShelf]:
    shelf = LibraryShelf()
    yield shelf
    shelf.close()


def changed(qtbot: QtBot, shelf: LibraryShelf, change: Change) -> Changed:
    with qtbot.waitSignal(shelf.changed) as done:
        shelf.change(change)
    result: Changed = done.args[0]
    return result


def test_changes_come_one_after_another_in_the_order_of_the_wishes(
    qtbot: QtBot, shelf: LibraryShelf, runs_in_a_folder_of_the_test: Path
) -> None:
    path = save(runs_in_a_folder_of_the_test, "a")
    kinds: list[str] = []
    shelf.changed.connect(lambda change: kinds.append(change.change.kind))
    shelf.change(Change("label", (path,), "first"))
    shelf.change(Change("tags", (path,), ("x", "y")))
    shelf.change(Change("notes", (path,), "some words"))
    shelf.change(Change("label", (path,), "second"))
    qtbot.waitUntil(lambda: len(kinds) == 4)
    card = card_of(path)
    assert kinds == ["label", "tags", "notes", "label"]
    assert (card.label, card.tags, card.notes) == ("second", ("x", "y"), "some words")


def test_a_deleted_run_comes_back_with_all_that_was_in_it(
    qtbot: QtBot, shelf: LibraryShelf, runs_in_a_folder_of_the_test: Path
) -> None:
    path = save(runs_in_a_folder_of_the_test, "a")
    content = path.read_bytes()
    changed(qtbot, shelf, Change("delete", (path,)))
    assert not path.exists()
    with qtbot.waitSignal(shelf.changed):
        shelf.undo_delete()
    assert path.read_bytes() == content
    shelf.undo_delete()   # there is nothing more to bring back


def test_one_file_that_cannot_be_changed_keeps_no_other_back_and_says_why(
    qtbot: QtBot, shelf: LibraryShelf, runs_in_a_folder_of_the_test: Path
) -> None:
    first, gone = save(runs_in_a_folder_of_the_test, "a"), runs_in_a_folder_of_the_test / "gone.freezerun"
    said: list[str] = []
    shelf.said.connect(said.append)
    result = changed(qtbot, shelf, Change("delete", (gone, first)))
    assert len(result.paths) == 1
    assert not first.exists()
    assert len(said) == 1
    assert str(gone) in said[0]


def test_the_list_comes_anew_after_each_change(
    qtbot: QtBot, shelf: LibraryShelf, runs_in_a_folder_of_the_test: Path
) -> None:
    path = save(runs_in_a_folder_of_the_test, "a")
    lists: list[list[RunCard]] = []
    shelf.listed.connect(lists.append)
    shelf.refresh()
    shelf.refresh()   # while the first is on its way
    qtbot.waitUntil(lambda: len(lists) == 2)
    shelf.change(Change("label", (path,), "new"))
    qtbot.waitUntil(lambda: len(lists) == 3)
    assert [card.label for card in lists[-1]] == ["new"]


def test_pictures_come_one_by_one_and_a_newer_wish_replaces_the_older(
    qtbot: QtBot, shelf: LibraryShelf, runs_in_a_folder_of_the_test: Path
) -> None:
    cards = [card_of(save(runs_in_a_folder_of_the_test, name)) for name in "abcd"]
    pictures: list[Thumbnail] = []
    shelf.pictured.connect(pictures.append)
    shelf.picture(cards[:3])
    shelf.picture([cards[3]])
    qtbot.waitUntil(lambda: len(pictures) == 2)
    assert [each.path for each in pictures] == [cards[0].path, cards[3].path]
    assert all(each.pixels is not None for each in pictures)


def test_what_was_wished_before_closing_is_done(runs_in_a_folder_of_the_test: Path) -> None:
    path, shelf = save(runs_in_a_folder_of_the_test, "a"), LibraryShelf()
    shelf.change(Change("label", (path,), "first"))
    shelf.change(Change("notes", (path,), "last words"))
    shelf.close()
    shelf.change(Change("label", (path,), "too late"))
    assert (card_of(path).label, card_of(path).notes) == ("first", "last words")
