"""What people watch a training with today, each put into a plain loop as its own documentation says."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

AfterStep = Callable[[int, Tensor], None]
"""Called with the number of the step and its loss, when the optimizer has stepped."""


@contextlib.contextmanager
def lightning_grad_norm(model: nn.Module, folder: Path) -> Iterator[AfterStep]:
    """Take the norm of every gradient, as a Lightning module does in `on_before_optimizer_step`."""
    from lightning.pytorch.utilities import grad_norm

    def after_step(step: int, loss: Tensor) -> None:
        {name: float(norm) for name, norm in grad_norm(model, norm_type=2).items()}   # log_dict reads them

    yield after_step


@contextlib.contextmanager
def tensorboard_scalars(model: nn.Module, folder: Path) -> Iterator[AfterStep]:
    """Log norms of gradient, update and distance from the start: three scalars a tensor."""
    from torch.utils.tensorboard import SummaryWriter

    start = {name: p.detach().clone() for name, p in model.named_parameters()}
    previous = {name: p.detach().clone() for name, p in model.named_parameters()}

    with SummaryWriter(str(folder)) as writer:

        @torch.no_grad()
        def after_step(step: int, loss: Tensor) -> None:
            for name, p in model.named_parameters():
                if p.grad is not None:
                    writer.add_scalar(f"gradient/{name}", p.grad.norm(), step)
                writer.add_scalar(f"update/{name}", (p - previous[name]).norm(), step)
                writer.add_scalar(f"delta/{name}", (p - start[name]).norm(), step)
                previous[name].copy_(p)

        yield after_step


@contextlib.contextmanager
def tensorboard_histograms(model: nn.Module, folder: Path) -> Iterator[AfterStep]:
    """Log a histogram of every weight and every gradient."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder)) as writer:

        def after_step(step: int, loss: Tensor) -> None:
            for name, p in model.named_parameters():
                writer.add_histogram(f"weight/{name}", p, step)
                if p.grad is not None:
                    writer.add_histogram(f"gradient/{name}", p.grad, step)

        yield after_step


@contextlib.contextmanager
def wandb_watch(model: nn.Module, folder: Path) -> Iterator[AfterStep]:
    """Let Weights & Biases watch gradients and parameters at every step, offline."""
    import wandb

    settings = wandb.Settings(mode="offline", silent=True, console="off", disable_git=True, x_disable_stats=True)
    with wandb.init(project="benchmark", dir=str(folder), settings=settings) as run:
        run.watch(model, log="all", log_freq=1)
        yield lambda step, loss: run.log({"loss": loss.item()})
        run.unwatch(model)


@dataclass(frozen=True)
class Rival:
    """The package that it needs, how it is put into a loop, and whether a step with it takes many times as long."""

    package: str
    watch: Callable[[nn.Module, Path], AbstractContextManager[AfterStep]]
    slow: bool = False


RIVALS = {
    "Lightning grad_norm, gradients only": Rival("lightning", lightning_grad_norm),
    "TensorBoard, 3 scalars a tensor": Rival("tensorboard", tensorboard_scalars),
    "TensorBoard histograms": Rival("tensorboard", tensorboard_histograms, slow=True),
    'wandb.watch(log="all"), offline': Rival("wandb", wandb_watch, slow=True),
}
