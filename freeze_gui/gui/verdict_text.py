"""The verdict of a run in words: what held, what leaked, how far, why, and what cures it."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from freeze_gui.freezing.verdict import TensorVerdict

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder

CAUSES: dict[str, tuple[str, str, str]] = {
    "gradient": (
        "a fresh gradient",
        "The backward pass gave the frozen tensor a gradient, and the optimizer used it.",
        "Use requires_grad, or drop the gradient before the step (grad_none).",
    ),
    "stale_gradient": (
        "a stale gradient",
        "A gradient from before the freeze is still in .grad, and the optimizer used it again.",
        "Set zero_grad to none, so that old gradients are dropped.",
    ),
    "momentum": (
        "momentum",
        "The gradient is zero, but the optimizer's running averages still push.",
        "Set zero_grad to none, or use requires_grad or grad_none: a tensor without gradient is passed over.",
    ),
    "weight_decay": (
        "weight decay",
        "The optimizer shrinks every tensor that has a gradient, a zero one too.",
        "Set zero_grad to none, or use a method that leaves no gradient, such as requires_grad.",
    ),
    "running_statistics": (
        "running statistics",
        "A norm layer in training mode updates its mean and variance in the forward pass; no flag stops that.",
        "Set Norm to eval: frozen norm layers then keep their statistics.",
    ),
    "forward_write": (
        "a write in the forward pass",
        "The layer changes the tensor itself while it computes, as spectral norm and Embedding(max_norm) do.",
        "Put the layer in eval mode, or take the writing part out.",
    ),
    "shared_storage": (
        "shared memory",
        "Another tensor lies in the same memory and was trained.",
        "Freeze the layer that shares the memory too.",
    ),
    "other_writer": (
        "another writer",
        "Neither gradient, optimizer nor statistics explain it: code of the model wrote to the tensor.",
        "Look for code that assigns to the tensor.",
    ),
}


@dataclass(frozen=True)
class Line:
    """One line of the verdict: `head` with a mark of `tone`, and details below it."""

    tone: str
    head: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class VerdictText:
    """All that the verdict pane says: headlines, each with its tone, an error in full, lines, and advice."""

    headlines: tuple[tuple[str, str], ...]   # (tone, words)
    sub: str = ""
    error: str = ""
    lines: tuple[Line, ...] = ()
    advice: tuple[tuple[str, str, str], ...] = field(default=())   # cause, why, cure


WAITING = VerdictText(
    (("muted", "No run yet"),),
    "Tick what to freeze, press Run, and every frozen tensor is compared bit by bit at every step.",
)
_ENDS = {
    "completed": "completed",
    "stopped": "stopped",
    "diverged": "The run diverged",
    "out_of_memory": "Out of memory",
    "failed": "The run failed",
}


def verdict_text(recorder: RunRecorder | None) -> VerdictText:
    """Return what is known of a run, while it goes on and after."""
    if recorder is None:
        return WAITING
    if recorder.ended is None:
        return _live(recorder)
    steps = recorder.ended.steps
    moved = [tensor for tensor in recorder.ended.tensors if tensor.moved]
    frozen = _ever_frozen(recorder)
    leaked = [layer for layer in frozen if any(layer in tensor.layers for tensor in moved)]
    held = [layer for layer in frozen if layer not in leaked]
    lines = []
    if held:
        lines.append(Line("held", f"held: {_layers(len(held))}, bit for bit, {_steps(steps)}", (", ".join(held),)))
    lines += [_leak_line(layer, [tensor for tensor in moved if layer in tensor.layers]) for layer in leaked]
    causes = Counter(cause.cause for tensor in moved for cause in tensor.causes)
    advice = tuple((cause, CAUSES[cause][1], CAUSES[cause][2]) for cause, _ in causes.most_common() if cause in CAUSES)
    sub = f"{recorder.label} · {_steps(steps)}" + (" · stopped" if recorder.status == "stopped" else "")
    if recorder.status not in ("completed", "stopped"):
        words = _ENDS.get(recorder.status, recorder.status)
        return VerdictText((("leaked", words),), sub, recorder.ended.error or "", tuple(lines), advice)
    effects = tuple(Line("warning", effect.text) for effect in recorder.ended.side_effects)
    headlines = []
    if leaked:
        headlines.append(("leaked", f"✗ leaked: {_layers(len(leaked))}"))
    if held:
        headlines.append(("held", f"✓ held: {_layers(len(held))}"))
    return VerdictText(tuple(headlines) or (("muted", "Nothing was frozen"),), sub, "", (*lines, *effects), advice)


def _live(recorder: RunRecorder) -> VerdictText:
    if recorder.history is None:
        text = recorder.progress.text if recorder.progress else "starting"
        return VerdictText((("muted", f"{text[:1].upper()}{text[1:]}…"),), recorder.label)
    moved = [(layer.path, int(count)) for layer, count in zip(recorder.layers, recorder.leaked, strict=True) if count]
    holding = int((recorder.frozen & (recorder.leaked == 0)).sum())
    done, total = recorder.history.steps, recorder.history.total_steps
    sub = f"{recorder.label} · step {done:,}" + (f" of {total:,}" if total else "")
    lines = [Line("leaked", f"leaks: {path}", (f"moved in {_steps(count)} so far",)) for path, count in moved]
    headlines = []
    if moved:
        headlines.append(("leaked", f"✗ leaking: {_layers(len(moved))}"))
    if holding:
        headlines.append(("held", f"✓ held so far: {_layers(holding)}"))
    return VerdictText(tuple(headlines) or (("muted", "Nothing is frozen"),), sub, "", tuple(lines))


def _leak_line(layer: str, tensors: list[TensorVerdict]) -> Line:
    causes = Counter[str]()
    for tensor in tensors:
        for cause in tensor.causes:
            causes[cause.cause] = max(causes[cause.cause], cause.steps)
    names = ", ".join(cause_name(cause) for cause, _ in causes.most_common())
    most = max(tensor.moved_steps for tensor in tensors)
    real = [tensor.max_abs_change for tensor in tensors if not tensor.name.endswith("num_batches_tracked")]
    largest = max(real or [tensor.max_abs_change for tensor in tensors])
    head = f"leaked: {layer or 'the model itself'} — {names}, {_steps(most)}, max {number(largest)}"
    return Line("leaked", head, tuple(_tensor_line(tensor, layer) for tensor in tensors))


def _tensor_line(tensor: TensorVerdict, layer: str) -> str:
    short = tensor.name.removeprefix(f"{layer}.") if layer else tensor.name
    since = f" from step {tensor.first_moved_step}" if tensor.first_moved_step else ""
    return f"{short}: by up to {number(tensor.max_abs_change)}, {_steps(tensor.moved_steps)}{since}"


def cause_name(cause: str) -> str:
    """Return a cause in plain words."""
    return CAUSES[cause][0] if cause in CAUSES else cause.replace("_", " ")


def number(value: float) -> str:
    """Return a size in few digits."""
    if math.isfinite(value) and value == int(value) and abs(value) < 1e6:
        return f"{int(value):,}"
    return f"{value:.2g}" if math.isfinite(value) else str(value)


def _ever_frozen(recorder: RunRecorder) -> list[str]:
    return [layer.path for row, layer in enumerate(recorder.layers) if recorder.frozen_windows(row)]


def _layers(count: int) -> str:
    return f"{count:,} layer{'s' * (count != 1)}"


def _steps(count: int) -> str:
    return f"{count:,} step{'s' * (count != 1)}"
