from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from freeze_gui.errors import UserError
from freeze_gui.runs import store_format, store_writer
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.runs.store import FollowedRun, RunWriter, card_of, open_run
from freeze_gui.training.config import load_config
from freeze_gui.training.events import RunEnded, StepDone
from tests.support.events import differences, ended, events

ROOT = Path(__file__).resolve().parents[2]
CONFIG = load_config({"model": {"source": "builtin:digits-cnn"}})


def until(happened: object, wait_s: float = 10.0) -> None:
    deadline = time.monotonic() + wait_s
    while not happened():   # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked programs")
def test_a_program_killed_at_any_moment_leaves_all_but_the_last_second(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.kill_writers", str(tmp_path), "30", "5", "0.1", "2.6"],
        capture_output=True, text=True, timeout=100, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == 30
    reference = RunRecorder(CONFIG)
    for event in events(16, max(result["handed"] for result in results)):
        reference.handle(event)
    assert reference.history is not None
    losses = reference.history.view().loss
    for result in results:
        recorder = open_run(tmp_path / result["name"])
        assert recorder.status == "interrupted"
        if recorder.history is None:
            assert result["safe"] == 0
            continue
        view = recorder.history.view()
        assert result["safe"] <= len(view.loss) <= result["handed"], result
        assert np.array_equal(view.loss, losses[: len(view.loss)])
        assert recorder.leaked.sum() == view.leaked.sum()   # every step is measured here
    assert sum(result["safe"] > 0 for result in results) > 5   # the moments were not all too early
    with pytest.raises(RuntimeError, match="has not ended"):
        recorder.summary()


def test_a_killed_run_stays_as_it_was_however_often_it_is_read(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "tests.support.kill_writers", str(tmp_path), "1", "1", "1.8", "1.8"],
        check=True, timeout=60, cwd=ROOT,
    )  # fmt: skip
    path = tmp_path / "run0.freezerun"
    parts = [path, path.with_name(path.name + "-wal")]
    before = [part.read_bytes() for part in parts]
    assert len(before[1]) > 0   # a part of the run is there only
    steps = [len(open_run(path).tasks) for _ in range(3)]
    assert [part.read_bytes() for part in parts] == before
    assert steps[0] == steps[1] == steps[2] == card_of(path).steps > 0


def test_the_training_never_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    flush = RunWriter._flush

    def slow(self: RunWriter, *rest: object) -> None:
        gate.wait(20)
        flush(self, *rest)   # type: ignore[arg-type]

    monkeypatch.setattr(RunWriter, "_flush", slow)
    writer = RunWriter(tmp_path / "a.freezerun", CONFIG)
    for event in (*events(8, 500), ended(500)):
        writer.handle(event)   # would stop here for 20 seconds
    assert not gate.is_set()
    gate.set()
    writer.close()
    assert writer.error is None
    assert len(open_run(writer.path).tasks) == 500


def test_a_run_can_be_followed_from_another_program_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.freezerun"
    came = list(events(6, 400, every=3, tasks=True))
    code = (
        "import sys, json, time\nfrom pathlib import Path\nfrom freeze_gui.runs.store import FollowedRun\n"
        "run = FollowedRun(Path(sys.argv[1])); seen = []\n"
        "while True:\n"
        "    seen.append([run.recorder.status, len(run.recorder.tasks)])\n"
        "    print(*seen[-1], flush=True)\n"
        "    if run.recorder.ended: break\n"
        "    time.sleep(0.05); run.refresh()\n"
        "print(json.dumps(run.recorder.history.view().loss.tolist()))\n"
    )
    with RunWriter(path, CONFIG) as writer:
        reader = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert reader.stdout is not None
        assert reader.stdout.readline().split() == ["loading", "0"]
        for number, event in enumerate(came):
            writer.handle(event)
            if number % 200 == 199:
                time.sleep(1.0)
        writer.handle(ended(400))
    out, _ = reader.communicate(timeout=60)
    *seen, losses = out.splitlines()
    counts = [int(line.split()[1]) for line in seen]
    assert seen[-1].split() == ["completed", "400"]
    assert counts == sorted(counts)
    assert any(0 < count < 400 for count in counts)   # it was followed, not read at the end
    assert json.loads(losses) == [event.loss for event in came if isinstance(event, StepDone)]
    assert writer.error is None


