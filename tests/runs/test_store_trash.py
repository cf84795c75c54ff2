from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from freeze_gui.errors import UserError
from freeze_gui.runs.store import KEPT_DAYS, RunWriter, Trash, delete_run, empty_trash, open_run, restore_run, trash_of
from freeze_gui.training.config import load_config
from tests.support.events import ended, events

DAY_S = 86400
CONFIG = load_config({"model": {"source": "builtin:five-linear"}})


def save(folder: Path, name: str) -> Path:
    with RunWriter(folder / f"{name}.freezerun", CONFIG) as writer:
        for event in (*events(5, 10), ended(10)):
            writer.handle(event)
    os.utime(writer.path, (0, 0))   # written in 1970
    return writer.path


def after(days: float, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time() + days * DAY_S
    monkeypatch.setattr(time, "time", lambda: now)


def test_a_deleted_run_waits_its_days_from_the_deletion_and_is_gone_after_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trashed = delete_run(save(tmp_path, "old"))
    kept = save(tmp_path, "kept")
    after(KEPT_DAYS - 0.1, monkeypatch)
    assert empty_trash(tmp_path, KEPT_DAYS) == Trash()
    assert trashed.exists()
    after(0.2, monkeypatch)
    size = trashed.stat().st_size
    assert trash_of(tmp_path, KEPT_DAYS) == Trash(1, size)
    assert empty_trash(tmp_path, KEPT_DAYS) == Trash(1, size)
    assert not trashed.exists()
    assert open_run(kept).summary()["steps"] == 10


def test_the_log_of_a_killed_run_waits_as_long_as_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path, "killed")
    log = path.with_name(path.name + "-wal")
    log.write_bytes(b"what was not yet in the file")
    os.utime(log, (0, 0))
    trashed = delete_run(path)
    assert empty_trash(tmp_path, KEPT_DAYS) == Trash()
    restore_run(trashed)
    assert log.read_bytes() == b"what was not yet in the file"
    trashed = delete_run(path)
    after(KEPT_DAYS + 0.1, monkeypatch)
    assert empty_trash(tmp_path, KEPT_DAYS).runs == 1
    assert list(trashed.parent.iterdir()) == []


def test_nothing_but_files_of_runs_goes_and_only_from_the_trash_itself(tmp_path: Path) -> None:
    runs, elsewhere = tmp_path / "runs", tmp_path / "elsewhere"
    (runs / ".trash" / "folder.freezerun").mkdir(parents=True)
    elsewhere.mkdir()
    other = save(elsewhere, "other")
    stays = [
        other, save(runs, "kept"), runs / ".trash" / "letter.txt", runs / ".trash" / "folder.freezerun" / "in.freezerun"
    ]
    for path in stays[2:]:
        path.write_text("x")
    link = runs / ".trash" / "link.freezerun"
    link.symlink_to(other)
    trashed = delete_run(save(runs, "gone"))
    assert empty_trash(runs).runs == 1
    assert not trashed.exists()
    assert all(path.is_file() for path in (*stays, link))


def test_a_trash_that_is_a_link_to_somewhere_else_is_let_alone(tmp_path: Path) -> None:
    runs, elsewhere = tmp_path / "runs", tmp_path / "elsewhere"
    runs.mkdir()
    elsewhere.mkdir()
    other = save(elsewhere, "other")
    (runs / ".trash").symlink_to(elsewhere)
    assert trash_of(runs) == empty_trash(runs) == Trash()
    assert other.exists()


def test_a_folder_without_a_trash_has_nothing_to_empty(tmp_path: Path) -> None:
    assert trash_of(tmp_path) == empty_trash(tmp_path / "missing") == Trash()


def test_a_file_that_cannot_be_deleted_is_one_sentence_and_keeps_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, gone = (delete_run(save(tmp_path, name)) for name in ("a stuck", "gone"))
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path == stuck:
            raise PermissionError(13, "Permission denied")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(UserError, match=r"a stuck.*cannot be deleted for good \(Permission denied\)"):
        empty_trash(tmp_path)
    assert stuck.exists() and not gone.exists()
