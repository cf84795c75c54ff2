from __future__ import annotations

from pathlib import Path

import pytest

from freeze_gui.runs.differences import first_difference
from freeze_gui.runs.equivalence import are_equal
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training import digests, evidence
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
        began = [record for record in records if isinstance(record, Progress) and record.text == START]
        assert records.index(began[-1]) < kinds.index(RunStarted)
        ended = [record for record in records if isinstance(record, Progress) and record.text == END]
        assert ended == records[-1 - len(ended) : -1]
        for progress in (began, ended):
            assert [(record.done, record.total) for record in progress] == [(0, WEIGHTS), (WEIGHTS, WEIGHTS)]
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


def deep_trainer(folder: Path, control: RunControl) -> Trainer:
    (folder / "deep.py").write_text(
        "from torch import nn\ndef build():\n"
        "    return nn.Sequential(*(nn.Linear(64, 64) for _ in range(4)), nn.Linear(64, 10))\n"
    )
    source = f"file:{folder / 'deep.py'}:build"
    config = {"model": {"source": source}, "data": {"source": "random"}, "train": {"steps": 3, "device": "cpu"}}
    return Trainer(load_config(config), control)


def test_stop_ends_the_digests_at_the_start_between_two_layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "SLOW_BYTES", 0)
    control = RunControl()
    seen: list[RunEvent] = []
    for record in deep_trainer(tmp_path, control).events():
        seen.append(record)
        if isinstance(record, Progress) and record.text == START and record.done:
            control.stop()   # after the first layer
    layer, head = 4 * (64 * 64 + 64), 4 * (64 * 10 + 10)
    digests = [record for record in seen if isinstance(record, Progress) and record.text == START]
    assert [(record.done, record.total) for record in digests] == [(0, 4 * layer + head), (layer, 4 * layer + head)]
    end = seen[-1]
    assert isinstance(end, RunEnded)
    assert (end.status, end.steps, end.proof) == ("stopped", 0, None)


def test_stop_ends_the_digest_of_one_large_layer_between_two_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "SLOW_BYTES", 0)
    monkeypatch.setattr(digests, "_PIECE", 500)
    control = RunControl()
    seen: list[RunEvent] = []
    for record in trainer(tmp_path, control).events():
        seen.append(record)
        if isinstance(record, Progress) and record.text == START and record.done >= 1000:
            control.stop()
    found = [record for record in seen if isinstance(record, Progress) and record.text == START]
    assert [(record.done, record.total) for record in found] == [(0, WEIGHTS), (500, WEIGHTS), (1000, WEIGHTS)]
    assert isinstance(seen[-1], RunEnded)
    assert (seen[-1].status, seen[-1].steps, seen[-1].proof) == ("stopped", 0, None)


@pytest.mark.parametrize("stopped_at", ["a step", "a layer of the end"])
def test_a_large_model_that_is_stopped_has_no_digests_of_its_end_and_all_the_other_proof(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped_at: str
) -> None:
    monkeypatch.setattr(evidence, "SLOW_BYTES", 0)
    control = RunControl()
    seen: list[RunEvent] = []
    for record in deep_trainer(tmp_path, control).events():
        seen.append(record)
        at_layer = isinstance(record, Progress) and record.text == END and record.done > 0
        if at_layer if stopped_at == "a layer of the end" else isinstance(record, StepDone):
            control.stop()
    taken = [record for record in seen if isinstance(record, Progress) and record.text == END and record.done]
    assert len(taken) == (1 if stopped_at == "a layer of the end" else 0)
    end = seen[-1]
    assert isinstance(end, RunEnded)
    assert (end.status, end.steps) == (("stopped", 1) if stopped_at == "a step" else ("completed", 3))
    assert end.proof is not None
    assert len(end.proof.start) == 5
    assert "" not in end.proof.start.values()
    assert end.proof.end == {}
    assert len(end.proof.batches_by_step) == end.steps


def test_a_small_model_that_is_stopped_has_all_its_digests(tmp_path: Path) -> None:
    control = RunControl()
    for record in deep_trainer(tmp_path, control).events():
        if isinstance(record, StepDone):
            control.stop()
    assert isinstance(record, RunEnded)
    assert record.proof is not None
    assert record.proof.end.keys() == record.proof.start.keys()


def test_two_runs_of_which_one_was_stopped_amid_its_last_digests_are_not_said_to_be_equal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "SLOW_BYTES", 0)
    runs = []
    for label, stops in (("whole", False), ("stopped", True)):
        control = RunControl()
        runs.append(RunRecorder(load_config({"model": {"source": "builtin:digits-cnn"}}), label))
        for record in deep_trainer(tmp_path, control).events():
            runs[-1].handle(record)
            if stops and isinstance(record, Progress) and record.text == END:
                control.stop()
    found = first_difference(*runs)
    assert (found.common_steps, found.step, found.end_equal) == (3, None, {})
    assert found.end_unknown == "stopped was stopped before their digests were taken"
    assert not are_equal(*runs)
    assert (runs[0].summary()["end_hash"] is None, runs[1].summary()["end_hash"]) == (False, None)


def test_a_run_that_takes_its_last_digests_still_counts_as_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "SLOW_BYTES", 0)
    *before, end = list(trainer(tmp_path).events())
    recorder = RunRecorder(load_config({"model": {"source": "builtin:digits-cnn"}}))
    for record in before:
        recorder.handle(record)
    assert recorder.status == "running"
    assert recorder.progress == Progress(END, WEIGHTS, WEIGHTS)
    recorder.handle(end)
    assert recorder.status == "completed"
