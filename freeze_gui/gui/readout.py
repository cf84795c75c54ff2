"""Words for a value of a layer at a step: the same ones in tooltips, tables and the cursor's read-out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import numpy as np

from freeze_gui.gui.heatmap_legend import METRIC_TITLES
from freeze_gui.runs.history import History
from freeze_gui.training.events import NO_GRADIENT


def value_text(value: float) -> str:
    """Return a norm in few characters; missing and zero are words of their own."""
    if value == NO_GRADIENT:
        return "no gradient"
    if math.isnan(value):
        return "NaN"
    return "0" if value == 0 else f"{value:.3g}"


def state_text(history: History, layer: int, row: int) -> str:
    """Return ``frozen, held``, ``frozen, LEAKED`` or ``trains`` at a measured row."""
    view = history.view()
    if view.leaked[row, layer]:
        return "frozen, LEAKED"
    return "frozen, held" if view.frozen[row, layer] else "trains"


def cell_text(history: History, layer: str, row: int, metric: str) -> str:
    """Return ``layer · step · value · state`` of a cell of the heatmap."""
    view = history.view()
    column = history.layers.index(layer)
    value = value_text(float(view.metric(metric)[row, column]))
    named = value if value == "no gradient" else f"{METRIC_TITLES[metric]} {value}"
    return f"{layer or '(model)'} · step {view.step[row]} · {named} · {state_text(history, column, row)}"


def readout_html(history: History, lines: Sequence[tuple[str, str, int]], step: float) -> str:
    """Return a small table of the values of some layers at a step, empty where nothing was measured.

    Parameters
    ----------
    history
        The run.
    lines
        (words, colour, row of the layer) of each line of the table.
    step
        Where the cursor is.
    """
    row = _row_at(history, step)
    if row is None:
        return ""
    rows = [_line([f"<b>step {int(step)}</b>", "weight Δ", "gradient"], _measured_at(history, row, step))]
    for label, color, layer in lines:
        rows.append(_line([_name(label, color), *_values(history, layer, row)], _state(history, layer, row)))
    rows.append(_line(["loss", value_text(_loss_at(history, step))], ""))
    rows.append(_line(["learning rate", value_text(_rate_at(history, step))], ""))
    return f"<table cellspacing='0' cellpadding='1'>{''.join(rows)}</table>"


def runs_readout_html(runs: Sequence[tuple[str, str, History, int | None]], step: float, most: int) -> str:
    """Return a small table of one layer in several runs at a step, empty where no run has come so far.

    Parameters
    ----------
    runs
        (words, colour, history, row of the layer or None where the run does not have it) of each line of the table.
    step
        Where the cursor is.
    most
        So many runs have room: of more it tells the last ones, and how many others there are.
    """
    found = [(*run, row) for run in runs if (row := _row_at(run[2], step)) is not None]
    left_out = max(len(found) - most, 0)
    rows = [_line([f"{left_out} earlier run{'s' * (left_out > 1)}"], "")] if left_out else []
    for label, color, history, layer, row in found[left_out:]:
        values = ["", ""] if layer is None else _values(history, layer, row)
        cells = [_name(label, color), *values, value_text(_loss_at(history, step))]
        words = [] if layer is None else [_state(history, layer, row), _measured_at(history, row, step)]
        rows.append(_line(cells, ", ".join(filter(None, words))))
    if not rows:
        return ""
    title = _line([f"<b>step {int(step)}</b>", "weight Δ", "gradient", "loss"], "")
    return f"<table cellspacing='0' cellpadding='1'>{title}{''.join(rows)}</table>"


def _row_at(history: History, step: float) -> int | None:
    """Return the measured row nearest to `step`, None before the first and after the last step taken."""
    measured, whole = history.view().step, int(step)
    row = int(np.searchsorted(measured, step, "right")) - 1
    if row < 0 or step >= history.newest_step + 1:
        return None
    has_nearer = row + 1 < len(measured) and measured[row + 1] - whole < whole - measured[row]
    return row + 1 if has_nearer else row


def _measured_at(history: History, row: int, step: float) -> str:
    """Say at which step the layers were measured, where it was not at this one."""
    measured = int(history.view().step[row])
    return "" if measured == int(step) else f"layers at step {measured}"


def _loss_at(history: History, step: float) -> float:
    view = history.view()
    return float(view.loss[min(int(np.searchsorted(view.loss_step, step, "right")) - 1, len(view.loss) - 1)])


def _rate_at(history: History, step: float) -> float:
    view = history.view()
    return float(view.learning_rate[min(int(np.searchsorted(view.loss_step, step, "right")) - 1, len(view.loss) - 1)])


def _values(history: History, layer: int, row: int) -> list[str]:
    view = history.view()
    return [value_text(float(view.metric(metric)[row, layer])) for metric in ("weight_delta", "grad_norm")]


def _state(history: History, layer: int, row: int) -> str:
    words = state_text(history, layer, row)
    return f"<b>{words}</b>" if history.view().leaked[row, layer] else words


def _name(label: str, color: str) -> str:
    return f"<span style='color:{color}'>●</span> {escape(label or '(model)')}"


def _line(cells: Sequence[str], state: str) -> str:
    """Return a row of the table: a name, numbers to the right, and words at the end."""
    first, *numbers = cells
    middle = "".join(f"<td align='right'>{number}&nbsp;&nbsp;</td>" for number in numbers)
    return f"<tr><td>{first}&nbsp;&nbsp;</td>{middle}<td>{state}</td></tr>"
