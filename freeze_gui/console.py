"""What a terminal shows: progress on stderr while something runs, and short tables on stdout."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from freeze_gui.models.layer_tree import LayerTree
from freeze_gui.runs.equivalence import equality_sentences
from freeze_gui.runs.results import (
    Summary,
    causes_of,
    causes_text,
    last_accuracy,
    last_loss,
    number,
    overall_verdict,
    step_ms,
    training_ms,
)
from freeze_gui.runs.words import counted
from freeze_gui.terminal import tell
from freeze_gui.training.events import Progress, RunEnded, RunEvent, RunStarted, StepDone

REDRAW_S = 0.1   # rich redraws ten times a second; telling it more often only costs the run time


class ProgressLine:
    """One line on stderr that follows the events of runs; plain sentences where stderr is no terminal.

    Attributes
    ----------
    label
        Put in front of the line, for one run of several.
    """

    def __init__(self, label: str = "") -> None:
        self.label = label
        self._console = Console(stderr=True)
        self._bar: RichProgress | None = None
        self._text = ""
        self._told_s = 0.0

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_bar()

    def handle(self, event: RunEvent) -> None:
        """Take in the next event of the run."""
        match event:
            case Progress():
                self._loading(event)
            case RunStarted():
                steps = f"{event.total_steps or 'any number of'} step{'s' * (event.total_steps != 1)}"
                self._show(f"{steps} on {event.device}", MofNCompleteColumn(), event.total_steps or None)
            case StepDone():
                self._step(event)
            case RunEnded():
                self._stop_bar()

    def _loading(self, event: Progress) -> None:
        if event.text != self._text:
            self._show(event.text, DownloadColumn() if event.total else TextColumn(""), event.total)
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=event.done, total=event.total)

    def _step(self, event: StepDone) -> None:
        now_s = time.perf_counter()
        if self._bar is None or now_s - self._told_s < REDRAW_S:
            return
        self._told_s = now_s
        text = self._named(f"loss {event.loss:.4g}")
        self._bar.update(self._bar.task_ids[0], completed=event.step + 1, description=text)

    def _show(self, text: str, amount: Any, total: int | None) -> None:
        """Begin a new bar, or say the sentence where no bar can be drawn."""
        self._stop_bar()
        self._text = text
        if not self._console.is_terminal or self._console.is_dumb_terminal:
            tell(self._named(text))
            return
        columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn())
        self._bar = RichProgress(*columns, console=self._console, transient=True)
        self._bar.add_task(self._named(text), total=total)
        self._bar.start()

    def _named(self, text: str) -> str:
        return f"{self.label}: {text}" if self.label else text

    def _stop_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        self._text = ""


def run_text(summary: Summary) -> str:
    """Return one run for a person: how it ended, its last values, and the verdict on each frozen layer."""
    lines = [f"{summary['status']} after {counted(summary['steps'], 'step')}"]
    if summary["error"]:
        lines[0] += f": {summary['error']}"
    accuracy = last_accuracy(summary)
    values = [f"loss {number(last_loss(summary))}"] * bool(summary["loss"])
    values += [f"validation accuracy {number(accuracy, '.3f')}"] * (accuracy is not None)
    values += [f"{number(step_ms(summary), '.2f')} ms a step"] * (step_ms(summary) is not None)
    if values:
        lines.append(", ".join(values))
    rows = [
        (layer["path"] or "(model)", layer["verdict"], _windows(layer["frozen_steps"]), causes_text(causes))
        for layer in summary["layers"]
        if layer["frozen_steps"]
        for causes in [causes_of(summary, layer["path"])]
    ]
    if rows:
        lines += ["", table(("frozen layer", "verdict", "steps", "cause"), rows)]
    lines += [f"{effect['kind']}: {effect['text']}" for effect in summary["side_effects"]]
    lines += claims_lines(summary.get("claims", ()))
    return "\n".join(lines)


def claims_lines(claims: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what a scenario claims, true or not, each with what was seen below it; nothing where it claims nothing."""
    lines = ["", "claimed, and seen in this run:"] if claims else []
    for claim in claims:
        lines.append(f"  {'true ' if claim['claimed_true'] else 'false'}  {claim['claim']}")
        lines.append(f"         {'seen' if claim['agrees'] else 'SEEN OTHERWISE'}: {claim['seen']}")
    return lines


def comparison_text(comparison: Mapping[str, Any]) -> str:
    """Return one line per run, how it ended, its verdict and its last values; which are equal, and what proves it."""
    rows = []
    for label, summary in ((run["label"], run["summary"]) for run in comparison["runs"]):
        leaks = [layer["path"] for layer in summary["layers"] if layer["verdict"] == "leaked"]
        rows.append((
            label,
            summary["status"],
            overall_verdict(summary),
            number(last_loss(summary)),
            number(last_accuracy(summary), ".3f"),
            *(number(ms, ".2f") for ms in training_ms(summary) or (None, None, None)),
            summary["error"] or ", ".join(leaks),
        ))
    heads = ("run", "status", "verdict", "loss", "accuracy", "ms a step", "spread", "measuring", "leaked layers")
    lines = [table(heads, rows, right=(3, 4, 5, 6, 7)), ""]
    lines += equality_sentences(comparison["equal_groups"])
    how = "in turns of a few steps" if comparison["interleaved"] else "one run after another"
    lines += [comparison["proof"]] * bool(comparison["proof"])
    lines += [f"Times: median and interquartile range of a step, and what measuring took beside it; {how}."]
    return "\n".join(lines)


def tree_text(tree: LayerTree) -> str:
    """Return the tree as indented lines, one a row, with the totals below."""
    depths = [0] * len(tree.nodes)
    rows = []
    for node in tree.nodes:
        depths[node.index] = depths[node.parent] + 1 if node.parent >= 0 else 0
        note = f"same module as {node.alias_of}" if node.alias_of is not None else ""
        if node.tied:
            note = f"tied to {', '.join(node.tied)}"
        shape = "×".join(map(str, node.output_shape)) if node.output_shape else ""
        name = "  " * depths[node.index] + node.name
        rows.append((name, node.kind, f"{node.parameters:,}", f"{node.buffers:,}", shape, note))
    lines = table(("layer", "kind", "parameters", "buffers", "output", ""), rows, right=(2, 3))
    totals = ", ".join(counted(count, noun) for count, noun in (
        (len(tree.layers), "layer"), (tree.root.parameters, "parameter"), (tree.root.buffers, "buffer element"),
    ))   # fmt: skip
    return f"{lines}\n{totals}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Return a table as text in columns; those numbered in `right` are aligned to the right."""
    lines = [tuple(heads), *(tuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join(
        "  ".join(
            text.rjust(width) if column in right else text.ljust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _windows(windows: Sequence[Sequence[int]]) -> str:
    """Return frozen windows as ``0–99``; of many, only how many steps there were."""
    if len(windows) > 3:
        return f"{sum(stop - start for start, stop in windows)} steps in {len(windows)} windows"
    return ", ".join(f"{start}–{stop - 1}" for start, stop in windows)
