from __future__ import annotations

import random
from typing import Any

import pytest

from freeze_gui.gui.run_labels import differing_words, name_apart, telling_label
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.config import RunConfig, load_config


def config(**sections: dict[str, Any]) -> RunConfig:
    return load_config({"model": {"source": "builtin:digits-cnn"}, **sections})


@pytest.mark.parametrize(
    ("sections", "label"),
    [
        ({"optimizer": {"name": "Adam", "lr": 0.01}}, "requires_grad · lr 0.01"),
        ({"train": {"steps": 40}}, "requires_grad · 40 steps"),
        ({"train": {"steps": 100_000}}, "requires_grad · 100,000 steps"),
        ({"train": {"steps": 40, "seed": 3}, "optimizer": {"name": "Adam", "lr": 0.01}},
         "requires_grad · lr 0.01 · 40 steps"),   # the two most telling
        ({"model": {"source": "builtin:two-task"}}, "requires_grad · two-task"),
        ({"model": {"source": "torchvision:resnet18"}}, "requires_grad · resnet18"),
        ({"model": {"source": "file:/home/somebody/nets/net.py:build"}, "data": {"source": "file:in/data.py:few"}},
         "requires_grad · net.py:build · data.py:few"),
        ({"data": {"source": "folder:/home/somebody/photographs"}}, "requires_grad · photographs"),
        ({"model": {"source": "file:net.py:a_function_with_a_long_name"}}, "requires_grad · other model"),
        ({"freeze": {"layers": ["stem"]}}, "requires_grad · layers stem"),
        ({"freeze": {"layers": ["stem", "blocks.0", "blocks.1"]}}, "requires_grad · other layers"),
        ({"optimizer": {"name": "Adam", "fused": True}}, "requires_grad · fused"),
        ({"train": {"clip_grad_norm": 1.0}}, "requires_grad · clip grad norm 1.0"),
        ({}, "requires_grad #2"),
    ],
)
def test_a_label_that_is_there_already_says_what_differs_else_gets_a_number(
    sections: dict[str, Any], label: str
) -> None:
    other = RunRecorder(config(), "requires_grad")
    assert telling_label("requires_grad", config(**sections), [other]) == label
    assert telling_label("grad_none", config(**sections), [other]) == "grad_none"


def test_files_of_one_name_in_two_folders_are_another_model() -> None:
    one, two = (config(model={"source": f"file:{folder}/net.py:build"}) for folder in "ab")
    assert telling_label("mine", two, [RunRecorder(one, "mine")]) == "mine · other model"


def test_a_run_that_is_not_fused_says_so_beside_one_that_is() -> None:
    fused, usual = config(optimizer={"name": "AdamW", "fused": True}), config(optimizer={"name": "AdamW"})
    assert telling_label("mine", usual, [RunRecorder(fused, "mine")]) == "mine · fused off"
    assert telling_label("mine", usual, [RunRecorder(usual, "mine")]) == "mine #2"


def test_runs_out_of_files_all_get_labels_of_their_own() -> None:
    others = [RunRecorder(config(), "mine")]
    runs = [RunRecorder(config(train={"seed": seed}), "mine") for seed in (0, 7, 7, 7)] + [RunRecorder(config(), "x")]
    name_apart(runs, others)
    assert [run.label for run in runs] == ["mine #2", "mine · seed 7", "mine · seed 7 #2", "mine · seed 7 #3", "x"]


@pytest.mark.parametrize("seed", range(20))
def test_labels_of_many_runs_are_those_that_one_gets_by_looking_through_all_before_each(seed: int) -> None:
    choice = random.Random(seed)
    names = ("mine", "mine #2", "mine #3", "mine · seed 1", "mine · seed 1 #2", "x")
    settings = [config(), config(train={"seed": 1}), config(train={"seed": 1, "steps": 40})]
    runs = [RunRecorder(choice.choice(settings), choice.choice(names)) for _ in range(60)]
    others = [RunRecorder(choice.choice(settings), choice.choice(names)) for _ in range(choice.randrange(4))]
    expected = [other.label for other in others]
    configs = [other.config for other in others]
    for run in runs:
        told = run.label
        if told in expected:
            twin = configs[expected.index(told)]
            told = " · ".join([told, *differing_words(run.config.to_dict(), twin.to_dict())])
        numbered = [told, *(f"{told} #{number}" for number in range(2, 100))]
        expected.append(next(label for label in numbered if label not in expected))
        configs.append(run.config)
    name_apart(runs, others)
    assert [run.label for run in runs] == expected[len(others) :]
