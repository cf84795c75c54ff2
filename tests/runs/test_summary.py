from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from freeze_gui.freezing.plan import FreezePlan, Phase
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.config import load_config
from freeze_gui.training.control import RunControl
from freeze_gui.training.events import RunEvent, StepDone
from freeze_gui.training.trainer import Trainer
from tests.gui.recorded_runs import add_steps, end_run, started_run
from tests.support.runs import network_config, run_watched

FRONT = {"layers": ["first", "norm"]}


def summary_of(method: str = "requires_grad", **more: Any) -> dict[str, Any]:
    optimizer = more.pop("optimizer", {"name": "Adam", "lr": 0.01})
    config = network_config(method, optimizer, {**FRONT, **more.pop("freeze", {})}, steps=8, **more)
    summary = run_watched(config)[2].summary()
    assert summary["status"] == "completed", summary["error"]
    return summary


def test_a_forecast_that_came_true_is_compared_and_has_no_disagreement() -> None:
    forecast = summary_of("grad_zero", freeze={"from_step": 3})["forecast"]
    assert (forecast["known"], forecast["compared"], forecast["disagreements"]) == (True, True, [])
    tensors = {tensor["name"]: tensor["causes"] for tensor in forecast["tensors"]}
    assert tensors["first.weight"] == ["momentum"]
    assert tensors["norm.running_mean"] == ["running_statistics"]
    assert forecast["cost"]["frozen"].keys() == forecast["cost"]["free"].keys()
    json.dumps(forecast, allow_nan=False)


def test_a_disagreement_is_shown(tmp_path: Path) -> None:
    code = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.out, self.calls = nn.Linear(6, 6), nn.Linear(6, 3), 0
        self.out.weight.register_hook(self.meddle)
    def meddle(self, gradient):
        with torch.no_grad():
            self.a.weight.add_(1.0)
    def forward(self, x):
        return self.out(self.a(x))
"""
    (tmp_path / "net.py").write_text(code)
    config = network_config("grad_none", {"name": "SGD"}, {"layers": ["a"]}, steps=3)
    config["model"]["source"] = f"file:{tmp_path / 'net.py'}:Net"
    forecast = run_watched(config)[2].summary()["forecast"]
    (found,) = forecast["disagreements"]
    assert (found["name"], found["layer"], found["forecast"], found["seen"]) == ("a.weight", "a", [], ["other_writer"])
    assert found["text"].endswith(".")


def test_a_plan_that_was_changed_by_hand_is_not_compared() -> None:
    config = load_config(network_config("requires_grad", {"name": "Adam"}, FRONT, steps=8))
    control, recorder = RunControl(), RunRecorder(config)
    trainer = Trainer(config, control)
    for event in trainer.events():
        recorder.handle(event)
        if isinstance(event, StepDone) and event.step == 3:
            control.submit_plan(FreezePlan((Phase(frozenset({"last"})),)))
    forecast = recorder.summary()["forecast"]
    assert (forecast["known"], forecast["compared"], forecast["disagreements"]) == (True, False, [])


def stopped_after(config: dict[str, Any], step: int) -> dict[str, Any]:
    control, recorder = RunControl(), RunRecorder(load_config(config))
    for event in Trainer(load_config(config), control).events():
        recorder.handle(event)
        if isinstance(event, StepDone) and event.step == step:
            control.stop()
    return recorder.summary()


@pytest.mark.parametrize("last", [0, 2, 3, 5])
def test_a_run_that_ends_early_is_compared_with_the_forecast_of_the_steps_that_it_took(last: int) -> None:
    adam = {"name": "Adam", "zero_grad": "zero"}
    window = {**FRONT, "from_step": 3, "moment": "after_backward"}
    summary = stopped_after(network_config("requires_grad", adam, window, steps=20), last)
    assert (summary["status"], summary["steps"]) == ("stopped", last + 1)
    assert summary["forecast"]["compared"]
    assert summary["forecast"]["disagreements"] == []
    # of the whole run it was said before it that it leaks by both
    whole = next(tensor for tensor in summary["forecast"]["tensors"] if tensor["name"] == "norm.weight")
    assert whole["causes"] == ["gradient", "momentum"]


def test_a_run_that_is_gone_on_with_is_compared_from_where_it_begins() -> None:
    config = load_config(
        network_config("requires_grad", {"name": "Adam", "zero_grad": "zero"},
                       {**FRONT, "from_step": 2, "moment": "after_backward"}, steps=8)
    )
    first = Trainer(config)
    checkpoint = None
    for event in first.events():
        if isinstance(event, StepDone) and event.step == 4:
            checkpoint = first.checkpoint()
    recorder = RunRecorder(config)
    events: list[RunEvent] = list(Trainer(config, resume=checkpoint).events())
    for event in events:
        recorder.handle(event)
    summary = recorder.summary()
    assert recorder.first_step == 5
    assert summary["forecast"]["compared"]
    assert summary["forecast"]["disagreements"] == []   # the leak of step 2 by a gradient was before its time
    tensor = next(tensor for tensor in summary["tensors"] if tensor["name"] == "norm.weight")
    assert {cause["cause"] for cause in tensor["causes"]} == {"momentum"}


def test_an_unknown_optimizer_is_not_forecast_and_says_so() -> None:
    config = network_config("requires_grad", {"name": "SparseAdam"}, FRONT, steps=2)
    forecast = run_watched(config)[2].summary()["forecast"]   # the run itself fails: its gradients are not sparse
    assert (forecast["known"], forecast["tensors"], forecast["compared"]) == (False, [], False)
    assert [warning["kind"] for warning in forecast["warnings"]] == ["unknown_optimizer"]


def test_the_optimizers_state_is_listed_by_parameter_and_null_where_there_is_none() -> None:
    summary = summary_of("grad_none")
    state = {row["name"]: row for row in summary["optimizer_state"]}
    assert state["last.weight"]["step"] == 8
    assert state["last.weight"]["first_moment_norm"] > 0
    assert (state["first.weight"]["step"], state["first.weight"]["second_moment_norm"]) == (None, None)
    assert not any(isinstance(v, float) and math.isnan(v) for row in state.values() for v in row.values())


def test_norm_layers_and_thaws_are_listed() -> None:
    summary = summary_of(freeze={"to_step": 5})
    assert summary["norm_layers"] == [
        {"layer": "norm", "affine_still": True, "statistics_still": False, "same_function": False}
    ]
    assert [(report["step"], report["layer"]) for report in summary["thaws"]] == [(5, "first"), (5, "norm")]
    assert summary["effective_weights"] == []


def test_a_layer_whose_effective_weight_moved_has_leaked_although_its_own_tensors_held(tmp_path: Path) -> None:
    code = """
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.utils.parametrizations.spectral_norm(nn.Linear(6, 6))
        self.out = nn.Linear(6, 3)
    def forward(self, x):
        return self.out(self.a(x))
