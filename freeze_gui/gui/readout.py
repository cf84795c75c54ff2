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
    view = history.view()
    row = int(np.searchsorted(view.step, step, "right")) - 1
    if row < 0 or not len(view.step) or step >= view.step[-1] + 1:
        return ""
    loss_row = min(int(np.searchsorted(view.loss_step, step, "right")) - 1, len(view.loss) - 1)
    cells = [f"<b>step {view.step[row]}</b>", "weight Δ", "gradient", ""]
    rows = ["<tr>" + "".join(f"<td align='right'>{cell}&nbsp;&nbsp;</td>" for cell in cells) + "</tr>"]
    for label, color, layer in lines:
        values = [value_text(float(view.metric(m)[row, layer])) for m in ("weight_delta", "grad_norm")]
        state = state_text(history, layer, row)
        if view.leaked[row, layer]:
            state = f"<b>{state}</b>"
        name = f"<span style='color:{color}'>●</span> {escape(label or '(model)')}"
        numbers = "".join(f"<td align='right'>{value}&nbsp;&nbsp;</td>" for value in values)
        rows.append(f"<tr><td>{name}&nbsp;&nbsp;</td>{numbers}<td>{state}</td></tr>")
    rows.append(f"<tr><td>loss&nbsp;&nbsp;</td><td align='right'>{value_text(float(view.loss[loss_row]))}</td></tr>")
    return f"<table cellspacing='0' cellpadding='1'>{''.join(rows)}</table>"
