"""What stands in a row about a run: its verdict with causes, its last and best values, what it cost and saved."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

Summary = Mapping[str, Any]


def overall_verdict(summary: Summary) -> str:
    """Return ``leaked`` if any layer did, else ``held`` if any was frozen, else ``nothing frozen``."""
    verdicts = {layer["verdict"] for layer in summary["layers"]}
    return "leaked" if "leaked" in verdicts else "held" if "held" in verdicts else "nothing frozen"


def causes_of(summary: Summary, layer: str) -> dict[str, int]:
    """Return why the tensors of a layer moved while frozen: cause → number of steps of the worst tensor."""
    causes: dict[str, int] = {}
    for tensor in summary["tensors"]:
        if tensor["layer"] == layer:
            for cause in tensor["causes"]:
                causes[cause["cause"]] = max(causes.get(cause["cause"], 0), cause["steps"])
    return dict(sorted(causes.items(), key=lambda item: -item[1]))


def causes_text(causes: Mapping[str, int]) -> str:
    """Return causes as ``momentum (212 steps), weight_decay (1 step)``."""
    return ", ".join(f"{cause} ({steps} step{'s' * (steps != 1)})" for cause, steps in causes.items())


def last_loss(summary: Summary) -> float | None:
    """Return the loss of the last step, None when there was none or it was no number."""
    loss = summary["loss"][-1] if summary["loss"] else None
    return loss if loss is not None and math.isfinite(loss) else None


def last_accuracy(summary: Summary) -> float | None:
    """Return the accuracy of the last evaluation, None when there is none."""
    accuracy: float | None = summary["evaluations"][-1]["accuracy"] if summary["evaluations"] else None
    return accuracy


def step_ms(summary: Summary) -> float | None:
    """Return the median time of a step in milliseconds, None when there was no step."""
    value: float | None = (summary["cost"] or {}).get("step_ms_median")
    return value


def training_ms(summary: Summary) -> tuple[float, float, float] | None:
    """Return the median time of a step without measuring, its interquartile range, and the median of measuring."""
    cost = summary["cost"] or {}
    if cost.get("training_ms_median") is None:
        return None
    return cost["training_ms_median"], cost["training_ms_iqr"], cost["overhead_ms_median"]


def number(value: float | None, form: str = ".4g") -> str:
    """Return a number as text, and a dash where there is none."""
    return "–" if value is None else format(value, form)


def best_loss(summary: Summary) -> float | None:
    """Return the lowest loss of a step, None when there was none."""
    return min((loss for loss in summary["loss"] if loss is not None and math.isfinite(loss)), default=None)


def best_accuracy(summary: Summary) -> float | None:
    """Return the highest accuracy of an evaluation, None when there is none."""
    found = (row["accuracy"] for row in summary["evaluations"])
    return max((accuracy for accuracy in found if accuracy is not None), default=None)


def held_bytes(summary: Summary) -> dict[str, int]:
    """Return the bytes of gradients, optimizer state and saved activations, as far as they were counted."""
    cost = summary["cost"] or {}
    keys = ("gradient_bytes", "optimizer_state_bytes", "saved_activation_bytes")
    return {key: cost[key] for key in keys if cost.get(key) is not None}


def share_of_free(summary: Summary, what: str, reference: Summary | None = None) -> float | None:
    """Return the part of a step's ``flops`` or ``saved_activation_bytes`` that the freeze leaves; None if not known.

    Activations are set against those counted in the run `reference`, in which nothing is frozen; FLOPs, and activations
    without such a run, are the forecast's, which counts them on the meta device with and without the freeze.
    """
    ours = (summary["cost"] or {}).get(what)
    theirs = (reference["cost"] or {}).get(what) if reference is not None else None
    if ours is not None and theirs:
        return float(ours / theirs)
    forecast = (summary.get("forecast") or {}).get("cost")
    if not forecast or not forecast["free"][what]:
        return None
    return float(forecast["frozen"][what] / forecast["free"][what])
