from __future__ import annotations

import math

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from freeze_gui.gui.compare_columns import column_at
from freeze_gui.gui.compare_table_model import BAR_ROLE, RunsModel
from freeze_gui.gui.runs_order import RunsOrder
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.events import Evaluated
from tests.gui.recorded_runs import add_steps, end_run, started_run, waiting_run

UP, DOWN = Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder


def order_of(runs: list[RunRecorder]) -> RunsOrder:
    model = RunsModel()
    model.set_runs(runs)
    model.refresh()
    return RunsOrder(model)


def refresh(order: RunsOrder) -> None:
    model = order.sourceModel()
    assert isinstance(model, RunsModel)
    model.refresh()


def names(order: RunsOrder) -> list[str]:
    return [order.index(row, 0).data() for row in range(order.rowCount())]


def evaluated(label: str, loss: float) -> RunRecorder:
    run = started_run(label)
    run.handle(Evaluated(1, loss, None))
    return run


def test_numbers_are_sorted_as_numbers_with_what_is_missing_first_and_a_diverged_loss_last(qtbot: QtBot) -> None:
    losses = {"a": 10.0, "b": math.nan, "c": 9.5, "d": 0.25, "e": math.inf, "f": math.nan, "g": 2.0}
    runs = [evaluated(label, loss) for label, loss in losses.items()]
    order = order_of([*runs, waiting_run("waits")])
    order.sort(column_at("loss"), UP)
    assert names(order)[:5] == ["waits", "d", "g", "c", "a"] and set(names(order)[5:]) == {"b", "e", "f"}
    order.sort(column_at("loss"), DOWN)
    assert names(order)[3:] == ["a", "c", "g", "d", "waits"]
    order.sort(-1)
    assert names(order) == ["a", "b", "c", "d", "e", "f", "g", "waits"]


def test_a_search_looks_at_all_columns_in_whatever_case_and_never_across_two(qtbot: QtBot) -> None:
    order = order_of([evaluated("Straße", 0.5), evaluated("other", 0.25), waiting_run("third")])
    order.set_search(" STRASSE ")
    assert names(order) == ["Straße"]
    order.set_search("0.2500")
    assert names(order) == ["other"]
    order.set_search("waiting")
    assert names(order) == ["third"]
    order.set_search("thirdwaiting")
    assert names(order) == []
    order.set_search("")
    assert len(names(order)) == 3


def test_a_run_enters_and_leaves_a_search_as_its_words_change(qtbot: QtBot) -> None:
    runs = [started_run("a"), waiting_run("b")]
    order = order_of(runs)
    order.set_search("held")
    assert names(order) == []
    add_steps(runs[0], 3, frozen=[0])
    end_run(runs[0])
    refresh(order)
    assert names(order) == ["a"]


def test_a_number_that_is_the_largest_now_has_no_other_row_looked_at(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [started_run(f"run {at}") for at in range(30)]
    for run in runs:
        add_steps(run, 10, step_s=0.005)
    order = order_of(runs)
    order.set_search("run")
    at = column_at("step_ms")
    assert order.index(6, at).data(BAR_ROLE) == 1
    seen: list[int] = []

    def noted(model: RunsModel, row: int, words: str) -> bool:
        seen.append(row)
        return True

    monkeypatch.setattr(RunsModel, "has_words", noted)
    add_steps(runs[7], 20, step_s=0.5)
    refresh(order)
    assert order.index(6, at).data(BAR_ROLE) < 0.1 and set(seen) == {7}
