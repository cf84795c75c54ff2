from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from freeze_gui.errors import UserError
from freeze_gui.freezing.plan import PhaseSettings, TaskSettings
from freeze_gui.training.config import load_config

SOURCE = {"model": {"source": "builtin:digits-cnn"}}

EVERY_KEY = """
[model]
source = "builtin:digits-cnn"
weights = "none"
num_classes = 5

[data]
source = "digits"
batch_size = 16

[freeze]
layers = ["stem", "blocks.0.*", "re:.*norm.*", "[0:2]"]
method = "grad_none"
norm = "eval"
from_step = 5
to_step = 100
moment = "after_backward"
thaw = "reset_state"

[optimizer]
name = "SGD"
lr = 0.1
momentum = 0.9
zero_grad = "never"
layer_decay = 0.8

[optimizer.scheduler]
name = "StepLR"
step_size = 4
gamma = 0.5

[train]
steps = 12
seed = 3
device = "cpu"
loss = "mse"
accumulate = 2
clip_grad_norm = 1.0
measure_every = 4
eval_every = 6
threads = 1
amp = "bf16"
"""


def given(**sections: Any) -> dict[str, Any]:
    return SOURCE | sections


def test_a_model_alone_is_a_configuration() -> None:
    config = load_config(SOURCE)
    assert config.train.steps == 300
    assert (config.optimizer.name, config.freeze.method, config.freeze.norm) == ("Adam", "requires_grad", "leave")
    assert (config.data.batch_size, config.train.seed, config.train.device) == (32, 0, "auto")


