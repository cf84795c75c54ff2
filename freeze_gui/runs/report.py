"""A comparison as one HTML file that needs nothing beside it, for a screen in light and dark and for paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from freeze_gui.resources import resource_path
from freeze_gui.runs.equivalence import equality_sentences
from freeze_gui.runs.grid import REFERENCE_LABEL
from freeze_gui.runs.history import HistoryView
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.runs.report_curves import Bar, Curve, bars_svg, curves_svg, line_class, smooth
from freeze_gui.runs.report_heatmap import common_scale, heatmap_svg, scale_gradient
from freeze_gui.runs.results import (
    Summary,
    best_accuracy,
    best_loss,
    causes_of,
    held_bytes,
    last_accuracy,
    last_loss,
    number,
    overall_verdict,
    share_of_free,
    training_ms,
)
from freeze_gui.runs.toml_writer import to_toml
from freeze_gui.runs.words import counted, joined

_MOST_EFFECT_LAYERS = 3
_SMOOTHED_SHARE = 25
"""The loss curves are means over one step in so many: the noise of the batches is the same in every run."""


def comparison_report(comparison: Mapping[str, Any], recorders: Sequence[RunRecorder]) -> str:
    """Return the report on a comparison.

    Parameters
    ----------
    comparison
        As `comparison_summary` returns it.
    recorders
        Its runs, in the same order: the figures are drawn from their histories.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource_path("templates")),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    summaries = [run["summary"] for run in comparison["runs"]]
    views = _views(recorders)
    over = max(1, max((len(view.loss) for view in views.values()), default=0) // _SMOOTHED_SHARE)
    return environment.get_template("report.html.j2").render(
        style=Markup(resource_path("styles", "report.css").read_text(encoding="utf-8")),
        model=str(comparison["config"].get("model", {}).get("source", "")),
        proof=comparison["proof"],
        proved={True: "good", False: "bad", None: "open"}[comparison["comparability"]["holds"]],
        rows=_rows(comparison["runs"]),
        equal=equality_sentences(comparison["equal_groups"]),
        interleaved=comparison["interleaved"],
        side_effects=_side_effects(comparison["runs"]),
        time_bars=Markup(bars_svg(_time_bars(comparison["runs"]), "time of a step")),
        memory_bars=Markup(bars_svg(_memory_bars(comparison["runs"]), "memory")),
        curves=_curves(comparison, views, over),
        smoothed=counted(over, "step") if over > 1 else "",
        **_heatmaps(recorders, views),
        environment=next((s["environment"] for s in summaries if s["environment"]), {}),
        config=to_toml(comparison["config"]),
    )


def _views(recorders: Sequence[RunRecorder]) -> dict[int, HistoryView]:
    """Return what was measured in each run that took a step."""
    return {
        index: recorder.history.view()
        for index, recorder in enumerate(recorders)
        if recorder.history is not None and recorder.history.steps
    }


def _rows(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    reference = next((run["summary"] for run in runs if run["label"].startswith(REFERENCE_LABEL)), None)
    return [_row(run["label"], run["summary"], reference) for run in runs]


def _row(label: str, summary: Summary, reference: Summary | None) -> dict[str, Any]:
    verdict = overall_verdict(summary)
    frozen = sum(bool(layer["frozen_steps"]) for layer in summary["layers"])
    leaked = sum(layer["verdict"] == "leaked" for layer in summary["layers"])
    counts = f"{leaked} of {counted(frozen, 'layer')}" if leaked else counted(frozen, "layer") if frozen else ""
    cost = summary["cost"] or {}
    training, spread, measuring = training_ms(summary) or (None, None, None)
    return {
        "label": label,
        "status": "" if summary["status"] == "completed" else summary["status"],
        "error": summary["error"] or "",
        "verdict": verdict,
        "counts": counts,
        "causes": _causes(summary),
        "effects": [effect["kind"].replace("_", " ") for effect in summary["side_effects"]],
        "loss": (number(last_loss(summary)), number(best_loss(summary))),
        "accuracy": (number(last_accuracy(summary), ".3f"), number(best_accuracy(summary), ".3f")),
        "step_ms": number(training, ".2f"),
        "spread_ms": number(spread, ".2f"),
        "overhead_ms": number(measuring, ".2f"),
        "peak": _size(cost.get("peak_memory_bytes")),
        "gradients": _size(cost.get("gradient_bytes")),
        "state": _size(cost.get("optimizer_state_bytes")),
        "flops": _percent(share_of_free(summary, "flops", reference)),
        "activations": _percent(share_of_free(summary, "saved_activation_bytes", reference)),
    }


def _causes(summary: Summary) -> list[str]:
    """Return why frozen layers moved, each cause with its layers: ``momentum (95 steps): stem.conv and head``."""
    layers: dict[str, list[str]] = {}
    steps: dict[str, int] = {}
    for layer in summary["layers"]:
        for cause, count in causes_of(summary, layer["path"]).items():
            layers.setdefault(cause, []).append(layer["path"] or "(model)")
            steps[cause] = max(steps.get(cause, 0), count)
    return [
        f"{cause.replace('_', ' ')} ({counted(steps[cause], 'step')}): {joined(paths, _MOST_EFFECT_LAYERS)}"
        for cause, paths in layers.items()
    ]


def _side_effects(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return each sentence once, with the runs that it is about."""
    found: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        for effect in run["summary"]["side_effects"]:
            found.setdefault((effect["kind"].replace("_", " "), effect["text"]), []).append(run["label"])
    return [
        {"kind": kind, "text": text, "runs": joined(labels, len(labels))} for (kind, text), labels in found.items()
    ]


def _time_bars(runs: Sequence[Mapping[str, Any]]) -> list[Bar]:
    bars = []
    for run in runs:
        times = training_ms(run["summary"])
        if times is not None:
            median, spread, _ = times
            ends = (max(median - spread / 2, 0.0), median + spread / 2)
            bars.append(Bar(run["label"], ((0, median),), f"{median:.2f} ms · {_score(run['summary'])}", ends))
    return bars


def _memory_bars(runs: Sequence[Mapping[str, Any]]) -> list[Bar]:
    bars = []
    for run in runs:
        held = held_bytes(run["summary"])
        if held:
            parts = tuple((style, float(value)) for style, value in enumerate(held.values(), start=1))
            bars.append(Bar(run["label"], parts, f"{_size(sum(held.values()))} · {_score(run['summary'])}"))
    return bars


def _score(summary: Summary) -> str:
    accuracy = last_accuracy(summary)
    return number(last_loss(summary), ".3g") if accuracy is None else f"{accuracy:.3f}"


def _curves(comparison: Mapping[str, Any], views: Mapping[int, HistoryView], over: int) -> dict[str, Any]:
    """Return the picture of all losses and its legend; runs that are equal in every bit are one line."""
    drawn: dict[int, str] = {}
    labels = [run["label"] for run in comparison["runs"]]
    told: set[int] = set()
    for index in views:
        if index in told:
            continue
        group = next((g for g in comparison["equal_groups"] if labels[index] in g), [labels[index]])
        told |= {labels.index(label) for label in group}
        drawn[index] = " = ".join(group)
    curves = [
        Curve(label, style, views[index].loss_step, smooth(np.asarray(views[index].loss), over))
        for style, (index, label) in enumerate(drawn.items())
    ]
    return {
        "svg": Markup(curves_svg(curves, "loss")),
        "legend": [{"style": line_class(curve.style), "label": curve.label} for curve in curves],
    }


def _heatmaps(recorders: Sequence[RunRecorder], views: Mapping[int, HistoryView]) -> dict[str, Any]:
    measured = {index: view for index, view in views.items() if len(view.step)}
    scale = common_scale(list(measured.values()))
    if scale is None:
        return {"heatmaps": [], "scale": None}
    pictures = []
    for index, view in measured.items():
        recorder = recorders[index]
        paths = [layer.path for layer in recorder.layers]
        pictures.append({"label": recorder.label, "svg": Markup(heatmap_svg(view, paths, scale, recorder.label))})
    ends = {"low": f"{scale.low:.1e}", "high": f"{scale.high:.1e}", "gradient": Markup(scale_gradient())}
    return {"heatmaps": pictures, "scale": ends}


def _size(count: int | None) -> str:
    """Return bytes with three digits that count."""
    if count is None:
        return "–"
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} B"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share * 100:.0f} %"
