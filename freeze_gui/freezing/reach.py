"""Which tensors a backward reaches under a freeze: found by taking one on a copy on the meta device, not by reasoning.

So a tied tensor that another layer trains, a weight that its parent uses without calling the layer, a layer that the
step's task passes by, and what the author detached are known as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from freeze_gui.freezing.context import FreezeContext
from freeze_gui.freezing.methods import method_class
from freeze_gui.freezing.norm_layers import NormPolicy
from freeze_gui.models.lean_meta import LeanMeta
from freeze_gui.models.loaded import LoadedModel
from freeze_gui.models.shapes import Call, sample_calls
from freeze_gui.models.trial import meta_twin, quiet_trial

_BATCH = 2
_OF_TORCH = re.compile(r"\w+Backward\d+")
"""Names of nodes of the autograd graph that torch has generated, as MmBackward0."""


@dataclass(frozen=True)
class Reach:
    """What one forward and backward reach.

    Attributes
    ----------
    learning
        Names of the parameters that get a gradient.
    ran, ran_in_training
        Paths of the modules that ran, in order, and of those among them that ran in training mode.
    shifted
        Names of biases right in front of a norm layer that subtracts the mean of the batch: their true gradient is
        zero, and round-off decides.
    trains
        Whether there was anything to go back from: else ``backward`` raises.
    """

    learning: frozenset[str]
    ran: tuple[str, ...]
    ran_in_training: frozenset[str]
    shifted: frozenset[str]
    trains: bool


def reach(
    loaded: LoadedModel,
    frozen: frozenset[str],
    method: str,
    norm: str,
    task: str | None,
    calls: Sequence[Call] = (),
) -> Reach | None:
    """Take one step's forward and backward with `frozen` frozen; the model is not touched.

    The forward is called as in `calls`, one for each task, else as is guessed from the model.

    Returns
    -------
    Reach or None
        None where that cannot be tried: an unknown input, a forward that needs values.
    """
    try:
        with quiet_trial(), torch.enable_grad(), torch.device("meta"):
            twin = meta_twin(loaded.module).train()
            context = FreezeContext(twin, torch.optim.SGD(twin.parameters(), lr=0.0))
            if frozen:
                context.frozen = frozen
                if method != "filter":   # its flags are what counts here, and it refuses to freeze everything
                    method_class(method)(context).freeze(frozen)
                else:
                    method_class("requires_grad")(context).freeze(frozen)
                NormPolicy(context, norm).apply()
            with _listening(twin) as (ran, in_training, shifted), LeanMeta(counts_flops=False):
                outputs = [call.of(twin) for call in calls or sample_calls(loaded, _BATCH) if call.task == task]
            if not outputs:
                return None
            trains = outputs[0].requires_grad
            learning = _learning(twin, outputs[0]) if trains else frozenset()
        return Reach(learning, tuple(ran), frozenset(in_training), frozenset(shifted), trains)
    except Exception:   # a person's forward may raise anything without values; not to know is an honest answer
        return None


def _learning(model: nn.Module, output: torch.Tensor) -> frozenset[str]:
    """Return the names of the parameters that a backward from `output` gives a gradient.

    They are the ends of the graph of torch's own operations. What another writes in its backward, only that can tell.
    """
    ends, seen = set(), {output.grad_fn}
    waiting = list(seen)
    while waiting:
        node: Any = waiting.pop()
        if hasattr(node, "variable"):
            ends.add(id(node.variable))
        elif not _OF_TORCH.fullmatch(node.name()):
            output.sum().backward()   # type: ignore[no-untyped-call]
            return frozenset(name for name, p in model.named_parameters() if p.grad is not None)
        new = {below for below, _ in node.next_functions if below is not None} - seen
        seen |= new
        waiting += new
    return frozenset(name for name, p in model.named_parameters() if id(p) in ends)


@contextmanager
def _listening(model: nn.Module) -> Iterator[tuple[dict[str, None], set[str], set[str]]]:
    ran: dict[str, None] = {}
    in_training: set[str] = set()
    shifted: set[str] = set()
    made: dict[int, tuple[str, Any]] = {}   # output of a layer with a bias → its name; kept, so that no id comes again

    def begin(path: str) -> Any:
        def listen(module: nn.Module, inputs: Any) -> None:
            ran[path] = None
            if module.training:
                in_training.add(path)
            centres = isinstance(module, nn.modules.batchnorm._NormBase) and (
                module.training or not module.track_running_stats
            )
            if centres and inputs and id(inputs[0]) in made:
                shifted.add(made[id(inputs[0])][0])

        return listen

    def end(path: str) -> Any:
        def listen(module: nn.Module, inputs: Any, output: Any) -> None:
            if isinstance(getattr(module, "bias", None), nn.Parameter) and not isinstance(
                module, nn.modules.batchnorm._NormBase
            ):
                made[id(output)] = (f"{path}.bias" if path else "bias", output)

        return listen

    hooks = [
        hook
        for path, module in model.named_modules()
        for hook in (module.register_forward_pre_hook(begin(path)), module.register_forward_hook(end(path)))
    ]
    try:
        yield ran, in_training, shifted
    finally:
        for hook in hooks:
            hook.remove()
