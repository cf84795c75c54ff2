"""What the table of runs can show: its columns, and what stands in each of them for a run."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from freeze_gui.gui.run_verdict import WARM_UP, Verdict, last_evaluation, training_ms, verdict_of
from freeze_gui.training.events import Cost

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder
    from freeze_gui.training.cost_forecast import CostForecast

Cell = tuple[str, float | str]   # words, and what they are sorted by
MISSING: Cell = ("", -math.inf)
"""What stands where nothing is known; it is sorted before all numbers."""
_STEP_TIP = (
    "Median time of a step without this program's own measuring, the first three left out. Between runs that did not "
    "take turns, small differences may be those of the machine"
)


@dataclass(frozen=True)
class Facts:
    """What the cells of one row are made of, read once; `same_as` names the other rows that are the same run."""

    recorder: RunRecorder
    verdict: Verdict
    cost: Cost | None
    forecast: CostForecast | None
    same_as: str


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes
    ----------
    key, title, tip
        What it is called in settings, in its header, and in a sentence.
    cell
        What stands there for a run.
    widest
        What usually stands there: its width from the start, so that nothing moves when a run fills it.
    shown
        Whether it is there until a person chooses otherwise.
    is_words
        Words begin on the left, numbers end on the right.
    has_bar
        Whether a bar shows the number as a part of the largest one.
    most_px
        Its width at most; longer words are in the tooltip.
    """

    key: str
    title: str
    tip: str
    cell: Callable[[Facts], Cell]
    widest: str
    shown: bool = True
    is_words: bool = False
    has_bar: bool = False
    most_px: int = 400


def facts_of(recorder: RunRecorder, same_as: str = "") -> Facts:
    """Read a run; which others are the same is known to who has all of them."""
    forecast = recorder.started.forecast if recorder.started is not None else None
    return Facts(
        recorder,
        verdict_of(recorder),
        recorder.ended.cost if recorder.ended is not None else None,
        forecast.cost if forecast is not None else None,
        same_as,
    )


def held_bytes(cost: Cost) -> int:
    """Return what a step keeps beside the weights: gradients, optimizer state, saved activations."""
    return cost.gradient_bytes + cost.optimizer_state_bytes + (cost.saved_activation_bytes or 0)


def bytes_words(count: int) -> str:
    """Return a size with the unit that suits it."""
    if count >= 2**29:
        return f"{count / 2**30:.2f} GB"
    return f"{count / 2**20:.1f} MB" if count >= 2**19 else f"{count / 1024:.1f} kB"


def words_cell(text: str) -> Cell:
    """Return a cell of words, which are sorted by themselves."""
    return text, text


def _number(value: float | None, form: str) -> Cell:
    """Return a number as a cell; NaN, the loss of a run that diverged, is sorted as the largest."""
    if value is None:
        return MISSING
    return ("NaN", math.inf) if math.isnan(value) else (form.format(value), float(value))


def _bytes(count: int | None) -> Cell:
    return MISSING if count is None else (bytes_words(count), float(count))


def _verdict(facts: Facts) -> Cell:
    return words_cell(facts.verdict.words.replace("running statistics", "statistics"))


def _loss(facts: Facts) -> Cell:
    return _number(last_evaluation(facts.recorder)[0], "{:.4f}")


def _accuracy(facts: Facts) -> Cell:
    return _number(last_evaluation(facts.recorder)[1], "{:.3f}")


def _best_loss(facts: Facts) -> Cell:
    """Compare like with like: evaluations where there are any, else the losses of the steps."""
    history = facts.recorder.history
    if history is None or not history.steps:
        return MISSING
    found = np.array([loss for _, loss, _ in history.evaluations] or history.view().loss)
    finite = found[np.isfinite(found)]
    return _number(float(finite.min()) if len(finite) else None, "{:.4f}")


def _best_accuracy(facts: Facts) -> Cell:
    history = facts.recorder.history
    found = [accuracy for _, _, accuracy in history.evaluations if accuracy is not None] if history else []
    return _number(max(found, default=None), "{:.3f}")


def _step_time(facts: Facts) -> Cell:
    times = training_ms(facts.recorder)
    return _number(None if times is None else float(np.median(times)), "{:.2f}")


def _spread(facts: Facts) -> Cell:
    times = training_ms(facts.recorder)
    if times is None or len(times) < 2:
        return MISSING
    low, high = np.percentile(times, (25, 75))
    return f"{low:.2f}–{high:.2f}", float(high - low)


