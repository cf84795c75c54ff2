from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from freeze_gui.errors import UserError
from freeze_gui.freezing.plan import FreezeSettings, Phase
from freeze_gui.gui.configuration import Configuration, plan_of
from freeze_gui.gui.main_window import MainWindow
from freeze_gui.gui.timeline_state import Bar, Timeline, with_layers
from freeze_gui.models.layer_tree import LayerTree, build_tree
from freeze_gui.models.sources import open_model
from freeze_gui.resources import resource_path
from freeze_gui.training.config import RunConfig, load_config
from freeze_gui.training.schedule import scheduler_parameters
from tests.gui.exporting import save_config

EVERYTHING = """
[model]
source = "builtin:digits-cnn"
weights = "none"
num_classes = 5
[data]
source = "digits"
batch_size = 16
[freeze]
method = "grad_none"
norm = "eval"
moment = "after_backward"
thaw = "reset_state"
[[freeze.phase]]
layers = ["stem", "re:blocks.0.*"]
from = 1
to = 3
unit = "epoch"
lr_factor = 0.1
[[freeze.phase]]
layers = ["[-1]"]
from = 7
[[freeze.task]]
task = "a"
layers = ["blocks.1.*"]
[optimizer]
name = "AdamW"
lr = 0.002
weight_decay = 0.03
betas = [0.8, 0.99]
zero_grad = "zero"
layer_decay = 0.8
[optimizer.scheduler]
name = "StepLR"
step_size = 30
gamma = 0.5
[train]
epochs = 4
seed = 3
device = "cpu"
loss = "cross_entropy"
accumulate = 2
clip_grad_norm = 0.7
measure_every = 5
eval_every = 9
threads = 1
amp = "bf16"
"""
FORM: dict[str, Any] = {"model": {"source": "builtin:digits-cnn"}, "freeze": {}, "train": {"steps": 10}}


@pytest.fixture(scope="module")
def tree() -> LayerTree:
    return build_tree(open_model("builtin:digits-cnn").module)


def freeze_of(content: dict[str, Any], tree: LayerTree) -> FreezeSettings:
    """Open a configuration and save it again with nothing changed."""
    configuration = Configuration({"freeze": content})
    return load_config(configuration.merged(FORM, configuration.timeline(tree), tree)).freeze


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"layers": ["stem", "blocks.*"]},
        {"layers": ["[0:2]"], "from_step": 4, "to_step": 9},
        {"phase": [{"layers": ["stem"]}]},
        {"phase": [{"layers": ["stem"], "from": 2, "to": 2, "lr_factor": 0.5}, {"layers": ["head"], "unit": "epoch"}]},
        {"task": [{"task": "t", "layers": ["head"]}]},
        {"layers": ["stem"], "from_step": 3, "task": [{"task": "t", "layers": ["head"]}]},
    ],
)
def test_a_schedule_that_nobody_touched_is_saved_as_it_was(content: dict[str, Any], tree: LayerTree) -> None:
    wanted = load_config({"model": {"source": "builtin:digits-cnn"}, "freeze": content}).freeze
    assert freeze_of(content, tree) == wanted


def test_ticks_change_the_layers_and_nothing_else(tree: LayerTree) -> None:
    configuration = Configuration({"freeze": {"phase": [{"layers": ["stem"], "to": 9}, {"layers": ["head"]}]}})
    timeline = with_layers(configuration.timeline(tree), frozenset({"blocks.2.conv", "blocks.2.norm"}))
    merged = configuration.merged(FORM, timeline, tree)["freeze"]
    assert merged == {
        "phase": [
            {"layers": ["blocks.2"], "from": 0, "unit": "step", "to": 9},
            {"layers": ["head"], "from": 0, "unit": "step"},
        ]
    }  # fmt: skip
    again = configuration.with_timeline(timeline, tree).timeline(tree)
    assert [bar.layers for bar in again.bars] == [{"blocks.2.conv", "blocks.2.norm"}, {"head"}]


def test_a_factor_of_the_learning_rate_makes_a_window_a_phase(tree: LayerTree) -> None:
    merged = Configuration().merged(FORM, Timeline((Bar(frozenset({"head"}), lr_factor=0.5),)), tree)
    assert merged["freeze"] == {"phase": [{"layers": ["head"], "from": 0, "unit": "step", "lr_factor": 0.5}]}


def test_a_run_goes_on_with_all_phases_and_its_own_method(tree: LayerTree) -> None:
    began = FreezeSettings(("stem",), "grad_zero", "eval", 3, 7, "after_backward", "reset_state")
    timeline = Timeline((Bar(frozenset({"head"}), 1, 2, "epoch"), Bar(), Bar(frozenset({"blocks.2.conv"}), 5)))
    plan = plan_of(began, timeline, tree, 20)
    assert plan.phases == (Phase(frozenset({"head"}), 20, 40), Phase(frozenset({"blocks.2.conv"}), 5, None))
    assert (plan.method, plan.norm, plan.moment, plan.thaw) == ("grad_zero", "eval", "after_backward", "reset_state")
    with pytest.raises(UserError, match="epoch"):
        plan_of(began, timeline, tree, None)


def test_every_key_survives_being_opened_edited_and_saved_in_the_window(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    path, saved = tmp_path / "everything.toml", tmp_path / "saved.toml"
    path.write_text(EVERYTHING)
    window.menus.open_path(path)
    assert window.run_panel.error_label.text() == ""
    wanted = load_config(path).to_dict()
    assert window.workbench.desk.config().to_dict() == wanted
    window.layer_panel.model.change(frozenset({"head"}), "head")
    window.layer_panel.actions_.undo_action.trigger()
    save_config(qtbot, window, saved)
    assert load_config(saved).to_dict() == wanted


@pytest.mark.timeout(90)
def test_no_scenario_loses_anything_in_the_window(window: MainWindow) -> None:
    for path in sorted(resource_path("scenarios").glob("*.toml")):
        window.menus.open_path(path)
        assert window.run_panel.error_label.text() == ""
        wanted, seen = load_config(path), window.workbench.desk.config()
        assert seen.freeze == wanted.freeze, path.stem
        assert seen.optimizer.hyper == wanted.optimizer.hyper, path.stem
        assert _scheduler(seen) == _scheduler(wanted), path.stem
        for key in ("steps", "epochs", "accumulate", "clip_grad_norm", "amp", "eval_every"):
            assert getattr(seen.train, key) == getattr(wanted.train, key), (path.stem, key)


def _scheduler(config: RunConfig) -> tuple[str, dict[str, Any]]:
    """Return what the scheduler is given, its defaults filled in: the form leaves them out."""
    name = config.optimizer.scheduler.name
    return name, scheduler_parameters(name) | dict(config.optimizer.scheduler.hyper)
