from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from freeze_gui.runs import pyramid
from freeze_gui.runs.history import METRICS, History, HistoryView
from freeze_gui.runs.step_block import StepBlock
from freeze_gui.training.events import NO_GRADIENT

LAYERS = 5


def random_history(rows: int, seed: int, gaps: bool) -> History:
    """Return a history of random norms among which are zeros, NaN, infinities and missing gradients."""
    rng = np.random.default_rng(seed)
    norms = (10.0 ** rng.uniform(-6, 3, (rows, 3, LAYERS))).astype(np.float32)
    for value, share in ((0.0, 0.1), (np.nan, 0.01), (np.inf, 0.005), (NO_GRADIENT, 0.1)):
        norms[rng.random(norms.shape) < share] = value
    frozen = np.repeat(rng.random((rows // 50 + 1, LAYERS)) < 0.4, 50, axis=0)[:rows]
    leaked = frozen & (rng.random(frozen.shape) < 0.01)
    step = np.cumsum(rng.integers(1, 60, rows)) if gaps else np.arange(rows)
    history = History(tuple("abcde"))
    numbers = np.arange(rows, dtype=float)
    at = 0
    while at < rows:   # in parts of any length, as a file's chunks come
        to = min(at + int(rng.integers(1, 300)), rows)
        part = slice(at, to)
        history.extend(StepBlock(
            step[part], numbers[part], numbers[part], numbers[part], numbers[part], [None] * (to - at),
            frozen[part], leaked[part], np.ones(to - at, bool), norms[part],
            np.zeros(0, np.int64), np.zeros((0, 0, 3), np.float32),
        ))  # fmt: skip
        at = to
    return history


def state_of(value: float, frozen: bool, leaked: bool) -> int:
    """Say of one cell what it is, one question after another."""
    if leaked:
        return pyramid.LEAKED
    if frozen:
        return pyramid.FROZEN_NO_GRADIENT if value == NO_GRADIENT else pyramid.FROZEN
    if value == NO_GRADIENT:
        return pyramid.MISSING
    if not np.isfinite(value):
        return pyramid.NAN
    return pyramid.ZERO if value == 0 else pyramid.POSITIVE


def expected_bin(view: HistoryView, metric: str, begin: int, end: int, layer: int) -> tuple[float, float, int, int]:
    values: NDArray[np.float64] = view.metric(metric)[begin:end, layer]
    frozen, leaked = view.frozen[begin:end, layer], view.leaked[begin:end, layer]
    positive = values[(values > 0) & np.isfinite(values)]
    marks = (
        pyramid.HAS_MISSING * bool((values == NO_GRADIENT).any()) | pyramid.HAS_BAD * bool((~np.isfinite(values)).any())
        | pyramid.HAS_ZERO * bool((values == 0).any()) | pyramid.HAS_TRAINED * bool((~frozen).any())
        | pyramid.HAS_FROZEN * bool(frozen.any())
    )  # fmt: skip
    states = [state_of(*cell) for cell in zip(values, frozen, leaked, strict=True)]
    return positive.min(initial=np.inf), positive.max(initial=-np.inf), max(states), marks


@pytest.mark.parametrize("seed", range(12))
def test_bins_are_the_least_and_the_largest_of_the_rows_they_stand_for(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(1, 4000))
    view = random_history(rows, seed, gaps=bool(seed % 2)).view()
    for most_steps in (0.5, 9.0, 100.0, 3_000.0, 1e9):
        begin = int(rng.integers(0, rows))
        window = slice(begin, int(rng.integers(begin, rows)) + 1)
        metric = str(rng.choice(METRICS))
        bins = view.reduced(metric, window, most_steps)
        assert bins.row[0] == window.start and (np.diff(bins.row) > 0).all()
        ends = np.append(bins.row[1:], window.stop)
        for at in rng.integers(0, len(bins.row), 40).tolist():
            first, end, layer = int(bins.row[at]), int(ends[at]), int(rng.integers(LAYERS))
            found = tuple(values[at, layer] for values in (bins.low, bins.high, bins.state, bins.marks))
            assert found == expected_bin(view, metric, first, end, layer)
            assert end - first == 1 or end == rows or view.step[end] - view.step[first] <= most_steps


def test_a_long_run_needs_few_bins_and_a_stretch_of_rare_rows_keeps_each() -> None:
    view = random_history(10_000, 0, gaps=False).view()
    assert len(view.reduced("grad_norm", slice(0, 10_000), 600.0).row) < 10_000 / 512 + 3 * 8
    dense_then_rare = np.concatenate([np.arange(8_000), 8_000 + 500 * np.arange(2_000)])
    bins = pyramid.reduced(dense_then_rare, view.rows, view.levels, 0, slice(0, 10_000), 100.0)
    assert (bins.row >= 8_000).sum() == 2_000 and (bins.row < 8_000).sum() < 8_000 / 64 + 3 * 8


def test_some_layers_are_the_columns_of_all() -> None:
    view = random_history(3_000, 1, gaps=True).view()
    window, chosen = slice(17, 2_900), np.array([3, 0])
    every, some = (view.reduced("update_norm", window, 500.0, layers) for layers in (slice(None), chosen))
    assert np.array_equal(every.row, some.row)
    for name in ("low", "high", "state", "marks"):
        assert np.array_equal(getattr(every, name)[:, chosen], getattr(some, name))


def test_grouping_bins_is_reducing_their_rows() -> None:
    view = random_history(1_000, 2, gaps=False).view()
    bins = view.reduced("weight_delta", slice(0, 1_000), 8.0)
    starts = np.arange(0, len(bins.row), 10)
    grouped = bins.grouped(starts)
    ends = np.append(grouped.row[1:], 1_000)
    for at, first in enumerate(grouped.row.tolist()):
        found = tuple(values[at, 2] for values in (grouped.low, grouped.high, grouped.state, grouped.marks))
        assert found == expected_bin(view, "weight_delta", first, int(ends[at]), 2)