def test_every_key_is_read_and_written_again(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(EVERY_KEY)
    config = load_config(path)
    assert config.to_dict() == tomllib.loads(EVERY_KEY)
    assert load_config(config.to_dict()).to_dict() == config.to_dict()


def test_phases_and_tasks_are_read_and_written_again() -> None:
    freeze = {
        "phase": [
            {"layers": ["stem"], "from": 0, "to": 3, "unit": "epoch", "lr_factor": 0.1}, {"layers": ["head"], "from": 2}
        ],
        "task": [{"task": "task1", "layers": ["hidden_task2"]}],
    }
    config = load_config(given(freeze=freeze))
    assert config.freeze.phases == (
        PhaseSettings(("stem",), 0, 3, "epoch", 0.1), PhaseSettings(("head",), 2, None, "step", 1.0)
    )  # fmt: skip
    assert config.freeze.tasks == (TaskSettings("task1", ("hidden_task2",)),)
    assert load_config(config.to_dict()).freeze == config.freeze


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, ["model.source is missing", "builtin:digits-cnn"]),
        (given(modle={}), ["modle is not a known key", "did you mean model?"]),
        (given(train={"stepz": 1}), ["train.stepz is not a known key", "did you mean steps?"]),
        (given(train=3), ["train = 3", "[train]"]),
        (given(train={"steps": 0}), ["train.steps = 0", "at least 1"]),
        (given(train={"steps": True}), ["train.steps = True", "whole number"]),
        (given(train={"steps": 1.5}), ["train.steps = 1.5", "whole number"]),
        (given(train={"steps": 10**30}), ["train.steps", "at most"]),
        (given(train={"steps": 3, "epochs": 2}), ["steps or epochs, not both"]),
        (given(train={"seed": 10**30}), ["train.seed", "at most 4294967295"]),
        (given(train={"threads": 10**6}), ["train.threads", "at most 1024"]),
        (given(train={"device": "gpu"}), ["train.device = 'gpu'", "cuda:N"]),
        (given(train={"loss": "bce"}), ["train.loss = 'bce'", "cross_entropy, mse"]),
        (given(train={"clip_grad_norm": 0}), ["train.clip_grad_norm = 0", "above 0"]),
        (given(train={"clip_grad_norm": float("inf")}), ["train.clip_grad_norm = inf"]),
        (given(data={"batch_size": 0}), ["data.batch_size = 0"]),
        (given(data={"source": ""}), ["data.source = ''", "non-empty"]),
        (given(freeze={"method": "requires_grade"}), ["freeze.method", "did you mean requires_grad?"]),
        (given(freeze={"method": ["a"]}), ["freeze.method", "requires_grad, grad_none"]),
        (given(freeze={"layers": "stem"}), ["freeze.layers = 'stem'", "a list of layer patterns"]),
        (given(freeze={"layers": [""]}), ["freeze.layers"]),
        (given(freeze={"from_step": 5, "to_step": 4}), ["freeze.to_step = 4", "from_step (5)"]),
        (given(freeze={"layers": ["stem"], "phase": [{"layers": ["stem"]}]}), ["either layers", "[[freeze.phase]]"]),
        (given(freeze={"phase": {"layers": []}}), ["[[freeze.phase]]"]),
        (given(freeze={"phase": [{"from": 3}]}), ["freeze.phase[0].layers is missing"]),
        (given(freeze={"phase": [{"layers": ["stem"], "form": 3}]}), ["freeze.phase[0].form", "did you mean from?"]),
        (given(freeze={"phase": [{"layers": ["stem"], "unit": "steps"}]}), ["freeze.phase[0].unit", "step, epoch"]),
        (given(freeze={"task": [{"layers": ["stem"]}]}), ["freeze.task[0].task is missing"]),
        (given(freeze={"task": [{"task": "a"}]}), ["freeze.task[0].layers is missing"]),
        (given(optimizer={"name": "Adan"}), ["optimizer.name = 'Adan'", "did you mean Adam?"]),
        (given(optimizer={"zero_grad": "sometimes"}), ["optimizer.zero_grad", "none, zero, never"]),
        ({5: {}}, ["5 is not a known key"]),
    ],
)
def test_a_wrong_value_is_named_with_its_key_and_what_is_allowed(content: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        load_config(content)
    for word in ["config", *words]:
        assert word in str(error.value)
    assert "\n" not in str(error.value)


def test_the_sentence_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[model]\nsource = "builtin:digits-cnn"\n[train]\nsteps = -1\n')
    with pytest.raises(UserError, match=r"mine\.toml: train\.steps = -1"):
        load_config(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"[model", "not valid TOML"), (b"\xff\xfe", "UTF-8"), (None, "cannot be read")],
)
def test_a_file_that_is_no_configuration_says_why(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "run.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=words):
        load_config(path)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('[model]\nsource = "builtin:digits-cnn"\n', encoding="utf-8-sig")
    assert load_config(path).model.source == "builtin:digits-cnn"


def test_relative_paths_are_looked_up_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("")
    (tmp_path / "images").mkdir()
    (tmp_path / "w.pt").write_text("")
    path = tmp_path / "run.toml"
    path.write_text(
        '[model]\nsource = "file:net.py:build"\nweights = "w.pt"\n[data]\nsource = "folder:images"\n'
    )
    config = load_config(path)
    assert config.model.source == f"file:{tmp_path / 'net.py'}:build"
    assert config.model.weights == str(tmp_path / "w.pt")
    assert config.data.source == f"folder:{tmp_path / 'images'}"


def test_a_file_source_without_a_factory_stays_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('[model]\nsource = "file:net.py"\n')
    assert load_config(path).model.source == "file:net.py"


def test_a_device_from_outside_wins_and_auto_keeps_what_is_written() -> None:
    config = load_config(given(train={"device": "cpu"}))
    assert config.with_device("auto").train.device == "cpu"
    assert config.with_device("cuda:1").train.device == "cuda:1"
    with pytest.raises(UserError, match="device = 'tpu'"):
        config.with_device("tpu")


def test_another_method_changes_nothing_else() -> None:
    config = load_config(given(freeze={"layers": ["stem"], "norm": "eval"}))
    before, after = config.to_dict(), config.with_method("detach").to_dict()
    assert after.pop("freeze") == before.pop("freeze") | {"method": "detach"}
    assert after == before


def test_the_text_of_a_scenario_is_passed_over() -> None:
    assert load_config({"scenario": {"title": "t"}} | SOURCE).to_dict() == load_config(SOURCE).to_dict()
