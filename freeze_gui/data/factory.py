"""``file:PATH.py:FACTORY`` as data: an iterable of (inputs, targets) or (inputs, targets, task), used as it is."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

from freeze_gui.data.batches import Batch, LoadedData
from freeze_gui.errors import UserError
from freeze_gui.models.factory import describe, load_factory, split_file_source, users_line


class _FileBatches(Sequence[Batch]):
    """The batches of a user's iterable, which is iterated anew each time; never all in memory."""

    def __init__(self, source: str, batches: Iterable[Any]) -> None:
        self._source = source
        self._batches = batches

    def __iter__(self) -> Iterator[Batch]:
        path = split_file_source(self._source)[0]
        empty = True
        for item in _guarded(self._batches, path):
            empty = False
            yield _as_batch(item, self._source)
        if empty:
            raise UserError(f"the data of {self._source} yield no batch at all; at least one is needed")

    def __bool__(self) -> bool:
        return _size(self._batches) != 0   # one without a length is not gone through to be counted: it may draw

    def __len__(self) -> int:
        size = _size(self._batches)
        return sum(1 for _ in self._batches) if size is None else size

    @overload
    def __getitem__(self, index: int) -> Batch: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Batch]: ...
    def __getitem__(self, index: int | slice) -> Batch | Sequence[Batch]:
        if isinstance(index, slice):
            return list(self)[index]
        position = range(len(self))[index]
        return next(itertools.islice(iter(self), position, None))


def load_file_data(source: str, *, seed: int) -> LoadedData:
    """Call FACTORY() directly after seeding torch, Python and NumPy, and iterate over what it returns once per epoch.

    An attribute ``validation`` of the returned object, an iterable of the same items, is used for validation.

    Raises
    ------
    UserError
        When the file or FACTORY fails or returns no iterable; while iterating, when nothing comes, an item has
        another form, or a generator is used up.
    """
    returned = load_factory(source, seed)()
    if not isinstance(returned, Iterable) and not hasattr(returned, "__getitem__"):
        kind = type(returned).__name__
        raise UserError(
            f"the factory of {source} must return an iterable of (inputs, targets), such as a list or DataLoader, "
            f"but returned a {kind}"
        )
    if _size(returned) == 0:
        raise UserError(f"the data of {source} yield no batch at all; at least one is needed")
    validation = getattr(returned, "validation", None)
    if validation is not None and (not isinstance(validation, Iterable) or isinstance(validation, Iterator)):
        raise UserError(f"the attribute validation of the data of {source} must be a list or DataLoader of batches")
    return LoadedData(
        source=source,
        num_classes=None,
        epoch_steps=_size(returned),
        make_epoch=_Epochs(source, returned),
        validation=None if validation is None else _FileBatches(source, validation),
        may_draw=type(returned) not in (list, tuple),   # a class derived from them may do anything when it is iterated
    )


class _Epochs:
    """Call number k starts the k-th iteration over a user's object."""

    def __init__(self, source: str, returned: Iterable[Any]) -> None:
        self._source = source
        self.returned = returned
        self._one_shot = isinstance(returned, Iterator)
        self._begun = False

    def __call__(self, index: int) -> Iterator[Batch]:
        if self._one_shot and self._begun:
            raise UserError(
                f"the data of {self._source} are a generator that ended after one epoch; return a list or a "
                "DataLoader, which can be iterated again"
            )
        self._begun = True
        return iter(_FileBatches(self._source, self.returned))


def _size(iterable: Any) -> int | None:
    try:
        return len(iterable)
    except (TypeError, NotImplementedError):  # no __len__, or a DataLoader over an IterableDataset
        return None


def _guarded(batches: Iterable[Any], path: Path) -> Iterator[Any]:
    """Yield a user's items; an error of theirs becomes one sentence."""
    try:
        iterator = iter(batches)
        while True:
            try:
                item = next(iterator)
            except StopIteration:
                return
            yield item
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{path}{users_line(error, path)}: the data raised {describe(error)}") from error


def _as_batch(item: Any, source: str) -> Batch:
    if isinstance(item, tuple | list) and len(item) == 2:
        return Batch(item[0], item[1])
    if isinstance(item, tuple | list) and len(item) == 3 and (item[2] is None or isinstance(item[2], str)):
        return Batch(item[0], item[1], item[2])
    found = f"a {type(item).__name__}"
    if isinstance(item, tuple | list):
        found += f" of {len(item)}"
    raise UserError(
        f"the data of {source} yielded {found}, but every item must be (inputs, targets) or (inputs, targets, task) "
        "with the task's name as text"
    )