def _overhead(facts: Facts) -> Cell:
    history = facts.recorder.history
    if history is None or history.steps <= WARM_UP:
        return MISSING
    view = history.view()
    total = float(view.step_s[WARM_UP:].sum())
    return _number(100 * float(view.overhead_s[WARM_UP:].sum()) / total, "{:.1f} %") if total > 0 else MISSING


def _memory(facts: Facts) -> Cell:
    return _bytes(held_bytes(facts.cost) if facts.cost is not None else None)


def _peak(facts: Facts) -> Cell:
    return _bytes(facts.cost.peak_memory_bytes if facts.cost is not None else None)


def _gradients(facts: Facts) -> Cell:
    return _bytes(facts.cost.gradient_bytes if facts.cost is not None else None)


def _state(facts: Facts) -> Cell:
    return _bytes(facts.cost.optimizer_state_bytes if facts.cost is not None else None)


def _activations(facts: Facts) -> Cell:
    return _bytes(facts.cost.saved_activation_bytes if facts.cost is not None else None)


def _saved(what: str) -> Callable[[Facts], Cell]:
    def cell(facts: Facts) -> Cell:
        return MISSING if facts.forecast is None else _number(100 - 100 * facts.forecast.share(what), "{:.0f} %")

    return cell


def _steps(facts: Facts) -> Cell:
    return _number(facts.recorder.history.steps if facts.recorder.history else None, "{:,}")


def _side_effects(facts: Facts) -> Cell:
    effects = facts.recorder.ended.side_effects if facts.recorder.ended is not None else ()
    return words_cell(", ".join(dict.fromkeys(effect.kind.replace("_", " ") for effect in effects)))


COLUMNS: tuple[Column, ...] = (
    Column("run", "Run", "Name, colour and dash of the run", lambda f: words_cell(f.recorder.label), "requires_grad #2",
           is_words=True),
    Column("verdict", "Verdict", "Whether the frozen layers held, bit by bit, and why not",
           _verdict, "LEAKED · momentum", is_words=True),
    Column("equals", "Same as", "Runs with the same losses and the same weights in every bit",
           lambda f: words_cell(f.same_as), "requires_grad", is_words=True),
    Column("loss", "Loss", "At the last evaluation; of the last step where there is none", _loss, "0.0000"),
    Column("best_loss", "Best loss", "The lowest of all evaluations; of all steps where there are none", _best_loss,
           "0.0000", shown=False),
    Column("accuracy", "Acc.", "Accuracy at the last evaluation", _accuracy, "0.000"),
    Column("best_accuracy", "Best acc.", "The highest of all evaluations", _best_accuracy, "0.000", shown=False),
    Column("step_ms", "ms / step", _STEP_TIP, _step_time, "000.00",
           has_bar=True),
    Column("spread", "Spread, ms", "From the first to the third quartile of the times of steps", _spread,
           "00.00–00.00", shown=False),
    Column("overhead", "Measuring", "What this program's own measuring took, as a part of all the time", _overhead,
           "00.0 %", shown=False),
    Column("memory", "Memory", "What a step keeps beside the weights: gradients, optimizer state and saved activations",
           _memory, "000.0 MB", has_bar=True),
    Column("peak", "Peak memory", "Most that was taken on the GPU; not known on a CPU", _peak, "000.0 MB", shown=False,
           has_bar=True),
    Column("gradients", "Gradients", "Bytes of gradients after the last backward", _gradients, "000.0 MB", shown=False,
           has_bar=True),
    Column("state", "Optimizer state", "Bytes that the optimizer keeps", _state, "000.0 MB", shown=False, has_bar=True),
    Column("activations", "Activations", "Bytes that autograd keeps for backward", _activations, "000.0 MB",
           shown=False, has_bar=True),
    Column("flops_saved", "FLOPs saved", "Of a step with nothing frozen; forecast by counting", _saved("flops"),
           "00 %"),
    Column("activations_saved", "Act. saved", "Saved activations, of those of a step with nothing frozen; forecast",
           _saved("saved_activation_bytes"), "00 %"),
    Column("steps", "Steps", "Steps done", _steps, "100,000", shown=False),
    Column("side_effects", "Side effects", "What the freeze did beside freezing", _side_effects, "", is_words=True),
)  # fmt: skip
"""The last column has what is left of the width."""


def column_at(key: str) -> int:
    """Return the place of a column."""
    return next(at for at, column in enumerate(COLUMNS) if column.key == key)
