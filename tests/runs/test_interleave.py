from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch

from freeze_gui.freezing.methods import METHODS
from freeze_gui.models.randomness import random_state
from freeze_gui.runs import interleave
from freeze_gui.runs.comparison import compare_events
from freeze_gui.runs.interleave import interleaved_events
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.config import RunConfig, load_config
from freeze_gui.training.control import RunControl
from freeze_gui.training.events import Progress, RunEnded, StepDone
from freeze_gui.training.global_state import GlobalState
from tests.support.runs import network_config, same_random

OPTIMIZER = {"name": "AdamW", "lr": 0.01}


def config(method: str, **train: Any) -> RunConfig:
    # dropout draws from the global generator in every step, so that a generator that is not handed over shows
    return load_config(network_config(method, OPTIMIZER, {"from_step": 3, "to_step": 14}, **train))


CONFIGS = [config(method) for method in METHODS]


def recorded(configs: list[RunConfig], **how: Any) -> list[RunRecorder]:
    recorders = [RunRecorder(each) for each in configs]
    for index, event in compare_events(configs, **how):
        recorders[index].handle(event)
    return recorders


def test_ten_methods_in_turns_have_the_bits_of_ten_methods_one_after_another() -> None:
    torch.manual_seed(1)
    alone = recorded(CONFIGS)
    torch.manual_seed(2)   # what the caller draws from plays no part
    together = recorded(CONFIGS, interleave=True)
    for one, other in zip(alone, together, strict=True):
        assert one.ended is not None and other.ended is not None
        assert one.ended.proof is not None and other.ended.proof is not None
        assert one.ended.status == other.ended.status == "completed"
        assert one.ended.proof.start == other.ended.proof.start
        assert one.ended.proof.end == other.ended.proof.end
        assert one.ended.proof.batches == other.ended.proof.batches
        assert one.history is not None and other.history is not None
        ours, theirs = one.history.view(), other.history.view()
        for name in ("loss", "update_norm", "grad_norm", "weight_delta", "frozen", "leaked"):
            assert getattr(ours, name).tobytes() == getattr(theirs, name).tobytes(), (one.label, name)


def test_runs_take_turns_of_so_many_steps() -> None:
    events = interleaved_events(CONFIGS[:3], RunControl(), steps_a_turn=8)
    turns = [(index, len(list(steps))) for index, steps in itertools.groupby(
        index for index, event in events if isinstance(event, StepDone)
    )]
    assert turns == [(0, 8), (1, 8), (2, 8)] * 2 + [(0, 4), (1, 4), (2, 4)]


def test_each_run_has_its_own_threads_and_the_caller_gets_back_what_it_had() -> None:
    threads, before = torch.get_num_threads(), GlobalState.now()
    configs = [config("detach", threads=1), config("detach", threads=2), config("restore", threads=1, steps=9)]
    seen: dict[int, set[int]] = {0: set(), 1: set(), 2: set()}
    for index, event in compare_events(configs, interleave=True):
        if isinstance(event, StepDone):
            seen[index].add(torch.get_num_threads())
    assert seen == {0: {1}, 1: {2}, 2: {1}}
    assert torch.get_num_threads() == threads
    assert same_random(random_state(), before.random)


def test_a_listener_that_leaves_leaves_the_process_as_it_was() -> None:
    before = GlobalState.now()
    events = compare_events([config("detach", threads=1), config("detach", threads=2)], interleave=True)
    for _, event in events:
        if isinstance(event, StepDone):
            break
    events.close()   # type: ignore[attr-defined]   # a generator
    assert torch.get_num_threads() == before.threads
    assert same_random(random_state(), before.random)


def test_a_run_that_fails_does_not_keep_the_others_from_taking_turns() -> None:
    everything = load_config(network_config("requires_grad", OPTIMIZER, {"layers": ["*"]}))
    missing = load_config({"model": {"source": "builtin:none-such"}})
    recorders = recorded([missing, everything, config("grad_none")], interleave=True)
    assert [recorder.status for recorder in recorders] == ["failed", "failed", "completed"]


def test_stopping_ends_all_runs_where_they_are() -> None:
    control = RunControl()
    ended = {}
    for index, event in compare_events(CONFIGS[:3], control, interleave=True):
        if isinstance(event, StepDone) and index == 1:
            control.stop()
        if isinstance(event, RunEnded):
            ended[index] = (event.status, event.steps)
    assert ended == {0: ("stopped", 10), 1: ("stopped", 1), 2: ("stopped", 0)}


def test_models_that_would_fill_the_memory_run_one_after_another_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    # the network has 163 parameters: 3 runs × 6 copies × 4 bytes × 163 = 11,736 bytes, more than half of 20,000
    monkeypatch.setattr(interleave, "free_memory_bytes", lambda device: 20_000)
    said, order = [], []
    for index, event in compare_events(CONFIGS[:3], interleave=True):
        if isinstance(event, Progress) and "one after another" in event.text:
            said.append(index)
        if isinstance(event, StepDone):
            order.append(index)
    assert said == [1]
    assert order == [0] * 20 + [1] * 20 + [2] * 20


def test_the_free_memory_of_this_machine_is_known_where_the_system_tells() -> None:
    found = interleave.free_memory_bytes("cpu")
    assert found is None or found > 2**20
