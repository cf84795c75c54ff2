"""What a run will hold in memory, what the machine has free, and a refusal before anything is allocated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from freeze_gui.errors import UserError
from freeze_gui.freezing.plan import FreezePlan
from freeze_gui.training.config import RunConfig
from freeze_gui.training.copies import copies_held
from freeze_gui.training.cost_forecast import CostForecast, StepCost
from freeze_gui.training.telemetry import bytes_held
from freeze_gui.training.trials import Trials

_MEMINFO = Path("/proc/meminfo")


class DoesNotFit(UserError):
    """A run needs more memory than there is."""


@dataclass(frozen=True)
class MemoryForecast:
    """Bytes that a run holds at once, at the step that holds most.

    Attributes
    ----------
    weights
        Parameters and buffers, and tensors that modules hold as plain attributes.
    measuring, updates
        What is held to measure by; the part of it that only the update of each step needs.
    holding
        Copies of what is frozen to prove by, and the cache of a method that has one.
    step
        Gradients, optimizer state and activations; None where no step could be tried.
    allocated
        How much of the weights is on the run's device already.
    in_step
        What is held from backward, which lets the activations go, to the end of a step: what names causes and jumps.
    """

    weights: int
    measuring: int
    holding: int
    step: StepCost | None
    allocated: int = 0
    updates: int = 0
    in_step: int = 0

    @property
    def total(self) -> int:
        """All of it; without what is not known."""
        known = self.weights + self.measuring + self.holding + max(self._activations, self.in_step)
        if self.step is None:
            return known
        return known + self.step.gradient_bytes + self.step.optimizer_state_bytes

    @property
    def _activations(self) -> int:
        return 0 if self.step is None else self.step.saved_activation_bytes

    def without_updates(self) -> MemoryForecast:
        """Return the forecast of a run that does not measure the update of each step."""
        return replace(self, measuring=self.measuring - self.updates, updates=0)

    def parts(self) -> str:
        """Return what it is made of, in words."""
        parts = [("weights", self.weights)]
        if self.step is not None:
            parts += [
                ("gradients", self.step.gradient_bytes),
                ("optimizer state", self.step.optimizer_state_bytes),
            ]
        copies = self.measuring + self.holding
        if self._activations > self.in_step:
            parts.append(("activations", self._activations))
        else:
            copies += self.in_step
        parts.append(("copies to measure and prove by", copies))
        return ", ".join(f"{name} {bytes_text(size)}" for name, size in parts if size)


def forecast_memory(
    config: RunConfig,
    trials: Trials,
    plan: FreezePlan,
    device: torch.device,
    cost: CostForecast | None = None,
) -> MemoryForecast:
    """Forecast what a run holds at most, on a model that may be on the meta device.

    `cost` saves a trial where it is known, and speaks of what is frozen from the first step to the last.
    """
    lasting = frozenset[str]().union(*(p.modules for p in plan.phases if p.start == 0 and p.stop is None))
    if cost is None or (lasting and any(p.start or p.stop is not None for p in plan.phases)) or plan.tasks:
        step = trials.step(lasting, plan.method, config.optimizer, config.data.batch_size, loss=config.train.loss)
    else:
        step = cost.frozen if lasting else cost.free
    module = trials.loaded.module
    # the older hooks of torch for weight and spectral norm leave the weight that they compute on the module
    beside = [value for part in module.modules() for value in vars(part).values() if isinstance(value, torch.Tensor)]
    tensors = [*module.parameters(), *module.buffers(), *beside]
    measuring, updates = bytes_held(list(module.parameters()), device)
    state = 0 if step is None else step.optimizer_state_bytes
    copies = copies_held(trials, plan, config.optimizer, state, device)
    there = _bytes(t for t in tensors if t.device == device)
    return MemoryForecast(_bytes(tensors), measuring + updates, copies.lasting, step, there, updates, copies.in_step)


def has_room_for_updates(forecast: MemoryForecast, device: torch.device) -> bool:
    """Tell whether a run fits with the copy that the update of each step is measured by; where not, it gives way.

    Raises
    ------
    DoesNotFit
        When the run does not fit without it either: what is needed, what is there, and what to do.
    """
    free = free_bytes(device)
    if free is None or forecast.total - forecast.allocated <= free:
        return True
    least = forecast.without_updates()
    there = free + least.allocated   # as before the model was loaded, so that the parts add up to what is needed
    if least.total > there:
        raise DoesNotFit(
            f"This run needs {bytes_text(least.total)} of memory, and {device} has {bytes_text(there)} free for "
            f"it ({least.parts()}): choose a smaller batch, freeze more layers with requires_grad, take an optimizer "
            "that keeps less, such as SGD, or a smaller model"
        )
    return False


def free_bytes(device: torch.device) -> int | None:
    """Return the memory that can still be had on a device; None where the system does not say."""
    if device.type == "cuda":
        reserved = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + reserved
    if device.type != "cpu":
        return None
    try:
        lines = _MEMINFO.read_text().splitlines()
    except OSError:   # not Linux
        return None
    kilobytes = (line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    return next((int(count) * 1024 for count in kilobytes), None)


def bytes_text(count: int) -> str:
    """Return a number of bytes in few digits."""
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def _bytes(tensors: Iterable[torch.Tensor]) -> int:
    return sum({id(tensor): tensor.numel() * tensor.element_size() for tensor in tensors}.values())
