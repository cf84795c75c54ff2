from __future__ import annotations

import json
from typing import Any

import pytest

import freeze_gui
from freeze_gui.errors import UserError
from freeze_gui.runs.execute import execute
from freeze_gui.training.config import load_config
from freeze_gui.training.control import RunControl
from freeze_gui.training.events import RunEnded, RunEvent, RunStarted, StepDone

SHORT: dict[str, Any] = {
    "model": {"source": "builtin:five-linear"},
    "freeze": {"layers": ["linear2"]},
    "train": {"steps": 5, "device": "cpu"},
}


def test_one_call_from_python_runs_and_returns_the_summary() -> None:
    summary = freeze_gui.run_config(SHORT, device="cpu")
    assert (summary["status"], summary["steps"], len(summary["loss"])) == ("completed", 5, 5)
    assert {layer["path"]: layer["verdict"] for layer in summary["layers"]} == {
        "linear1": "trained", "linear2": "held", "linear3": "trained", "linear4": "trained", "linear5": "trained",
    }
    assert load_config(summary["config"]).to_dict() == summary["config"]
    json.dumps(summary, allow_nan=False)


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": {"source": "builtin:nothing"}},
        {"freeze": {"layers": ["linear9"]}},
        {"data": {"source": "folder:/nowhere/at/all"}},
        {"train": {"steps": "many"}},
    ],
)
def test_a_mistake_in_what_was_asked_for_is_raised_as_one_sentence(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError) as error:
        freeze_gui.run_config(SHORT | wrong)
    assert "\n" not in str(error.value)
    assert "Traceback" not in str(error.value)


def test_a_run_that_diverges_returns_its_summary() -> None:
    summary = freeze_gui.run_config(SHORT | {"optimizer": {"name": "SGD", "lr": 1e30}})
    assert summary["status"] == "diverged"
    assert 0 < summary["steps"] <= 5
    assert "learning rate" in summary["error"]


def test_every_event_is_recorded_before_it_is_passed_on() -> None:
    seen: list[RunEvent] = []
    recorder = execute(load_config(SHORT), on_event=seen.append)
    assert isinstance(seen[-1], RunEnded)
    assert sum(isinstance(event, StepDone) for event in seen) == 5
    assert sum(isinstance(event, RunStarted) for event in seen) == 1
    assert recorder.status == "completed"


def test_stopping_ends_a_run_with_what_was_done_so_far() -> None:
    control = RunControl()

    def stop_at_three(event: RunEvent) -> None:
        if isinstance(event, StepDone) and event.step == 2:
            control.stop()

    recorder = execute(load_config(SHORT), control, stop_at_three)
    assert (recorder.status, recorder.summary()["steps"]) == ("stopped", 3)


def test_the_same_configuration_gives_the_same_bits_twice() -> None:
    config = SHORT | {"optimizer": {"name": "Adam", "lr": 0.1}}
    first, second = (freeze_gui.run_config(config) for _ in range(2))
    assert first["loss"] == second["loss"]
    assert [layer["weight_delta"] for layer in first["layers"]] == [layer["weight_delta"] for layer in second["layers"]]
