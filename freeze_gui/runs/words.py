"""Numbers and lists in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

_MOST_NAMES = 4


def number(value: float) -> str:
    """Return a number with three digits that count."""
    return format(value, ".3g")


def counted(count: int, noun: str) -> str:
    """Return ``1 step`` or ``20 steps``."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def setting_words(name: str, value: object) -> str:
    """Return ``momentum 0.9``; of what is on or off ``fused`` or ``fused off``."""
    if isinstance(value, bool):
        return name if value else f"{name} off"
    return f"{name} {format(value, 'g') if isinstance(value, float) else value}"


def joined(names: Sequence[str], most: int = _MOST_NAMES) -> str:
    """Return names as ``a, b and c``; of more than `most`, the first and how many more there are."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def bytes_text(count: int | None) -> str:
    """Return a size in bytes with a larger unit beside it where it is large."""
    if count is None:
        return "not counted"
    for unit, size in (("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count:,} bytes ({count / size:.1f} {unit})"
    return counted(count, "byte")
