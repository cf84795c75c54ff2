"""Does what happened agree with what was forecast? Tensor by tensor; a disagreement is shown, never hidden."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from freeze_gui.freezing.basis import TensorForecast
from freeze_gui.freezing.verdict import TensorVerdict


@dataclass(frozen=True)
class Disagreement:
    """A tensor that did something else than was forecast: the causes of both, none for “holds”, and one sentence."""

    name: str
    layer: str
    forecast: tuple[str, ...]
    seen: tuple[str, ...]
    text: str


def disagreements(
    forecasts: Iterable[TensorForecast], verdicts: Iterable[TensorVerdict]
) -> tuple[Disagreement, ...]:
    """Compare forecast and verdict of every tensor that was frozen, in the order of the verdicts."""
    expected = {forecast.name: forecast for forecast in forecasts}
    found = []
    for verdict in verdicts:
        if not verdict.frozen_steps:
            continue
        forecast = expected.get(verdict.name, TensorForecast(verdict.name, verdict.role, verdict.layer, frozenset()))
        seen = {cause.cause for cause in verdict.causes}
        if not forecast.causes <= seen or not seen <= forecast.causes | forecast.unsure:
            told = tuple(sorted(forecast.causes))
            text = f"{verdict.name} was forecast to {_words(told)}, and was seen to {_words(seen)}."
            found.append(Disagreement(verdict.name, verdict.layer, told, tuple(sorted(seen)), text))
    return tuple(found)


def _words(causes: Iterable[str]) -> str:
    named = " and ".join(cause.replace("_", " ") for cause in sorted(causes))
    return f"move by {named}" if named else "hold"