"""
    (tmp_path / "net.py").write_text(code)
    config = network_config("requires_grad", {"name": "SGD"}, {"layers": ["a"]}, steps=4)
    config["model"]["source"] = f"file:{tmp_path / 'net.py'}:Net"
    recorder = run_watched(config)[2]
    summary = recorder.summary()
    verdicts = {layer["path"]: layer["verdict"] for layer in summary["layers"]}
    assert verdicts["a"] == "leaked"
    tensors = {tensor["name"]: tensor for tensor in summary["tensors"]}
    assert not tensors["a.bias"]["moved"]
    (effective,) = summary["effective_weights"]
    assert (effective["name"], effective["role"], effective["moved"]) == ("a.weight", "effective", True)
    assert summary["forecast"]["disagreements"] == []


def test_a_run_that_never_began_has_no_forecast() -> None:
    config = network_config("requires_grad", {"name": "SGD"}, {"layers": ["nowhere"]})
    summary = run_watched(config)[2].summary()
    assert summary["status"] == "failed"
    assert summary["forecast"] is None
    assert summary["thaws"] == summary["norm_layers"] == summary["optimizer_state"] == []


def test_a_summary_may_hold_every_nth_measured_step_and_says_so() -> None:
    run = started_run(total_steps=100)
    for step in range(100):
        add_steps(run, 1, (step, step + 0.25, step + 0.5, step + 0.75))
    end_run(run)
    whole, some = run.summary(), run.summary(most_norms=4 * 3 * 30)
    assert "norms_every" not in whole and len(whole["measured_steps"]) == 100
    assert some["norms_every"] == 4 and some["measured_steps"] == list(range(0, 100, 4))
    assert len(some["loss"]) == 100
    for at, layer in enumerate(some["layers"]):
        assert layer["weight_delta"] == [step + at / 4 for step in range(0, 100, 4)]
        assert layer["weight_delta"] == whole["layers"][at]["weight_delta"][::4]
