"""Plots that grow step by step beside ones that are drawn at once, pixel by pixel."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np

from tests.gui.plot_screen import Plot, Screen, draw

Whole = Callable[[Any], Plot]
"""Draws what a plot shows at once, in a new plot beside it."""


class Steps(Protocol):
    def add(self, count: int) -> None:
        """Add so many steps to what the plot shows."""


def differing(plot: Plot, screen: Screen, whole: Whole, ratio: int = 1) -> int:
    """Return how many pixels differ from those of a plot that draws the same histories whole."""
    fresh = whole(plot)
    different = int((screen.picture() != Screen(fresh, ratio).picture()).sum())
    fresh.setParent(None)
    fresh.deleteLater()
    return different


def grow_by_random_pieces(plot: Plot, steps: Steps, whole: Whole, total: int, seed: int, ratio: int) -> Screen:
    """Grow a plot piece by piece, and compare it every fourth time; return its screen."""
    screen, random = Screen(plot, ratio), np.random.default_rng(seed)
    for _ in range(4):
        for _ in range(4):
            steps.add(int(random.integers(1, max(total // 60, 2))))
            draw(plot)
            screen.picture()
        assert differing(plot, screen, whole, ratio) == 0
    return screen


def grow_by_strips(plot: Plot, steps: Steps, whole: Whole) -> None:
    """Grow a plot of 600 pixels and 20,000 steps by less than three pixels a time, which alone are painted."""
    steps.add(100)
    draw(plot)
    screen = Screen(plot, 1)
    for _ in range(10):
        screen.widths.clear()
        steps.add(100)
        draw(plot)
        assert screen.widths
        assert max(screen.widths) <= 30
    assert differing(plot, screen, whole) == 0


def grow_after_changes(plot: Plot, steps: Steps, whole: Whole, changes: Iterable[Callable[[], object]]) -> None:
    """Make one change after another, and grow and compare the plot after each."""
    for change in changes:
        change()
        draw(plot)
        screen = Screen(plot, 1)
        for _ in range(3):
            steps.add(90)
            draw(plot)
            screen.picture()
        assert differing(plot, screen, whole) == 0
