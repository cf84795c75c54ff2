"""The verdict of a run in words: what held, what leaked, how far, why, and what cures it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freeze_gui.freezing.explain import EXPLANATIONS, layer_names, short_number
from freeze_gui.freezing.verdict import TensorVerdict
from freeze_gui.runs.words import counted, joined

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder

MOST_LEAKS = 12
MOST_NAMES = 40
_MOST_CAUSES = 2


@dataclass(frozen=True)
class Line:
    """One line of a section: a mark of `tone`, `head`, links to explanations by kind, and details below."""

    tone: str
    head: str
    details: tuple[str, ...] = ()
    links: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """A part of the verdict under a heading: lines, and a table whose first row are its captions."""

    title: str
    lines: tuple[Line, ...] = ()
    table: tuple[tuple[str, ...], ...] = ()
    note: str = ""


@dataclass(frozen=True)
class VerdictText:
    """All that the verdict pane says: headlines, each with its tone, an error in full, and sections."""

    headlines: tuple[tuple[str, str], ...]   # (tone, words)
    sub: str = ""
    error: str = ""
    sections: tuple[Section, ...] = ()


WAITING = VerdictText(
    (("muted", "No run yet"),),
    "Tick what to freeze, press Run, and every frozen tensor is compared bit by bit at every step.",
)
_INTERRUPTED = (
    "Interrupted: the program that ran it was gone before the end. What stands here was seen until then; by how much "
    "tensors moved, and why, is judged at a run's end."
)
_ENDS = {"diverged": "The run diverged", "out_of_memory": "Out of memory", "failed": "The run failed"}


def verdict_text(recorder: RunRecorder | None) -> VerdictText:
    """Return how a run stands, while it goes on and after: headlines, leaks with their causes, and what held."""
    if recorder is None:
        return WAITING
    if recorder.ended is None:
        return _live(recorder)
    moved = moved_tensors(recorder)
    frozen = [layer.path for row, layer in enumerate(recorder.layers) if recorder.frozen_windows(row)]
    leaked = [layer for layer in frozen if any(layer in tensor.layers for tensor in moved)]
    held = [layer for layer in frozen if layer not in leaked]
    sections = []
    if leaked:
        sections += [_cures(moved), Section("Leaked", _leak_lines(leaked, moved))]
    if held:
        line = Line("held", f"{_layers(len(held))}, bit for bit", (layer_names(held, MOST_NAMES),))
        sections.append(Section("Held", (line,)))
    sub = f"{recorder.label} · {counted(recorder.ended.steps, 'step')}"
    if recorder.status in _ENDS:
        return VerdictText((("leaked", _ENDS[recorder.status]),), sub, recorder.ended.error or "", tuple(sections))
    headlines = []
    if leaked:
        headlines.append(("leaked", f"✗ leaked: {_layers(len(leaked))}{_causes_words(moved)}"))
    if held:
        headlines.append(("held", f"✓ held: {_layers(len(held))}"))
    sub += " · stopped" * (recorder.status == "stopped")
    nothing = "Stopped before the first step" if recorder.ended.steps == 0 else "Nothing was frozen"
    return VerdictText(tuple(headlines) or (("muted", nothing),), sub, "", tuple(sections))


def moved_tensors(recorder: RunRecorder) -> list[TensorVerdict]:
    """Return what moved although frozen, weights that a parametrization computes among them."""
    ended = recorder.ended
    return [] if ended is None else [tensor for tensor in (*ended.tensors, *ended.effective_weights) if tensor.moved]


def cause_name(cause: str) -> str:
    """Return a cause or another kind in plain words."""
    return EXPLANATIONS[cause].title if cause in EXPLANATIONS else cause.replace("_", " ")


def _live(recorder: RunRecorder) -> VerdictText:
    interrupted = recorder.status == "interrupted"
    if recorder.history is None and interrupted:
        return VerdictText((("muted", "No step was taken"),), recorder.label, _INTERRUPTED)
    if recorder.history is None:
        text = recorder.progress.text if recorder.progress else "starting"
        return VerdictText((("muted", f"{text[:1].upper()}{text[1:]}…"),), recorder.label)
    moved = [(layer.path, int(count)) for layer, count in zip(recorder.layers, recorder.leaked, strict=True) if count]
    holding = int((recorder.frozen & (recorder.leaked == 0)).sum())
    done, total = recorder.history.steps, recorder.history.total_steps
    sub = f"{recorder.label} · step {done:,}" + (f" of {total:,}" if total else "")
    if recorder.progress is not None:   # after the last step
        sub += f" · {recorder.progress.text}"
    so_far = "" if interrupted else " so far"
    lines = tuple(Line("leaked", path, (f"moved in {counted(count, 'step')}{so_far}",)) for path, count in moved)
    headlines = []
    if moved:
        headlines.append(("leaked", f"✗ {'leaked' if interrupted else 'leaking'}: {_layers(len(moved))}"))
    if holding:
        headlines.append(("held", f"✓ held so far: {_layers(holding)}"))
    sections = (Section("Leaked" if interrupted else "Leaking", lines),) if lines else ()
    error = _INTERRUPTED if interrupted else ""
    return VerdictText(tuple(headlines) or (("muted", "Nothing is frozen"),), sub, error, sections)


def _causes_words(moved: list[TensorVerdict]) -> str:
    """Return ``, by momentum``, the most frequent cause first."""
    names = [cause_name(cause) for cause, _ in _causes(moved).most_common()]
    return f", by {joined(names, _MOST_CAUSES)}" if names else ""


def _causes(moved: list[TensorVerdict]) -> Counter[str]:
    """Count the tensors that each cause moved."""
    return Counter(cause.cause for tensor in moved for cause in tensor.causes)


def _cures(moved: list[TensorVerdict]) -> Section:
    lines = tuple(
        Line("", "", (f"Cure: {EXPLANATIONS[cause].cure}",), (cause,))
        for cause, _ in _causes(moved).most_common()
        if cause in EXPLANATIONS
    )
    return Section("Why", lines)


def _leak_lines(leaked: list[str], moved: list[TensorVerdict]) -> tuple[Line, ...]:
    """Return a line a layer in the model's order; of very many, the furthest moved, and how many more there are."""
    tensors = {layer: [tensor for tensor in moved if layer in tensor.layers] for layer in leaked}
    if len(leaked) <= MOST_LEAKS:
        return tuple(_leak_line(layer, tensors[layer]) for layer in leaked)
    ordered = sorted(leaked, key=lambda layer: -_largest(tensors[layer]))
    rest = ordered[MOST_LEAKS:]
    causes = dict.fromkeys(cause.cause for layer in rest for tensor in tensors[layer] for cause in tensor.causes)
    more = f"{counted(len(rest), 'more layer')}, by up to {short_number(_largest(tensors[rest[0]]))}"
    lines = [_leak_line(layer, tensors[layer]) for layer in ordered[:MOST_LEAKS]]
    return (*lines, Line("leaked", more, (), tuple(causes)))


