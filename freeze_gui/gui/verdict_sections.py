"""What the verdict pane says beside held and leaked: claims, forecast, side effects, norm layers, thaws."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from freeze_gui.freezing.explain import layer_names, short_number
from freeze_gui.freezing.norm_layers import NormReport
from freeze_gui.freezing.side_effects import SideEffect, ThawReport
from freeze_gui.freezing.verdict import TensorVerdict
from freeze_gui.gui.forecaster import NOT_SURE, ForecastText
from freeze_gui.gui.verdict_text import Line, Section, tensor_line
from freeze_gui.runs.words import counted

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder

MOST_THAWS = 6
_ANSWERS = {True: "✓ yes", False: "✗ no", None: "– none"}


def sections_of(recorder: RunRecorder) -> list[Section]:
    """Return the further sections of a run that has ended, claims aside; the most important first, no empty ones."""
    ended = recorder.ended
    if ended is None:
        return []
    found = [
        forecast_section(recorder.findings.get("forecast")),
        effects_section(ended.side_effects),
        norm_section(ended.norm_reports),
        effective_section(ended.effective_weights),
        thaw_section(ended.thaws, ended.side_effects),
    ]
    return [section for section in found if section is not None]


def claims_section(claims: Sequence[Mapping[str, Any]]) -> Section | None:
    """Return what a shipped scenario claims beside what was seen."""
    lines = []
    for claim in claims:
        truth = "True" if claim["claimed_true"] else "False under today's PyTorch"
        end = "" if claim["agrees"] else " This is not what the scenario says."
        tone = ("held" if claim["claimed_true"] else "leaked") if claim["agrees"] else "warning"
        lines.append(Line(tone, f"“{claim['claim']}”", (f"{truth}. Seen: {claim['seen']}.{end}",)))
    return Section("Claimed and seen", tuple(lines)) if lines else None


def forecast_section(forecast: Mapping[str, Any] | None) -> Section | None:
    """Return whether what was seen is what the law had foretold; every disagreement is shown."""
    if not forecast:
        return None
    if not forecast.get("known", True):
        line = Line("muted", "Not compared: the forecast does not know this optimizer", links=("unknown_optimizer",))
    elif not forecast.get("compared", False):
        line = Line("muted", "Not compared: the plan was changed by hand")
    elif not forecast["disagreements"] and not forecast["tensors"]:
        return None   # nothing was frozen
    elif not forecast["disagreements"]:
        count = len(forecast["tensors"])
        line = Line("held", "As seen", (f"{counted(count, 'frozen tensor')}: moved or held, and why, as forecast.",))
    else:
        lines = [
            Line("warning", item["name"], (item.get("text") or _disagreement(item),))
            for item in forecast["disagreements"]
        ]
        return Section("Forecast: not as seen", tuple(lines))
    return Section("Forecast", (line,))


def effects_section(effects: Iterable[SideEffect]) -> Section | None:
    """Return what the freeze did to the rest of the run."""
    lines = tuple(Line("warning", layer_names(effect.layers), (effect.text,), (effect.kind,)) for effect in effects)
    return Section("Side effects", lines) if lines else None


def norm_section(reports: Iterable[NormReport]) -> Section | None:
    """Return the three questions of frozen norm layers; layers with the same answers share a row."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for report in reports:
        answers = (_ANSWERS[report.affine_still], _ANSWERS[report.statistics_still], _ANSWERS[report.same_function])
        rows.setdefault(answers, []).append(report.layer)
    if not rows:
        return None
    table = tuple((layer_names(layers), *answers) for answers, layers in rows.items())
    note = "Do scale and shift hold, do the running statistics hold, is it the same function in train() and eval()?"
    return Section("Frozen norm layers", table=(("", "affine", "statistics", "function"), *table), note=note)


def effective_section(weights: Sequence[TensorVerdict]) -> Section | None:
    """Return whether weights that are computed from other tensors held."""
    frozen = [weight for weight in weights if weight.frozen_steps]
    held = [weight.name for weight in frozen if not weight.moved]
    lines = [
        Line("leaked", tensor_line(weight), (), tuple(cause.cause for cause in weight.causes) or ("parametrized",))
        for weight in frozen
        if weight.moved
    ]
    if held:
        lines.append(Line("held", f"{layer_names(held)}: held"))
    note = "What the layer computes with, made from its stored tensors at each step."
    return Section("Computed weights", tuple(lines), note=note) if lines else None


def thaw_section(thaws: Sequence[ThawReport], effects: Iterable[SideEffect]) -> Section | None:
    """Return the largest first step after a thaw of each layer, the largest of all first."""
    jumped = {layer for effect in effects if effect.kind == "thaw_jump" for layer in effect.layers}
    by_layer: dict[str, list[ThawReport]] = {}
    for thaw in thaws:
        by_layer.setdefault(thaw.layer, []).append(thaw)
    ordered = sorted(by_layer.values(), key=lambda found: -_size(found))
    lines = [_thaw_line(found, found[0].layer in jumped) for found in ordered[:MOST_THAWS]]
    if len(ordered) > MOST_THAWS:
        lines.append(Line("muted", f"{counted(len(ordered) - MOST_THAWS, 'more layer')}, none larger"))
    note = "The largest first update of an element."
    return Section("After the thaw", tuple(lines), note=note) if lines else None


def _size(thaws: Sequence[ThawReport]) -> float:
    return max(thaw.over_fresh or 0.0 for thaw in thaws)


def _thaw_line(thaws: Sequence[ThawReport], jumped: bool) -> Line:
    largest = max(thaws, key=lambda thaw: thaw.over_fresh or 0.0)
    sizes = [] if largest.over_lr is None else [f"{short_number(largest.over_lr)} × lr"]
    if largest.over_fresh is not None:
        sizes.append(f"{short_number(largest.over_fresh)} × a fresh optimizer's")
    what = ", ".join(sizes) or f"by up to {short_number(largest.largest_update)}"
    often = f" (largest of {len(thaws)} thaws)" if len(thaws) > 1 else ""
    head = f"{largest.layer or 'the model itself'} at step {largest.step:,}: {what}{often}"
    return Line("warning" if jumped else "muted", head, (), ("thaw_jump",) if jumped else ())


def next_run_section(text: ForecastText) -> Section | None:
    """Return what is forecast for the run that is set up now."""
    lines = [Line("warning", f"will leak: {layer_names(layers)}", (), (cause,)) for cause, layers in text.causes]
    lines += [
        Line("warning", layer_names(warning.layers) if warning.layers else "", (warning.text,), (warning.kind,))
        for warning in text.warnings
    ]
    lines += [
        Line("muted", f"may leak: {layer_names(layers)}", (NOT_SURE,), (cause,)) for cause, layers in text.unsure
    ]
    return Section("Forecast of the next run", tuple(lines)) if lines else None


def _disagreement(item: Mapping[str, Any]) -> str:
    forecast, seen = (", ".join(item[key]).replace("_", " ") or "held" for key in ("forecast", "seen"))
    return f"forecast: {forecast}; seen: {seen}"
