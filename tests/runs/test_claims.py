from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import pytest

from freeze_gui.runs import claims
from freeze_gui.runs.claim_checks import CHECKS
from freeze_gui.runs.claims import judge, scenario_of
from freeze_gui.runs.execute import execute
from freeze_gui.runs.same_run import Essence, essence
from freeze_gui.runs.scenarios import Claim, Scenario, list_scenarios
from freeze_gui.training.config import RunConfig, load_config

NAMES = [scenario.name for scenario in list_scenarios()]


def config_of(name: str) -> RunConfig:
    return load_config(next(scenario.path for scenario in list_scenarios() if scenario.name == name))


def changed(name: str, section: str, **values: Any) -> RunConfig:
    content = config_of(name).to_dict()
    content[section] |= values
    return load_config(content)


def name_of(config: RunConfig) -> str | None:
    scenario = scenario_of(config)
    return None if scenario is None else scenario.name


SUMMARY: dict[str, Any] = {
    "status": "completed",
    "steps": 4,
    "measured_steps": [0, 1, 2, 3],
    "loss": [2.0, 1.0, 2.0, 0.5],
    "evaluations": [{"step": 2, "loss": 1.0, "accuracy": 0.5}, {"step": 4, "loss": 1.0, "accuracy": 0.75}],
    "trainable_parameters": [{"step": 0, "count": 10}, {"step": 2, "count": 16}],
    "layers": [
        {
            "path": "body", "verdict": "leaked", "frozen_steps": [[0, 2]],
            "grad_norm": [None, 0.0, 1.5, 2.0], "update_norm": [0.0, 0.3, 0.4, 0.5],
        },
        {
            "path": "head", "verdict": "trained", "frozen_steps": [],
            "grad_norm": [1.0, 1.0, 1.0, 1.0], "update_norm": [0.0, 0.4, 0.0, 0.0],
        },
    ],
    "tensors": [
        {
            "name": "body.weight", "moved": True, "frozen_steps": [[0, 2]], "moved_steps": 1, "first_moved_step": 1,
            "max_abs_change": 0.25, "causes": [{"cause": "momentum"}],
        },
        {
            "name": "body.bias", "moved": False, "frozen_steps": [[0, 2]], "moved_steps": 0, "first_moved_step": None,
            "max_abs_change": 0.0, "causes": [],
        },
    ],
    "side_effects": [{"kind": "upstream_cut", "layers": ["stem"]}],
    "optimizer_state": [{"name": "body.weight", "step": 4.0}, {"name": "body.bias", "step": None}],
    "norm_layers": [{"layer": "norm", "affine_still": True, "statistics_still": False, "same_function": False}],
    "cost": {"gradient_bytes": 40, "step_ms_median": 1.5},
}  # fmt: skip

