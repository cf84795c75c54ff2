from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from freeze_gui.gui import library_reader
from freeze_gui.gui.heatmap_codes import FROZEN, LEAKED, LEAKED_HATCH, SCALE_FIRST, SCALE_LAST
from freeze_gui.gui.library_reader import THUMBNAIL, FolderReader, thumbnail_of
from freeze_gui.runs.store import RunWriter, card_of, rename_run
from freeze_gui.training.config import load_config
from freeze_gui.training.events import PlanApplied, RunEnded, StepDone
from tests.support.events import ended, events, started

CONFIG = load_config({"model": {"source": "builtin:digits-cnn"}})


def save(path: Path, steps: int = 20, label: str = "a run") -> Path:
    with RunWriter(path, CONFIG, label) as writer:
        for event in (*events(4, steps), ended(steps)):
            writer.handle(event)
    return path


def test_a_folder_that_is_not_there_has_no_runs(tmp_path: Path) -> None:
    assert FolderReader().cards(tmp_path / "none") == []


def test_only_files_that_changed_are_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = save(tmp_path / "1.freezerun"), save(tmp_path / "2.freezerun")
    reader, opened = FolderReader(), []

    def counting(path: Path) -> object:
        opened.append(path)
        return card_of(path)

    monkeypatch.setattr(library_reader, "card_of", counting)
    assert {card.path for card in reader.cards(tmp_path)} == {first, second}
    assert sorted(opened) == [first, second]
    reader.cards(tmp_path)
    assert len(opened) == 2
    rename_run(first, "another name")
    assert {card.label for card in reader.cards(tmp_path)} == {"another name", "a run"}
    assert opened[2:] == [first]
    second.unlink()
    assert [card.path for card in reader.cards(tmp_path)] == [first]


def test_the_newest_run_comes_first_and_a_file_that_is_no_run_says_so(tmp_path: Path) -> None:
    old, new = save(tmp_path / "b.freezerun"), save(tmp_path / "a.freezerun")
    (tmp_path / "bad.freezerun").write_text("no run at all, but long enough to be looked at" * 4)
    cards = FolderReader().cards(tmp_path)
    assert [card.path for card in cards[:2]] == [new, old]
    assert cards[2].status == "unreadable"
    assert "no run of Freeze GUI" in str(cards[2].error)
    assert thumbnail_of(cards[2]).pixels is None


def test_a_small_picture_has_a_band_for_each_layer_in_its_colours(tmp_path: Path) -> None:
    """Three layers: the first is frozen and holds, the second is frozen and leaks, the third trains."""
    flags, norms = np.array([True, True, False]), np.array([0.0, 0.5, 0.5])
    with RunWriter(tmp_path / "a.freezerun", CONFIG) as writer:
        writer.handle(started(3, 50))
        writer.handle(PlanApplied(0, flags, 12))
        for step in range(50):
            writer.handle(StepDone(step, 1.0, None, norms, norms, norms, flags, (1,), 0.01, 0.0, 0.1))
        writer.handle(RunEnded("completed", None, 50))
    pixels = thumbnail_of(card_of(tmp_path / "a.freezerun")).pixels
    assert pixels is not None
    width, height = THUMBNAIL
    assert pixels.shape == (height, width)
    band = height // 6
    assert set(pixels[band]) == {FROZEN}
    assert set(pixels[3 * band]) == {LEAKED, LEAKED_HATCH}
    assert all(SCALE_FIRST <= code <= SCALE_LAST for code in pixels[5 * band])


def test_half_a_run_fills_half_the_picture(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "a.freezerun", CONFIG) as writer:
        writer.handle(started(2, 100))
        for event in list(events(2, 50))[1:]:
            writer.handle(event)
    pixels = thumbnail_of(card_of(tmp_path / "a.freezerun")).pixels
    assert pixels is not None
    assert (pixels[20, : THUMBNAIL[0] // 2 - 2] > 0).all()
    assert (pixels[20, THUMBNAIL[0] // 2 + 2 :] == 0).all()


def test_runs_without_steps_and_huge_files_have_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RunWriter(tmp_path / "a.freezerun", CONFIG) as writer:
        writer.handle(RunEnded("failed", "no such layer", 0))
    assert thumbnail_of(card_of(tmp_path / "a.freezerun")).pixels is None
    path = save(tmp_path / "b.freezerun")
    assert thumbnail_of(card_of(path)).pixels is not None
    monkeypatch.setattr(library_reader, "MOST_BYTES", path.stat().st_size - 1)
    assert thumbnail_of(card_of(path)).pixels is None
