"""What ticks, phases and settings will do and save, worked out beside the window a moment after the last change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from freeze_gui.errors import UserError
from freeze_gui.freezing.advice import ForecastWarning
from freeze_gui.freezing.explain import EXPLANATIONS
from freeze_gui.freezing.forecast import TensorForecast
from freeze_gui.freezing.plan import FreezePlan, resolve
from freeze_gui.gui.background import Job
from freeze_gui.gui.verdict_text import cause_name
from freeze_gui.models.layer_tree import LayerTree
from freeze_gui.models.trial import import_compiler
from freeze_gui.runs.words import counted
from freeze_gui.training.config import RunConfig
from freeze_gui.training.cost_forecast import CostForecast
from freeze_gui.training.device import choose_device
from freeze_gui.training.memory import (
    DoesNotFit,
    MemoryForecast,
    bytes_text,
    forecast_memory,
    free_bytes,
    has_room_for_updates,
)
from freeze_gui.training.run_forecast import forecast_run
from freeze_gui.training.trials import Trials

DELAY_MS = 150
SOME_EPOCH = 100
"""Steps that an epoch is taken to have before a run has told."""
MOST_LINES = 2
_WORTH_SAYING = 0.01
"""Share of the free memory from which on a run's need is said."""
NOT_SURE = (
    "This cannot be forecast for sure: rounding decides, or it depends on layers that only some steps of the run go "
    "through. The verdict after the run will tell."
)


@dataclass(frozen=True)
class ForecastText:
    """What is forecast for the next run.

    Attributes
    ----------
    cost
        What a step holds and saves, in one line.
    leaks
        Lines for the tree's panel: what weighs most, and how much more there is.
    causes, unsure, warnings
        All of it, for the verdict pane: (cause, layers that it will move), (cause, layers that it may move), and
        warnings, the gravest first.
    """

    cost: str = ""
    leaks: tuple[str, ...] = ()
    causes: tuple[tuple[str, tuple[str, ...]], ...] = ()
    unsure: tuple[tuple[str, tuple[str, ...]], ...] = ()
    warnings: tuple[ForecastWarning, ...] = ()


@dataclass(frozen=True)
class Forecasting:
    """The work of one forecast, to be called in a thread; `epoch_steps` None where nobody knows it yet."""

    trials: Trials
    tree: LayerTree
    config: RunConfig
    epoch_steps: int | None = None

    def __call__(self) -> ForecastText:
        """Do it."""
        import_compiler()
        train = self.config.train
        epoch_steps = self.epoch_steps or SOME_EPOCH
        plan = resolve(self.config.freeze, self.tree, epoch_steps)
        steps = train.steps if train.steps is not None else (train.epochs or 1) * epoch_steps
        found = forecast_run(self.config, self.trials, plan, steps)
        causes, unsure = causes_ahead(found.tensors or ()), unsure_ahead(found.tensors or ())
        lines = [
            *(leak_sentence(cause, layers) for cause, layers in causes),
            *(warning.text for warning in found.warnings),
            *(doubt_sentence(cause, layers) for cause, layers in unsure),
        ]
        memory, refusal = self._memory(plan, found.cost)
        if refusal:
            lines.insert(0, refusal)
        parts = (cost_text(found.cost, self.config.optimizer.name), memory)
        cost = " · ".join(part for part in parts if part)
        return ForecastText(cost, shortened(lines), causes, unsure, found.warnings)

    def _memory(self, plan: FreezePlan, cost: CostForecast | None) -> tuple[str, str]:
        """Return what the run needs of what is free, and why it will not be begun; empty where it will."""
        try:
            device = choose_device(self.config.train.device)
        except UserError:   # no such device here: Run says so
            return "", ""
        memory = forecast_memory(self.config, self.trials, plan, device, cost)
        free = free_bytes(device)
        said = memory_text(memory, free, str(device))
        try:
            if not has_room_for_updates(memory, device):
                said += ", so the update of each step will not be measured"
        except DoesNotFit as error:   # it says the least that a run needs
            return memory_text(memory.without_updates(), free, str(device)), str(error)
        return said, ""