CASES: tuple[tuple[str, dict[str, Any], dict[str, Any], str], ...] = (
    ("layers", {"names": ["body"], "verdict": "leaked"}, {"names": ["*"], "verdict": "leaked"}, "body leaked"),
    ("frozen", {"names": ["body"]}, {"names": ["body", "head"]}, "frozen: body"),
    (
        "tensors",
        {"names": ["body.weight"], "moved": True, "causes": ["momentum"], "first_step": 1, "steps": 1},
        {"names": ["body.weight"], "moved": True, "causes": ["weight_decay"]},
        "body.weight moved in 1 of 2 frozen steps, first at step 1, by momentum, at most 0.25",
    ),
    (
        "tensors", {"names": ["body.bias"], "moved": False}, {"names": ["body.*"], "moved": False},
        "body.bias held in all 2 frozen steps",
    ),
    (
        "gradient", {"names": ["body"], "shows": "zero", "from_step": 1}, {"names": ["body"], "shows": "none"},
        "gradient of body while frozen: zero in 1 step",
    ),
    (
        "gradient", {"names": ["body"], "shows": "live", "when": "free"}, {"names": ["body"], "shows": "live"},
        "gradient of body while free: live in 2 steps",
    ),
    ("update", {"step": 1, "norm": 0.5}, {"step": 1, "norm": 0.52}, "the model moved by 0.5 at step 1 (L2 norm)"),
    (
        "update", {"step": 2, "name": "body", "below": 0.5}, {"step": 3, "name": "body", "below": 0.5},
        "body moved by 0.4 at step 2 (L2 norm)",
    ),
    (
        "side_effect", {"effect": "upstream_cut", "names": ["stem"]}, {"effect": "upstream_cut", "names": ["head"]},
        "upstream cut: stem",
    ),
    (
        "side_effect", {"effect": "dead_thaw", "happens": False}, {"effect": "upstream_cut", "happens": False},
        "no dead thaw",
    ),
    (
        "trainable", {"counts": [[0, 10], [2, 16]]}, {"counts": [[0, 10]]},
        "trainable parameters: 10 from step 0 on, then 16 from step 2 on",
    ),
    ("accuracy", {"above": 0.7}, {"step": 2, "above": 0.7}, "accuracy 0.750 after 4 steps"),
    ("loss", {"at": 1, "below": 1.5}, {"at": -1, "above": 1.5}, "loss 1 at step 1"),
    ("same_loss", {"steps": [0, 2]}, {"steps": [0, 3]}, "loss 2.000000 at step 0, 2.000000 at step 2"),
    (
        "optimizer_state", {"names": ["body.weight"], "step": 4}, {"names": ["body.*"], "step": 4},
        "steps that the optimizer has counted: body.weight 4",
    ),
    (
        "norm_layers", {"names": ["norm"], "question": "same_function", "answer": False},
        {"names": ["norm"], "question": "affine_still", "answer": False},
        "norm normalised by each batch, not as in use",
    ),
    ("steps", {"count": 4}, {"count": 5}, "4 optimizer steps"),
    (
        "cost", {"quantity": "gradient_bytes", "equals": 40}, {"quantity": "gradient_bytes", "above": 40},
        "gradients: 40 bytes; 1.50 ms a step",
    ),
)  # fmt: skip


@pytest.mark.parametrize(("kind", "right", "wrong", "words"), CASES)
def test_a_check_tells_what_is_there_from_what_is_not_and_says_it_in_words(
    kind: str, right: dict[str, Any], wrong: dict[str, Any], words: str
) -> None:
    seen = CHECKS[kind](SUMMARY, **right)
    assert (seen.holds, seen.words) == (True, words)
    assert not CHECKS[kind](SUMMARY, **wrong).holds


def test_every_kind_of_check_is_tried_here() -> None:
    assert {case[0] for case in CASES} == set(CHECKS)


def test_a_check_of_something_that_is_not_there_is_a_mistake_in_the_scenario() -> None:
    for kind, more in (("layers", {"verdict": "held"}), ("tensors", {"moved": True}), ("gradient", {"shows": "none"})):
        with pytest.raises(KeyError, match="nothing is called tail"):
            CHECKS[kind](SUMMARY, names=["tail"], **more)


@pytest.mark.parametrize("scenario", list_scenarios(), ids=NAMES)
def test_every_claim_that_ships_is_a_sentence_with_a_check_that_exists(scenario: Scenario) -> None:
    for claim in scenario.claims:
        assert claim.says.endswith(".")
        arguments = {key: value for key, value in claim.check.items() if key != "kind"}
        inspect.signature(CHECKS[claim.check["kind"]]).bind({}, **arguments)


def scenario_with(true: bool) -> Scenario:
    source = list_scenarios()[0]
    check = {"kind": "steps", "count": 4}
    return Scenario("x", "t", "l", "e", source.path, (Claim("Four steps.", true, check),))


def test_a_true_claim_agrees_when_it_is_borne_out_and_a_false_one_when_it_is_not() -> None:
    right, wrong = judge(scenario_with(True), SUMMARY)[0], judge(scenario_with(False), SUMMARY)[0]
    assert (right.claim, right.seen) == ("Four steps.", "4 optimizer steps")
    assert (right.claimed_true, right.agrees) == (True, True)
    assert (wrong.claimed_true, wrong.agrees) == (False, False)


