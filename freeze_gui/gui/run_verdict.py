"""One word for how a run stands, and the numbers beside it: what the table of runs shows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from freeze_gui.gui.verdict_text import moved_tensors
from freeze_gui.runs.summary import layer_verdict

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder

Tone = Literal["held", "leaked", "muted", "warning"]
WARM_UP = 3
"""First steps left out of the step time: they allocate and tune."""

_FAILURES = {"diverged": "diverged", "out_of_memory": "out of memory", "failed": "failed"}


@dataclass(frozen=True)
class Verdict:
    """How a run stands: a few `words`, a longer `detail`, and the tone in which they are coloured."""

    words: str
    detail: str
    tone: Tone


def verdict_of(recorder: RunRecorder) -> Verdict:
    """Return how a run stands now; after its end, the same that its summary says."""
    if recorder.ended is None:
        return _live(recorder)
    if recorder.status in _FAILURES:
        return Verdict(_FAILURES[recorder.status], recorder.ended.error or "", "warning")
    moved = moved_tensors(recorder)
    moved_layers = {layer for tensor in moved for layer in tensor.layers}
    verdicts = Counter(
        layer_verdict(bool(recorder.frozen_windows(at)), layer.path in moved_layers)
        for at, layer in enumerate(recorder.layers)
    )
    if recorder.ended.steps == 0:
        return Verdict("not run", "stopped before its first step", "muted")
    stopped = ", stopped" if recorder.status == "stopped" else ""
    if verdicts["leaked"]:
        causes = Counter({cause.cause: 0 for tensor in moved for cause in tensor.causes})
        for tensor in moved:
            for cause in tensor.causes:
                causes[cause.cause] += cause.steps
        names = [cause.replace("_", " ") for cause, _ in causes.most_common()]
        largest = max(tensor.max_abs_change for tensor in moved)
        frozen = verdicts["leaked"] + verdicts["held"]
        detail = f"{verdicts['leaked']} of {frozen} frozen layers moved, by up to {largest:.2g}"
        detail += f": {', '.join(names)}" if names else ""
        return Verdict("LEAKED" + (f" · {names[0]}" if names else "") + stopped, detail, "leaked")
    if verdicts["held"]:
        count = verdicts["held"]
        return Verdict(f"held{stopped}", f"{count} frozen layer{'s' * (count != 1)} held, bit by bit", "held")
    return Verdict(f"nothing frozen{stopped}", "no layer was frozen", "muted")


def why_empty(recorder: RunRecorder) -> str:
    """Return why a run has nothing to draw: it has not come so far, or it ended before its first step."""
    if recorder.ended is None and recorder.status != "interrupted":
        return "Curves appear here with the first step"
    words = verdict_of(recorder).words
    return f"{words[0].upper()}{words[1:]}: there was no step"


def _live(recorder: RunRecorder) -> Verdict:
    if recorder.status == "interrupted":
        return _interrupted(recorder)
    if recorder.status != "running" or recorder.progress is not None:   # after the last step something may take a while
        text = recorder.progress.text if recorder.progress else recorder.status
        return Verdict(recorder.status, text, "muted")
    leaking = int((recorder.leaked > 0).sum())
    if leaking:
        return Verdict("running · LEAKED", f"{leaking} frozen layer{'s' * (leaking != 1)} moved so far", "leaked")
    if recorder.frozen.any():
        return Verdict("running · held", f"{int(recorder.frozen.sum())} frozen layers have held so far", "held")
    return Verdict("running", "no layer is frozen now", "muted")


def _interrupted(recorder: RunRecorder) -> Verdict:
    """Return what is known of a run whose program was gone before its end."""
    leaked = int((recorder.leaked > 0).sum())
    detail = "the program that ran it was gone before its end"
    if leaked:
        return Verdict("LEAKED · interrupted", f"{leaked} frozen layer{'s' * (leaked != 1)} moved; {detail}", "leaked")
    if any(recorder.frozen_windows(at) for at in range(len(recorder.layers))):
        return Verdict("held · interrupted", f"no frozen layer moved; {detail}", "held")
    return Verdict("interrupted", detail, "warning")


def step_ms_median(recorder: RunRecorder) -> float | None:
    """Return the median time of a step in milliseconds, measuring included; None before the first step."""
    if recorder.history is None or not recorder.history.steps:
        return None
    return float(np.median(_warm(recorder.history.view().step_s)) * 1000)


def training_ms(recorder: RunRecorder) -> NDArray[np.float64] | None:
    """Return the milliseconds of each step without what the program's own measuring took, the first three left out.

    Finding the cause of a leak replays the optimizer's step: with that, a method that leaks would seem to be slow.
    """
    if recorder.history is None or not recorder.history.steps:
        return None
    view = recorder.history.view()
    times: NDArray[np.float64] = _warm(view.step_s - view.overhead_s) * 1000
    return times


def last_evaluation(recorder: RunRecorder) -> tuple[float | None, float | None]:
    """Return loss and accuracy of the latest evaluation, or the last step's loss where there is none."""
    history = recorder.history
    if history is None:
        return None, None
    if history.evaluations:
        _, loss, accuracy = history.evaluations[-1]
        return loss, accuracy
    return (float(history.view().loss[-1]), None) if history.steps else (None, None)


def version_of(recorder: RunRecorder) -> object:
    """Return something that changes when there is anything new to say about a run."""
    history = recorder.history
    counts = (history.steps, len(history.evaluations)) if history is not None else None
    progress = recorder.progress.text if recorder.progress else None
    leaking = int((recorder.leaked > 0).sum())
    return recorder.label, recorder.status, progress, counts, int(recorder.frozen.sum()), leaking


def _warm(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Leave the first steps out, but never all."""
    return values[min(WARM_UP, len(values) - 1) :]
