from __future__ import annotations

import random
import runpy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from freeze_gui.models.randomness import random_state, restore_random
from freeze_gui.models.sources import open_model
from freeze_gui.runs.comparability import comparability
from freeze_gui.runs.comparison import compare_events
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.batches import hits
from freeze_gui.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from freeze_gui.training.config import OptimizerSettings, load_config
from freeze_gui.training.control import RunControl
from freeze_gui.training.events import RunEnded, StepDone
from freeze_gui.training.trainer import Trainer
from freeze_gui.training.trials import Trials
from tests.support.runs import DRAWS, run_watched, same_bits, same_random

STEPS, SEED, EVERY = 11, 5, 4


def drawing_config(method: str = "requires_grad") -> dict[str, Any]:
    return {
        "model": {"source": f"file:{DRAWS}:build"},
        "data": {"source": f"file:{DRAWS}:batches"},
        "freeze": {"layers": ["first"], "from_step": 2, "to_step": 7, "method": method},
        "optimizer": {"name": "SGD", "lr": 0.1, "momentum": 0.9},
        "train": {"device": "cpu", "steps": STEPS, "seed": SEED, "eval_every": EVERY},
    }


@pytest.fixture(autouse=True)
def undisturbed() -> Iterator[None]:
    """Give back what a plain loop draws and seeds."""
    before = random_state()
    yield
    restore_random(before)


def seed_as_a_person_would() -> None:
    torch.manual_seed(SEED)
    random.seed(SEED)
    np.random.seed(SEED)


def plain_states() -> list[dict[str, Tensor]]:
    """Return the state dict after each step of a plain PyTorch loop with an evaluation after every fourth."""

    def called(name: str) -> Any:
        seed_as_a_person_would()
        factory = runpy.run_path(str(DRAWS))[name]
        seed_as_a_person_would()
        return factory()

    model, data = called("build"), called("batches")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    seed_as_a_person_would()
    states: list[dict[str, Tensor]] = []
    while True:
        for x, y in data:
            model.first.requires_grad_(not 2 <= len(states) < 7)
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()   # type: ignore[no-untyped-call]
            optimizer.step()
            states.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
            if len(states) % EVERY == 0:
                with torch.no_grad():
                    model.eval()
                    for x, _ in data.validation:
                        model(x)
                    model.train()
            if len(states) == STEPS:
                return states


def checkpoints_of(config: dict[str, Any], resume: Checkpoint | None = None) -> list[Checkpoint]:
    """Run to the end; return a checkpoint after every step, and the last one."""
    trainer, found = Trainer(load_config(config), None, resume), []
    for event in trainer.events():
        if isinstance(event, StepDone):
            found.append(trainer.checkpoint())
        assert not isinstance(event, RunEnded) or event.status == "completed", event.error
    return [checkpoint for checkpoint in (*found, trainer.checkpoint()) if checkpoint is not None]


def test_a_run_that_draws_from_torch_python_and_numpy_has_the_bits_of_a_plain_loop_seeded_alike() -> None:
    states = run_watched(drawing_config())[0]
    expected = plain_states()
    assert [same_bits(*pair) for pair in zip(states, expected, strict=True)] == [True] * STEPS


def test_runs_draw_alike_whatever_was_drawn_before_and_leave_the_caller_its_numbers() -> None:
    first = run_watched(drawing_config())[0]
    random.seed(1)
    np.random.seed(2)
    np.random.standard_normal()   # the generator keeps a second number of the pair
    random.gauss(0, 1)   # and so does Python's
    before = random_state()
    second = run_watched(drawing_config())[0]
    assert all(same_bits(a, b) for a, b in zip(first, second, strict=True))
    assert same_random(random_state(), before)


def test_a_run_resumed_after_any_step_goes_on_with_the_numbers_of_one_that_was_never_left(tmp_path: Path) -> None:
    checkpoints = checkpoints_of(drawing_config())
    for checkpoint in checkpoints[:-1]:
        save_checkpoint(checkpoint, tmp_path / "run.checkpoint")
        resumed = checkpoints_of(drawing_config(), load_checkpoint(tmp_path / "run.checkpoint"))[-1]
        assert same_bits(resumed.tensors, checkpoints[-1].tensors), f"resumed after step {checkpoint.step}"
        assert same_random(resumed.random, checkpoints[-1].random)


def test_a_checkpoint_of_an_older_version_which_knows_torchs_numbers_alone_still_loads(tmp_path: Path) -> None:
    config = drawing_config()
    checkpoint = checkpoints_of(config)[4]
    path = tmp_path / "run.checkpoint"
    save_checkpoint(checkpoint, path)
    content = torch.load(path, weights_only=True)
    for name in ("random", "epoch_random"):
        content[name] = {"cpu": content[name]["cpu"]}
    torch.save(content, path)
    assert checkpoints_of(config, load_checkpoint(path))[-1].step == STEPS


def test_a_run_whose_data_drew_nothing_goes_on_where_its_file_was_changed_and_they_do() -> None:
    config = drawing_config()
    checkpoint = replace(checkpoints_of(config)[4], epoch_random={})   # in the middle of an epoch
    assert checkpoints_of(config, checkpoint)[-1].step == STEPS


def test_an_evaluation_that_was_stopped_midway_is_begun_anew_with_the_same_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    last = checkpoints_of(drawing_config())[-1]
    control = RunControl()

    def stopping(*arguments: Any) -> Any:
        control.stop()   # behind the first batch
        return hits(*arguments)

    trainer = Trainer(load_config(drawing_config()), control)
    with monkeypatch.context() as patch:
        patch.setattr("freeze_gui.training.evaluation.hits", stopping)
        for _ in trainer.events():
            pass
    left = trainer.checkpoint()
    assert left is not None
    assert (left.step, left.evaluated) == (EVERY, 0)
    assert same_bits(checkpoints_of(drawing_config(), left)[-1].tensors, last.tensors)


@pytest.mark.parametrize("interleave", [False, True])
def test_methods_that_are_compared_see_the_same_batches_and_have_the_bits_of_a_run_alone(interleave: bool) -> None:
    methods = ("requires_grad", "grad_zero", "restore")
    configs = [load_config(drawing_config(method)) for method in methods]
    recorders = [RunRecorder(config) for config in configs]
    for index, event in compare_events(configs, interleave=interleave):
        recorders[index].handle(event)
    found = comparability(recorders)
    assert (found.start.same, found.batches.same, found.validation.same) == (True, True, True)
    assert found.common_steps == STEPS
    alone = run_watched(drawing_config("grad_zero"))[2]
    assert alone.ended is not None and recorders[1].ended is not None
    assert alone.ended.proof is not None and recorders[1].ended.proof is not None
    assert alone.ended.proof.end == recorders[1].ended.proof.end
    assert alone.ended.proof.batches == recorders[1].ended.proof.batches


def test_what_the_window_tries_beside_a_run_takes_no_numbers_away_from_it() -> None:
    expected = run_watched(drawing_config())[0]
    trainer, tried = Trainer(load_config(drawing_config())), 0
    for event in trainer.events():
        if isinstance(event, StepDone):
            before = random_state()
            trials = Trials(open_model(f"file:{DRAWS}:build", num_classes=2))
            tried += trials.cost(frozenset({"first"}), "requires_grad", OptimizerSettings("SGD"), 8) is not None
            assert same_random(random_state(), before)
    assert tried == STEPS
    last = trainer.checkpoint()
    assert last is not None
    assert same_bits(last.tensors, expected[-1])
