"""Which rows of the tree are shown and where, worked out for those parents that somebody asks about."""

from __future__ import annotations

from collections.abc import Sequence

from freeze_gui.models.layer_tree import LayerTree

ABOVE_ROOT = -1
"""Stands for what the root is below of."""


class ShownRows:
    """Rows of one tree without those that are hidden.

    Parameters
    ----------
    tree
        All rows.
    shown
        One flag a row; None shows all. What is above a shown row has to be shown too.
    """

    def __init__(self, tree: LayerTree, shown: Sequence[bool] | None = None) -> None:
        self._nodes = tree.nodes
        self._shown = shown
        self._below: dict[int, list[int]] = {}
        self._places: dict[int, int] = {}

    def below(self, at: int) -> list[int]:
        """Return the shown children of a row in order."""
        found = self._below.get(at)
        if found is None:
            found = self._nodes[at].children if at != ABOVE_ROOT else [0] if self._nodes else []
            if self._shown is not None:
                found = [child for child in found if self._shown[child]]
            self._below[at] = found
            self._places.update((child, place) for place, child in enumerate(found))
        return found

    def place(self, at: int) -> int | None:
        """Return the place of a row among its shown siblings, None where it is hidden."""
        place = self._places.get(at)
        if place is None:
            self.below(self._nodes[at].parent)
            place = self._places.get(at)
        return place

    def is_asked_for(self, at: int) -> bool:
        """Tell whether a row is shown and somebody has asked about it or its siblings: others are on no screen."""
        return at in self._places