def _largest(tensors: list[TensorVerdict]) -> float:
    """Return the largest change; a count of batches is no size of a change where there are others."""
    real = [tensor.max_abs_change for tensor in tensors if not tensor.name.endswith("num_batches_tracked")]
    return max(real or [tensor.max_abs_change for tensor in tensors])


def _leak_line(layer: str, tensors: list[TensorVerdict]) -> Line:
    causes = Counter[str]()
    for tensor in tensors:
        for cause in tensor.causes:
            causes[cause.cause] = max(causes[cause.cause], cause.steps)
    most = max(tensor.moved_steps for tensor in tensors)
    head = f"{layer or 'the model itself'}: {counted(most, 'step')}, by up to {short_number(_largest(tensors))}"
    same = all(tensor.moved_steps == most and not tensor.first_moved_step for tensor in tensors)
    parts = [tensor_line(tensor, layer, steps=not same) for tensor in tensors]
    details = (" · ".join(parts),) if same else tuple(parts)
    return Line("leaked", head, details, tuple(cause for cause, _ in causes.most_common()))


def tensor_line(tensor: TensorVerdict, layer: str = "", *, steps: bool = True) -> str:
    """Return how far a tensor moved, and how often."""
    short = tensor.name.removeprefix(f"{layer}.") if layer else tensor.name
    computed = " (computed)" if tensor.role == "effective" else ""
    size = f"{short}{computed} {short_number(tensor.max_abs_change)}"
    if not steps:
        return size
    since = f" from step {tensor.first_moved_step:,}" if tensor.first_moved_step else ""
    return f"{size}, {counted(tensor.moved_steps, 'step')}{since}"


def _layers(count: int) -> str:
    return counted(count, "layer")
