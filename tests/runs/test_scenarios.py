"""Every scenario is run, and what its text promises is checked against what happened."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from freeze_gui import run_config
from freeze_gui.errors import UserError
from freeze_gui.runs.scenarios import config_path, list_scenarios

Summary = dict[str, Any]


@functools.cache
def result(name: str) -> Summary:
    return run_config(config_path(name), device="cpu")


def layer(summary: Summary, path: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in summary["layers"] if each["path"] == path)
    return found


def tensor(summary: Summary, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in summary["tensors"] if each["name"] == name)
    return found


def causes(summary: Summary, name: str) -> list[str]:
    return [cause["cause"] for cause in tensor(summary, name)["causes"]]


def verdicts(summary: Summary) -> dict[str, str]:
    return {each["path"]: each["verdict"] for each in summary["layers"] if each["frozen_steps"]}


def accuracy_at(summary: Summary, step: int) -> float:
    found: float = next(each["accuracy"] for each in summary["evaluations"] if each["step"] == step)
    return found


HIDDEN_HELD = {"hidden_task1": "held", "hidden_task2": "held"}
ODD, EVEN = slice(1, None, 2), slice(0, None, 2)   # steps of task2, of task1


def two_tasks_sgd(summary: Summary) -> None:
    assert verdicts(summary) == HIDDEN_HELD
    assert set(layer(summary, "hidden_task1")["grad_norm"][ODD]) == {0.0}
    assert set(layer(summary, "hidden_task2")["grad_norm"][EVEN][1:]) == {0.0}


def two_tasks_adam(summary: Summary) -> None:
    assert verdicts(summary) == HIDDEN_HELD
    assert set(layer(summary, "hidden_task1")["grad_norm"][ODD]) == {None}
    assert set(layer(summary, "hidden_task2")["grad_norm"][EVEN]) == {None}


def two_tasks_adam_zeroed(summary: Summary) -> None:
    leaks_from_the_second_step(summary, "momentum")
    assert set(layer(summary, "hidden_task1")["grad_norm"][ODD]) == {0.0}
    assert min(layer(summary, "hidden_task1")["update_norm"][ODD]) > 0.0


def two_tasks_adam_stale(summary: Summary) -> None:
    leaks_from_the_second_step(summary, "stale_gradient")
    norms = layer(summary, "hidden_task1")["grad_norm"]
    assert norms[ODD] == norms[EVEN]   # the norm of its own step stays through the other task's step


def leaks_from_the_second_step(summary: Summary, cause: str) -> None:
    first, second = (tensor(summary, f"hidden_task{number}.weight") for number in (1, 2))
    assert (first["first_moved_step"], first["moved_steps"]) == (1, 10)
    assert (second["first_moved_step"], second["moved_steps"]) == (2, 9)
    assert causes(summary, "hidden_task1.weight") == causes(summary, "hidden_task2.weight") == [cause]


def thaw_by_epoch(summary: Summary) -> None:
    assert summary["trainable_parameters"] == [{"step": 0, "count": 61}, {"step": 24, "count": 73}]
    assert layer(summary, "linear2")["frozen_steps"] == [[0, 24]]
    assert verdicts(summary) == {"linear2": "held"}
    delta = layer(summary, "linear2")["weight_delta"]
    assert set(delta[:24]) == {0.0}
    assert min(delta[24:]) > 0.0


NORMS, CONVS = ("stem.norm", "blocks.0.norm"), ("stem.conv", "blocks.0.conv")
BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


def eval_is_not_freezing(summary: Summary) -> None:
    for path in (*NORMS, *CONVS):
        assert causes(summary, f"{path}.weight") == ["gradient"]
        assert tensor(summary, f"{path}.weight")["moved_steps"] == summary["steps"]
    assert not any(tensor(summary, f"{path}.{name}")["moved"] for path in NORMS for name in BUFFERS)


def statistics_move(summary: Summary) -> None:
    assert verdicts(summary) == dict.fromkeys(CONVS, "held") | dict.fromkeys(NORMS, "leaked")
    for path in NORMS:
        assert not tensor(summary, f"{path}.weight")["moved"]
        for name in BUFFERS:
            assert causes(summary, f"{path}.{name}") == ["running_statistics"]
            assert tensor(summary, f"{path}.{name}")["moved_steps"] == summary["steps"]


def no_grad_statistics(summary: Summary) -> None:
    statistics_move(summary)
    assert all(set(layer(summary, path)["grad_norm"]) == {None} for path in (*NORMS, *CONVS))


def statistics_held(summary: Summary) -> None:
    assert verdicts(summary) == dict.fromkeys((*CONVS, *NORMS), "held")


def head_first(summary: Summary) -> None:
    assert set(verdicts(summary).values()) == {"held"}
    assert layer(summary, "stem.conv")["frozen_steps"] == [[0, 200]]
    assert layer(summary, "blocks.2.conv")["frozen_steps"] == [[0, 100]]
    assert set(layer(summary, "blocks.2.conv")["weight_delta"][:100]) == {0.0}
    assert accuracy_at(summary, 100) < 0.92   # the head alone stays behind
    assert accuracy_at(summary, 200) > 0.95


def all_at_once(summary: Summary) -> None:
    assert verdicts(summary) == {}
    assert layer(summary, "stem.conv")["weight_delta"][0] > 0.0
    assert accuracy_at(summary, 50) > 0.95 > accuracy_at(result("05-head-first"), 50)


CLAIMS: dict[str, Callable[[Summary], None]] = {
    "01-two-tasks-sgd": two_tasks_sgd,
    "01-two-tasks-adam": two_tasks_adam,
    "01-two-tasks-adam-zeroed": two_tasks_adam_zeroed,
    "01-two-tasks-adam-stale": two_tasks_adam_stale,
    "01-two-tasks-adam-cured": two_tasks_adam,
    "03-thaw-by-epoch": thaw_by_epoch,
    "04-eval-is-not-freezing": eval_is_not_freezing,
    "04-statistics-move": statistics_move,
    "04-no-grad-statistics": no_grad_statistics,
    "04-statistics-held": statistics_held,
    "05-head-first": head_first,
    "05-all-at-once": all_at_once,
}


def test_every_scenario_has_its_claim_checked() -> None:
    assert {scenario.name for scenario in list_scenarios()} == set(CLAIMS)


@pytest.mark.parametrize("name", CLAIMS)
def test_what_a_scenario_promises_is_what_happens(name: str) -> None:
    summary = result(name)
    assert summary["status"] == "completed"
    CLAIMS[name](summary)


def test_every_scenario_says_in_two_sentences_what_to_look_at() -> None:
    for scenario in list_scenarios():
        assert scenario.title
        assert scenario.expect.endswith(".")
        assert scenario.look_at.endswith(".")
        assert scenario.look_at.count(". ") == 1, scenario.name


def test_a_file_comes_before_a_scenario_and_neither_is_a_mistake(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert config_path("04-statistics-held").name == "04-statistics-held.toml"
    (tmp_path / "04-statistics-held").touch()
    assert config_path("04-statistics-held").resolve() == tmp_path / "04-statistics-held"
    with pytest.raises(UserError, match="did you mean the scenario 04-statistics-move"):
        config_path("04-statistic-move")
