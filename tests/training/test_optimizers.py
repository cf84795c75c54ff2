from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from freeze_gui.errors import UserError
from freeze_gui.training.optimizers import check_optimizer, hyper_parameters, make_optimizer, optimizer_names


def test_every_class_of_torch_optim_but_the_refused_one_can_be_chosen() -> None:
    classes = {
        name
        for name in dir(torch.optim)
        if isinstance(value := getattr(torch.optim, name), type)
        and issubclass(value, torch.optim.Optimizer)
        and name not in ("Optimizer", "LBFGS")
    }
    assert set(optimizer_names()) == classes
    assert optimizer_names()[:3] == ("SGD", "Adam", "AdamW")


@pytest.mark.parametrize("name", optimizer_names())
def test_the_listed_defaults_are_those_that_the_class_uses(name: str) -> None:
    parameter = nn.Parameter(torch.zeros(2, 2))
    group = getattr(torch.optim, name)([parameter]).param_groups[0]
    for key, default in hyper_parameters(name).items():
        if key in group and default is not None:
            assert group[key] == default or key == "eps"   # Adafactor fills its eps in by the weights' type
    assert next(iter(hyper_parameters(name))) == "lr"


@pytest.mark.parametrize("name", [name for name in optimizer_names() if name != "SparseAdam"])
def test_every_optimizer_takes_its_own_defaults_and_a_step(name: str) -> None:
    parameter = nn.Parameter(torch.ones(2, 2))
    optimizer = make_optimizer(name, [parameter], check_optimizer(name, {}))
    parameter.grad = torch.ones(2, 2)
    optimizer.step()
    assert not torch.equal(parameter, torch.ones(2, 2))


def test_lists_of_a_toml_file_become_tuples() -> None:
    assert check_optimizer("Adam", {"betas": [0.5, 0.9]}) == {"betas": (0.5, 0.9)}


@pytest.mark.parametrize(
    ("name", "hyper", "words"),
    [
        ("LBFGS", {}, "refused"),
        ("adam", {}, "did you mean Adam?"),
        ("Optimizer", {}, "no class of torch.optim"),
        ("Adam", {"momentum": 0.9}, "optimizer.momentum is not a known key"),
        ("Adam", {"beta": [0.9, 0.99]}, "did you mean betas?"),
        ("Adam", {"params": []}, "optimizer.params is not a known key"),
        ("SGD", {"lr": "0.1"}, "optimizer.lr = '0.1': must be a finite number"),
        ("SGD", {"lr": float("inf")}, "must be a finite number"),
        ("SGD", {"momentum": True}, "must be a finite number"),
        ("SGD", {"lr": -1.0}, "SGD does not take these values"),
        ("SGD", {"nesterov": True}, "SGD does not take these values"),
        ("SGD", {"nesterov": "yes"}, "must be true or false"),
        ("SGD", {"foreach": "yes"}, "must be true or false"),
        ("Adam", {"betas": 0.9}, "must be 2 numbers"),
        ("Adam", {"betas": [0.9]}, "must be 2 numbers"),
        ("Adam", {"betas": [0.9, "x"]}, "must be a finite number"),
        ("Adam", {"betas": [0.9, 1.5]}, "Adam does not take these values"),
    ],
)
def test_a_wrong_optimizer_is_refused_with_a_sentence(name: str, hyper: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as error:
        check_optimizer(name, hyper)
    assert words in str(error.value)


def test_a_model_without_parameters_is_refused_in_words_of_its_own() -> None:
    with pytest.raises(UserError, match="The model has no parameters"):
        make_optimizer("SGD", nn.ReLU().parameters(), {"lr": 0.1})


def test_an_optimizer_that_cannot_train_the_model_says_so() -> None:
    with pytest.raises(UserError, match="Muon cannot train this model"):
        make_optimizer("Muon", [nn.Parameter(torch.zeros(2))], {})
