"""What the law and a step on the meta device say about a whole run, before it starts."""

from __future__ import annotations

from dataclasses import dataclass

from freeze_gui.freezing.advice import ForecastWarning
from freeze_gui.freezing.forecast import TensorForecast, forecast
from freeze_gui.freezing.plan import FreezePlan
from freeze_gui.models.loaded import LoadedModel
from freeze_gui.training.config import RunConfig
from freeze_gui.training.cost_forecast import CostForecast, forecast_cost
from freeze_gui.training.optimizers import hyper_parameters


@dataclass(frozen=True)
class RunForecast:
    """What will happen in a run.

    Attributes
    ----------
    tensors
        Every tensor that is frozen at some step, and why it will move; None where the law does not know the optimizer.
    warnings
        What a person should know, each with its cure.
    cost
        A step with most frozen, against nothing frozen; None where that cannot be told or was not asked for.
    """

    tensors: tuple[TensorForecast, ...] | None
    warnings: tuple[ForecastWarning, ...]
    cost: CostForecast | None


def forecast_run(
    config: RunConfig, loaded: LoadedModel, plan: FreezePlan, total_steps: int, with_cost: bool = True
) -> RunForecast:
    """Forecast the run of `config` with `plan` for `total_steps` steps; the model may lie on the meta device."""
    optimizer = config.optimizer
    hyper = {**hyper_parameters(optimizer.name), **optimizer.hyper}
    tensors = forecast(loaded.module, plan, optimizer.name, hyper, optimizer.zero_grad, total_steps)
    modules = frozenset[str]().union(*(phase.modules for phase in plan.phases), *(frozen for _, frozen in plan.tasks))
    cost = forecast_cost(loaded, modules, plan.method, optimizer, config.data.batch_size) if with_cost else None
    return RunForecast(tensors, (), cost)
