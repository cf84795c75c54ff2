from __future__ import annotations

import contextlib
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from freeze_gui.errors import UserError
from freeze_gui.freezing.methods import METHODS
from freeze_gui.training.checkpoint import Checkpoint, check_same_run, load_checkpoint, save_checkpoint
from freeze_gui.training.config import load_config
from freeze_gui.training.control import RunControl
from freeze_gui.training.events import PlanApplied, RunEnded, StepDone
from freeze_gui.training.trainer import Trainer
from tests.support.runs import network_config, same_bits

STEPS = 16
PHASES = [
    {"layers": ["first"], "from": 0, "to": 5, "lr_factor": 0.5},
    {"layers": ["middle", "norm"], "from": 3, "to": 11},
    {"layers": ["first"], "from": 9, "to": 13},
]


def phased(method: str, optimizer: dict[str, Any], **freeze: Any) -> dict[str, Any]:
    config = network_config(method, optimizer, None, steps=STEPS, eval_every=4)
    config["freeze"] = {"method": method, "phase": PHASES, **freeze}
    return config


def run(
    config: dict[str, Any], resume: Checkpoint | None = None, through: Path | None = None
) -> tuple[list[Checkpoint], dict[str, Tensor], RunEnded, list[StepDone]]:
    """Run to the end; return a checkpoint after every step, the last tensors, the end, and the steps."""
    trainer = Trainer(load_config(config), None, resume)
    found, steps, end = [], [], None
    for event in trainer.events():
        if isinstance(event, StepDone):
            checkpoint = trainer.checkpoint()
            assert checkpoint is not None
            found.append(checkpoint)
            steps.append(event)
        if isinstance(event, RunEnded):
            end = event
    assert end is not None
    assert end.status == "completed", end.error
    last = trainer.checkpoint()
    assert last is not None
    return found, last.tensors, end, steps


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("zero_grad", "norm"), [("none", "leave"), ("zero", "eval"), ("never", "leave")])
def test_a_run_resumed_from_any_step_of_a_phased_plan_has_the_bits_of_one_that_was_never_left(
    method: str, zero_grad: str, norm: str
) -> None:
    optimizer = {"name": "Adam", "lr": 0.01, "zero_grad": zero_grad, "scheduler": "OneCycleLR"}
    config = phased(method, optimizer, norm=norm)
    checkpoints, last, _, steps = run(config)
    for checkpoint in checkpoints:
        _, tensors, _, resumed = run(config, checkpoint)
        assert same_bits(tensors, last), f"resumed after step {checkpoint.step}"
        assert [step.loss for step in resumed] == [step.loss for step in steps[checkpoint.step :]]
        for step, before in zip(resumed, steps[checkpoint.step :], strict=True):
            assert step.frozen.tolist() == before.frozen.tolist()
            assert step.weight_delta is not None
            assert before.weight_delta is not None
            assert step.weight_delta.tolist() == before.weight_delta.tolist()


@pytest.mark.parametrize("optimizer", [
    {"name": "SGD", "lr": 0.1, "momentum": 0.9}, {"name": "AdamW", "lr": 0.01, "amsgrad": True},
    {"name": "NAdam"}, {"name": "RAdam"}, {"name": "Adafactor"}, {"name": "ASGD"}, {"name": "Rprop"},
    {"name": "RMSprop", "momentum": 0.9, "centered": True}, {"name": "Adagrad"}, {"name": "Adadelta"},
    {"name": "AdamW", "fused": True}, {"name": "SGD", "momentum": 0.9, "fused": True},
])  # fmt: skip
def test_the_state_of_every_optimizer_goes_through_a_checkpoint(optimizer: dict[str, Any]) -> None:
    config = phased("exclude", {**optimizer, "zero_grad": "zero"}, moment="after_backward", thaw="reset_state")
    checkpoints, last, _, _ = run(config)
    for checkpoint in random.Random(3).sample(checkpoints, 5):
        assert same_bits(run(config, checkpoint)[1], last), checkpoint.step


