"""Files that somebody else wrote, or a disk spoilt: each opens, or is one sentence, and never an exception."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import threading
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from freeze_gui.gui.library_opening import Opened, Opening
from freeze_gui.runs.execute import execute
from freeze_gui.runs.store import RunWriter, list_runs
from freeze_gui.training.config import load_config

VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 2**63, 1e308, float("nan"), "", "x", "\ud800", [], {}, [1], ["x"], [[]], {"a": 1}, "9" * 400
)  # fmt: skip
COLUMNS = ("label", "status", "verdict", "started", "steps", "model", "tags", "notes", "host", "pid", "alive")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save a short run with a forecast, an optimizer's state and evaluations."""
    config = load_config(
        {
            "model": {"source": "builtin:five-linear"},
            "freeze": {"layers": ["linear2"], "method": "grad_zero"},
            "optimizer": {"name": "Adam"},
            "train": {"steps": 6, "device": "cpu", "eval_every": 2},
        }
    )
    writer = RunWriter(tmp_path_factory.mktemp("good") / "good.freezerun", config)
    execute(config, writer=writer)
    return writer.path


def opened(path: Path) -> Opened:
    return Opening([path], "show", threading.Event())()


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return where in a JSON value something lies."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [*([path] if path else []), *(place for key, item in items for place in places(item, (*path, key)))]


def spoil_record(db: sqlite3.Connection, draw: random.Random) -> None:
    """Put another value in one place of one record, or take it out."""
    name = draw.choice(("config", "started", "ended"))
    (packed,) = db.execute("SELECT content FROM records WHERE name = ?", (name,)).fetchone()
    record = json.loads(zlib.decompress(packed))
    *way, last = draw.choice(places(record))
    inner = record
    for key in way:
        inner = inner[key]
    if draw.random() < 0.2:
        del inner[last]
    else:
        inner[last] = draw.choice(VALUES)
    db.execute("UPDATE records SET content = ? WHERE name = ?", (zlib.compress(json.dumps(record).encode()), name))


def spoil_header(db: sqlite3.Connection, draw: random.Random) -> None:
    value = draw.choice((None, 0, -1, 2**62, 1.5, float("inf"), "", "x", b"", b"x", "[1,2]", "{}", "[[", "running"))
    db.execute(f"UPDATE header SET {draw.choice(COLUMNS)} = ?", (value,))


@pytest.mark.timeout(120)
def test_whatever_a_file_says_it_opens_with_a_summary_or_is_one_sentence(good: Path, tmp_path: Path) -> None:
    assert opened(good).errors == []
    draw = random.Random(11)
    path = tmp_path / "spoilt.freezerun"
    wrong = 0
    for number in range(120):
        shutil.copyfile(good, path)
        with closing(sqlite3.connect(path)) as db, db:
            (spoil_header if number % 5 == 0 else spoil_record)(db, draw)
        (card,) = list_runs(tmp_path)   # never an exception
        result = opened(path)
        assert len(result.runs) + len(result.errors) == 1
        for sentence in (*result.errors, *([card.error] if card.error else [])):
            assert sentence.startswith(f"{path}: ") and "\n" not in sentence
        for run in result.runs:
            assert run.recorder.ended is None or run.recorder.summary()
        wrong += len(result.errors)
    assert 10 < wrong < 120   # a value may be another and still be one


def test_records_that_contradict_each_other_are_a_sentence(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "spoilt.freezerun"
    shutil.copyfile(good, path)
    with closing(sqlite3.connect(path)) as db, db:
        (packed,) = db.execute("SELECT content FROM records WHERE name = 'started'").fetchone()
        started = json.loads(zlib.decompress(packed))
        started["parameters"] = started["parameters"][:-1]   # of a layer whose state is in the file
        record = zlib.compress(json.dumps(started).encode())
        db.execute("UPDATE records SET content = ? WHERE name = 'started'", (record,))
    (sentence,) = opened(path).errors
    assert "this run's file is damaged and cannot be opened" in sentence


def test_a_run_with_an_optimizer_that_this_version_lacks_opens_without_claims(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "newer.freezerun"
    shutil.copyfile(good, path)
    with closing(sqlite3.connect(path)) as db, db:
        (packed,) = db.execute("SELECT content FROM records WHERE name = 'config'").fetchone()
        config = zlib.decompress(packed).replace(b'"Adam"', b'"Eve"')
        db.execute("UPDATE records SET content = ? WHERE name = 'config'", (zlib.compress(config),))
    (run,) = opened(path).runs
    summary = run.recorder.summary()
    assert summary["config"]["optimizer"]["name"] == "Eve"
    assert "claims" not in summary
