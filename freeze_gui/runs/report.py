"""A summary in words and in one HTML file: verdicts with their causes, last values, a comparison's table."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from freeze_gui.resources import resource_path

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


def number(value: float | None, form: str = ".4g") -> str:
    """Return a number as text, and a dash where there is none."""
    return "–" if value is None else format(value, form)


def comparison_report(comparison: Mapping[str, Any]) -> str:
    """Return a comparison as one HTML file that needs nothing beside it; follows the reader's light or dark theme."""
    style = resource_path("styles", "report.css").read_text(encoding="utf-8")
    model = str(comparison["config"].get("model", {}).get("source", ""))
    rows = "\n".join(_report_row(run["label"], run["summary"]) for run in comparison["runs"])
    config = html.escape(json.dumps(comparison["config"], indent=2, ensure_ascii=False))
    heads = "".join(
        f'<th scope="col"{extra}>{text}</th>'
        for text, extra in (
            ("Method", ""), ("Status", ""), ("Verdict", ""), ("Frozen layers", ""), ("Loss", ""),
            ("Last loss", ' class="number"'), ("Accuracy", ' class="number"'), ("Step, ms", ' class="number"'),
        )
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Freeze GUI: {html.escape(model)}</title>
<style>
{style}</style>
</head>
<body>
<h1>Freezing methods on {html.escape(model)}</h1>
<p>Every run began with the same weights and saw the same batches. “Held” means that no bit of a frozen layer changed,
parameters and buffers, at any step at which it was frozen.</p>
<table>
<thead><tr>{heads}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
<details><summary>Configuration</summary><pre>{config}</pre></details>
</body>
</html>
"""


def _report_row(label: str, summary: Summary) -> str:
    verdict = overall_verdict(summary)
    status = str(summary["status"])
    if summary["error"]:
        status += f": {summary['error']}"
    frozen = []
    for layer in summary["layers"]:
        if layer["frozen_steps"]:
            causes = causes_text(causes_of(summary, layer["path"]))
            frozen.append(f"{layer['path']}: {layer['verdict']}" + (f", {causes}" if causes else ""))
    items = "".join(f"<li>{html.escape(text)}</li>" for text in frozen)
    numbers = (
        number(last_loss(summary)), number(last_accuracy(summary), ".3f"), number(step_ms(summary), ".2f")
    )
    return (
        f'<tr><th scope="row">{html.escape(label)}</th><td>{html.escape(status)}</td>'
        f'<td class="{verdict.replace(" ", "-")}">{verdict}</td>'
        f'<td><ul>{items}</ul></td><td>{sparkline(summary["loss"])}</td>'
        + "".join(f'<td class="number">{text}</td>' for text in numbers)
        + "</tr>"
    )


def sparkline(values: Sequence[float | None], width: int = 160, height: int = 32) -> str:
    """Return a small curve as inline SVG; values that are no numbers leave gaps, and many are drawn by their bins."""
    points = [
        (index, value) for index, value in enumerate(values) if value is not None and math.isfinite(value)
    ]
    if not points:
        return ""
    low, high = min(v for _, v in points), max(v for _, v in points)
    across, up = (width - 2) / max(len(values) - 1, 1), (height - 2) / ((high - low) or 1.0)
    commands: list[str] = []
    per_bin = -(-len(points) // (2 * width))
    reach = 1 if per_bin == 1 else 2 * per_bin   # a wider step between two points is a gap
    before = -reach - 1
    for start in range(0, len(points), per_bin):
        chunk = points[start : start + per_bin]
        for index, value in sorted({min(chunk, key=lambda p: p[1]), max(chunk, key=lambda p: p[1])}):
            move = "M" if index > before + reach else "L"
            commands.append(f"{move}{1 + index * across:.1f} {height - 1 - (value - low) * up:.1f}")
            before = index
    return (
        f'<svg class="sparkline" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="loss from {points[0][1]:.4g} to {points[-1][1]:.4g}"><path d="{"".join(commands)}"/></svg>'
    )
