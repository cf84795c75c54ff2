from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from freeze_gui.errors import UserError
from freeze_gui.runs.store import (
    FollowedRun,
    RunWriter,
    delete_run,
    list_runs,
    new_run_path,
    open_run,
    rename_run,
    restore_run,
    runs_folder,
    set_notes,
    set_tags,
)
from freeze_gui.training.config import load_config
from tests.support.events import ended, events

ROOT = Path(__file__).resolve().parents[2]
CONFIG = load_config({"model": {"source": "builtin:digits-cnn"}, "freeze": {"method": "grad_zero"}})

Save = Callable[[str], Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Return a function that saves a small run under a name."""

    def save_one(name: str) -> Path:
        with RunWriter(tmp_path / f"{name}.freezerun", CONFIG, name) as writer:
            for event in (*events(4, 20), ended(20)):
                writer.handle(event)
        return writer.path

    return save_one


def test_runs_are_listed_newest_first_with_what_they_are(save: Save, tmp_path: Path) -> None:
    began = time.time()
    for name in ("first", "second", "third"):
        save(name)
    (tmp_path / "notes.txt").write_text("no run")
    cards = list_runs(tmp_path)
    assert [card.label for card in cards] == ["third", "second", "first"]
    card = cards[-1]
    assert (card.status, card.steps, card.model, card.method) == ("completed", 20, "builtin:digits-cnn", "grad_zero")
    assert began - 1 <= card.started <= time.time()
    assert card.error is None


def test_a_folder_that_is_not_there_has_no_runs(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "nowhere") == []


def test_one_file_that_is_no_run_keeps_no_other_from_the_list(save: Save, tmp_path: Path) -> None:
    save("good")
    (tmp_path / "bad.freezerun").write_bytes(b"")
    by_label = {card.label: card for card in list_runs(tmp_path)}
    assert by_label["good"].error is None
    assert "is empty" in (by_label["bad"].error or "")


def test_two_hundred_runs_are_listed_in_the_time_of_a_glance(save: Save, tmp_path: Path) -> None:
    path = save("run")
    for number in range(199):
        shutil.copy(path, tmp_path / f"copy{number}.freezerun")
    times = []
    for _ in range(3):
        began = time.perf_counter()
        assert len(list_runs(tmp_path)) == 200
        times.append(time.perf_counter() - began)
    assert min(times) < 0.3   # the goal of the design; 0.03 s on a quiet machine


def test_listing_runs_needs_neither_torch_nor_numpy(save: Save, tmp_path: Path) -> None:
    save("run")
    code = (
        "import sys\nfrom pathlib import Path\nfrom freeze_gui.runs.store_files import list_runs\n"
        "(card,) = list_runs(Path(sys.argv[1]))\n"
        "heavy = {'torch', 'numpy', 'PySide6'} & set(sys.modules)\nsys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr


def test_label_tags_and_notes_can_be_changed_and_nothing_else_changes(save: Save, tmp_path: Path) -> None:
    path = save("run")
    before = open_run(path).summary()
    rename_run(path, "  a better name ")
    set_tags(path, ["größer", " paper ", "", "paper"])
    set_notes(path, "line one\nline 'two'; DROP TABLE header")
    (card,) = list_runs(tmp_path)
    assert (card.label, card.tags, card.notes) == (
        "a better name", ("größer", "paper"), "line one\nline 'two'; DROP TABLE header",
    )  # fmt: skip
    followed = FollowedRun(path)
    assert (followed.recorder.label, followed.tags, followed.notes) == (card.label, card.tags, card.notes)
    assert followed.recorder.summary() == before
    assert [each.name for each in tmp_path.iterdir()] == ["run.freezerun"]


def test_a_run_can_be_renamed_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("freeze_gui.runs.store_writer._FLUSH_S", 0.005)
    with RunWriter(tmp_path / "a.freezerun", CONFIG) as writer:
        for number, event in enumerate((*events(4, 100), ended(100))):
            writer.handle(event)
            if number % 10 == 0:
                rename_run(writer.path, f"name {number}")
                time.sleep(0.01)
    assert writer.error is None
    run = open_run(writer.path)
    assert (run.label.split()[0], len(run.tasks), run.status) == ("name", 100, "completed")


def test_an_empty_name_is_refused(save: Save) -> None:
    with pytest.raises(UserError, match="one character at least"):
        rename_run(save("run"), "  ")


def test_a_deleted_run_is_out_of_the_list_until_it_is_brought_back(save: Save, tmp_path: Path) -> None:
    path = save("run")
    content = path.read_bytes()
    trashed = delete_run(path)
    assert list_runs(tmp_path) == []
    assert trashed.parent == tmp_path / ".trash"
    assert restore_run(trashed) == path
    assert path.read_bytes() == content


def test_deleted_runs_of_one_name_are_all_kept_and_none_takes_a_place_that_is_taken(save: Save, tmp_path: Path) -> None:
    trashed = [delete_run(save("run")) for _ in range(3)]
    kept = save("run")
    assert len(set(trashed)) == 3
    restored = [restore_run(path) for path in trashed]
    assert len({kept, *restored}) == 4
    assert len(list_runs(tmp_path)) == 4


def test_a_run_that_goes_on_is_not_deleted(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "a.freezerun", CONFIG) as writer:
        with pytest.raises(UserError, match="still going on: stop it"):
            delete_run(writer.path)
        assert writer.path.exists()


def test_a_file_that_cannot_be_read_can_be_deleted_too(tmp_path: Path) -> None:
    path = tmp_path / "bad.freezerun"
    path.write_bytes(b"nothing")
    assert restore_run(delete_run(path)).read_bytes() == b"nothing"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked programs")
def test_a_run_that_was_killed_loses_nothing_by_being_deleted_renamed_and_brought_back(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "tests.support.kill_writers", str(tmp_path), "1", "1", "2", "2"],
        check=True, timeout=60, cwd=ROOT,
    )  # fmt: skip
    path = tmp_path / "run0.freezerun"
    steps = len(open_run(path).tasks)
    assert steps > 0
    trashed = delete_run(path)
    assert len(open_run(trashed).tasks) == steps
    assert [each.name for each in tmp_path.iterdir()] == [".trash"]
    restore_run(trashed)
    rename_run(path, "killed")   # SQLite puts the log into the file on the way
    run = open_run(path)
    assert (run.label, run.status, len(run.tasks)) == ("killed", "interrupted", steps)


def test_a_run_that_is_not_there_cannot_be_brought_back(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be brought back"):
        restore_run(tmp_path / ".trash" / "a.freezerun")


def test_a_new_run_is_named_by_its_time_and_label_and_never_like_another(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "runs"
    paths = []
    for label in ("grad_zero · Adam/0.1", "grad_zero · Adam/0.1", "../../etc", "x" * 300, "…"):
        paths.append(new_run_path(folder, label))   # each looks at what the ones before wrote
        paths[-1].touch()
    assert len(set(paths)) == 5
    assert {path.parent for path in paths} == {folder}
    assert all(len(path.name) < 90 and path.suffix == ".freezerun" for path in paths)
    assert "grad_zero Adam 0.1" in paths[0].name


def test_a_folder_that_cannot_be_created_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be created"):
        new_run_path(tmp_path / "file" / "runs", "run")


@pytest.mark.parametrize(
    ("system", "variables", "folder"),
    [
        ("linux", {"XDG_DATA_HOME": "/data"}, "/data/freeze-gui/runs"),
        ("linux", {"XDG_DATA_HOME": "relative"}, "/home/me/.local/share/freeze-gui/runs"),
        ("linux", {}, "/home/me/.local/share/freeze-gui/runs"),
        ("darwin", {"XDG_DATA_HOME": "/data"}, "/home/me/Library/Application Support/freeze-gui/runs"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/freeze-gui/runs"),
        ("linux", {"XDG_DATA_HOME": "/data", "FREEZE_GUI_RUNS": "/my runs"}, "/my runs"),
        ("darwin", {"FREEZE_GUI_RUNS": "~/r"}, "/home/me/r"),
    ],
)
@pytest.mark.skipif(os.name != "posix", reason="paths as POSIX writes them")
def test_runs_lie_where_the_platform_keeps_data_or_where_a_person_says(
    system: str, variables: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_DATA_HOME", "LOCALAPPDATA", "FREEZE_GUI_RUNS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/me", **variables}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.platform", system)
    assert runs_folder() == Path(folder)
