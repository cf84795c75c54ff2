from __future__ import annotations

from typing import Any

import pytest

from freeze_gui.gui.compare_choices import (
    Offer,
    duration_words,
    known_step_s,
    known_steps,
    optimizer_choice,
    optimizer_offers,
    plan_words,
)
from freeze_gui.runs.grid import OptimizerChoice
from freeze_gui.training.config import OptimizerSettings, RunConfig, load_config
from tests.gui.recorded_runs import add_steps, started_run


def config(**train: Any) -> RunConfig:
    return load_config({"model": {"source": "builtin:digits-cnn"}, "train": train or {"steps": 300}})


def test_the_usual_optimizers_are_offered_with_the_forms_rate_for_its_own() -> None:
    offers = optimizer_offers(OptimizerSettings("Adam", hyper={"lr": 0.02}))
    assert [offer.name for offer in offers] == ["SGD", "Adam", "AdamW"]
    assert next(offer.rate for offer in offers if offer.name == "Adam") == "0.02"


def test_an_unusual_optimizer_of_the_form_is_offered_first() -> None:
    offers = optimizer_offers(OptimizerSettings("RMSprop", hyper={}))
    assert [offer.name for offer in offers] == ["RMSprop", "SGD", "Adam", "AdamW"]


def test_the_forms_own_optimizer_keeps_its_other_settings() -> None:
    own = OptimizerSettings("SGD", hyper={"lr": 0.1, "momentum": 0.9})
    assert optimizer_choice(own, Offer("SGD", "0.1")) == OptimizerChoice("SGD")   # the form's, as it is
    assert optimizer_choice(own, Offer("SGD", "0.5")).hyper == {"lr": 0.5, "momentum": 0.9}
    assert optimizer_choice(own, Offer("Adam", "0.01")).hyper == {"lr": 0.01}


def test_an_empty_rate_is_the_optimizers_default_and_not_the_forms() -> None:
    own = OptimizerSettings("Adam", hyper={"lr": 0.5})
    assert optimizer_choice(own, Offer("Adam", "")).hyper == {"lr": 0.001}   # torch's own default


def test_how_long_it_takes_is_known_from_the_last_run_of_the_same_model_and_data() -> None:
    run = started_run()
    assert known_step_s(config(), [run]) is None
    add_steps(run, 20, step_s=0.004)
    assert known_step_s(config(), [run]) == pytest.approx(0.004)
    other = load_config({"model": {"source": "builtin:five-linear"}})
    assert known_step_s(other, [run]) is None
    assert plan_words(6, 300, 0.01) == "6 runs of 300 steps, about 18 seconds"
    assert plan_words(1, None, None) == "1 run; how long is known after a first run"


def test_epochs_are_as_long_as_a_run_has_shown() -> None:
    assert known_steps(config(steps=40), []) == 40
    assert known_steps(config(epochs=3), [started_run()]) is None   # that run did not say


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "about 1 second"), (18.4, "about 18 seconds"), (240, "about 4 minutes"), (9000, "about 2.5 hours")],
)
def test_a_duration_is_said_in_the_unit_that_suits_it(seconds: float, words: str) -> None:
    assert duration_words(seconds) == words
