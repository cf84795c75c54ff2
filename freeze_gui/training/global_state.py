"""What a run sets for the whole process: random generators, threads, kernels. Runs that take turns hand it over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from freeze_gui.models.randomness import random_state, restore_random


@dataclass(frozen=True)
class GlobalState:
    """The settings of the process at one moment."""

    random: dict[str, Any]
    cuda_random: tuple[Tensor, ...]
    threads: int
    deterministic: bool
    warn_only: bool

    @classmethod
    def now(cls) -> GlobalState:
        """Read them."""
        used = torch.cuda.is_available() and torch.cuda.is_initialized()   # type: ignore[no-untyped-call]
        return cls(
            random_state(),
            tuple(torch.cuda.get_rng_state_all()) if used else (),
            torch.get_num_threads(),
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        )

    def put_back(self) -> None:
        """Make them what they were."""
        restore_random(self.random)
        for device, state in enumerate(self.cuda_random):
            torch.cuda.set_rng_state(state, device)
        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        torch.use_deterministic_algorithms(self.deterministic, warn_only=self.warn_only)
