from __future__ import annotations

from pathlib import Path

import pytest

from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training import evidence
from freeze_gui.training.config import load_config
from freeze_gui.training.control import RunControl
from freeze_gui.training.events import Progress, RunEnded, RunEvent, RunStarted, StepDone
from freeze_gui.training.trainer import Trainer

WEIGHTS = 4 * (64 * 10 + 10)   # bytes of the one layer in float32
START, END = "taking the digest of every layer at the start", "taking the digest of every layer at the end"


def trainer(folder: Path, control: RunControl | None = None) -> Trainer:
    (folder / "net.py").write_text("from torch import nn\ndef build():\n    return nn.Linear(64, 10)\n")
    source = f"file:{folder / 'net.py'}:build"
    config = {"model": {"source": source}, "data": {"source": "random"}, "train": {"steps": 3, "device": "cpu"}}
    return Trainer(load_config(config), control)


def texts(records: list[RunEvent]) -> list[str]:
    return [record.text for record in records if isinstance(record, Progress)]


@pytest.mark.parametrize(("slow_from", "is_said"), [(WEIGHTS, True), (WEIGHTS + 1, False)])
def test_the_digests_of_a_large_model_are_said_before_the_first_step_and_after_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow_from: int, is_said: bool
) -> None:
    monkeypatch.setattr(evidence, "SLOW_BYTES", slow_from)
    records = list(trainer(tmp_path).events())
    assert (START in texts(records), END in texts(records)) == (is_said, is_said)
    if is_said:
        kinds = [type(record) for record in records]
        assert records.index(Progress(START)) < kinds.index(RunStarted)
        assert records[-2] == Progress(END)
    end = records[-1]
    assert isinstance(end, RunEnded)
    assert end.proof is not None
    assert end.proof.start.keys() == end.proof.end.keys() == {""}
    assert end.proof.start != end.proof.end   # it has trained


def test_a_run_stopped_before_its_first_step_has_nothing_to_prove_and_says_nothing_of_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "SLOW_BYTES", 0)
    control = RunControl()
    control.pause()
    seen: list[RunEvent] = []
    for record in trainer(tmp_path, control).events():
        seen.append(record)
        if isinstance(record, RunStarted):
            control.stop()
    assert not any(isinstance(record, StepDone) for record in seen)
    assert END not in texts(seen)
    assert isinstance(seen[-1], RunEnded)
    assert seen[-1].proof is None


def test_a_run_that_takes_its_last_digests_still_counts_as_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "SLOW_BYTES", 0)
    *before, end = list(trainer(tmp_path).events())
    recorder = RunRecorder(load_config({"model": {"source": "builtin:digits-cnn"}}))
    for record in before:
        recorder.handle(record)
    assert recorder.status == "running"
    assert recorder.progress == Progress(END)
    recorder.handle(end)
    assert recorder.status == "completed"
