"""The colour scale that several heatmaps share; no Qt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from freeze_gui.gui.heatmap_codes import HeatmapCodes
from freeze_gui.runs.history import History


class CommonScale:
    """Holds the values of all runs, also of those whose heatmaps nobody sees."""

    def __init__(self) -> None:
        self._codes: list[HeatmapCodes] = []

    def look(self, histories: Sequence[History], metric: str) -> Iterator[None]:
        """Take note of what is new in these, one after another."""
        known = {id(codes.history): codes for codes in self._codes if codes.metric == metric}
        self._codes = [known.get(id(history)) or HeatmapCodes(history, metric) for history in histories]
        for codes in self._codes:
            codes.look()
            yield

    @property
    def levels(self) -> tuple[float, float] | None:
        """The scale that suits all of them, in powers of ten; None without data."""
        own = [codes.own_levels for codes in self._codes if codes.range]
        return (min(low for low, _ in own), max(high for _, high in own)) if own else None
