"""How many steps an epoch has: what runs have said, and for data that are made in a moment what they say themselves."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal, Slot

from freeze_gui.data.sources import load_data
from freeze_gui.gui.background import Job
from freeze_gui.models.loaded import LoadedModel
from freeze_gui.training.batches import epoch_steps
from freeze_gui.training.config import RunConfig

_AT_HAND = ("digits", "random")
"""Kinds of data that need no file and no network."""

Key = tuple[object, ...]


@dataclass(frozen=True)
class _Looking:
    """The work of asking data for the length of their epoch, to be called in a thread."""

    config: RunConfig
    loaded: LoadedModel

    def __call__(self) -> int | None:
        """Do it."""
        config = self.config
        data = load_data(
            config.data.source,
            model=self.loaded,
            loss=config.train.loss or self.loaded.default_loss,
            batch_size=config.data.batch_size,
            seed=config.train.seed,
        )
        return epoch_steps(data, config.train.accumulate)


class EpochLengths(QObject):
    """Remembers and looks up lengths of epochs, in optimizer steps.

    Signals
    -------
    found()
        A length that was looked up is known now.
    """

    found = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._known: dict[Key, int | None] = {}
        self._jobs: dict[Key, Job] = {}

    def of(self, config: RunConfig) -> int | None:
        """Return the steps of an epoch of this run, None while nobody knows."""
        return self._known.get(_key(config))

    def learn(self, config: RunConfig, steps: int | None) -> bool:
        """Take what a run has said; return whether it is news."""
        key = _key(config)
        news = key not in self._known or self._known[key] != steps
        self._known[key] = steps
        return news

    def look_up(self, config: RunConfig, loaded: LoadedModel) -> None:
        """Ask the data beside the window, once, where that needs no file and no network."""
        key = _key(config)
        kind = (config.data.source or loaded.default_data).partition(":")[0]
        if key in self._known or key in self._jobs or kind not in _AT_HAND:
            return
        job = self._jobs[key] = Job(_Looking(config, loaded), self)
        job.succeeded.connect(self._on_found)
        job.start()

    def close(self) -> None:
        """Wait for what is going on; what could not be found out is not asked for again."""
        for job in self._jobs.values():
            job.wait()

    @Slot(object)
    def _on_found(self, steps: int | None) -> None:
        for key, job in self._jobs.items():
            if job is self.sender():
                self._known.setdefault(key, steps)
        self.found.emit()


def _key(config: RunConfig) -> Key:
    """Return what the length of an epoch depends on."""
    return config.model.source, config.data.source, config.data.batch_size, config.train.accumulate
