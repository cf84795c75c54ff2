"""Model and data for a run, loaded beside the generator so that their progress can be yielded and they can be left."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass

from freeze_gui.data.sources import LoadedData, load_data, peek_num_classes
from freeze_gui.freezing.plan import resolve
from freeze_gui.models.layer_tree import build_tree
from freeze_gui.models.sources import LoadedModel, load_model, open_model
from freeze_gui.training.config import RunConfig
from freeze_gui.training.control import RunControl
from freeze_gui.training.device import choose_device
from freeze_gui.training.events import Progress
from freeze_gui.training.memory import forecast_memory, free_bytes, has_room_for_updates
from freeze_gui.training.trials import Trials

_PATIENCE_S = 0.2
"""How long a stop waits for a loader that says nothing."""

_LARGE = 0.02
"""Models whose weights take more of the free memory are looked at before they are loaded."""

Report = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Loaded:
    """What a run works with; `loss` is the name of the loss function."""

    model: LoadedModel
    data: LoadedData
    loss: str


class _Stopped(Exception):
    """Raised inside the loading thread to leave a download."""


def load(config: RunConfig, control: RunControl) -> Generator[Progress, None, Loaded | None]:
    """Load what `config` names, yielding progress; return None when `control` asked to stop meanwhile.

    Raises
    ------
    UserError
        When something that `config` names cannot be loaded.
    """
    records: queue.SimpleQueue[Progress | None] = queue.SimpleQueue()
    result: list[Loaded] = []
    error: list[BaseException] = []

    def report(text: str, done: int, total: int | None) -> None:
        if control.is_stopping:
            raise _Stopped
        records.put(Progress(text, done, total))

    def work() -> None:
        try:
            result.append(_load(config, report))
        except BaseException as caught:   # whatever it was, it is raised again in the thread that asked
            error.append(caught)
        finally:
            records.put(None)

    thread = threading.Thread(target=work, name="freeze-gui-loading", daemon=True)
    thread.start()
    while True:
        try:
            record = records.get(timeout=_PATIENCE_S)
        except queue.Empty:
            if control.is_stopping:   # a download that hangs reports nothing and hears nothing: leave it behind
                return None
            continue
        if record is None:
            break
        yield record
    thread.join()
    if error and not isinstance(error[0], _Stopped):
        raise error[0]
    return result[0] if result and not control.is_stopping else None


def _load(config: RunConfig, report: Report) -> Loaded:
    source = config.data.source
    classes = config.model.num_classes
    if classes is None and source is not None:
        classes = peek_num_classes(source)
    report(f"loading {config.model.source}", 0, None)
    _check_memory(config, classes)
    model = load_model(
        config.model.source,
        num_classes=classes,
        weights=config.model.weights,
        seed=config.train.seed,
        progress=report,
    )
    loss = config.train.loss or model.default_loss
    report(f"loading {source or model.default_data}", 0, None)
    data = load_data(
        source,
        model=model,
        loss=loss,
        batch_size=config.data.batch_size,
        seed=config.train.seed,
        progress=report,
    )
    return Loaded(model, data, loss)


def _check_memory(config: RunConfig, classes: int | None) -> None:
    """Refuse a large model that cannot fit before its weights are allocated; others are looked at as the run starts.

    Only torchvision's models can be opened twice without running a person's code twice.
    """
    if not config.model.source.startswith("torchvision:"):
        return
    structure = open_model(config.model.source, num_classes=classes)
    device = choose_device(config.train.device)
    free = free_bytes(device)
    weights = sum(p.numel() * p.element_size() for p in structure.module.parameters())
    if free is not None and weights > _LARGE * free:
        plan = resolve(config.freeze, build_tree(structure.module), epoch_steps=1)   # what lasts knows no epochs
        has_room_for_updates(forecast_memory(config, Trials(structure), plan, device), device)
