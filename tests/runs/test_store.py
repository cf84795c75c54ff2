from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freeze_gui.errors import UserError
from freeze_gui.runs.execute import execute
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.runs.store import RunWriter, card_of, list_runs, open_run, rename_run, set_notes
from freeze_gui.training.config import load_config
from tests.support.events import differences, ended, events
from tests.support.runs import network_config

ROOT = Path(__file__).resolve().parents[2]
CONFIG = load_config({"model": {"source": "builtin:digits-cnn"}})


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Save a small run that ended."""
    with RunWriter(tmp_path / "saved.freezerun", CONFIG) as writer:
        for event in (*events(7, 60), ended(60)):
            writer.handle(event)
    return writer.path


def norms_rounded(summary: dict[str, Any]) -> dict[str, Any]:
    """Return the summary with the norms of its layers as float32, and torch's version as text."""
    summary["environment"] = {key: str(v) if isinstance(v, str) else v for key, v in summary["environment"].items()}
    for layer in summary["layers"]:
        for name in ("grad_norm", "update_norm", "weight_delta"):
            layer[name] = [None if norm is None else float(np.float32(norm)) for norm in layer[name]]
    return summary


@pytest.mark.parametrize(
    "config",
    [
        network_config("grad_zero", {"name": "AdamW", "lr": 0.01}),
        network_config("requires_grad", {"name": "SGD", "lr": 0.01, "momentum": 0.9}, {"to_step": 9}, measure_every=4),
        network_config("lr_zero", {"name": "Adam", "lr": 0.01}, {"from_step": 5, "moment": "after_backward"}),
        {
            "model": {"source": "builtin:two-task"},
            "freeze": {
                "task": [
                    {"task": "task1", "layers": ["hidden_task2"]}, {"task": "task2", "layers": ["hidden_task1"]}
                ]
            },
            "optimizer": {"name": "Adam", "zero_grad": "zero"},
            "train": {"steps": 30, "device": "cpu"},
        },
        {
            "model": {"source": "builtin:five-linear"}, "optimizer": {"name": "SGD", "lr": 1e30},
            "train": {"steps": 9, "device": "cpu"},
        },
    ],
)  # fmt: skip
def test_a_real_run_opens_as_it_was_with_its_norms_rounded_and_all_else_exact(
    config: dict[str, Any], tmp_path: Path
) -> None:
    writer = RunWriter(tmp_path / "a.freezerun", load_config(config), "my run")
    live = execute(load_config(config), writer=writer)
    live.label = "my run"
    assert writer.error is None
    opened = open_run(writer.path)
    assert differences(opened, live, rounded=True) == []
    ours, theirs = opened.summary(), norms_rounded(live.summary())
    np.testing.assert_equal(ours, theirs)   # equal in kind and value, and NaN is NaN
    assert opened.findings.keys() == live.findings.keys()
    assert (ours["status"] == "diverged") == ("five-linear" in config["model"]["source"])


@pytest.mark.parametrize("tasks", [False, True])
@pytest.mark.parametrize("every", [1, 5])
@pytest.mark.parametrize("layers", [0, 1, 8, 9, 161])
def test_a_run_of_any_width_opens_as_it_was(layers: int, every: int, tasks: bool, tmp_path: Path) -> None:
    live = RunRecorder(CONFIG)
    with RunWriter(tmp_path / "a.freezerun", CONFIG) as writer:
        for event in (*events(layers, 120, every=every, tasks=tasks, first=30), ended(150, "stopped")):
            writer.handle(event)
            live.handle(event)
    assert differences(open_run(writer.path), live, rounded=True) == []


def test_norms_that_float32_does_not_reach_are_infinite_or_zero_and_never_break_the_saving(tmp_path: Path) -> None:
    start, plan, step, *_ = events(2, 1)
    big = np.array([1e300, 1e-300])
    object.__setattr__(step, "update_norm", big)
    with RunWriter(tmp_path / "a.freezerun", CONFIG) as writer:
        for event in (start, plan, step, ended(1)):
            writer.handle(event)
    history = open_run(writer.path).history
    assert writer.error is None
    assert history is not None
    assert history.view().update_norm.tolist() == [[np.inf, 0.0]]


def test_the_card_says_what_the_run_came_to(tmp_path: Path) -> None:
    for method, verdict in (("grad_zero", "leaked"), ("grad_none", "held")):
        config = load_config(network_config(method, {"name": "SGD", "lr": 0.1, "weight_decay": 0.1}, {
            "layers": ["first"], "from_step": 2,
        }))  # fmt: skip
        writer = RunWriter(tmp_path / f"{method}.freezerun", config)
        recorder = execute(config, writer=writer)
        card = card_of(writer.path)
        assert (card.verdict, card.status, card.steps, card.method) == (verdict, recorder.status, 20, method)
        assert any(layer["verdict"] == "leaked" for layer in recorder.summary()["layers"]) == (verdict == "leaked")