def test_a_run_that_went_on_from_a_checkpoint_has_shown_a_part_only() -> None:
    assert judge(scenario_with(True), SUMMARY | {"measured_steps": [2, 3]}) == ()


@pytest.mark.parametrize("plan_changed", [False, True])
def test_a_scenario_whose_plan_was_changed_by_hand_is_judged_no_more(plan_changed: bool) -> None:
    recorder = execute(config_of("10-names"))
    assert recorder.ended is not None
    recorder.ended = dataclasses.replace(recorder.ended, plan_changed=plan_changed)
    assert ("claims" in recorder.summary()) is not plan_changed


@pytest.mark.parametrize("status", ["stopped", "diverged", "failed", "out_of_memory"])
def test_a_run_that_was_cut_short_has_shown_nothing(status: str) -> None:
    assert judge(scenario_with(True), SUMMARY | {"status": status}) == ()


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_is_known_by_its_file_and_with_all_defaults_written_out(name: str) -> None:
    config = config_of(name)
    assert name_of(config) == name
    written = config.to_dict()
    written["model"].setdefault("weights", "default")
    written["train"].setdefault("measure_every", 1)
    assert name_of(load_config(written)) == name
    assert name_of(changed(name, "train", device="cpu", threads=1)) == name


def test_a_network_without_pretrained_weights_is_the_same_scenario_with_none() -> None:
    assert name_of(changed("10-names", "model", weights="none")) == "10-names"
    assert scenario_of(changed("06-fine-tune", "model", weights="none")) is scenario_of(config_of("06-from-scratch"))
    assert scenario_of(changed("09-encoder-frozen", "model", weights="none")) is None


def test_phases_in_another_order_and_the_defaults_of_a_scheduler_are_the_same_scenario() -> None:
    content = config_of("05-head-first").to_dict()
    content["freeze"]["phase"].reverse()
    del content["optimizer"]["scheduler"]["gamma"]   # torch's default is 0.1
    assert name_of(load_config(content)) == "05-head-first"
    content["optimizer"]["scheduler"]["gamma"] = 0.2
    assert scenario_of(load_config(content)) is None


def test_layers_named_by_other_patterns_are_the_same_scenario() -> None:
    assert name_of(changed("10-names", "freeze", layers=["re:id"])) == "10-names"
    assert name_of(changed("04-statistics-move", "freeze", layers=["stem.*", "blocks.0.*"])) == "04-statistics-move"


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("freeze", {"layers": ["stem"]}),
        ("freeze", {"method": "grad_none"}),
        ("freeze", {"to_step": 50}),
        ("freeze", {"layers": ["no_such_layer"]}),
        ("optimizer", {"lr": 0.002}),
        ("optimizer", {"betas": [0.8, 0.999]}),
        ("optimizer", {"scheduler": "StepLR"}),
        ("data", {"source": "random"}),
        ("data", {"batch_size": 16}),
        ("model", {"weights": "none"}),
        ("model", {"source": "builtin:encoder-head"}),
        ("train", {"steps": 61}),
        ("train", {"seed": 1}),
        ("train", {"accumulate": 2}),
        ("train", {"loss": "mse"}),
    ],
)
def test_once_anything_that_matters_is_changed_it_is_no_scenario(section: str, values: dict[str, Any]) -> None:
    assert scenario_of(changed("04-statistics-move", section, **values)) is None


def test_a_model_that_no_scenario_uses_is_not_even_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    name_of(config_of("10-names"))   # the scenarios' own models are open by now
    monkeypatch.setattr(claims, "essence", lambda config: pytest.fail("opened"))
    assert scenario_of(load_config({"model": {"source": "torchvision:resnet18"}})) is None


def test_only_the_scenarios_of_the_same_model_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[RunConfig] = []

    def noted(config: RunConfig) -> Essence:
        looked_at.append(config)
        return essence(config)

    claims._essences.cache_clear()
    monkeypatch.setattr(claims, "essence", noted)
    name = name_of(config_of("10-names"))
    claims._essences.cache_clear()
    assert name == "10-names" and {config.model.source for config in looked_at} == {"builtin:names"}