@pytest.mark.parametrize("optimizer", [
    {"name": "SGD", "lr": 0.05, "momentum": 0.9}, {"name": "AdamW", "lr": 0.01, "fused": True},
])  # fmt: skip
def test_accumulation_clipping_and_mixed_precision_go_through_a_checkpoint(optimizer: dict[str, Any]) -> None:
    config = phased("requires_grad", optimizer)
    config["train"] |= {"accumulate": 3, "clip_grad_norm": 0.5, "amp": "fp16"}
    checkpoints, last, _, _ = run(config)
    for checkpoint in checkpoints:
        assert same_bits(run(config, checkpoint)[1], last), checkpoint.step


def test_a_thaw_in_the_first_step_of_a_resumed_run_is_told_though_nothing_is_frozen_in_it() -> None:
    optimizer = {"name": "SGD", "lr": 0.01, "momentum": 0.9}
    config = network_config("restore", optimizer, {"from_step": 0, "to_step": 5}, steps=8)
    found, _, end, _ = run(config)
    thaws = run(config, found[4])[2].thaws
    assert {report.step for report in thaws} == {5}
    assert thaws == end.thaws


def test_a_plateau_goes_through_a_checkpoint_even_between_a_step_and_its_evaluation() -> None:
    config: dict[str, Any] = {
        "model": {"source": "builtin:digits-cnn"},
        "data": {"source": "digits", "batch_size": 256},
        "freeze": {"layers": ["stem"], "to_step": 5},
        "optimizer": {"name": "SGD", "lr": 0.5, "scheduler": {"name": "ReduceLROnPlateau", "patience": 0}},
        "train": {"steps": 10, "eval_every": 2, "device": "cpu"},
    }
    checkpoints, last, _, _ = run(config)
    for checkpoint in checkpoints:
        assert same_bits(run(config, checkpoint)[1], last), checkpoint.step


def test_a_loader_that_draws_its_order_from_the_global_generator_goes_on_in_the_same_order(tmp_path: Path) -> None:
    data = tmp_path / "data.py"
    data.write_text(
        "import torch\n"
        "from torch.utils.data import DataLoader, TensorDataset\n"
        "def batches():\n"
        "    g = torch.Generator().manual_seed(1)\n"
        "    x = torch.randn(48, 6, generator=g)\n"
        "    return DataLoader(TensorDataset(x, (x.sum(1) > 0).long()), batch_size=8, shuffle=True)\n"
    )
    config = phased("requires_grad", {"name": "Adam", "lr": 0.01})
    config["data"]["source"] = f"file:{data}:batches"
    checkpoints, last, _, _ = run(config)
    for checkpoint in checkpoints:
        assert same_bits(run(config, checkpoint)[1], last), checkpoint.step


def test_a_checkpoint_file_gives_the_same_run_and_may_lengthen_it(tmp_path: Path) -> None:
    config = phased("exclude", {"name": "Adam", "lr": 0.01, "zero_grad": "never"})
    checkpoints, last, _, _ = run(config)
    path = tmp_path / "run.checkpoint"
    save_checkpoint(checkpoints[6], path)
    read = load_checkpoint(path)
    assert (read.step, read.plan, read.frozen) == (7, checkpoints[6].plan, checkpoints[6].frozen)
    assert same_bits(run(config, read)[1], last)
    config["train"]["steps"] = STEPS + 2
    assert run(config, read)[2].steps == STEPS + 2
    assert list(tmp_path.iterdir()) == [path]


def test_a_stopped_run_goes_on_where_it_was_stopped() -> None:
    config = load_config(phased("filter", {"name": "SGD", "lr": 0.1, "momentum": 0.9}))
    _, last, _, _ = run(config.to_dict())
    control = RunControl()
    trainer = Trainer(config, control)
    for event in trainer.events():
        if isinstance(event, StepDone) and event.step == 7:
            control.stop()
    checkpoint = trainer.checkpoint()
    assert checkpoint is not None
    assert checkpoint.step == 8
    assert same_bits(run(config.to_dict(), checkpoint)[1], last)


