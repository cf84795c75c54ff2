"""A person's explicit yes before a Python file is run, asked once per file and content."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Slot
from PySide6.QtWidgets import QMessageBox, QWidget

from freeze_gui.errors import UserError
from freeze_gui.gui.settings import Settings
from freeze_gui.models.factory import split_file_source

Continue = Callable[[], None]


class TrustGate(QObject):
    """Asks, remembers, and goes on only after a yes."""

    def __init__(self, settings: Settings, window: QWidget) -> None:
        super().__init__(window)
        self._settings, self._window = settings, window
        self._files: list[Path] = []
        self._then: Continue | None = None
        self._otherwise: Continue | None = None

    def ask(self, sources: Iterable[str], then: Continue, otherwise: Continue | None = None) -> None:
        """Call `then` once the person has said yes to every file among `sources` that is not trusted yet."""
        self._files = [path for path in python_files(sources) if not self._settings.is_trusted(path)]
        self._then, self._otherwise = then, otherwise
        self._next()

    def trusts(self, sources: Iterable[str]) -> bool:
        """Tell whether nothing would have to be asked."""
        return all(self._settings.is_trusted(path) for path in python_files(sources))

    def _next(self) -> None:
        if not self._files:
            then, self._then = self._then, None
            if then is not None:
                then()
            return
        path = self._files[0]
        box = QMessageBox(self._window)
        box.setObjectName("trustDialog")
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setIcon(QMessageBox.Icon.Warning)
        box.setWindowTitle("Run this Python file?")
        box.setText(f"<b>Run {path.name}?</b>")
        box.setInformativeText(
            f"Opening it runs the code in\n{path}\nwith all your rights on this computer. "
            "Say yes only to a file that you know. The yes holds until the file changes."
        )
        yes = box.addButton(f"Run {path.name}", QMessageBox.ButtonRole.AcceptRole)
        yes.setObjectName("trustButton")
        cancel = box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(cancel)
        box.setEscapeButton(cancel)
        box.accepted.connect(self._on_yes)
        box.rejected.connect(self._on_no)
        box.open()

    @Slot()
    def _on_yes(self) -> None:
        self._settings.trust(self._files.pop(0))
        self._next()

    @Slot()
    def _on_no(self) -> None:
        self._files, self._then = [], None
        otherwise, self._otherwise = self._otherwise, None
        if otherwise is not None:
            otherwise()


def python_files(sources: Iterable[str]) -> list[Path]:
    """Return the Python files among sources; those that are missing or misspelt fail later, by their own sentence."""
    found: dict[Path, None] = {}
    for source in sources:
        if not source.startswith("file:"):
            continue
        try:
            path, _ = split_file_source(source)
        except UserError:
            continue
        if path.is_file():
            found[path] = None
    return list(found)
