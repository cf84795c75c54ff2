"""Per-layer norms of gradient, update and distance from the start, at the price of about one look at the memory.

Weights at the start and at the step before are kept in flat copies of rows of 256 numbers. A step is worked through a
chunk of rows at a time, so that all arithmetic on a chunk finds it in the cache. Sums of squares are taken over rows
and added up in float64: a float32 norm over millions of numbers in one go would be off by up to a percent (pytorch
#169237), rows of 256 stay within 1e-6 of float64. Layers that are frozen and were seen to hold still, bit by bit, have
no update and the distance that they had; their weights are not looked at again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from freeze_gui.training.events import NO_GRADIENT
from freeze_gui.training.norms_on_device import NormsOnDevice
from freeze_gui.training.norms_on_host import NormsOnHost

GRADIENT, UPDATE, DELTA = range(3)

COPIES = 2
"""Copies of all parameters that measuring keeps: at the start, and before the step; the second only for updates."""

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Norms(Protocol):
    """Keeps copies of parameters, and adds up squares."""

    def replace(self, at: int, parameter: nn.Parameter) -> None:
        """Look from now on at a parameter of the same shape that has taken the place of another."""

    def remember(self) -> None:
        """Take the weights now as those before the next step."""

    def look_at_gradients(self) -> None:
        """Add up the gradients now."""

    def squares(self, still: Flags, extra: torch.Tensor) -> tuple[Floats, Floats]:
        """Return sums of squares, shape (3, parameters), and `extra`, and remember the weights.

        The parameters marked in `still` (parameters,) have not moved since the call before. Rows `GRADIENT`, as looked
        at before, `UPDATE`, `DELTA`; 0 for a gradient that was not there.
        """


class Telemetry:
    """Measures three norms of every layer.

    Parameters
    ----------
    layers
        The layers of the run in row order; a layer's own parameters count, tied ones in each of their layers.
    with_updates
        Whether to measure updates, which takes a copy of all parameters; without it they are NaN, but 0 where a frozen
        layer holds still.
    """

    def __init__(self, layers: Sequence[nn.Module], with_updates: bool = True) -> None:
        self._parameters, pairs, self._places = _own_parameters(layers)
        device = self._parameters[0].device if self._parameters else torch.device("cpu")
        engine = NormsOnDevice if device.type == "cuda" else NormsOnHost
        self._norms: Norms = engine(self._parameters, with_updates)
        # pairs come layer by layer: each layer that has parameters is one range of them
        self._parameter_of = np.array([parameter for parameter, _ in pairs], dtype=np.int64)
        self._layer_of = np.array([layer for _, layer in pairs], dtype=np.int64)
        self._owners, self._ranges = np.unique(self._layer_of, return_index=True)
        self._layer_count = len(layers)
        self._missing = np.ones(len(self._parameters), bool)   # had no gradient when they were looked at
        self._held = np.zeros(len(layers), bool)    # frozen in the last step, and not moved by it
        self._still = np.zeros(len(layers), bool)   # so in the last measured step and in all since

    def remember_weights(self) -> None:
        """Take the weights now as those before the next step; needed only when the step before was not measured."""
        self._follow_replaced()
        self._norms.remember()

    def look_at_gradients(self) -> None:
        """Look at the gradients right before the optimizer's step, which may write into them.

        SGD with Nesterov momentum adds the momentum to them where it works on many tensors at once.
        """
        self._follow_replaced()
        self._missing = np.array([p.grad is None for p in self._parameters], dtype=bool)
        self._norms.look_at_gradients()

    def saw(self, frozen: Flags, leaked: Sequence[int]) -> None:
        """Note after each step, measured or not, which layers are frozen and which of them moved all the same."""
        self._held = frozen
        if leaked:
            self._held = frozen.copy()
            self._held[list(leaked)] = False
        self._still &= self._held

    def measure(self, extra: torch.Tensor) -> tuple[Floats, Floats]:
        """Measure after a step; the gradients are those that were looked at before it.

        Parameters
        ----------
        extra
            A few numbers, shape (n,), that leave the device in the same transfer.

        Returns
        -------
        tuple of ndarray
            The norms, shape (3, layers): `GRADIENT`, `UPDATE`, `DELTA`; and `extra`.
        """
        squares, numbers = self._norms.squares(self._still_parameters(), extra)
        norms = np.zeros((3, self._layer_count))
        norms[GRADIENT] = NO_GRADIENT
        if len(self._parameter_of):
            by_layer = np.add.reduceat(squares[:, self._parameter_of], self._ranges, axis=1)
            norms[:, self._owners] = np.sqrt(by_layer)
            without = np.logical_and.reduceat(self._missing[self._parameter_of], self._ranges)
            norms[GRADIENT, self._owners[without]] = NO_GRADIENT
        self._still = self._held.copy()
        return norms, numbers

    def _follow_replaced(self) -> None:
        """Look at a parameter that the model itself has put in the place of another."""
        for at, (module, key) in enumerate(self._places):
            now, known = module._parameters.get(key), self._parameters[at]
            if now is not known and now is not None and now.shape == known.shape and now.dtype == known.dtype:
                self._parameters[at] = now
                self._norms.replace(at, now)

    def _still_parameters(self) -> Flags:
        """Return the parameters that hold still in each of their layers."""
        moving = np.zeros(len(self._parameters), bool)
        moving[self._parameter_of[~self._still[self._layer_of]]] = True
        return ~moving


def _own_parameters(
    layers: Sequence[nn.Module],
) -> tuple[list[nn.Parameter], list[tuple[int, int]], list[tuple[nn.Module, str]]]:
    """Return the parameters, each once; (parameter, layer) pairs: a tied one has several; and where each is found."""
    index: dict[int, int] = {}
    parameters: list[nn.Parameter] = []
    pairs: list[tuple[int, int]] = []
    places: list[tuple[nn.Module, str]] = []
    for layer, module in enumerate(layers):
        for key, parameter in module._parameters.items():
            if parameter is not None:
                if id(parameter) not in index:
                    index[id(parameter)] = len(parameters)
                    parameters.append(parameter)
                    places.append((module, key))
                pairs.append((index[id(parameter)], layer))
    return parameters, pairs, places
