from __future__ import annotations

import hashlib
from typing import Any

import pytest
import torch

from freeze_gui.data import sources as data_sources
from freeze_gui.data.batches import LoadedData
from freeze_gui.errors import UserError
from freeze_gui.freezing.methods import METHODS
from freeze_gui.models import sources as model_sources
from freeze_gui.models.loaded import LoadedModel
from freeze_gui.runs.comparison import compare_events, comparison_summary
from freeze_gui.runs.export import to_json
from freeze_gui.runs.grid import checked_methods
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training import loading
from freeze_gui.training.config import RunConfig, load_config
from freeze_gui.training.control import RunControl
from freeze_gui.training.events import RunEnded, StepDone

CONFIG = load_config(
    {
        "model": {"source": "builtin:digits-cnn"},
        "freeze": {"layers": ["stem"], "norm": "eval"},
        "train": {"steps": 4, "device": "cpu", "threads": 1},
    }
)


def configs_of(methods: list[str], config: RunConfig = CONFIG) -> list[RunConfig]:
    return [config.with_method(method) for method in methods]


def compared(configs: list[RunConfig], control: RunControl | None = None) -> list[RunRecorder]:
    recorders = [RunRecorder(config) for config in configs]
    for index, event in compare_events(configs, control):
        recorders[index].handle(event)
    return recorders


def test_all_stands_for_every_method_and_no_method_runs_twice() -> None:
    assert checked_methods(["all"]) == list(METHODS)
    assert checked_methods(["detach", "filter", "detach"]) == ["detach", "filter"]


@pytest.mark.parametrize(
    ("methods", "words"),
    [(["grad_nune"], "did you mean grad_none?"), (["???"], "requires_grad, grad_none"), ([], "at least one")],
)
def test_an_unknown_method_is_refused_before_anything_runs(methods: list[str], words: str) -> None:
    with pytest.raises(UserError) as error:
        checked_methods(methods)
    assert words in str(error.value)


def test_all_runs_begin_with_the_same_bits_and_see_the_same_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    weights: list[str] = []
    batches: list[list[str]] = []

    def digest(*tensors: torch.Tensor) -> str:
        found = hashlib.sha256()
        for tensor in tensors:
            found.update(tensor.detach().contiguous().numpy().tobytes())
        return found.hexdigest()

    def load_model(*args: Any, **kwargs: Any) -> LoadedModel:
        loaded = model_sources.load_model(*args, **kwargs)
        weights.append(digest(*loaded.module.state_dict().values()))
        return loaded

    def load_data(*args: Any, **kwargs: Any) -> LoadedData:
        loaded = data_sources.load_data(*args, **kwargs)
        batches.append([digest(b.inputs, b.targets) for epoch in (0, 1) for b in loaded.epoch(epoch)])
        return loaded

    monkeypatch.setattr(loading, "load_model", load_model)
    monkeypatch.setattr(loading, "load_data", load_data)
    recorders = compared(configs_of(list(METHODS)))
    assert [recorder.status for recorder in recorders] == ["completed"] * len(METHODS)
    assert len(weights) == len(batches) == len(METHODS)
    assert len(set(weights)) == 1
    assert all(batch == batches[0] for batch in batches)
    assert len(set(batches[0])) == len(batches[0])   # an order that differs would be seen


def test_the_first_loss_is_equal_in_every_bit_whatever_the_method() -> None:
    # norm = "eval" and eval_only both put the frozen norm in eval mode; the forward of step 0 is the same for all
    recorders = compared(configs_of(list(METHODS)))
    assert len({recorder.summary()["loss"][0] for recorder in recorders}) == 1


def test_methods_that_hold_in_front_of_the_rest_train_the_rest_alike() -> None:
    recorders = compared(configs_of(["requires_grad", "grad_none", "exclude", "restore", "detach"]))
    losses = [recorder.summary()["loss"] for recorder in recorders]
    assert all(loss == losses[0] for loss in losses)


def test_a_run_that_fails_does_not_keep_the_others_from_running() -> None:
    everything = load_config({**CONFIG.to_dict(), "freeze": {"layers": ["*"], "norm": "leave"}})
    recorders = compared(configs_of(["requires_grad", "grad_none"], everything))
    assert [recorder.status for recorder in recorders] == ["failed", "completed"]


def test_stopping_ends_the_run_and_all_that_follow() -> None:
    control = RunControl()
    configs = configs_of(["requires_grad", "grad_none", "detach"])
    ended = []
    began = set()
    for index, event in compare_events(configs, control):
        if isinstance(event, StepDone):
            control.stop()
        if isinstance(event, RunEnded):
            ended.append((index, event.status, event.steps))
        else:
            began.add(index)
    assert ended == [(0, "stopped", 1), (1, "stopped", 0), (2, "stopped", 0)]
    assert began == {0}


def test_a_comparison_holds_its_runs_and_what_they_have_in_common() -> None:
    configs = configs_of(["requires_grad", "eval_only"])
    comparison = comparison_summary(compared([CONFIG.with_method("paused"), *configs]))
    assert [run["method"] for run in comparison["runs"]] == ["paused", "requires_grad", "eval_only"]
    assert comparison["config"] == configs[0].to_dict()   # the ideal is nobody's configuration
    assert comparison["same_start"] is comparison["same_batches"] is True
    assert comparison["common_steps"] == 4
    assert comparison["equal_groups"] == [["paused", "requires_grad"]]
    assert comparison["interleaved"] is False
    assert '"requires_grad"' in to_json(comparison)