class Forecaster(QObject):
    """Forecasts what is asked for last; several wishes in a row become one piece of work.

    Signals
    -------
    forecast_made(object)
        A `ForecastText`.
    """

    forecast_made = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._wish: Forecasting | None = None
        self._job: Job | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MS)
        self._timer.timeout.connect(self._begin)

    def ask(self, wish: Forecasting | None) -> None:
        """Forecast this in a moment; None forecasts nothing."""
        self._wish = wish
        self._timer.start()

    def close(self) -> None:
        """Forecast nothing more, and wait for what is going on."""
        self._timer.stop()
        self._wish = None
        if self._job is not None:
            self._job.wait()

    @Slot()
    def _begin(self) -> None:
        if self._job is not None:
            return   # what is wished for meanwhile comes next
        wish, self._wish = self._wish, None
        if wish is None:
            self.forecast_made.emit(ForecastText())
            return
        self._job = Job(wish, self)
        self._job.succeeded.connect(self._on_done)
        self._job.failed.connect(self._on_failed)
        self._job.start()

    @Slot(object)
    def _on_done(self, text: ForecastText) -> None:
        self._next()
        if self._wish is None:
            self.forecast_made.emit(text)

    @Slot(str)
    def _on_failed(self, text: str) -> None:
        self._next()
        self.forecast_made.emit(ForecastText())

    def _next(self) -> None:
        if self._job is not None:
            self._job.deleteLater()
            self._job = None
        if self._wish is not None:
            self._timer.start()


def causes_ahead(tensors: Iterable[TensorForecast]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return each cause that will move frozen tensors, with the layers concerned; the one with most layers first."""
    return _by_cause((cause, tensor.layer) for tensor in tensors for cause in sorted(tensor.causes))


def unsure_ahead(tensors: Iterable[TensorForecast]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return each cause that may move frozen tensors or not, with those layers that it does not move anyway."""
    listed = tuple(tensors)
    surely = {(cause, tensor.layer) for tensor in listed for cause in tensor.causes}
    maybe = ((cause, tensor.layer) for tensor in listed for cause in sorted(tensor.unsure))
    return _by_cause(pair for pair in maybe if pair not in surely)


def _by_cause(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    layers: dict[str, dict[str, None]] = {}
    for cause, layer in pairs:
        layers.setdefault(cause, {})[layer] = None
    ordered = sorted(layers, key=lambda cause: -len(layers[cause]))
    return tuple((cause, tuple(layers[cause])) for cause in ordered)


def leak_sentence(cause: str, layers: Sequence[str]) -> str:
    """Return a sentence on what will leak, and one with the cure."""
    cure = f" {EXPLANATIONS[cause].cure}" if cause in EXPLANATIONS else ""
    return f"Will leak: {counted(len(layers), 'frozen layer')}, by {cause_name(cause)}.{cure}"


def doubt_sentence(cause: str, layers: Sequence[str]) -> str:
    """Return a sentence on what may leak, and one on why that is not sure."""
    return f"May leak: {counted(len(layers), 'frozen layer')}, by {cause_name(cause)}. {NOT_SURE}"


def shortened(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the first lines and how many more there are."""
    if len(lines) <= MOST_LINES:
        return tuple(lines)
    more = len(lines) - MOST_LINES
    return (*lines[:MOST_LINES], f"{counted(more, 'more warning')}: see the verdict pane")


def cost_text(cost: CostForecast | None, optimizer: str) -> str:
    """Return what a step holds and how much less it does than without the freeze."""
    if cost is None:
        return ""
    parts = [
        f"grads {bytes_text(cost.frozen.gradient_bytes)}",
        f"{optimizer} state {bytes_text(cost.frozen.optimizer_state_bytes)}",
        f"activations {_change(cost, 'saved_activation_bytes')}",
        f"FLOPs {_change(cost, 'flops')}",
    ]
    return " · ".join(part.replace(" ", "\N{NO-BREAK SPACE}") for part in parts)


def memory_text(memory: MemoryForecast, free: int | None, device: str) -> str:
    """Return what a run holds of what is free, empty where it is too little to matter."""
    if free is None or memory.total < _WORTH_SAYING * free:
        return ""
    return f"needs {bytes_text(memory.total)} of {bytes_text(free)} free on {device}".replace(" ", "\N{NO-BREAK SPACE}")


def _change(cost: CostForecast, what: str) -> str:
    percent = round(100 * (cost.share(what) - 1))
    return f"−{-percent} %" if percent < 0 else f"+{percent} %" if percent > 0 else "±0 %"