def test_what_is_read_bit_by_bit_is_what_is_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_writer, "_FLUSH_S", 0.01)
    live = RunRecorder(CONFIG)
    with RunWriter(tmp_path / "a.freezerun", CONFIG) as writer:
        followed = FollowedRun(writer.path)
        refreshed = 0
        for event in (*events(40, 600, every=2, tasks=True), ended(600)):
            writer.handle(event)
            live.handle(event)
            if isinstance(event, StepDone) and event.step % 20 == 0:
                time.sleep(0.02)
                refreshed += followed.refresh()
    followed.refresh()
    assert refreshed > 5
    assert differences(followed.recorder, live, rounded=True) == []
    assert differences(open_run(writer.path), live, rounded=True) == []
    assert not followed.refresh()


def test_a_full_disk_stops_the_saving_and_not_the_run(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small file system can be mounted by root only")
    try:
        writer = RunWriter(folder / "a.freezerun", CONFIG)
        handed = 0
        for event in events(100, 3000):
            writer.handle(event)
            handed += isinstance(event, StepDone)
            if handed % 40 == 0:
                time.sleep(0.08)
            if writer.error:
                break
        writer.handle(ended(handed))
        writer.close()
        assert writer.error is not None
        assert writer.error.startswith(f"{writer.path}: ") and "the disk is full" in writer.error
        recorder = open_run(writer.path)
        assert recorder.history is not None
        losses = [event.loss for event in events(100, handed) if isinstance(event, StepDone)]
        seen = recorder.history.view().loss.tolist()
        assert 0 < len(seen) < handed
        assert seen == losses[: len(seen)]
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_file_that_cannot_grow_stops_the_saving_and_keeps_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = store_format.connect

    def small(path: Path, mode: str) -> sqlite3.Connection:
        db = connect(path, mode)
        db.execute("PRAGMA max_page_count = 60")
        return db

    monkeypatch.setattr(store_writer, "connect", small)
    monkeypatch.setattr(store_writer, "_FLUSH_S", 0.01)
    writer = RunWriter(tmp_path / "a.freezerun", CONFIG)
    came = events(50, 3000)
    for event in came:
        writer.handle(event)
        time.sleep(0.0005)
        if writer.error:
            break
    assert writer.error is not None and "the disk is full" in writer.error
    for event in came:   # the run goes on, and nobody keeps what is not saved
        writer.handle(event)
    writer.close()
    assert not writer._events
    recorder = open_run(writer.path)
    losses = [event.loss for event in events(50, 3000) if isinstance(event, StepDone)]
    assert recorder.history is not None
    assert recorder.history.view().loss.tolist() == losses[: recorder.history.steps]
    assert 0 < recorder.history.steps < 3000


@pytest.mark.skipif(os.name == "nt", reason="Windows removes no folder whose files are open")
@pytest.mark.parametrize("moved", [False, True])
def test_a_removed_folder_stops_the_saving_with_a_sentence(
    moved: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_writer, "_FLUSH_S", 0.01)
    folder = tmp_path / "runs"
    folder.mkdir()
    writer = RunWriter(folder / "a.freezerun", CONFIG)
    came = events(4, 50)
    writer.handle(next(came))
    until(lambda: card_of(writer.path).status == "running")
    if moved:   # SQLite would go on writing to where nobody looks
        folder.rename(tmp_path / "elsewhere")
    while folder.exists():   # the writer may be about to put a file in it
        shutil.rmtree(folder, ignore_errors=True)
    for event in came:
        writer.handle(event)
    until(lambda: writer.error)
    writer.close()
    assert writer.error == f"{writer.path}: the run is no longer saved: the file or its folder was removed"


def test_a_new_run_never_takes_the_place_of_another_file(tmp_path: Path) -> None:
    path = tmp_path / "a.freezerun"
    path.write_text("dear diary")
    with pytest.raises(UserError, match="there is a file already"):
        RunWriter(path, CONFIG)
    assert path.read_text() == "dear diary"


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"missing.a\.freezerun: cannot be written \(No such file or directory\)"):
        RunWriter(tmp_path / "missing" / "a.freezerun", CONFIG)


