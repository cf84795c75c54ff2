"""The timeline in words: names of bars, their windows, and the rows of its table."""

from __future__ import annotations

from freeze_gui.gui.timeline_geometry import Spans
from freeze_gui.gui.timeline_state import Bar, Span, Timeline, patterns_of
from freeze_gui.models.layer_tree import LayerTree

EMPTY = "Nothing is frozen: tick layers in the tree, or choose a preset"
NO_LAYERS = "no layers ticked"
_MOST_SPANS = 3
COLUMNS = ("Phase", "Frozen", "From", "To", "Unit", "Rate factor", "Really frozen")


def window_words(bar: Bar) -> str:
    """Return when a bar holds, such as ``steps 0–100`` or ``epochs 2–end``."""
    if bar.start == 0 and bar.stop is None:
        return "the whole run"
    return f"{bar.unit}s {bar.start:,}–{stop_words(bar)}"


def stop_words(bar: Bar) -> str:
    """Return where a bar ends."""
    return "end" if bar.stop is None else f"{bar.stop:,}"


def factor_words(bar: Bar) -> str:
    """Return the learning rate of a bar's layers, nothing where it is the usual one."""
    return "" if bar.lr_factor == 1.0 else f"rate × {bar.lr_factor:g}"


def names_of(bar: Bar, tree: LayerTree) -> str:
    """Return what a bar freezes, in as few names as will do."""
    if not bar.layers:
        return NO_LAYERS
    return ", ".join("everything" if name == "*" else name for name in patterns_of(bar, tree))


def ticks_words(timeline: Timeline) -> str:
    """Return which phase the ticks of the tree belong to; nothing where there is but one for the whole run."""
    if not timeline.is_schedule:
        return ""
    alone = "beside the tasks" if timeline.tasks else "the one phase"
    where = alone if len(timeline.bars) == 1 else f"phase {timeline.selected + 1} of {len(timeline.bars)}"
    return f"Ticks: {where}, {window_words(timeline.bar)}"


def spans_words(windows: Spans) -> str:
    """Return the steps in which something was frozen, such as ``0–100, 150–300``; the first few of many."""
    words = ", ".join(f"{start:,}–{stop:,}" for start, stop in windows[:_MOST_SPANS])
    return words if len(windows) <= _MOST_SPANS else f"{words} and {len(windows) - _MOST_SPANS:,} more"


def table_rows(
    timeline: Timeline, names: list[str], actual: list[Spans] | None
) -> list[tuple[str, ...]]:
    """Return what the drawing shows, one row a phase and a task, in the order of `COLUMNS`.

    Parameters
    ----------
    timeline
        What is wanted.
    names
        Of the bars and then of the tasks, as `names_of` gives them.
    actual
        For each row the steps in which all its layers were frozen in the run on show; None without a run.
    """
    seen = [spans_words(windows) or "never" for windows in actual] if actual is not None else [""] * len(names)
    rows: list[tuple[str, ...]] = [
        (str(at + 1), names[at], f"{bar.start:,}", stop_words(bar), bar.unit, f"{bar.lr_factor:g}", seen[at])
        for at, bar in enumerate(timeline.bars)
    ]
    for at, task in enumerate(timeline.tasks, len(timeline.bars)):
        rows.append((task.task, names[at], "0", "end", "its steps", "1", seen[at]))
    return rows


def description(timeline: Timeline, names: list[str], span: Span) -> str:
    """Return the drawing as sentences, for those who cannot see it."""
    if timeline.is_empty:
        return EMPTY
    parts = []
    for at, bar in enumerate(timeline.bars):
        chosen = ", selected" if at == timeline.selected else ""
        factor = f", {factor_words(bar)}" if factor_words(bar) else ""
        parts.append(f"Phase {at + 1} of {len(timeline.bars)}{chosen}: {names[at]}, {window_words(bar)}{factor}")
    for at, task in enumerate(timeline.tasks, len(timeline.bars)):
        parts.append(f"In the steps of task {task.task}: {names[at]}")
    return f"A run of {span.total_steps:,} steps. " + ". ".join(parts) + "."
