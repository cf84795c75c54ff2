"""What the sections of a CONFIG.toml hold, but for ``[freeze]``, which `freezing.plan` holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from freeze_gui.training.schedule import SchedulerSettings

ZERO_GRAD_MODES = ("none", "zero", "never")
LOSSES = ("cross_entropy", "mse")
AMP_MODES = ("none", "bf16", "fp16")
DEFAULT_STEPS = 300
MOST_SEED = 2**32 - 1   # what numpy's and scikit-learn's generators take


@dataclass(frozen=True)
class ModelSettings:
    """The ``[model]`` section; `weights` None takes the source's own default."""

    source: str
    weights: str | None = None
    num_classes: int | None = None


@dataclass(frozen=True)
class DataSettings:
    """The ``[data]`` section; `source` None takes what the model suggests."""

    source: str | None = None
    batch_size: int = 32


@dataclass(frozen=True)
class OptimizerSettings:
    """The ``[optimizer]`` section; `hyper` holds the class's own hyper-parameters, ``lr`` among them.

    `layer_decay` multiplies the learning rate once for every block that lies between a layer's block and the last one;
    None is one rate for all.
    """

    name: str = "Adam"
    zero_grad: str = "none"
    hyper: Mapping[str, Any] = field(default_factory=dict)
    scheduler: SchedulerSettings = SchedulerSettings()
    layer_decay: float | None = None


@dataclass(frozen=True)
class TrainSettings:
    """The ``[train]`` section.

    `steps` None with `epochs` set runs whole passes; `loss` None takes the model's own. `amp` is the number format of
    the forward under autocast.
    """

    steps: int | None = None
    epochs: int | None = None
    seed: int = 0
    device: str = "auto"
    loss: str | None = None
    accumulate: int = 1
    clip_grad_norm: float | None = None
    measure_every: int | None = None
    eval_every: int = 50
    threads: int | None = None
    amp: str = "none"