def test_a_run_that_is_closed_without_an_end_is_interrupted_at_once(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "a.freezerun", CONFIG) as writer:
        for event in events(3, 10):
            writer.handle(event)
    assert open_run(writer.path).status == card_of(writer.path).status == "interrupted"


def test_a_run_that_failed_before_it_began_says_why(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "a.freezerun", CONFIG, "mine") as writer:
        writer.handle(RunEnded("failed", "no such model", 0))
    recorder = open_run(writer.path)
    assert (recorder.status, recorder.label, recorder.history) == ("failed", "mine", None)
    assert recorder.summary()["error"] == "no such model"


def test_a_run_that_ended_is_one_plain_file(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "a.freezerun", CONFIG) as writer:
        for event in (*events(3, 10), ended(10)):
            writer.handle(event)
    assert [path.name for path in tmp_path.iterdir()] == ["a.freezerun"]
    assert writer.path.read_bytes()[18:20] == b"\1\1"   # not in WAL mode, by SQLite's file format


# of 161 layers two steps fill a page of the file, of 120 layers they leave a quarter of it empty
@pytest.mark.parametrize(("layers", "steps_a_commit"), [(161, 1), (161, 10_000), (120, 1)])
def test_a_run_takes_little_room_however_slow_it_is(
    layers: int, steps_a_commit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_writer, "_FLUSH_S", 0.004)
    steps = 400
    with RunWriter(tmp_path / "a.freezerun", CONFIG) as writer:
        for number, event in enumerate((*events(layers, steps), ended(steps))):
            writer.handle(event)
            if number % steps_a_commit == 0:
                time.sleep(0.006)
    assert writer.path.stat().st_size / steps <= 1.2 * (layers * (3 * 4 + 1) + 64)


def test_a_run_is_running_as_long_as_its_writer_is_heard_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_writer, "_FLUSH_S", 0.01)
    monkeypatch.setattr(store_writer, "_SIGN_OF_LIFE_S", 0.05)
    monkeypatch.setattr(store_format, "_SILENT_S", 1.0)
    with RunWriter(tmp_path / "a.freezerun", CONFIG) as writer:
        for event in events(3, 10):
            writer.handle(event)
        time.sleep(1.5)   # a pause longer than the silence that counts as death
        followed = FollowedRun(writer.path)
        assert followed.recorder.status == card_of(writer.path).status == "running"
        monkeypatch.setattr(store_writer, "_SIGN_OF_LIFE_S", 1e9)   # as a computer that is put to sleep
        until(lambda: followed.refresh())
        assert followed.recorder.status == "interrupted"
        assert followed.recorder.ended is None
        monkeypatch.setattr(store_writer, "_SIGN_OF_LIFE_S", 0.05)   # and wakes up
        until(lambda: followed.refresh())
        assert followed.recorder.status == "running"


def test_a_writer_on_another_machine_is_known_by_its_signs_of_life_alone(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "a.freezerun", CONFIG) as writer:
        pass
    for silent_s, status in ((0, "running"), (60, "interrupted")):
        with contextlib.closing(sqlite3.connect(writer.path)) as db, db:
            db.execute(
                "UPDATE header SET status = 'running', host = 'elsewhere', pid = 999999999, alive = ?",
                (time.time() - silent_s,),
            )
        assert open_run(writer.path).status == status
