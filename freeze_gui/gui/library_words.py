"""What the library says of a run's file: its verdict in a word, when it was, and whether a search finds it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freeze_gui.runs.store_files import RunCard

_FAILURES = {"diverged": "diverged", "out_of_memory": "out of memory", "failed": "failed", "unreadable": "unreadable"}
_VERDICTS = {
    "leaked": ("leaked", "✗ LEAKED"),
    "held": ("held", "✓ held"),
    "nothing frozen": ("muted", "nothing frozen"),
}
_GOING_ON = ("loading", "running")
_DAY_S = 86_400


def verdict_words(card: RunCard) -> tuple[str, str]:
    """Return the tone (``held``, ``leaked``, ``warning``, ``muted``) and the words for how a run stands."""
    if card.status in _FAILURES:
        return "warning", _FAILURES[card.status]
    tone, words = _VERDICTS.get(card.verdict, ("muted", "not run"))
    if card.status == "completed":
        return tone, words
    if not card.verdict:
        return ("warning" if card.status == "interrupted" else "muted"), card.status
    return ("warning" if card.status == "interrupted" and tone == "muted" else tone), f"{words} · {card.status}"


def is_going_on(card: RunCard) -> bool:
    """Tell whether somebody writes the file now."""
    return card.status in _GOING_ON


def facts(card: RunCard) -> str:
    """Return model, method and steps in one line; of a file that cannot be read, why."""
    if card.error is not None:
        return card.error.removeprefix(f"{card.path}: ")   # the row says which file it is
    steps = f"{card.steps:,} step{'s' * (card.steps != 1)}"
    return " · ".join(part for part in (card.model.removeprefix("builtin:"), card.method, steps) if part)


def when(started: float, now: float) -> str:
    """Return when a run began, the shorter the nearer: ``14:05`` for today, ``yesterday 14:05``, ``3 Nov 2026``."""
    if started <= 0:
        return ""
    then = time.localtime(started)
    days = _day(now) - _day(started)
    clock = time.strftime("%H:%M", then)
    if days in (0, 1):
        return clock if days == 0 else f"yesterday {clock}"
    date = f"{then.tm_mday} {time.strftime('%b', then)}"
    return f"{date} {clock}" if then.tm_year == time.localtime(now).tm_year else f"{date} {then.tm_year}"


def sentence(card: RunCard, now: float) -> str:
    """Return all that a row shows, for a screen reader."""
    parts = [card.label, verdict_words(card)[1], facts(card), when(card.started, now)]
    parts += [f"tags {', '.join(card.tags)}"] * bool(card.tags) + [f"notes {card.notes}"] * bool(card.notes)
    return ", ".join(part for part in parts if part)


def matches(card: RunCard, search: str) -> bool:
    """Tell whether every word of a search stands somewhere in what is known of a run; ``#`` asks for a tag alone."""
    text = " ".join(
        (card.label, card.model, card.method, verdict_words(card)[1], card.notes, card.path.name, *card.tags)
    ).casefold()
    tags = [tag.casefold() for tag in card.tags]
    return all(
        any(tag.startswith(word[1:]) for tag in tags) if word.startswith("#") else word in text
        for word in search.casefold().split()
    )


def tags_of(text: str) -> list[str]:
    """Return the tags of a line in which they are set apart by commas; a leading ``#`` is left out."""
    return list(dict.fromkeys(tag for part in text.split(",") if (tag := part.strip().lstrip("#").strip())))


def counted(shown: int, count: int) -> str:
    """Return how many runs there are, and how many of them are shown."""
    runs = f"{count:,} run{'s' * (count != 1)}"
    return runs if shown == count else f"{shown:,} of {runs}"


def _day(moment: float) -> int:
    """Return the number of the local day."""
    local = time.localtime(moment)
    return int((moment + local.tm_gmtoff) // _DAY_S)
