"""One run from beginning to end, for the command line and for Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from freeze_gui.errors import UserError
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.runs.store_writer import RunWriter
from freeze_gui.training.checkpoint import Checkpoint
from freeze_gui.training.config import RunConfig, load_config
from freeze_gui.training.control import RunControl
from freeze_gui.training.events import RunEvent
from freeze_gui.training.trainer import Trainer


def execute(
    config: RunConfig,
    control: RunControl | None = None,
    on_event: Callable[[RunEvent], None] | None = None,
    resume: Checkpoint | None = None,
    keep_checkpoint: Callable[[Checkpoint], None] | None = None,
    writer: RunWriter | None = None,
) -> RunRecorder:
    """Run `config` to its end and return what was recorded.

    Parameters
    ----------
    config
        What to run.
    control
        Stops or pauses the run from outside.
    on_event
        Called with every event, after it was recorded.
    resume
        Where to go on from.
    keep_checkpoint
        Called at the end with how a run stands that was completed or stopped, and not with one that failed.
    writer
        Saves the run as it goes, and is closed at its end.
    """
    recorder = RunRecorder(config)
    trainer = Trainer(config, control, resume)
    with writer or nullcontext():
        for event in trainer.events():
            recorder.handle(event)
            if writer is not None:
                writer.handle(event)
            if on_event is not None:
                on_event(event)
    if keep_checkpoint is not None and recorder.status in ("completed", "stopped"):
        checkpoint = trainer.checkpoint()
        if checkpoint is not None:
            keep_checkpoint(checkpoint)
    return recorder


def never_began(recorder: RunRecorder) -> bool:
    """Tell whether the run failed before it began: a mistake in model, data or plan, and there is nothing to report."""
    return recorder.started is None and recorder.ended is not None and recorder.ended.status == "failed"


def run_config(config: Mapping[str, Any] | str | Path, device: str = "auto") -> dict[str, Any]:
    """Run one configuration and return its summary; see `freeze_gui.run_config`.

    Raises
    ------
    UserError
        When the configuration, the model, the data or the plan is wrong, so that nothing ran.
    """
    recorder = execute(load_config(config).with_device(device))
    if never_began(recorder) and recorder.ended is not None:
        raise UserError(recorder.ended.error or "the run failed before its first step")
    return recorder.summary()
