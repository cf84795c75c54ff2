"""Per-layer norms of gradient, update and distance from the start, at the price of about one look at the memory.

Weights at the start and at the step before are kept in flat copies. A step is worked through a chunk at a time, so that
all arithmetic on a chunk finds it in the cache. Sums of squares are taken over rows of some hundred numbers and added
up in float64: a float32 norm over millions of numbers in one go would be off by up to a percent (pytorch #169237), such
rows stay within 1e-6 of float64. Layers that are frozen and were seen to hold still, bit by bit, have no update and the
distance that they had; their weights are not looked at again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import is_
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from freeze_gui.training.events import NO_GRADIENT
from freeze_gui.training.norm_rows import columns
from freeze_gui.training.norms_on_device import NormsOnDevice, bytes_on_device
from freeze_gui.training.norms_on_host import NormsOnHost, bytes_on_host

GRADIENT, UPDATE, DELTA = range(3)

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Slots = dict[str, nn.Parameter | None]
"""A module's own parameters by their names; it is looked into at each step, without the way through the module."""

Held = Mapping[tuple[int, str], torch.Tensor]
"""Values by the identity of a module's slots, and the name in them."""


class Norms(Protocol):
    """Keeps copies of parameters, and adds up squares."""

    def replace(self, at: int, parameter: nn.Parameter) -> None:
        """Look from now on at a parameter of the same shape that has taken the place of another."""

    def remember(self) -> None:
        """Take the weights now as those before the next step."""

    def look_at_gradients(self) -> list[bool]:
        """Look at the gradients now, and return which parameters have none."""

    def measure(self, still: Flags) -> torch.Tensor | None:
        """Add up squares, and remember the weights; return numbers (n,) on a device that `squares` needs, if any.

        The parameters marked in `still` (parameters,) have not moved since the call before.
        """

    def squares(self, numbers: Sequence[float] = ()) -> Floats:
        """Return what was added up, shape (3, parameters), from the numbers of `measure`.

        Rows `GRADIENT`, as looked at before the step, `UPDATE`, `DELTA`; 0 for a gradient that was not there.
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

    Attributes
    ----------
    layers
        How many.
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
        self._from = columns(self._parameter_of, len(self._parameters))
        self._to = columns(self._owners, len(layers))
        self.layers = len(layers)
        self._missing: list[bool] = []   # parameters that had no gradient when they were looked at,
        self._without = self._owners     # and layers
        # frozen in the last measured step and in all since, and moved by none of them
        self._still = np.zeros(len(layers), bool)
        self._frozen = self._still                  # as of the step before
        self._passed_over = self._still             # those that the last measurement took to be so once more
        self._is_measured = False                   # the step that is not settled yet

    def remember_weights(self) -> None:
        """Take the weights now as those before the next step; needed only when the step before was not measured."""
        self._follow_replaced()
        self._norms.remember()

    def look_at_gradients(self) -> None:
        """Look at the gradients right before the optimizer's step, which may write into them.

        SGD with Nesterov momentum adds the momentum to them where it works on many tensors at once.
        """
        self._follow_replaced()
        missing = self._norms.look_at_gradients()
        if missing != self._missing:
            self._missing = missing
            by_layer = np.logical_and.reduceat(np.array(missing)[self._parameter_of], self._ranges)
            self._without = self._owners[by_layer]

    def measure(self, frozen: Flags) -> torch.Tensor | None:
        """Measure after a step; the gradients are those that were looked at before it.

        Frozen layers that held still so far are passed over: whether they did so once more need not be known yet.

        Parameters
        ----------
        frozen
            The layers that are frozen in this step, shape (layers,).

        Returns
        -------
        Tensor or None
            On a GPU the numbers (n,) on it that `settle` needs, for which nobody has waited.
        """
        self._passed_over = self._still & frozen
        self._is_measured = True
        return self._norms.measure(self._parameters_of_none_but(self._passed_over))

    def settle(
        self,
        frozen: Flags,
        leaked: Sequence[int],
        numbers: Sequence[float] = (),
        values: Callable[[], Held] | None = None,
    ) -> Floats | None:
        """Note after each step, measured or not, which layers are frozen and which of them moved all the same.

        Parameters
        ----------
        frozen, leaked
            The layers that were frozen in the step, shape (layers,), and the rows of those that moved.
        numbers
            Those that `measure` returned, read from the device.
        values
            Says what frozen parameters were after the step, by the slots and the name that they have in their module;
            None where nothing can have been written since.

        Returns
        -------
        ndarray or None
            The norms, shape (3, layers): `GRADIENT`, `UPDATE`, `DELTA`; None where the step was not measured.
        """
        was_measured, self._is_measured = self._is_measured, False
        if not was_measured and not leaked and frozen is self._frozen:
            return None   # nothing is new
        held = frozen.copy()
        held[list(leaked)] = False
        self._frozen = frozen
        if not was_measured:
            self._still &= held
            return None
        squares = self._norms.squares(numbers)
        if (self._passed_over & ~held).any():
            self._look_again(squares, self._passed_over & held, values() if values else {})
        self._still = held
        return self._by_layer(squares)

    def _look_again(self, squares: Floats, still: Flags, values: Held) -> None:
        """Put right what was measured on the way of parameters whose layers were passed over, and are not `still`."""
        moved = self._parameters_of_none_but(self._passed_over) & ~self._parameters_of_none_but(still)
        found = [values.get((id(slots), key)) for slots, key in self._places]
        were = [
            was if was is not None and _takes_the_place(was, known) else None
            for was, known in zip(found, self._parameters, strict=True)
        ]
        for at, was in enumerate(were):
            if was is not None:   # the next step's forward may have written since
                self._norms.replace(at, nn.Parameter(was, requires_grad=False))
        numbers = self._norms.measure(~moved)
        for at, was in enumerate(were):
            if was is not None:
                self._norms.replace(at, self._parameters[at])
        again = self._norms.squares(() if numbers is None else numbers.tolist())
        # the small piece of a large one was looked at all the same, and has not moved since
        squares[UPDATE, moved] += again[UPDATE, moved]
        squares[DELTA, moved] = again[DELTA, moved]

    def _follow_replaced(self) -> None:
        """Look at a parameter that the model itself has put in the place of another."""
        found = [slots.get(key) for slots, key in self._places]
        if all(map(is_, found, self._parameters)):
            return
        for at, (now, known) in enumerate(zip(found, self._parameters, strict=True)):
            if now is not known and now is not None and _takes_the_place(now, known):
                self._parameters[at] = now
                self._norms.replace(at, now)

    def _by_layer(self, squares: Floats) -> Floats:
        """Return the norms of the layers, shape (3, layers), from the sums of squares of their parameters."""
        norms = np.zeros((3, self.layers))
        norms[GRADIENT] = NO_GRADIENT
        if len(self._parameter_of):
            by_layer = np.add.reduceat(squares[:, self._from], self._ranges, axis=1)
            norms[:, self._to] = np.sqrt(by_layer)
            norms[GRADIENT, self._without] = NO_GRADIENT
        return norms

    def _parameters_of_none_but(self, layers: Flags) -> Flags:
        """Return the parameters all of whose layers are among `layers`."""
        if not layers.any():
            return np.zeros(len(self._parameters), bool)
        others = np.zeros(len(self._parameters), bool)
        others[self._parameter_of[~layers[self._layer_of]]] = True
        return ~others


def bytes_held(parameters: Sequence[nn.Parameter], device: torch.device) -> tuple[int, int]:
    """Return the bytes that measuring holds without updates, and how many more with them."""
    return (bytes_on_device if device.type == "cuda" else bytes_on_host)(parameters)


def _takes_the_place(now: torch.Tensor, known: torch.Tensor) -> bool:
    """Tell whether a tensor can be measured from where another began; one that a model has dropped is seen as empty."""
    return now.shape == known.shape and now.dtype == known.dtype


def _own_parameters(
    layers: Sequence[nn.Module],
) -> tuple[list[nn.Parameter], list[tuple[int, int]], list[tuple[Slots, str]]]:
    """Return the parameters, each once; (parameter, layer) pairs: a tied one has several; and where each is found."""
    index: dict[int, int] = {}
    parameters: list[nn.Parameter] = []
    pairs: list[tuple[int, int]] = []
    places: list[tuple[Slots, str]] = []
    for layer, module in enumerate(layers):
        for key, parameter in module._parameters.items():
            if parameter is not None:
                if id(parameter) not in index:
                    index[id(parameter)] = len(parameters)
                    parameters.append(parameter)
                    places.append((module._parameters, key))
                pairs.append((index[id(parameter)], layer))
    return parameters, pairs, places
