"""Everything that a run needs to go on as if it had never been left: by name, never by position."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from freeze_gui.errors import UserError
from freeze_gui.freezing.plan import FreezePlan, Phase
from freeze_gui.training.config import RunConfig
from freeze_gui.training.schedule import depends_on_length
from freeze_gui.whole_files import written_whole

FORMAT = 1
"""Version of the file's layout."""

_MAY_DIFFER = {"train": ("steps", "epochs", "device", "threads", "measure_every")}


@dataclass(frozen=True)
class Checkpoint:
    """A run between two steps.

    Attributes
    ----------
    config
        The run's configuration, as `RunConfig.to_dict` gives it.
    step
        Steps done.
    plan, plan_changed, frozen
        The plan at work, whether a person changed it, and the modules frozen in the last step.
    tensors, gradients, state
        Parameters and buffers, gradients, and optimizer state, by the tensor's full name.
    position
        Epoch, and optimizer steps done of it.
    random, epoch_random
        State of torch's, Python's and NumPy's generators now, and at the beginning of the epoch, where a data loader
        may have drawn its order.
    evaluated, metrics
        Step of the last evaluation, and the losses that a scheduler was told.
    precision
        State of the gradient scaler; empty without one.
    """

    config: dict[str, Any]
    step: int
    plan: FreezePlan
    plan_changed: bool
    frozen: frozenset[str]
    tensors: dict[str, Tensor]
    gradients: dict[str, Tensor]
    state: dict[str, dict[str, Any]]
    position: tuple[int, int]
    random: dict[str, Any]
    epoch_random: dict[str, Any]
    evaluated: int
    metrics: tuple[float, ...]
    precision: dict[str, Any]


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint; the file is whole or as it was before.

    Raises
    ------
    UserError
        When it cannot be written.
    """
    content = {f: getattr(checkpoint, f) for f in Checkpoint.__dataclass_fields__}
    content["plan"] = _plan_to_dict(checkpoint.plan)
    content["frozen"] = sorted(checkpoint.frozen)
    with written_whole(path) as file:
        torch.save({"format": FORMAT, **content}, file)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; nothing in the file is run.

    Raises
    ------
    UserError
        When the file is no checkpoint of this program, or of another version of it.
    """
    try:
        with warnings.catch_warnings():   # of a damaged file torch has much to say
            warnings.simplefilter("ignore")
            content = torch.load(path, weights_only=True, map_location="cpu")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except Exception:   # reading a file that is something else, or damaged, raises nearly anything
        content = None
    if not isinstance(content, dict) or not {"format", *Checkpoint.__dataclass_fields__} <= content.keys():
        raise UserError(f"{path}: not a checkpoint of Freeze GUI")
    if content.pop("format") != FORMAT:
        raise UserError(f"{path}: a checkpoint of another version of Freeze GUI; run its configuration anew")
    try:
        content["plan"] = _plan_from_dict(content["plan"])
        content["frozen"] = frozenset(content["frozen"])
        return Checkpoint(**content)
    except (TypeError, ValueError, KeyError, AttributeError):
        raise UserError(f"{path}: this checkpoint is damaged") from None


def check_same_run(checkpoint: Checkpoint, run: RunConfig) -> None:
    """Check that a checkpoint comes from a run like `run`; its length and its device may be others.

    Raises
    ------
    UserError
        When something else differs, which is named, or when the checkpoint lies behind the end of the run. The length
        counts where a scheduler spreads its rates over it.
    """
    config = run.to_dict()
    if run.train.steps is not None and run.train.steps < checkpoint.step:
        raise UserError(
            f"the checkpoint stands at step {checkpoint.step}, beyond train.steps = {run.train.steps}: "
            "nothing is left to do"
        )
    lengths = [{key: c["train"].get(key) for key in ("steps", "epochs")} for c in (config, checkpoint.config)]
    if depends_on_length(run.optimizer.scheduler) and lengths[0] != lengths[1]:
        raise UserError(
            f"{run.optimizer.scheduler.name} spreads its rates over the length of the run, which is not the one of the "
            "checkpoint: keep train.steps or train.epochs as they were"
        )
    for section in sorted({*config, *checkpoint.config}):
        now, before = config.get(section, {}), checkpoint.config.get(section, {})
        for key in sorted({*now, *before} - {*_MAY_DIFFER.get(section, ())}):
            if _plain(now.get(key)) != _plain(before.get(key)):
                raise UserError(
                    f"the checkpoint is of another run: {section}.{key} is {now.get(key)!r} here and was "
                    f"{before.get(key)!r} there"
                )


def all_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return parameters and buffers by name, those that a state dict leaves out included."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


@torch.no_grad()
def restore_tensors(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy values into the model.

    Raises
    ------
    UserError
        When the model has other tensors.
    """
    own = all_tensors(model)
    if own.keys() != tensors.keys() or any(own[name].shape != value.shape for name, value in tensors.items()):
        raise UserError("the checkpoint is of another model: its parameters and buffers have other names or shapes")
    for name, value in tensors.items():
        own[name].copy_(value)


def restore_optimizer(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    state: Mapping[str, Mapping[str, Any]],
    gradients: Mapping[str, Tensor],
) -> None:
    """Give every parameter its optimizer state and its gradient, those outside every group included."""
    on_device = any(group.get("fused") or group.get("capturable") for group in optimizer.param_groups)
    for name, parameter in model.named_parameters():
        gradient = gradients.get(name)
        parameter.grad = None if gradient is None else gradient.to(parameter.device, copy=True)
        if name in state:
            optimizer.state[parameter] = {
                # as torch's own load_state_dict: most optimizers count their steps on the CPU
                key: value.to(parameter.device if key != "step" or on_device else value.device, copy=True)
                if isinstance(value, Tensor)
                else value
                for key, value in state[name].items()
            }
        else:
            optimizer.state.pop(parameter, None)


def copied_state(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, dict[str, Any]]:
    """Return the optimizer's state by the name of the parameter."""
    return {
        name: {key: value.clone() if isinstance(value, Tensor) else value for key, value in found.items()}
        for name, parameter in model.named_parameters()
        if (found := optimizer.state.get(parameter))
    }


def _plain(value: Any) -> Any:
    """Return lists for tuples all the way down: a configuration read from a file has lists."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _plan_to_dict(plan: FreezePlan) -> dict[str, Any]:
    table = asdict(plan)
    table["phases"] = [[sorted(phase.modules), phase.start, phase.stop] for phase in plan.phases]
    table["tasks"] = [[task, sorted(modules)] for task, modules in plan.tasks]
    return table


def _plan_from_dict(table: dict[str, Any]) -> FreezePlan:
    phases = tuple(Phase(frozenset(modules), start, stop) for modules, start, stop in table["phases"])
    tasks = tuple((task, frozenset(modules)) for task, modules in table["tasks"])
    return FreezePlan(**{**table, "phases": phases, "tasks": tasks})
