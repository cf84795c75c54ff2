"""The cards of the gallery: scenarios that belong together, with a few words for each."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path

from freeze_gui.resources import resource_path
from freeze_gui.runs.scenarios import Scenario, list_scenarios


@dataclass(frozen=True)
class Variant:
    """One scenario of a card, and what it is called among the others."""

    scenario: Scenario
    label: str


@dataclass(frozen=True)
class Card:
    """One situation.

    Attributes
    ----------
    number
        Under which it is known.
    title, text, look_for
        Its name, two sentences, and where to look.
    variants
        Its scenarios; the first is the one to begin with.
    """

    number: int
    title: str
    text: str
    look_for: str
    variants: tuple[Variant, ...]


@functools.cache   # they ship with the program and do not change under it
def list_cards() -> tuple[Card, ...]:
    """Return all cards in order."""
    scenarios = {scenario.name: scenario for scenario in list_scenarios()}
    path = resource_path("scenarios", "cards", "cards.toml")
    return tuple(
        Card(
            card["number"],
            card["title"],
            card["text"],
            card["look_for"],
            tuple(Variant(scenarios[variant["scenario"]], variant["label"]) for variant in card["variants"]),
        )
        for card in tomllib.loads(path.read_text(encoding="utf-8"))["card"]
    )


def label_of(scenario: Scenario) -> str:
    """Return what a scenario is called on its card."""
    variants = (variant for card in list_cards() for variant in card.variants)
    return next((variant.label for variant in variants if variant.scenario is scenario), scenario.title)


def thumbnail_path(card: Card, theme: str) -> Path | None:
    """Return the picture of a card in the theme ``light`` or ``dark``, None where there is none."""
    try:
        return resource_path("scenarios", "thumbnails", f"{card.number:02}-{theme}.png")
    except FileNotFoundError:
        return None
