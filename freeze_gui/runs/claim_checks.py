"""The kinds of check that a scenario's claim can ask for: each looks at a summary and says in words what is there.

A check returns whether the claim is borne out, and what was seen. What a claim says of layers or tensors it says of
every one that its patterns name; a pattern that names nothing is a mistake in the scenario and raises ``KeyError``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from freeze_gui.runs.words import bytes_text, counted, joined, number

Summary = Mapping[str, Any]

_NORM_WORDS = {   # for no and yes
    "affine_still": ("moved its scale or shift", "held scale and shift"),
    "statistics_still": ("moved its statistics", "held its statistics"),
    "same_function": ("normalised by each batch, not as in use", "computed what it computes in use"),
}
_COST_WORDS = {
    "gradient_bytes": "gradients",
    "optimizer_state_bytes": "optimizer state",
    "saved_activation_bytes": "saved activations",
}


@dataclass(frozen=True)
class Seen:
    """Whether a claim was borne out, and what was seen instead or as well."""

    holds: bool
    words: str


def layers(summary: Summary, *, names: Sequence[str], verdict: str) -> Seen:
    """Every layer has this verdict: ``held``, ``leaked`` or ``trained``."""
    found = [row for row in summary["layers"] if _named(row["path"], names)]
    _something(found, names)
    words = _grouped((row["path"] or "(model)", row["verdict"]) for row in found)
    return Seen(all(row["verdict"] == verdict for row in found), words)


def frozen(summary: Summary, *, names: Sequence[str]) -> Seen:
    """Exactly these layers are frozen at some step, and no other."""
    paths = [row["path"] for row in summary["layers"] if row["frozen_steps"]]
    return Seen(sorted(paths) == sorted(names), f"frozen: {joined(paths, most=len(paths)) or 'nothing'}")


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

    return Seen(all(fits(row) for row in found), _tensor_words(found))


def gradient(
    summary: Summary, *, names: Sequence[str], shows: str, when: str = "frozen", from_step: int = 0
) -> Seen:
    """In every step of a layer that is ``frozen`` or ``free``, its gradient is ``none``, ``zero`` or ``live``."""
    found = [row for row in summary["layers"] if _named(row["path"], names)]
    _something(found, names)
    holds, words = True, []
    for row in found:
        counts = {"none": 0, "zero": 0, "live": 0}
        for step, norm in zip(summary["measured_steps"], row["grad_norm"], strict=True):
            is_frozen = any(start <= step < stop for start, stop in row["frozen_steps"])
            if step >= from_step and is_frozen is (when == "frozen"):
                counts["none" if norm is None else "zero" if norm == 0 else "live"] += 1
        holds = holds and counts[shows] == sum(counts.values()) > 0
        seen = joined([f"{kind} in {counted(count, 'step')}" for kind, count in counts.items() if count])
        words.append((row["path"] or "(model)", f"while {when}: {seen}"))
    return Seen(holds, f"gradient of {_grouped(words)}")


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
    words = _grouped((row["name"], f"{int(row['step'] or 0)}") for row in found)
    return Seen(all(row["step"] == step for row in found), f"steps that the optimizer has counted: {words}")


def norm_layers(summary: Summary, *, names: Sequence[str], question: str, answer: bool) -> Seen:
    """Of every frozen norm layer, ``affine_still``, ``statistics_still`` or ``same_function`` is answered so."""
    found = [row for row in summary["norm_layers"] if _named(row["layer"], names)]
    _something(found, names)
    words = _grouped((row["layer"], _NORM_WORDS[question][bool(row[question])]) for row in found)
    return Seen(all(row[question] is answer for row in found), words)


def steps(summary: Summary, *, count: int) -> Seen:
    """The run took so many optimizer steps."""
    return Seen(summary["steps"] == count, counted(summary["steps"], "optimizer step"))


def cost(summary: Summary, *, quantity: str, equals: int | None = None, above: int | None = None) -> Seen:
    """The run held so many bytes at its end, or more than so many; time is shown beside and never judged."""
    value = summary["cost"][quantity]
    words = f"{_COST_WORDS[quantity]}: {bytes_text(value)}"
    milliseconds = summary["cost"].get("step_ms_median")
    if milliseconds is not None:
        words += f"; {milliseconds:.2f} ms a step"
    return Seen((equals is None or value == equals) and (above is None or value > above), words)


CHECKS: Mapping[str, Callable[..., Seen]] = {
    check.__name__: check
    for check in (
        layers, frozen, tensors, gradient, update, side_effect, trainable, accuracy, loss, same_loss, optimizer_state,
        norm_layers, steps, cost,
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


def _grouped(seen: Iterable[tuple[str, str]]) -> str:
    """Return pairs of name and what is said of it, names of which the same is said put together."""
    groups: dict[str, list[str]] = {}
    for name, words in seen:
        groups.setdefault(words, []).append(name)
    return "; ".join(f"{joined(names)} {words}" for words, names in groups.items())


def _tensor_words(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return when and why tensors moved; tensors that did so alike are put together with the largest change of all."""
    largest: dict[str, float] = {}
    seen = []
    for row in rows:
        words = _movement(row)
        largest[words] = max(largest.get(words, 0.0), row["max_abs_change"])
        seen.append((row["name"], words))
    text = _grouped(seen)
    for words, change in largest.items():
        if change:
            text = text.replace(words, f"{words}, at most {number(change)}")
    return text


def _movement(row: Mapping[str, Any]) -> str:
    span = sum(stop - start for start, stop in row["frozen_steps"])
    if not row["moved"]:
        return f"held in all {span} frozen steps"
    names = joined([cause["cause"].replace("_", " ") for cause in row["causes"]])
    return f"moved in {row['moved_steps']} of {span} frozen steps, first at step {row['first_moved_step']}, by {names}"