def test_reading_never_changes_a_file_nor_leaves_one_beside_it(saved: Path) -> None:
    before = saved.read_bytes(), saved.stat().st_mtime_ns
    open_run(saved)
    card_of(saved)
    assert (saved.read_bytes(), saved.stat().st_mtime_ns) == before
    assert list(saved.parent.iterdir()) == [saved]


def test_a_copy_of_the_file_alone_opens_without_the_log_that_was_beside_it(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "a.freezerun", CONFIG)
    copy = tmp_path / "copy" / "a.freezerun"
    copy.parent.mkdir()
    shutil.copy(writer.path, copy)   # in WAL mode: a part, or all but the header, is in the log
    writer.close()
    assert open_run(copy).config == CONFIG
    assert list(copy.parent.iterdir()) == [copy]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"x" * 10, "is no run"),
        (np.random.default_rng(0).bytes(50_000), "is no run"),
        (b"SQLite format 3\0" + b"\0" * 84, "is no run"),
        (b'{"status": "completed"}' * 100, "is no run"),
    ],
)
def test_what_is_no_run_is_said_to_be_none(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "a.freezerun"
    path.write_bytes(content)
    with pytest.raises(UserError, match=says) as error:
        open_run(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
    card = card_of(path)
    assert (card.status, card.error, card.label) == ("unreadable", str(error.value), "a")
    assert path.read_bytes() == content


def test_another_program_s_database_is_no_run(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.freezerun")) as db:
        db.executescript("CREATE TABLE header (label TEXT); CREATE TABLE more (x);")
    with pytest.raises(UserError, match="is no run of Freeze GUI"):
        open_run(tmp_path / "a.freezerun")
    with pytest.raises(UserError, match="is no run of Freeze GUI"):
        set_notes(tmp_path / "a.freezerun", "mine")


@pytest.mark.skipif(os.name == "nt", reason="Windows takes no such names")
def test_a_run_may_lie_under_any_name(saved: Path, tmp_path: Path) -> None:
    folder = tmp_path / "häßlich #1?mode=memory & 100 %41"
    folder.mkdir()
    path = folder / "it's; a \"run\".freezerun"
    saved.rename(path)
    rename_run(path, "renamed")
    assert open_run(path).label == "renamed"
    assert list(folder.iterdir()) == [path]


def test_a_folder_and_a_missing_file_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        open_run(tmp_path)
    with pytest.raises(UserError, match="No such file"):
        open_run(tmp_path / "a.freezerun")


@pytest.mark.parametrize("version", [0, 2, 77])
def test_a_file_of_another_version_says_which(version: int, saved: Path) -> None:
    with closing(sqlite3.connect(saved)) as db:
        db.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(UserError, match=f"file format {version}, and this version of Freeze GUI reads format 1"):
        open_run(saved)
    assert f"file format {version}" in (card_of(saved).error or "")


def test_a_damaged_file_opens_whole_or_is_one_sentence(saved: Path) -> None:
    content = saved.read_bytes()
    whole = open_run(saved).history
    assert whole is not None
    random = np.random.default_rng(1)
    cuts = [content[:at] for at in (50, 100, 101, 4096, len(content) // 2, len(content) - 1)]
    places = random.integers(100, len(content), 150)
    spoilt = [content[:at] + random.bytes(40) + content[at + 40 :] for at in places]
    sentences = []
    for damaged in (*cuts, *spoilt):
        saved.write_bytes(damaged)
        try:
            history = open_run(saved).history   # nothing but a UserError may come out
        except UserError as error:
            sentences.append(str(error))
        else:
            assert history is not None
            seen = history.view()
            assert np.array_equal(seen.loss, whole.view().loss), "a wrong number passed"
            assert np.array_equal(seen.weight_delta, whole.view().weight_delta)
            assert np.array_equal(seen.leaked, whole.view().leaked)
    assert len(sentences) > 20
    assert all(sentence.startswith(f"{saved}: ") and "\n" not in sentence for sentence in sentences)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pipes among its files")
@pytest.mark.timeout(20)
def test_a_pipe_that_is_named_like_a_run_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.freezerun")
    (card,) = list_runs(tmp_path)
    assert card.error == f"{tmp_path / 'pipe.freezerun'}: is a pipe or a device, and no run of Freeze GUI"
    with pytest.raises(UserError, match="is a pipe"):
        open_run(tmp_path / "pipe.freezerun")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE header SET steps = 'many'",
        "UPDATE header SET tags = 'no json'",
        "UPDATE header SET tags = NULL",
        "DELETE FROM header",
        "DELETE FROM records WHERE name = 'config'",
        "UPDATE records SET content = 'text'",
        "UPDATE records SET content = x'00'",
        "UPDATE chunks SET steps = NULL",
        "UPDATE chunks SET norms = substr(norms, 1, 8)",
        "UPDATE chunks SET leaked = zeroblob(length(leaked))",
        "UPDATE chunks SET states = 7",
        "UPDATE chunks SET checksum = checksum + 1",
        "DELETE FROM masks",
        "UPDATE masks SET bits = x'01'",
        "DELETE FROM tasks",
        "UPDATE tasks SET name = x'00'",
        "DROP TABLE chunks",
        "ALTER TABLE header RENAME COLUMN label TO name",
        "CREATE TRIGGER t AFTER UPDATE ON header BEGIN DELETE FROM chunks; END",
        "ALTER TABLE masks RENAME TO m; CREATE VIEW masks AS "
        "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id FROM n) SELECT id, x'' AS bits FROM n",
    ],
)
def test_a_file_that_says_nonsense_is_one_sentence(change: str, saved: Path) -> None:
    with closing(sqlite3.connect(saved)) as db:
        db.executescript(change)
    with pytest.raises(UserError, match="damaged") as error:
        open_run(saved)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "change",
    [
        "norms = substr(norms, 5)", "leaked = x''", "states = x'0000'", "plans = x'01'", "steps = substr(steps, 46)",
        "plans = CAST(substr(plans, 1, 16) || x'ffffff7f' || substr(plans, 21) AS BLOB)",
        "steps = CAST(substr(steps, 1, 40) || x'ffffff7f' || substr(steps, 45) AS BLOB)",
        "steps = CAST(substr(steps, 1, 44) || x'ffffff7f' || substr(steps, 49) AS BLOB)",
    ],
)  # fmt: skip
def test_arrays_that_do_not_fit_together_are_one_sentence_though_their_checksum_is_right(
    change: str, saved: Path
) -> None:
    parts = "steps, plans, evaluations, norms, leaked, states"
    with closing(sqlite3.connect(saved)) as db, db:
        db.execute(f"UPDATE chunks SET {change}")
        for id_, *contents in db.execute(f"SELECT id, {parts} FROM chunks").fetchall():
            checksum = zlib.crc32(b"".join(contents))
            db.execute("UPDATE chunks SET checksum = ? WHERE id = ?", (checksum, id_))
    with pytest.raises(UserError, match="damaged"):
        open_run(saved)


AS_NOBODY = """
import os, sys
from pathlib import Path
from freeze_gui.errors import UserError
from freeze_gui.runs.store import RunWriter, card_of, delete_run, open_run, rename_run
from freeze_gui.training.config import load_config
import freeze_gui.runs.recorder
folder = Path(sys.argv[1])
config = load_config({"model": {"source": "builtin:digits-cnn"}})
if os.getuid() == 0:
    os.setuid(65534)   # the superuser may write everywhere
for path in sorted(folder.glob("*.freezerun")):
    run = open_run(path)
    print(path.name, run.status, len(run.tasks), card_of(path).steps)
def sentence(what, *arguments):
    try:
        what(*arguments)
    except UserError as error:
        print(str(error).replace(str(folder), "FOLDER"))
sentence(RunWriter, folder / "new.freezerun", config)
sentence(rename_run, path, "new name")
sentence(delete_run, path)
"""


@pytest.mark.skipif(os.name != "posix", reason="access rights of folders")
def test_a_read_only_folder_can_be_read_whole_and_writing_there_is_one_sentence(saved: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "tests.support.kill_writers", str(saved.parent), "1", "1", "2", "2"],
        check=True, timeout=60, cwd=ROOT,
    )  # fmt: skip
    (killed,) = saved.parent.glob("run0.freezerun")
    killed.with_name(killed.name + "-shm").unlink(missing_ok=True)
    steps = len(open_run(killed).tasks)
    killed.with_name(killed.name + "-shm").unlink(missing_ok=True)
    for path in saved.parent.iterdir():
        path.chmod(0o444)
    saved.parent.chmod(0o555)
    parents = [folder for folder in saved.parents[1:] if folder.name.startswith("pytest")]   # closed to others
    modes = [folder.stat().st_mode for folder in parents]
    before = {path.name: path.read_bytes() for path in saved.parent.iterdir()}
    for folder in parents:
        folder.chmod(0o755)
    try:
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, str(saved.parent)],
            capture_output=True, text=True, timeout=60, check=False, cwd=ROOT,
        )  # fmt: skip
    finally:
        for folder, mode in zip(parents, modes, strict=True):
            folder.chmod(mode)
        saved.parent.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"run0.freezerun interrupted {steps} {steps}",
        "saved.freezerun completed 60 60",
        "FOLDER/new.freezerun: cannot be written (Permission denied)",
        "FOLDER/saved.freezerun: cannot be changed (the file or its folder is read-only)",
        "FOLDER/saved.freezerun: cannot be deleted (Permission denied)",
    ]
    assert {path.name: path.read_bytes() for path in saved.parent.iterdir()} == before
