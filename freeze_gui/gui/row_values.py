"""What every row of the tree says at one moment, as arrays: ticks, states, statistics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freeze_gui.gui.row_states import Actual, Codes, NormRows, lasting, planned_codes, row_codes
from freeze_gui.gui.timeline_state import Span, Timeline
from freeze_gui.models.layer_tree import LayerTree

Policy = tuple[str, str]
"""Freezing method and norm policy."""


@dataclass(frozen=True)
class RowValues:
    """One value a row.

    Attributes
    ----------
    frozen
        How many of the layers at and below the row are ticked.
    states, statistics
        Places in `STATES` and `STATISTICS_WORDS`.
    """

    frozen: NDArray[np.int64]
    states: Codes
    statistics: Codes

    def changed_rows(self, before: RowValues) -> NDArray[np.int64]:
        """Return the rows that say something else than before, in order."""
        same = self.frozen == before.frozen
        same &= (self.states == before.states) & (self.statistics == before.statistics)
        return np.flatnonzero(~same)


def row_values(
    tree: LayerTree,
    norms: NormRows,
    timeline: Timeline,
    span: Span,
    policy: Policy,
    actual: Actual | None = None,
    of_run: Policy = ("", ""),
) -> RowValues:
    """Return what the rows say; of what the run on show froze, that run's own policy tells the statistics."""
    planned = planned_codes(tree, timeline)
    statistics = norms.codes(lasting(planned), *policy)
    if actual is not None:
        frozen = tree.mask(actual.states)
        rows = [tree.row_of_layer[layer].index for layer in actual.states]
        statistics[rows] = norms.codes(frozen, *of_run)[rows]
    return RowValues(
        tree.sums(tree.mask(timeline.layers)),
        row_codes(tree, planned, timeline, span, actual),
        statistics,
    )
