"""The kinds of check that a scenario's claim can ask for: each looks at a summary and says in words what is there.

A check returns whether the claim is borne out, and what was seen. What a claim says of layers or tensors it says of
every one that its patterns name; a pattern that names nothing is a mistake in the scenario and raises ``KeyError``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from freeze_gui.runs.words import bytes_text, counted, joined, number

Summary = Mapping[str, Any]

_MOST_LINES = 3


@dataclass(frozen=True)
class Seen:
    """Whether a claim was borne out, and what was seen instead or as well."""

    holds: bool
    words: str


def layers(summary: Summary, *, names: Sequence[str], verdict: str) -> Seen:
    """Every layer has this verdict: ``held``, ``leaked`` or ``trained``."""
    found = [row for row in summary["layers"] if _named(row["path"], names)]
    _something(found, names)
    groups: dict[str, list[str]] = {}
    for row in found:
        groups.setdefault(row["verdict"], []).append(row["path"] or "(model)")
    words = "; ".join(f"{joined(paths)} {kind}" for kind, paths in groups.items())
    return Seen(all(row["verdict"] == verdict for row in found), words)


def frozen(summary: Summary, *, names: Sequence[str]) -> Seen:
    """Exactly these layers are frozen at some step, and no other."""
    paths = [row["path"] for row in summary["layers"] if row["frozen_steps"]]
    return Seen(sorted(paths) == sorted(names), f"frozen: {joined(paths) or 'nothing'}")


def tensors(
    summary: Summary,
    *,
    names: Sequence[str],
    moved: bool,
    causes: Sequence[str] | None = None,
    first_step: int | None = None,
    steps: int | None = None,
) -> Seen:
    """Every tensor moved while frozen or did not; for these causes, first at this step, in so many steps."""
    found = [row for row in summary["tensors"] if _named(row["name"], names)]
    _something(found, names)

    def fits(row: Mapping[str, Any]) -> bool:
        return (
            row["moved"] is moved
            and (causes is None or sorted(cause["cause"] for cause in row["causes"]) == sorted(causes))
            and (first_step is None or row["first_moved_step"] == first_step)
            and (steps is None or row["moved_steps"] == steps)
        )

    return Seen(all(fits(row) for row in found), _few([_tensor_words(row) for row in found]))


def gradient(
    summary: Summary, *, names: Sequence[str], shows: str, when: str = "frozen", from_step: int = 0
) -> Seen:
    """In every step of a layer that is ``frozen`` or ``free``, its gradient is ``none``, ``zero`` or ``live``."""
    found = [row for row in summary["layers"] if _named(row["path"], names)]
    _something(found, names)
    holds, lines = True, []
    for row in found:
        counts = {"none": 0, "zero": 0, "live": 0}
        for step, norm in zip(summary["measured_steps"], row["grad_norm"], strict=True):
            is_frozen = any(start <= step < stop for start, stop in row["frozen_steps"])
            if step >= from_step and is_frozen is (when == "frozen"):
                counts["none" if norm is None else "zero" if norm == 0 else "live"] += 1
        holds = holds and counts[shows] == sum(counts.values()) > 0
        seen = joined([f"{kind} in {counted(count, 'step')}" for kind, count in counts.items() if count])
        lines.append(f"gradient of {row['path']} while {when}: {seen}")
    return Seen(holds, _few(lines))


def update(
    summary: Summary,
    *,
    step: int,
    name: str | None = None,
    norm: float | None = None,
    below: float | None = None,
    within: float = 0.01,
) -> Seen:
    """At this step the layer, or the whole model, moves so far, as an L2 norm; `within` is the share that may lack."""
    at = list(summary["measured_steps"]).index(step)
    norms = [row["update_norm"][at] for row in summary["layers"] if name in (None, row["path"])]
    value = math.hypot(*norms)
    fits = (norm is None or abs(value - norm) <= within * norm) and (below is None or value < below)
    return Seen(fits, f"{name or 'the model'} moved by {number(value)} at step {step} (L2 norm)")


def side_effect(summary: Summary, *, effect: str, names: Sequence[str] | None = None, happens: bool = True) -> Seen:
    """This side effect happened, to exactly these layers, or did not happen."""
    found = [row for row in summary["side_effects"] if row["kind"] == effect]
    if not found:
        return Seen(not happens, f"no {effect.replace('_', ' ')}")
    concerned = sorted({path for row in found for path in row["layers"]})
    right = names is None or concerned == sorted(names)
    return Seen(happens and right, f"{effect.replace('_', ' ')}: {joined(concerned) or 'the whole run'}")


def trainable(summary: Summary, *, counts: Sequence[Sequence[int]]) -> Seen:
    """The number of trainable parameters is so, as pairs of first step and number."""
    found = [[row["step"], row["count"]] for row in summary["trainable_parameters"]]
    words = ", then ".join(f"{count:,} from step {step} on" for step, count in found)
    return Seen(found == [list(pair) for pair in counts], f"trainable parameters: {words}")


def accuracy(
    summary: Summary, *, step: int | None = None, above: float | None = None, below: float | None = None
) -> Seen:
    """The validation accuracy after so many steps, by default at the end, is above or below a bound."""
    row = next(row for row in reversed(summary["evaluations"]) if step in (None, row["step"]))
    words = f"accuracy {row['accuracy']:.3f} after {counted(row['step'], 'step')}"
    return Seen(_between(row["accuracy"], above, below), words)


def loss(summary: Summary, *, at: int = -1, above: float | None = None, below: float | None = None) -> Seen:
    """The training loss of a step, counted from the end where negative, is above or below a bound."""
    value = summary["loss"][at]
    step = range(len(summary["loss"]))[at]
    return Seen(_between(value, above, below), f"loss {number(value)} at step {step}")


def same_loss(summary: Summary, *, steps: Sequence[int]) -> Seen:
    """The training loss of these steps is the same to the last bit."""
    values = [summary["loss"][step] for step in steps]
    words = ", ".join(f"{value:.6f} at step {step}" for step, value in zip(steps, values, strict=True))
    return Seen(len(set(values)) == 1, f"loss {words}")


def optimizer_state(summary: Summary, *, names: Sequence[str], step: int) -> Seen:
    """At the end the optimizer has counted so many steps for each of these parameters."""
    found = [row for row in summary["optimizer_state"] if _named(row["name"], names)]
    _something(found, names)
    lines = [f"the optimizer has counted {counted(int(row['step'] or 0), 'step')} for {row['name']}" for row in found]
    return Seen(all(row["step"] == step for row in found), _few(lines))


def steps(summary: Summary, *, count: int) -> Seen:
    """The run took so many optimizer steps."""
    return Seen(summary["steps"] == count, counted(summary["steps"], "optimizer step"))


def cost(summary: Summary, *, quantity: str, equals: int | None = None, above: int | None = None) -> Seen:
    """The run held so many bytes at its end, or more than so many; time is shown beside and never judged."""
    value = summary["cost"][quantity]
    words = f"{quantity.removesuffix('_bytes').replace('_', ' ')} {bytes_text(value)}"
    milliseconds = summary["cost"].get("step_ms_median")
    if milliseconds is not None:
        words += f", {milliseconds:.2f} ms a step"
    return Seen((equals is None or value == equals) and (above is None or value > above), words)


CHECKS: Mapping[str, Callable[..., Seen]] = {
    check.__name__: check
    for check in (
        layers, frozen, tensors, gradient, update, side_effect, trainable, accuracy, loss, same_loss, optimizer_state,
        steps, cost,
    )
}
"""Every kind of check by its name."""


def _named(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _something(found: Sequence[object], names: Sequence[str]) -> None:
    if not found:
        raise KeyError(f"nothing is called {joined(names)}")


def _between(value: float, above: float | None, below: float | None) -> bool:
    return (above is None or value > above) and (below is None or value < below)


def _few(lines: list[str]) -> str:
    more = len(lines) - _MOST_LINES
    shown = lines if more <= 1 else [*lines[:_MOST_LINES], f"and {more} more"]
    return "; ".join(shown)


def _tensor_words(row: Mapping[str, Any]) -> str:
    span = sum(stop - start for start, stop in row["frozen_steps"])
    if not row["moved"]:
        return f"{row['name']} held in all {span} frozen steps"
    names = joined([cause["cause"].replace("_", " ") for cause in row["causes"]])
    return (
        f"{row['name']} moved in {row['moved_steps']} of {span} frozen steps, first at step {row['first_moved_step']}, "
        f"by {names}, at most {number(row['max_abs_change'])}"
    )
