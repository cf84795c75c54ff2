from __future__ import annotations

from typing import Any

import pytest

from freeze_gui.errors import UserError
from freeze_gui.freezing.methods import METHODS
from freeze_gui.runs.grid import Axes, OptimizerChoice, grid, read_optimizers
from freeze_gui.training.config import RunConfig, load_config

CONFIG = load_config(
    {
        "model": {"source": "builtin:digits-cnn"},
        "freeze": {"layers": ["stem"], "method": "detach"},
        "optimizer": {"name": "Adam", "lr": 0.01},
        "train": {"steps": 4},
    }
)


def labels(config: RunConfig = CONFIG, **axes: Any) -> list[str]:
    return [run.label for run in grid(config, Axes(**axes))]


def test_an_empty_grid_is_the_configuration_itself() -> None:
    (run,) = grid(CONFIG, Axes())
    assert (run.label, run.config) == ("detach", CONFIG)


def test_a_label_says_only_what_differs() -> None:
    assert labels(methods=["filter", "detach"]) == ["filter", "detach"]
    assert labels(zero_grad=["none", "zero"]) == ["zero_grad none", "zero_grad zero"]
    assert labels(norm=["leave", "eval"]) == ["norm leave", "norm eval"]
    assert labels(methods=["filter", "detach"], norm=["leave", "eval"]) == [
        "filter · norm leave", "filter · norm eval", "detach · norm leave", "detach · norm eval",
    ]
    sgd = OptimizerChoice("SGD", {"lr": 0.1})
    assert labels(optimizers=[sgd, OptimizerChoice("Adam")]) == ["SGD", "Adam"]
    assert labels(optimizers=[sgd, OptimizerChoice("SGD", {"lr": 0.5}), OptimizerChoice("Adam")]) == [
        "SGD lr 0.1", "SGD lr 0.5", "Adam",
    ]
    assert labels(optimizers=[sgd, OptimizerChoice("SGD", {"lr": 0.1, "momentum": 0.9})]) == [
        "SGD", "SGD momentum 0.9",
    ]
    fused = [OptimizerChoice("AdamW", {"lr": 0.1}), OptimizerChoice("AdamW", {"lr": 0.1, "fused": True})]
    assert labels(optimizers=fused) == ["AdamW", "AdamW fused"]
    assert labels(optimizers=read_optimizers("AdamW,AdamW:fused=true,AdamW:fused=false")) == [
        "AdamW", "AdamW fused", "AdamW fused off",
    ]


def test_every_combination_is_there_once_with_a_label_of_its_own() -> None:
    axes = Axes(
        ["all", "filter"], [OptimizerChoice("SGD", {"lr": 0.1}), OptimizerChoice("Adam"), OptimizerChoice("Adam")],
        ["none", "zero", "never"], ["leave", "eval"], reference=True, ideal=True,
    )
    runs = grid(CONFIG, axes)
    # with nothing frozen the norm policy is no axis
    assert len(runs) == 11 * 2 * 3 * 2 + 2 * 3
    assert len({run.label for run in runs}) == len(runs)
    assert [run.config.freeze.method for run in runs[6::12]] == ["paused", *METHODS]


def test_the_reference_freezes_nothing_and_the_ideal_what_the_others_freeze() -> None:
    reference, ideal, detach = grid(CONFIG, Axes(reference=True, ideal=True))
    assert [run.label for run in (reference, ideal, detach)] == ["nothing frozen", "paused ideal", "detach"]
    assert reference.config.freeze.layers == ()
    assert ideal.config == CONFIG.with_method("paused")
    assert detach.config == CONFIG


def test_the_reference_keeps_the_learning_rates_of_phases() -> None:
    phases = [{"layers": ["stem"], "from": 2, "to": 5, "lr_factor": 0.1}, {"layers": ["head"], "to": 5}]
    config = load_config({**CONFIG.to_dict(), "freeze": {"phase": phases}})
    (phase,) = grid(config, Axes(reference=True))[0].config.freeze.phases
    assert (phase.layers, phase.start, phase.stop, phase.lr_factor) == (("stem",), 2, 2, 0.1)


def test_an_optimizer_keeps_its_own_settings_only_where_it_is_the_configured_one() -> None:
    adam, sgd, other = grid(CONFIG, Axes(optimizers=read_optimizers("Adam,SGD:lr=0.1,Adam:betas=(0.8,0.9)")))
    assert adam.config.optimizer.hyper == {"lr": 0.01}
    assert sgd.config.optimizer.hyper == {"lr": 0.1}
    assert other.config.optimizer.hyper == {"betas": (0.8, 0.9)}


def test_optimizers_are_read_from_one_word() -> None:
    assert read_optimizers("SGD:lr=0.1:momentum=0.9:nesterov=true, Adam") == [
        OptimizerChoice("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}), OptimizerChoice("Adam"),
    ]


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ({"methods": ["grad_nune"]}, "did you mean grad_none?"),
        ({"optimizers": [OptimizerChoice("Adm")]}, "did you mean Adam?"),
        ({"optimizers": [OptimizerChoice("SGD", {"lr": -1.0})]}, "SGD does not take"),
        ({"optimizers": [OptimizerChoice("LBFGS")]}, "refused"),
        ({"zero_grad": ["nan"]}, "did you mean none?"),
        ({"norm": ["???"]}, "leave, eval"),
    ],
)
def test_what_is_not_known_is_one_sentence(axes: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as error:
        labels(**axes)
    assert words in str(error.value)


@pytest.mark.parametrize("text", ["SGD:lr", "SGD:lr=fast", "SGD:lr=0.1;momentum=2"])
def test_an_optimizer_that_is_not_understood_says_how_to_write_it(text: str) -> None:
    with pytest.raises(UserError) as error:
        read_optimizers(text)
    assert "SGD:lr=0.1:momentum=0.9" in str(error.value)
