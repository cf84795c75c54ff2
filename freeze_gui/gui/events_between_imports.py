"""Imports many modules in the window's thread and lets the window live meanwhile."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType, TracebackType
from typing import Self

from PySide6.QtCore import QCoreApplication

_TURN_S = 0.008
"""After so long the events that wait have their turn."""


class EventsBetweenImports(MetaPathFinder):
    """While it is entered, waiting events are dealt with before a module is looked for.

    Classes that use Qt must come into being in the window's thread: PySide6 keeps them in a table in which Qt looks
    them up without Python's lock (`SignalManager::retrieveMetaObject`, PySide6 6.10 on Python 3.11). An import in
    another thread writes into that table meanwhile, and once in a while the program dies of it.
    """

    def __enter__(self) -> Self:
        self._last = time.perf_counter()
        sys.meta_path.insert(0, self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        sys.meta_path.remove(self)

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        """Find nothing, and leave it to those who know where modules are."""
        self._let_events_come()

    def make_classes_of(self, *modules: ModuleType) -> None:
        """Ask for every name in modules of PySide6, which makes a class when it is asked for it first.

        pyqtgraph asks for all in one go as it is imported, which takes 40 ms.
        """
        for module in modules:
            for name in dir(module):
                getattr(module, name)
                self._let_events_come()

    def _let_events_come(self) -> None:
        if time.perf_counter() - self._last > _TURN_S:
            QCoreApplication.processEvents()
            self._last = time.perf_counter()
