"""What the ticks will do and save, worked out beside the window a moment after the last change."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from freeze_gui.freezing.forecast import forecast
from freeze_gui.freezing.plan import FreezePlan, Phase
from freeze_gui.gui.background import Job
from freeze_gui.gui.verdict_text import CAUSES, cause_name
from freeze_gui.models.loaded import LoadedModel
from freeze_gui.training.config import RunConfig
from freeze_gui.training.cost_forecast import CostForecast, forecast_cost
from freeze_gui.training.optimizers import hyper_parameters

DELAY_MS = 250


@dataclass(frozen=True)
class ForecastText:
    """What a freeze costs and saves, in one line, and the leaks that the law foresees, one sentence each."""

    cost: str = ""
    leaks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Forecasting:
    """The work of one forecast, to be called in a thread."""

    loaded: LoadedModel
    modules: frozenset[str]
    config: RunConfig

    def __call__(self) -> ForecastText:
        """Do it."""
        config, optimizer = self.config, self.config.optimizer
        cost = forecast_cost(self.loaded, self.modules, config.freeze.method, optimizer, config.data.batch_size)
        return ForecastText(cost_text(cost, optimizer.name), leak_sentences(self.loaded, self.modules, config))


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


def leak_sentences(loaded: LoadedModel, modules: frozenset[str], config: RunConfig) -> tuple[str, ...]:
    """Return a sentence for each cause that will move frozen layers in the next run."""
    optimizer, freeze = config.optimizer, config.freeze
    plan = FreezePlan((Phase(modules),), (), freeze.method, freeze.norm, freeze.moment, freeze.thaw)
    hyper = {**hyper_parameters(optimizer.name), **optimizer.hyper}
    steps = config.train.steps or 1000   # epochs are many steps
    found = forecast(loaded.module, plan, optimizer.name, hyper, optimizer.zero_grad, steps)
    layers = Counter[str]()
    for cause, _ in {(cause, tensor.layer) for tensor in found or () for cause in tensor.causes}:
        layers[cause] += 1
    return tuple(
        f"Will leak: {count} frozen layer{'s' * (count != 1)}, by {cause_name(cause)}. {CAUSES[cause][2]}"
        for cause, count in sorted(layers.items())
    )


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


def bytes_text(count: int) -> str:
    """Return a number of bytes in few digits."""
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def _change(cost: CostForecast, what: str) -> str:
    percent = round(100 * (cost.share(what) - 1))
    return f"−{-percent} %" if percent < 0 else f"+{percent} %" if percent > 0 else "±0 %"
