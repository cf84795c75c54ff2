from __future__ import annotations

import csv
import io

import numpy as np

from freeze_gui.gui.export_numbers import curve_numbers, difference_numbers, heatmap_numbers, loss_numbers, table_text
from freeze_gui.gui.loss_plot import LossSeries
from freeze_gui.gui.traces import Series
from tests.gui.recorded_runs import LAYERS, NO_GRADIENT, add_steps, end_run, started_run


def table(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_a_heatmap_has_every_digit_none_for_no_gradient_and_flags_to_the_right() -> None:
    run = started_run()
    add_steps(run, 1, (1 / 3, NO_GRADIENT, 0.0, float("nan")), frozen=[1, 2])
    add_steps(run, 1, (1e-30, 0.1, 5.0, float("inf")))
    assert run.history is not None
    head, first, second = table(heatmap_numbers(run.history, "grad_norm", [0, 1, 2, 3]))
    assert head == ["step", *LAYERS, *(f"{path} frozen" for path in LAYERS)]
    assert first == ["0", repr(1 / 3), "none", "0.0", "nan", "0", "1", "1", "0"]
    assert second == ["1", "1e-30", "0.1", "5.0", "inf", "0", "0", "0", "0"]


def test_only_the_rows_that_are_shown_are_written() -> None:
    run = started_run()
    add_steps(run, 2)
    assert run.history is not None
    assert table(heatmap_numbers(run.history, "weight_delta", [2]))[0] == ["step", "blocks.1", "blocks.1 frozen"]


def test_runs_of_different_length_leave_cells_empty() -> None:
    runs = [started_run("a"), started_run("b")]
    add_steps(runs[0], 3, (2.0, 2.0, 2.0, 2.0))
    add_steps(runs[1], 1, (4.0, 4.0, 4.0, 4.0))
    series = [Series(run.label, "", None, run.history, 0) for run in runs if run.history is not None]
    rows = table(curve_numbers(series, "update_norm"))
    assert rows == [
        ["step", "a", "b", "a frozen", "b frozen"], ["0", "2.0", "4.0", "0", "0"], ["1", "2.0", "", "0", ""],
        ["2", "2.0", "", "0", ""],
    ]  # fmt: skip


def test_losses_stand_beside_evaluations_and_learning_rates() -> None:
    run = started_run("a")
    add_steps(run, 2)
    end_run(run)   # evaluates after step 2: loss 0.25, accuracy 0.9
    rows = table(loss_numbers([LossSeries("a", "", "", None, run.history), LossSeries("waits", "", "", None, None)]))
    assert run.history is not None
    rates = run.history.view().learning_rate.tolist()
    assert rows[0] == ["step", "a loss", "a learning rate", "a evaluation loss", "a accuracy"]
    assert rows[1:] == [
        ["0", "1.0", repr(rates[0]), "", ""], ["1", "0.5", repr(rates[1]), "", ""], ["2", "", "", "0.25", "0.9"],
    ]  # fmt: skip


def test_differences_keep_their_sign() -> None:
    rows = table(difference_numbers(("stem", ""), [0, 5], np.array([[0.0, -1 / 7], [np.nan, 2.0]])))
    assert rows == [["step", "stem", "(model)"], ["0", "0.0", repr(-1 / 7)], ["5", "none", "2.0"]]


def test_words_with_commas_and_quotes_survive() -> None:
    words = [["Run", "Side effects"], ['a "b"', "x, y\nz"]]
    assert table(table_text(words)) == words
