"""The numbers behind a plot or a table as CSV, every digit of them; no Qt.

Every plot has one row a step. A cell is empty where nothing was measured at that step, and ``none`` where there was no
gradient, which is not zero. Flags that say what was frozen stand to the right of the values.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from freeze_gui.gui.loss_plot import LossSeries
from freeze_gui.gui.traces import Series
from freeze_gui.runs.history import Floats, History
from freeze_gui.training.events import NO_GRADIENT

NONE = "none"


@dataclass(frozen=True)
class Column:
    """A title, and the cells at some of the steps."""

    title: str
    steps: Sequence[int]
    cells: Sequence[str]


def heatmap_numbers(history: History, metric: str, rows: Sequence[int]) -> str:
    """Return the values of some layers, then whether each was frozen (1) or not (0)."""
    return curve_numbers([Series(history.layers[row] or "(model)", "", None, history, row) for row in rows], metric)


def curve_numbers(series: Sequence[Series], metric: str) -> str:
    """Return the values of each line, then whether it was frozen (1) or not (0)."""
    values, flags = [], []
    views = {id(one.history): one.history.view() for one in series}
    for one in series:
        view, label = views[id(one.history)], one.label or "(model)"
        steps = view.step.tolist()
        values.append(Column(label, steps, [number(value) for value in view.metric(metric)[:, one.layer].tolist()]))
        flags.append(Column(f"{label} frozen", steps, [str(int(flag)) for flag in view.frozen[:, one.layer]]))
    return merged([*values, *flags])


def loss_numbers(series: Sequence[LossSeries]) -> str:
    """Return loss and learning rate of every step of each run, and loss and accuracy of its evaluations."""
    columns = []
    for one in series:
        if one.history is None:
            continue
        view, steps = one.history.view(), one.history.view().loss_step.tolist()
        evaluations = list(one.history.evaluations)
        at = [step for step, _, _ in evaluations]
        accuracies = ["" if accuracy is None else number(accuracy) for _, _, accuracy in evaluations]
        columns += [
            Column(f"{one.label} loss", steps[: len(view.loss)], _numbers(view.loss)),
            Column(f"{one.label} learning rate", steps[: len(view.loss)], _numbers(view.learning_rate)),
            Column(f"{one.label} evaluation loss", at, [number(loss) for _, loss, _ in evaluations]),
            Column(f"{one.label} accuracy", at, accuracies),
        ]
    return merged(columns)


def difference_numbers(layers: Sequence[str], steps: Sequence[int], values: Floats) -> str:
    """Return signed differences, shape (rows, layers); ``none`` where only one of two runs has a gradient."""
    cells = [[NONE if np.isnan(value) else repr(value) for value in column] for column in values.T.tolist()]
    return merged([Column(path or "(model)", steps, column) for path, column in zip(layers, cells, strict=True)])


def merged(columns: Sequence[Column]) -> str:
    """Return the columns side by side, one row for each step that any of them has."""
    steps = sorted({step for column in columns for step in column.steps})
    row_of = {step: row for row, step in enumerate(steps)}
    grid = [[""] * len(columns) for _ in steps]
    for at, column in enumerate(columns):
        for step, cell in zip(column.steps, column.cells, strict=True):
            grid[row_of[step]][at] = cell
    head = ["step", *(column.title for column in columns)]
    return table_text([head, *([str(step), *row] for step, row in zip(steps, grid, strict=True))])


def table_text(rows: Iterable[Sequence[str]]) -> str:
    """Return rows of words as CSV, the first being the titles."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def number(value: float) -> str:
    """Return a measured value in all its digits."""
    return NONE if value == NO_GRADIENT else repr(value)


def _numbers(values: Floats) -> list[str]:
    return [repr(value) for value in values.tolist()]
