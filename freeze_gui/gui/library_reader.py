"""Reads the runs' folder and draws the small pictures of its runs; called beside the window, knows no widget."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from freeze_gui.errors import UserError
from freeze_gui.gui.heatmap_codes import Codes, HeatmapCodes, to_pixels
from freeze_gui.gui.library_words import is_going_on
from freeze_gui.runs.store import SUFFIX, RunCard, card_of, open_run

THUMBNAIL = (208, 88)
"""Width and height of a small picture in pixels: twice what a plain screen shows."""

MOST_BYTES = 64 << 20
"""The picture of a larger file would take seconds and hundreds of megabytes for a glance."""

Mark = tuple[tuple[int, int], ...]   # what changes when a file does


class FolderReader:
    """Lists the runs of a folder again and again, and opens only those files that have changed."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[Mark, RunCard]] = {}

    def cards(self, folder: Path) -> list[RunCard]:
        """Return a card for each run, the newest first."""
        known: dict[Path, tuple[Mark, RunCard]] = {}
        for path in folder.glob(f"*{SUFFIX}"):
            mark, (old_mark, card) = mark_of(path), self._known.get(path, ((), None))
            if card is None or mark != old_mark or is_going_on(card):   # a writer that is gone changes no file
                card = card_of(path)
            if path.exists():   # not removed in between
                known[path] = mark, card
        self._known = known
        return sorted((card for _, card in known.values()), key=lambda card: (-card.started, card.path.name))


@dataclass(frozen=True)
class Thumbnail:
    """A small heatmap of the weight deltas of a run.

    Attributes
    ----------
    path, steps
        Of which file, and how many steps were in it.
    pixels
        Codes of `heatmap_codes`, shape (height, width); None where there is nothing to draw.
    """

    path: Path
    steps: int
    pixels: Codes | None


def thumbnail_of(card: RunCard) -> Thumbnail:
    """Draw the small picture of a run; a file that cannot be read or has no steps has none."""
    nothing = Thumbnail(card.path, card.steps, None)
    try:
        if card.path.stat().st_size > MOST_BYTES:
            return nothing
        history = open_run(card.path).history
    except (OSError, UserError):
        return nothing
    if history is None or not history.rows or not history.layers:
        return nothing
    codes = HeatmapCodes(history, "weight_delta")
    codes.look()
    width, height = THUMBNAIL
    columns = codes.columns(codes.own_levels, width, 0, max(history.total_steps, history.steps))
    return Thumbnail(card.path, card.steps, to_pixels(columns.T, height))


def mark_of(path: Path) -> Mark:
    """Return size and time of a run's file and of what SQLite has beside it."""
    marks = []
    for end in ("", "-wal"):
        try:
            found = path.with_name(path.name + end).stat()
        except OSError:
            continue
        marks.append((found.st_size, found.st_mtime_ns))
    return tuple(marks)
