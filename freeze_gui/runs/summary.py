"""A run's summary as specified for JSON: what happened, layer by layer and tensor by tensor."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from freeze_gui.freezing.verdict import TensorVerdict
from freeze_gui.runs.claims import judge, scenario_of
from freeze_gui.runs.forecast_summary import forecast_summary
from freeze_gui.runs.history import METRICS
from freeze_gui.training.config import RunConfig
from freeze_gui.training.digests import digest_of_all
from freeze_gui.training.events import NO_GRADIENT, RunEnded

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder

FORMAT = 1
"""Version of the summary's layout."""

_WARM_UP = 3
"""First steps left out of the step time: they allocate and tune."""


def summarise(recorder: RunRecorder, most_norms: int | None = None) -> dict[str, Any]:
    """Return the summary of a run that has ended.

    Numbers are as they were measured: NaN and infinity stay floats here and become null where JSON is written. Where
    there are more than `most_norms` norms, every n-th measured step is in it, ``norms_every`` says n, and
    ``measured_steps`` which they are; None takes them all.
    """
    ended = recorder.ended
    assert ended is not None
    view = recorder.history.view() if recorder.history is not None else None
    count = len(METRICS) * len(recorder.layers) * (len(view.step) if view else 0)
    every = 1 if most_norms is None else max(-(-count // most_norms), 1)
    evaluations = recorder.history.evaluations if recorder.history is not None else []
    summary = {
        "format": FORMAT,
        "status": ended.status,
        "error": ended.error,
        "config": recorder.config.to_dict(),
        "environment": dict(recorder.started.environment) if recorder.started else {},
        "steps": ended.steps,
        "loss": view.loss.tolist() if view else [],
        "learning_rate": view.learning_rate.tolist() if view else [],
        "measured_steps": view.step[::every].tolist() if view else [],
        "evaluations": [{"step": step, "loss": loss, "accuracy": accuracy} for step, loss, accuracy in evaluations],
        "trainable_parameters": [asdict(count) for count in recorder.trainable],
        "layers": _layers(recorder, ended, every),
        "tensors": [_tensor(verdict) for verdict in ended.tensors],
        "effective_weights": [_tensor(verdict) for verdict in ended.effective_weights],
        "norm_layers": [asdict(report) for report in ended.norm_reports],
        "side_effects": [{**asdict(e), "layers": list(e.layers)} for e in ended.side_effects],
        "thaws": [asdict(report) for report in ended.thaws],
        "optimizer_state": _optimizer_state(recorder, ended),
        "forecast": _forecast(recorder, ended),
        "cost": _cost(recorder, ended),
        "start_hash": digest_of_all(ended.proof.start) if ended.proof else None,
        "end_hash": digest_of_all(ended.proof.end) if ended.proof and ended.proof.end else None,
        "batches_hash": (ended.proof.batches or None) if ended.proof else None,
        "batches_steps": len(ended.proof.batches_by_step) if ended.proof else 0,
        "batches_out_of_reach": (ended.proof.batches_out_of_reach or None) if ended.proof else None,
        "evaluation_hashes": [
            {"step": step, "batches_hash": digest} for step, digest in ended.proof.evaluations.items()
        ] if ended.proof else [],
        "evaluations_out_of_reach": (ended.proof.evaluations_out_of_reach or None) if ended.proof else None,
    }
    if every > 1:
        summary["norms_every"] = every
    return summary | _claims(recorder.config, ended, summary)


def layer_verdict(frozen: bool, moved: bool) -> str:
    """Return ``trained`` for a layer that was never frozen, else ``leaked`` or ``held``."""
    return "trained" if not frozen else "leaked" if moved else "held"


def _claims(config: RunConfig, ended: RunEnded, summary: dict[str, Any]) -> dict[str, Any]:
    """Return the claims of the scenario whose run this is, beside what was seen; nothing for a person's own run.

    A plan that was changed while the run went on makes it a person's own.
    """
    scenario = None if ended.plan_changed else scenario_of(config)
    if scenario is None:
        return {}
    return {"scenario": scenario.name, "claims": [asdict(result) for result in judge(scenario, summary)]}


def _layers(recorder: RunRecorder, ended: RunEnded, every: int) -> list[dict[str, Any]]:
    if recorder.history is None:
        return []
    view = recorder.history.view()
    # once through a file that may be large, and not once a layer
    norms = {name: np.ascontiguousarray(view.metric(name)[::every].T) for name in METRICS}   # (layers, rows)
    judged = (*ended.tensors, *ended.effective_weights)
    moved = {layer for tensor in judged if tensor.moved for layer in tensor.layers}
    rows = []
    for index, layer in enumerate(recorder.layers):
        windows = recorder.frozen_windows(index)
        rows.append(
            {
                "path": layer.path,
                "kind": layer.kind,
                "parameters": layer.parameters,
                "frozen_steps": [list(window) for window in windows],
                "verdict": layer_verdict(bool(windows), layer.path in moved),
                "grad_norm": _null_where_missing(norms["grad_norm"][index]),
                "update_norm": norms["update_norm"][index].tolist(),
                "weight_delta": norms["weight_delta"][index].tolist(),
                "end_hash": ended.proof.end.get(layer.path) if ended.proof else None,
            }
        )
    return rows


def _null_where_missing(norms: NDArray[np.float64]) -> list[float | None]:
    return [None if norm == NO_GRADIENT else norm for norm in norms.tolist()]


def _tensor(verdict: TensorVerdict) -> dict[str, Any]:
    tensor = asdict(verdict)
    return tensor | {
        "frozen_steps": [list(window) for window in verdict.frozen_steps],
        "causes": list(tensor["causes"]),
        "tied_layers": list(verdict.tied_layers),
    }


def _optimizer_state(recorder: RunRecorder, ended: RunEnded) -> list[dict[str, Any]]:
    """Return step count and norms of the moments of each parameter; null where the optimizer keeps none."""
    if ended.optimizer_state is None or recorder.started is None:
        return []
    keys = ("step", "first_moment_norm", "second_moment_norm")
    return [
        {"name": name, **{key: None if np.isnan(value) else value for key, value in zip(keys, row, strict=True)}}
        for name, row in zip(recorder.started.parameters, ended.optimizer_state.tolist(), strict=True)
    ]


def _forecast(recorder: RunRecorder, ended: RunEnded) -> dict[str, Any] | None:
    if recorder.started is None or recorder.started.forecast is None:
        return None
    return forecast_summary(recorder.started.forecast, ended, recorder.first_step, recorder.tasks)


def _cost(recorder: RunRecorder, ended: RunEnded) -> dict[str, Any]:
    cost = asdict(ended.cost) if ended.cost else {}
    if recorder.history is not None and recorder.history.steps:
        view = recorder.history.view()
        warm = min(_WARM_UP, len(view.step_s) - 1)
        step_s, overhead_s = view.step_s[warm:], view.overhead_s[warm:]
        cost |= {
            "step_ms_median": float(np.median(step_s) * 1000),
            "step_ms_iqr": float(np.subtract(*np.percentile(step_s, (75, 25))) * 1000),
            "overhead_ms_median": float(np.median(overhead_s) * 1000),
            "training_ms_median": float(np.median(step_s - overhead_s) * 1000),
            "training_ms_iqr": float(np.subtract(*np.percentile(step_s - overhead_s, (75, 25))) * 1000),
            "overhead_fraction": float(overhead_s.sum() / step_s.sum()),
        }
    return cost
