"""What a person should know before a run: warnings with what will happen, why, and the cure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ForecastWarning:
    """One warning: its `kind`, the layers concerned, and in `text` what will happen and why, and the cure."""

    kind: str
    layers: tuple[str, ...]
    text: str
