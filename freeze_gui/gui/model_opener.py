"""Opens the structure of a model for the tree: at once where it is quick, beside the window where it is not."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal, Slot

from freeze_gui.data.sources import peek_num_classes
from freeze_gui.errors import UserError
from freeze_gui.gui.background import Job
from freeze_gui.models.layer_tree import LayerTree, build_tree
from freeze_gui.models.loaded import LoadedModel, ModelChoice
from freeze_gui.models.sources import list_models, open_model, output_shapes
from freeze_gui.training.trials import Trials


@dataclass(frozen=True)
class OpenedModel:
    """A model as the tree shows it, with the data for which its head was sized, and what trials find out about it."""

    loaded: LoadedModel
    tree: LayerTree
    num_classes: int | None
    trials: Trials


class ModelOpener(QObject):
    """Opens one model at a time; the last one that was asked for wins.

    Signals
    -------
    opened(object), failed(str)
        An `OpenedModel`, or a sentence.
    loading_changed()
        Something is being opened, or no longer.
    models_listed(object)
        A list of `ModelChoice`.
    """

    opened = Signal(object)
    failed = Signal(str)
    loading_changed = Signal()
    models_listed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs: list[Job] = []
        self._opening: Job | None = None

    @property
    def is_loading(self) -> bool:
        """Whether a model is being opened."""
        return self._opening is not None

    def open(self, source: str, data: str) -> None:
        """Open a model whose head fits the data."""
        if source.startswith("builtin:"):   # a few milliseconds
            self._opening = None
            try:
                self.opened.emit(open_structure(source, data))
            except UserError as error:
                self.failed.emit(str(error))
            return
        job = self._start(Opening(source, data))
        self._opening = job
        job.succeeded.connect(self._on_opened)
        job.failed.connect(self._on_failed)
        job.start()
        self.loading_changed.emit()

    def cancel(self) -> None:
        """Open nothing after all; a thread cannot be ended, so that what it finds is thrown away."""
        if self._opening is not None:
            self._opening = None
            self.loading_changed.emit()

    def list_models(self) -> None:
        """Find the models of torchvision, whose import takes a second or two."""
        job = self._start(list_models)
        job.succeeded.connect(self._on_listed)
        job.start()

    def close(self) -> None:
        """Wait a moment for what is going on."""
        for job in self._jobs:
            job.wait()

    def _start(self, function: object) -> Job:
        assert callable(function)
        job = Job(function, self)
        self._jobs.append(job)
        job.finished.connect(self._forget)
        return job

    @Slot()
    def _forget(self) -> None:
        self._jobs = [job for job in self._jobs if job is not self.sender()]

    @Slot(object)
    def _on_opened(self, opened: OpenedModel) -> None:
        if self.sender() is self._opening:
            self._opening = None
            self.loading_changed.emit()
            self.opened.emit(opened)

    @Slot(str)
    def _on_failed(self, text: str) -> None:
        if self.sender() is self._opening:
            self._opening = None
            self.loading_changed.emit()
            self.failed.emit(text)

    @Slot(object)
    def _on_listed(self, choices: list[ModelChoice]) -> None:
        self.models_listed.emit(choices)


@dataclass(frozen=True)
class Opening:
    """The work of opening one model, to be called in a thread."""

    source: str
    data: str

    def __call__(self) -> OpenedModel:
        """Open it."""
        return open_structure(self.source, self.data)


def open_structure(source: str, data: str) -> OpenedModel:
    """Open a model on the meta device, its head sized for the data where those say how many classes they have.

    Raises
    ------
    UserError
        When the source is unknown or a person's file fails.
    """
    classes = classes_of(data)
    loaded = open_model(source, num_classes=classes)
    return OpenedModel(loaded, build_tree(loaded.module, output_shapes(loaded)), classes, Trials(loaded))


def classes_of(data: str) -> int | None:
    """Return the number of classes where the data say so; data that cannot be read say so when a run begins."""
    if not data:
        return None
    try:
        return peek_num_classes(data)
    except UserError:
        return None
