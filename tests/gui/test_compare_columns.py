from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from freeze_gui.gui.compare_columns import COLUMNS, bytes_words, column_at, facts_of, held_bytes
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.cost_forecast import CostForecast, StepCost
from freeze_gui.training.events import Cost, Evaluated, RunStarted, StepDone
from freeze_gui.training.run_forecast import RunForecast
from tests.gui.recorded_runs import add_steps, end_run, started_run, waiting_run


def words(run: RunRecorder, key: str) -> str:
    return COLUMNS[column_at(key)].cell(facts_of(run))[0]


def timed_run(step_ms: list[float], overhead_ms: float = 0.0) -> RunRecorder:
    run = started_run()
    norms = (np.ones(4), np.ones(4), np.ones(4))
    for step, ms in enumerate(step_ms):
        flags = np.zeros(4, bool)
        run.handle(StepDone(step, 2.0 - step / 10, None, *norms, flags, (), ms / 1000, overhead_ms / 1000, 0.1))
    return run


def test_a_run_that_waits_has_no_numbers() -> None:
    cells = [column.cell(facts_of(waiting_run())) for column in COLUMNS]
    assert [cell[0] for cell in cells if cell[0]] == ["requires_grad", "waiting"]


def test_time_and_spread_leave_the_first_three_steps_out() -> None:
    run = timed_run([500, 400, 300, 10, 12, 14, 16, 18])
    assert words(run, "step_ms") == "14.00"
    assert words(run, "spread") == "12.00–16.00"   # quartiles of 10, 12, 14, 16, 18


def test_time_and_spread_are_those_of_training_without_what_measuring_took() -> None:
    run = timed_run([500, 400, 300, 30, 32, 34, 36, 38], overhead_ms=20)
    assert words(run, "step_ms") == "14.00"
    assert words(run, "spread") == "12.00–16.00"


def test_the_share_of_measuring_is_of_the_same_steps() -> None:
    assert words(timed_run([900, 900, 900, 10, 10], overhead_ms=0.5), "overhead") == "5.0 %"


def test_a_loss_that_is_no_number_is_written_as_everywhere_and_sorted_as_the_largest() -> None:
    run = started_run()
    run.handle(StepDone(0, math.nan, None, *(np.ones(4),) * 3, np.zeros(4, bool), (), 0.01, 0.001, 0.1))
    assert COLUMNS[column_at("loss")].cell(facts_of(run)) == ("NaN", math.inf)


def test_the_best_is_of_the_evaluations_where_there_are_any() -> None:
    run = timed_run([10] * 8)
    assert words(run, "best_loss") == "1.3000"   # of the steps: 2.0 − 7 / 10
    for step, loss, accuracy in ((4, 0.5, 0.8), (6, 0.4, 0.9), (8, 0.7, 0.85)):
        run.handle(Evaluated(step, loss, accuracy))
    assert (words(run, "best_loss"), words(run, "loss")) == ("0.4000", "0.7000")
    assert (words(run, "best_accuracy"), words(run, "accuracy")) == ("0.900", "0.850")


def test_bytes_are_those_of_the_run_and_what_is_not_counted_stays_empty() -> None:
    run = started_run()
    add_steps(run, 5)
    end_run(run)
    assert run.ended is not None
    run.ended = replace(run.ended, cost=Cost(2**20, 2**21, None, None))
    assert (words(run, "gradients"), words(run, "state"), words(run, "memory")) == ("1.0 MB", "2.0 MB", "3.0 MB")
    assert words(run, "activations") == words(run, "peak") == ""
    assert held_bytes(Cost(1, 2, 4, None)) == 7


def test_what_the_freeze_saves_is_set_against_a_step_with_nothing_frozen() -> None:
    run = waiting_run()
    cost = CostForecast(frozen=StepCost(49, 26, 0, 0), free=StepCost(100, 100, 0, 0))
    run.handle(RunStarted((), 10, "cpu", None, {}, RunForecast(None, (), cost)))
    assert (words(run, "flops_saved"), words(run, "activations_saved")) == ("51 %", "74 %")


@pytest.mark.parametrize(("count", "text"), [(512, "0.5 kB"), (2**20, "1.0 MB"), (3 * 2**30, "3.00 GB")])
def test_sizes_have_the_unit_that_suits_them(count: int, text: str) -> None:
    assert bytes_words(count) == text
