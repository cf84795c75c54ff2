"""The loops that are compared: a bare one in plain PyTorch, and the program's own, each a function of a few steps."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from freeze_gui.data.sources import Batch
from freeze_gui.models.layer_tree import build_tree
from freeze_gui.training.budget import Budget
from freeze_gui.training.config import RunConfig, load_config
from freeze_gui.training.control import RunControl
from freeze_gui.training.events import StepDone
from freeze_gui.training.loading import Loaded, load
from freeze_gui.training.reading import Reading
from freeze_gui.training.telemetry import Telemetry
from freeze_gui.training.trainer import Trainer
from tests.benchmarks.rivals import AfterStep

Slice = Callable[[], tuple[float, float]]
"""Takes some more steps and returns the seconds of one, and the seconds of processors that the program spent on it."""


def bare_loop(config: RunConfig, steps: int, watch: Callable[[nn.Module], AfterStep] | None = None) -> Slice:
    """Return the loop that a tutorial shows, on the model, data and optimizer of a configuration.

    `watch` is given the model and returns what is called after each step.
    """
    loaded = _loaded(config)
    device = torch.device(config.train.device)
    model = loaded.model.module.to(device).train()
    optimizer = getattr(torch.optim, config.optimizer.name)(model.parameters(), **config.optimizer.hyper)
    after_step = watch(model) if watch is not None else _nothing
    batches = _forever(loaded)
    numbers = itertools.count()

    def take() -> None:
        for batch in itertools.islice(batches, steps):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(batch.inputs.to(device)), batch.targets.to(device))
            loss.backward()   # type: ignore[no-untyped-call]
            optimizer.step()
            after_step(next(numbers), loss)

    return _timed(take, steps, device)


def our_loop(config: RunConfig, steps: int, before: int = 0) -> Slice:
    """Return the program's own loop, with all that it does beside the training, after some steps."""
    events: Iterator[Any] = (event for event in Trainer(config).events() if isinstance(event, StepDone))
    for _ in itertools.islice(events, before):
        pass

    def take() -> None:
        for _ in itertools.islice(events, steps):
            pass

    return _timed(take, steps, torch.device(config.train.device))


class _Measuring:
    """The program's measuring of every layer, and nothing else of it, read where it does: on CUDA a step later."""

    def __init__(self, model: nn.Module) -> None:
        modules = dict(model.named_modules())
        self._telemetry = Telemetry([modules[path] for path in build_tree(model).layers])
        self._free = np.zeros(self._telemetry.layers, bool)
        self._reading: Reading | None = None

    def settle(self) -> None:
        """End a step, measured or not."""
        norms = [] if self._reading is None else self._reading.read()[1][0]
        self._telemetry.settle(self._free, (), norms)
        self._reading = None

    def measure(self, loss: Tensor, remember: bool) -> None:
        """Measure this step; `remember` the weights first where the step before was not measured."""
        if self._reading is not None:
            self.settle()
        if remember:
            self._telemetry.remember_weights()
        self._telemetry.look_at_gradients()
        self._reading = Reading(loss.detach(), self._telemetry.measure(self._free))
        if not loss.is_cuda:
            self.settle()


def telemetry_alone(model: nn.Module) -> AfterStep:
    """Put the program's measuring of every layer into a bare loop."""
    measuring = _Measuring(model)
    return lambda step, loss: measuring.measure(loss, remember=False)


def telemetry_by_its_budget(model: nn.Module) -> AfterStep:
    """Put the program's measuring into a bare loop, at the steps that its budget leaves it."""
    measuring, budget = _Measuring(model), Budget(None)
    ended = time.perf_counter()

    def after_step(step: int, loss: Tensor) -> None:
        nonlocal ended
        is_due, began = budget.is_due(step, None, of_note=False), time.perf_counter()
        if is_due:
            measuring.measure(loss, remember=True)
        else:
            measuring.settle()
        measuring_s = time.perf_counter() - began
        # of each step alone: other loops have had their turn since the one that was measured before
        budget.took(measuring_s if is_due else None, began - ended)
        ended = time.perf_counter()

    return after_step


SGD: dict[str, Any] = {"name": "SGD", "lr": 0.001, "momentum": 0.9}


def case_config(
    model: str, data: str, device: str, threads: int, measure_every: int | None, optimizer: dict[str, Any] = SGD
) -> RunConfig:
    """Return a run that does not end while it is measured; `measure_every` of None leaves it to the budget."""
    train = {"steps": 1_000_000, "device": device, "threads": threads, "eval_every": 10**9}
    if measure_every is not None:
        train["measure_every"] = measure_every
    return load_config({
        "model": {"source": model, "weights": "none"},
        "data": {"source": data},
        "optimizer": optimizer,
        "train": train,
    })


def _loaded(config: RunConfig) -> Loaded:
    found: list[Loaded | None] = []

    def loading() -> Iterator[object]:
        found.append((yield from load(config, RunControl())))

    for _ in loading():
        pass
    assert found[0] is not None
    return found[0]


def _forever(loaded: Loaded) -> Iterator[Batch]:
    for epoch in itertools.count():
        yield from loaded.data.epoch(epoch)


def _timed(take: Callable[[], None], steps: int, device: torch.device) -> Slice:
    def slice_() -> tuple[float, float]:
        began, began_cpu = time.perf_counter(), time.process_time()
        take()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return (time.perf_counter() - began) / steps, (time.process_time() - began_cpu) / steps

    return slice_


def _nothing(step: int, loss: Tensor) -> None:
    pass