def test_a_plan_that_was_changed_by_hand_goes_on() -> None:
    config = phased("requires_grad", {"name": "SGD", "lr": 0.1})
    control = RunControl()
    trainer = Trainer(load_config(config), control)
    applied = []
    checkpoint = None
    for event in trainer.events():
        if isinstance(event, StepDone) and event.step == 1:
            start = trainer.checkpoint()
            assert start is not None
            control.submit_plan(type(start.plan)())   # nothing frozen any more
        if isinstance(event, StepDone) and event.step == 6:
            checkpoint = trainer.checkpoint()
        if isinstance(event, PlanApplied):
            applied.append(event.step)
    assert applied == [0, 2]
    _, _, end, steps = run(config, checkpoint)
    assert not any(step.frozen.any() for step in steps)
    assert end.plan_changed   # it is not the run that the configuration forecasts


def test_a_checkpoint_of_another_run_is_refused_by_name() -> None:
    config = phased("requires_grad", {"name": "SGD", "lr": 0.1})
    checkpoint = run(config)[0][3]
    other = load_config(phased("requires_grad", {"name": "SGD", "lr": 0.2}))
    with pytest.raises(UserError, match=r"optimizer\.lr is 0\.2 here and was 0\.1 there"):
        check_same_run(checkpoint, other)
    longer = load_config({**config, "train": {**config["train"], "steps": 99}})
    check_same_run(checkpoint, longer)
    events = list(Trainer(other, None, checkpoint).events())
    assert len(events) == 1   # nothing was loaded for it
    assert isinstance(events[0], RunEnded)
    assert "of another run" in str(events[0].error)


def test_a_file_that_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    for name, content in {"text": b"hello", "empty": b""}.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(UserError, match="not a checkpoint of Freeze GUI"):
            load_checkpoint(path)
    torch.save({"weights": torch.zeros(2)}, tmp_path / "weights.pt")
    with pytest.raises(UserError, match="not a checkpoint of Freeze GUI"):
        load_checkpoint(tmp_path / "weights.pt")
    with pytest.raises(UserError, match="cannot be read"):
        load_checkpoint(tmp_path / "missing")


def test_a_run_that_is_over_is_not_gone_on_with() -> None:
    config = phased("requires_grad", {"name": "SGD", "lr": 0.1})
    last = run(config)[0][-1]
    shorter = load_config({**config, "train": {**config["train"], "steps": STEPS - 1}})
    with pytest.raises(UserError, match=f"stands at step {STEPS}, beyond train.steps = {STEPS - 1}: nothing is left"):
        check_same_run(last, shorter)


@pytest.mark.parametrize(("scheduler", "refused"), [
    ("OneCycleLR", True), ("StepLR", True), ({"name": "StepLR", "step_size": 4}, False), ("none", False),
])  # fmt: skip
def test_another_length_is_refused_where_the_rates_follow_from_it(scheduler: Any, refused: bool) -> None:
    config = phased("requires_grad", {"name": "SGD", "lr": 0.1, "scheduler": scheduler})
    checkpoint = run(config)[0][3]
    longer = load_config({**config, "train": {**config["train"], "steps": 99}})
    if refused:
        with pytest.raises(UserError, match="over the length of the run"):
            check_same_run(checkpoint, longer)
    else:
        check_same_run(checkpoint, longer)


def test_a_damaged_checkpoint_is_one_sentence(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    save_checkpoint(run(phased("requires_grad", {"name": "SGD", "lr": 0.1}))[0][3], whole)
    content = whole.read_bytes()
    draw = random.Random(5)
    for count in range(60):
        damaged = bytearray(content)
        for _ in range(20):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        path = tmp_path / f"damaged{count}"
        path.write_bytes(damaged)
        with contextlib.suppress(UserError):   # what lies in a tensor's numbers cannot be told from another run's
            load_checkpoint(path)
    fields = torch.load(whole, weights_only=True) | {"plan": {"method": 3}}
    torch.save(fields, tmp_path / "plan")
    with pytest.raises(UserError, match="damaged"):
        load_checkpoint(tmp_path / "plan")


def test_nothing_but_a_file_is_replaced_by_a_checkpoint(tmp_path: Path) -> None:
    checkpoint = run(phased("requires_grad", {"name": "SGD", "lr": 0.1}))[0][3]
    with pytest.raises(UserError, match="Is a directory"):
        save_checkpoint(checkpoint, tmp_path)
