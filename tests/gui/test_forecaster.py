from __future__ import annotations

from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from freeze_gui.freezing.forecast import TensorForecast
from freeze_gui.gui import forecaster
from freeze_gui.gui.forecaster import (
    NOT_SURE,
    Forecaster,
    Forecasting,
    ForecastText,
    causes_ahead,
    leak_sentence,
    shortened,
    unsure_ahead,
)
from freeze_gui.gui.verdict_text import cause_name
from freeze_gui.models.layer_tree import build_tree
from freeze_gui.models.sources import open_model
from freeze_gui.training import memory
from freeze_gui.training.config import load_config
from freeze_gui.training.trials import Trials


def forecasting(**sections: Any) -> Forecasting:
    loaded = open_model("builtin:digits-cnn")
    config = load_config({"model": {"source": "builtin:digits-cnn"}, **sections})
    return Forecasting(Trials(loaded), build_tree(loaded.module), config)


def test_the_whole_plan_is_forecast_phases_included() -> None:
    """By the law: a zeroed gradient moves what trained before by momentum, and what never trained not at all."""
    late = {"phase": [{"layers": ["head"], "from": 10, "to": 20}], "method": "grad_zero", "norm": "eval"}
    assert dict(forecasting(freeze=late)().causes) == {"momentum": ("head",)}
    early = {"phase": [{"layers": ["head"], "from": 0, "to": 10}], "method": "grad_zero", "norm": "eval"}
    assert forecasting(freeze=early)().causes == ()


def test_phases_in_epochs_are_forecast_before_anyone_knows_their_length() -> None:
    phases = {"phase": [{"layers": ["head"], "from": 1, "to": 2, "unit": "epoch"}], "method": "grad_zero"}
    assert "momentum" in dict(forecasting(freeze=phases, train={"epochs": 3})().causes)


def test_a_freeze_beyond_the_end_is_warned_of() -> None:
    late = {"layers": ["head"], "from_step": 500}
    warnings = forecasting(freeze=late, train={"steps": 100})().warnings
    assert [warning.kind for warning in warnings] == ["never_in_effect"]


def test_the_cost_is_one_line_and_nothing_frozen_costs_no_less() -> None:
    line = forecasting()().cost.replace("\N{NO-BREAK SPACE}", " ")
    assert "FLOPs ±0 %" in line
    assert "Adam state" in line


def test_causes_come_with_their_layers_the_widest_first() -> None:
    tensors = [
        TensorForecast("a.weight", "parameter", "a", frozenset({"momentum", "weight_decay"})),
        TensorForecast("a.bias", "parameter", "a", frozenset({"momentum"})),
        TensorForecast("b.weight", "parameter", "b", frozenset({"momentum"})),
        TensorForecast("c.weight", "parameter", "c", frozenset()),
    ]
    assert causes_ahead(tensors) == (("momentum", ("a", "b")), ("weight_decay", ("a",)))
    assert leak_sentence("momentum", ("a", "b")).startswith("Will leak: 2 frozen layers, by momentum. ")


def test_what_is_not_sure_is_told_apart_from_what_is_and_only_where_it_adds_something() -> None:
    tensors = [
        TensorForecast("a.weight", "parameter", "a", frozenset({"momentum"})),
        TensorForecast("a.bias", "parameter", "a", frozenset(), frozenset({"momentum", "gradient"})),
        TensorForecast("b.weight", "parameter", "b", frozenset(), frozenset({"gradient"})),
    ]
    assert causes_ahead(tensors) == (("momentum", ("a",)),)
    assert unsure_ahead(tensors) == (("gradient", ("a", "b")),)


def test_a_step_that_rounding_may_swallow_is_said_to_be_unsure_below_the_tree() -> None:
    """A weight of 1 loses what is below 6e-8, and a gradient times 1e-6 may be that or not."""
    tiny = forecasting(freeze={"layers": ["stem"], "method": "eval_only"}, optimizer={"name": "SGD", "lr": 1e-6})()
    assert tiny.causes == ()
    assert dict(tiny.unsure).keys() == {"gradient"}
    assert tiny.leaks[-1] == f"May leak: 2 frozen layers, by {cause_name('gradient')}. {NOT_SURE}"
    usual = forecasting(freeze={"layers": ["stem"], "method": "eval_only"}, optimizer={"name": "SGD", "lr": 0.1})()
    assert usual.unsure == ()


@pytest.mark.parametrize(("count", "kept"), [(0, 0), (2, 2), (5, 3)])
def test_of_many_lines_the_first_stay_and_the_others_are_counted(count: int, kept: int) -> None:
    lines = shortened([f"line {number}" for number in range(count)])
    assert len(lines) == kept
    if count > kept:
        assert lines[-1] == "3 more warnings: see the verdict pane"


def test_only_the_last_of_several_wishes_is_told(qtbot: QtBot) -> None:
    forecaster = Forecaster()
    told: list[ForecastText] = []
    forecaster.forecast_made.connect(told.append)
    forecaster.ask(forecasting())
    forecaster.ask(forecasting(freeze={"layers": ["head"], "from_step": 500}, train={"steps": 100}))
    qtbot.waitUntil(lambda: bool(told), timeout=20_000)
    qtbot.wait(400)
    assert [[warning.kind for warning in text.warnings] for text in told] == [["never_in_effect"]]
    forecaster.close()


def test_a_run_that_does_not_fit_is_said_before_it_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (forecaster, memory):
        monkeypatch.setattr(module, "free_bytes", lambda device: 100_000)
    loaded = open_model("builtin:digits-cnn")
    sections = {"data": {"batch_size": 18}, "train": {"device": "cpu", "steps": 5}}
    config = load_config({"model": {"source": "builtin:digits-cnn"}, **sections})
    text = forecaster.Forecasting(Trials(loaded), build_tree(loaded.module), config)()
    assert "of 100 kB free on cpu".replace(" ", "\N{NO-BREAK SPACE}") in text.cost
    assert text.leaks[0].startswith("This run needs")
    least = text.leaks[0].split(" of memory")[0].removeprefix("This run ").replace(" ", "\N{NO-BREAK SPACE}")
    assert least in text.cost   # both without the copy that updates are measured by, 0.2 of 2.6 MB
