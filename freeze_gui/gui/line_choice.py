"""Which layers of a run have a curve, and in which colour; no Qt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

MOST_SELECTED = 8


def lines_to_show(layers: Sequence[str], pinned: Sequence[str], selected: Sequence[str]) -> list[str]:
    """Return those of `layers` whose curves are drawn: pinned ones and the selection, or a sample where there is none.

    Parameters
    ----------
    layers
        All of the run.
    pinned, selected
        Paths in the order in which they were chosen; of the selected ones, the first `MOST_SELECTED` are drawn.
    """
    known = set(layers)
    kept = [path for path in pinned if path in known]
    wanted = [path for path in selected if path in known and path not in kept]
    if not wanted and not kept:
        count = min(MOST_SELECTED - 2, len(layers))
        spread = np.linspace(0, len(layers) - 1, count).round().astype(int)
        wanted = [layers[at] for at in spread.tolist()]
    return kept + wanted[:MOST_SELECTED]


def color_numbers(shown: Sequence[str], before: Mapping[str, int]) -> dict[str, int]:
    """Return a colour for each line: its own while it is shown, else the first that no other has."""
    colors = {path: color for path, color in before.items() if path in shown}
    for path in shown:
        if path not in colors:
            colors[path] = next(i for i in range(len(shown) + 1) if i not in colors.values())
    return colors
