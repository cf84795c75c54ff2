"""What the cells of the tree say, as plain functions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from freeze_gui.models.layer_tree import LayerNode
from freeze_gui.runs.history import History

SPARK_POINTS = 16


def count_text(count: int) -> str:
    """Return a number of parameters in at most six characters, nothing for none."""
    if not count:
        return ""
    if count < 100_000:
        return f"{count:,}"
    return f"{count / 1e3:.0f} k" if count < 999_500 else f"{count / 1e6:.1f} M"


def row_tip(node: LayerNode) -> str:
    """Return all that is known of a row."""
    lines = [f"{node.path or node.name} · {node.kind}"]
    if node.output_shape is not None:
        lines.append(f"output {'×'.join(map(str, node.output_shape))}")
    if node.parameters or node.buffers:
        lines.append(f"{node.parameters:,} parameters, {node.buffers:,} buffer elements")
    if node.tied:
        lines.append(f"tied to {', '.join(node.tied)}")
    if node.alias_of is not None:
        lines.append(f"the same module as {node.alias_of}")
    return "\n".join(lines)


def spark_heights(history: History | None) -> NDArray[np.float64] | None:
    """Reduce the weight deltas of a run to a few bars a layer, shape (points, layers), 0 to 1; None without any.

    The root of the share of the largest one: a layer that moved a hundredth as far as another still shows.
    """
    values = history.view().weight_delta if history is not None else None   # (rows, layers)
    if values is None or not len(values):
        return None
    at = np.linspace(0, len(values) - 1, min(SPARK_POINTS, len(values))).round().astype(int)
    some = np.nan_to_num(values[at], nan=0.0, posinf=0.0)
    largest = float(some.max(initial=0.0))
    heights: NDArray[np.float64] = np.sqrt(some / largest) if largest > 0 else np.zeros_like(some)
    return heights
