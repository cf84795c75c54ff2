"""Every scenario is run, and what its text promises is checked against what happened."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from freeze_gui import run_config
from freeze_gui.data.sources import load_data
from freeze_gui.errors import UserError
from freeze_gui.models.sources import load_model
from freeze_gui.runs.claims import judge
from freeze_gui.runs.scenario_cards import list_cards
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


def statistics_move(summary: Summary, steps: int = 60) -> None:
    assert verdicts(summary) == dict.fromkeys(CONVS, "held") | dict.fromkeys(NORMS, "leaked")
    for path in NORMS:
        assert not tensor(summary, f"{path}.weight")["moved"]
        for name in BUFFERS:
            assert causes(summary, f"{path}.{name}") == ["running_statistics"]
            assert tensor(summary, f"{path}.{name}")["moved_steps"] == steps


def no_grad_statistics(summary: Summary) -> None:
    statistics_move(summary, steps=30)
    assert all(set(layer(summary, path)["grad_norm"][:30]) == {None} for path in (*NORMS, *CONVS))
    assert all(None not in layer(summary, path)["grad_norm"][30:] for path in (*NORMS, *CONVS))   # no flag was off


def statistics_held(summary: Summary) -> None:
    assert verdicts(summary) == dict.fromkeys((*CONVS, *NORMS), "held")


def head_first(summary: Summary) -> None:
    assert set(verdicts(summary).values()) == {"held"}
    assert layer(summary, "stem.conv")["frozen_steps"] == [[0, 200]]
    assert layer(summary, "blocks.2.conv")["frozen_steps"] == [[0, 100]]
    assert set(layer(summary, "blocks.2.conv")["weight_delta"][:100]) == {0.0}
    # Plain PyTorch over five seeds: 0.89 to 0.95 with the head alone, 0.97 to 0.99 at the end.
    assert accuracy_at(summary, 100) < 0.96
    assert accuracy_at(summary, 200) > 0.95


def all_at_once(summary: Summary) -> None:
    assert verdicts(summary) == {}
    assert layer(summary, "stem.conv")["weight_delta"][0] == pytest.approx(0.01 * 144**0.5, rel=1e-3)   # Adam's first
    assert accuracy_at(summary, 200) > 0.95   # 0.96 to 0.99 over five seeds


def how_much_data(summary: Summary) -> None:
    # Plain PyTorch over five seeds after 100 steps: 0.75 to 0.88 with the head alone, 0.98 to 0.99 otherwise.
    assert accuracy_at(summary, 100) > 0.95 > accuracy_at(result("06-head-only"), 100)


def transformer(summary: Summary) -> None:
    two = [path for path in verdicts(summary) if path.startswith("encoder.layers.")]
    assert {path.split(".")[2] for path in two} == {"0", "1"}
    assert set(verdicts(summary).values()) == {"held"}


def names(summary: Summary) -> None:
    assert verdicts(summary) == {"id": "held"}
    assert layer(summary, "text_id")["verdict"] == "trained"


PROMISES: dict[str, Callable[[Summary], None]] = {
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
    "06-first-blocks": how_much_data,
    "06-from-scratch": how_much_data,
    "06-fine-tune": how_much_data,
    "08-transformer": transformer,
    "10-names": names,
}


@pytest.mark.parametrize("name", PROMISES)
def test_what_a_scenario_promises_is_what_happens(name: str) -> None:
    PROMISES[name](result(name))


@pytest.mark.parametrize("name", [scenario.name for scenario in list_scenarios()])
def test_every_claim_of_a_scenario_is_as_true_as_it_says_within_20_seconds(name: str) -> None:
    began = time.perf_counter()
    summary = result(name)
    assert time.perf_counter() - began < 20
    assert (summary["status"], summary["error"]) == ("completed", None)
    assert summary["scenario"] == name
    assert summary["claims"]
    assert [(claim["claim"], claim["seen"]) for claim in summary["claims"] if not claim["agrees"]] == []


@pytest.mark.parametrize("name", [scenario.name for scenario in list_scenarios()])
def test_what_the_law_forecasts_of_a_scenario_is_what_happens(name: str) -> None:
    forecast = result(name)["forecast"]
    assert forecast["known"]
    assert forecast["compared"]
    assert forecast["disagreements"] == []


def test_a_scenario_whose_run_shows_something_else_disagrees_with_its_claims() -> None:
    """Judge the leaking run by the claims of the holding one, and the other way round."""
    scenarios = {scenario.name: scenario for scenario in list_scenarios()}
    holds, leaks = "01-two-tasks-adam", "01-two-tasks-adam-zeroed"
    for name, other in ((holds, leaks), (leaks, holds)):
        results = judge(scenarios[name], result(other))
        assert len(results) == len(scenarios[name].claims) > 2
        assert not any(each.agrees for each in results)


def test_the_first_leaking_step_of_scenario_1_has_the_size_that_adam_gives_it() -> None:
    """One live step with gradient g and one with zero move each weight by lr · 0.09/0.19 / √(0.000999/0.001999)."""
    momentum, square = 0.9 * 0.1 / (1 - 0.9**2), 0.999 * 0.001 / (1 - 0.999**2)
    per_weight = 0.9 * momentum / square**0.5
    assert per_weight == pytest.approx(0.603, abs=5e-4)
    leak = layer(result("01-two-tasks-adam-zeroed"), "hidden_task1")["update_norm"][1]
    assert leak == pytest.approx(3 * per_weight, rel=1e-4)   # nine weights


def test_scenario_9_counts_the_bytes_that_plain_pytorch_keeps() -> None:
    module = load_model("builtin:encoder-head").module
    for name, frozen in (("09-encoder-trained", False), ("09-encoder-frozen", True)):
        encoder = module.get_submodule("encoder").requires_grad_(not frozen).train(not frozen)
        own = {tensor.data_ptr() for tensor in module.state_dict().values()}
        kept: dict[int, int] = {}

        def keep(tensor: Tensor, own: set[int] = own, kept: dict[int, int] = kept) -> Tensor:
            if tensor.untyped_storage().data_ptr() not in own:
                kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = cross_entropy(module(torch.randn(128, 1, 8, 8)), torch.zeros(128, dtype=torch.long))
        saved = sum(kept.values())
        loss.backward()   # type: ignore[no-untyped-call]
        trained = [p for p in module.parameters() if p.requires_grad]
        assert encoder.training is not frozen
        cost = result(name)["cost"]
        assert cost["gradient_bytes"] == 4 * sum(p.numel() for p in trained)
        assert cost["optimizer_state_bytes"] == sum(8 * p.numel() + 4 for p in trained)
        assert cost["saved_activation_bytes"] == saved


def test_accumulation_counts_an_incomplete_group_in_full() -> None:
    """In plain PyTorch, the mean loss of the random network over the three batches 20 to 22."""
    model = load_model("builtin:digits-cnn", num_classes=5, weights="none", seed=0)
    batches = list(load_data("digits", model=model, loss="cross_entropy", batch_size=32, seed=0).epoch(0))[20:]
    assert len(batches) == 3
    torch.manual_seed(0)   # dropout draws other numbers than in the run: the losses are near, not equal
    losses = [cross_entropy(model.module(batch.inputs), batch.targets).item() for batch in batches]
    assert result("07-accumulation")["loss"][5] == pytest.approx(sum(losses) / 3, abs=0.1)


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


def test_every_scenario_is_on_one_card_and_every_situation_but_several_processes_has_one() -> None:
    cards = list_cards()
    assert [card.number for card in cards] == [*range(1, 11), 12]
    names = [variant.scenario.name for card in cards for variant in card.variants]
    assert sorted(names) == [scenario.name for scenario in list_scenarios()]
    for card in cards:
        assert {variant.scenario.name[:2] for variant in card.variants} == {f"{card.number:02}"}
        labels = [variant.label for variant in card.variants]
        assert len(set(labels)) == len(labels)
        assert card.text.count(". ") == 1 and card.text.endswith(".")
