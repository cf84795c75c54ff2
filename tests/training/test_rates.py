from __future__ import annotations

import math
from typing import Any

import pytest

from freeze_gui.errors import UserError
from freeze_gui.models.layer_tree import build_tree
from freeze_gui.models.sources import open_model
from freeze_gui.training.config import load_config
from freeze_gui.training.rates import param_groups, rate_factors
from tests.support.runs import network_config, run_watched


def factors_of(freeze: dict[str, Any], **optimizer: Any) -> dict[str, float]:
    config = load_config({"model": {"source": "builtin:digits-cnn"}, "freeze": freeze, "optimizer": optimizer})
    return rate_factors(config.optimizer, config.freeze, build_tree(open_model("builtin:digits-cnn").module))


def test_every_block_of_depth_multiplies_the_rate_once() -> None:
    found = factors_of({}, layer_decay=0.5)
    # stem, blocks.0, blocks.1, blocks.2, head: four blocks lie between the first and the last
    assert found == {
        "stem.conv": 1 / 16, "stem.norm": 1 / 16, "blocks.0.conv": 1 / 8, "blocks.0.norm": 1 / 8,
        "blocks.1.conv": 1 / 4, "blocks.1.norm": 1 / 4, "blocks.2.conv": 1 / 2, "blocks.2.norm": 1 / 2, "head": 1.0,
    }  # fmt: skip


def test_the_last_phase_that_names_a_layer_decides_and_depth_comes_on_top() -> None:
    phases = [
        {"layers": ["stem", "blocks.2"], "to": 5, "lr_factor": 0.1},
        {"layers": ["stem"], "to": 9, "lr_factor": 3},
    ]
    found = factors_of({"phase": phases}, layer_decay=0.5)
    assert found["stem.conv"] == pytest.approx(3 / 16)
    assert found["blocks.2.conv"] == pytest.approx(0.1 / 2)
    assert found["head"] == 1.0


def test_each_parameter_is_in_one_group_with_the_rate_of_its_layer() -> None:
    config = load_config({"model": {"source": "builtin:digits-cnn"}, "optimizer": {"lr": 0.2, "layer_decay": 0.5}})
    model = open_model("builtin:digits-cnn").module
    groups = param_groups(model, rate_factors(config.optimizer, config.freeze, build_tree(model)), config.optimizer)
    members = [id(p) for group in groups for p in group["params"]]   # type: ignore[index]
    assert sorted(members) == sorted(id(p) for p in model.parameters())
    rates = {id(p): group["lr"] for group in groups for p in group["params"]}   # type: ignore[index]
    assert rates[id(model.get_parameter("head.weight"))] == 0.2
    assert rates[id(model.get_parameter("stem.conv.weight"))] == pytest.approx(0.2 / 16)


@pytest.mark.parametrize("method", ["exclude", "lr_zero", "filter", "requires_grad"])
def test_a_thawed_layer_trains_at_its_own_rate_under_a_scheduler(method: str) -> None:
    """Plain SGD: the first step after the thaw is the rate of that step times the gradient."""
    phase = {"layers": ["middle"], "to": 4, "lr_factor": 0.5}
    settings = {"name": "SGD", "lr": 0.1, "scheduler": {"name": "StepLR", "step_size": 2, "gamma": 0.1}}
    config = network_config(method, settings, None, steps=6)
    config["freeze"] = {"method": method, "phase": [phase]}
    states, _, recorder = run_watched(config)
    moved = [states[4][f"middle.0.{key}"] - states[3][f"middle.0.{key}"] for key in ("weight", "bias")]
    rate = 0.1 * 0.1**2 * 0.5   # two drops of the scheduler by step 4, half of it for the phase
    layer = next(layer for layer in recorder.summary()["layers"] if layer["path"] == "middle.0")
    assert layer["frozen_steps"] == [[0, 4]]
    assert math.hypot(*(float(part.norm()) for part in moved)) == pytest.approx(rate * layer["grad_norm"][4], rel=1e-3)


@pytest.mark.parametrize(("section", "words"), [
    ({"optimizer": {"layer_decay": 1e300}}, r"layer_decay = 1e\+300: must be a finite number above 0 and at most 1"),
    ({"optimizer": {"layer_decay": 0}}, r"optimizer\.layer_decay = 0"),
    ({"freeze": {"phase": [{"layers": ["stem"], "lr_factor": math.inf}]}}, r"lr_factor = inf: must be a finite number"),
])  # fmt: skip
def test_a_wrong_factor_is_named(section: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        load_config({"model": {"source": "builtin:digits-cnn"}, **section})
