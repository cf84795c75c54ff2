"""Files to open: configurations, Python files, weights, folders. No dialog is waited for."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Slot
from PySide6.QtWidgets import QFileDialog, QInputDialog

from freeze_gui.errors import UserError
from freeze_gui.gui.fields import set_choice

if TYPE_CHECKING:
    from freeze_gui.gui.main_window import MainWindow

_USUAL_NAMES = {"model": ("build", "make_model", "get_model", "model", "net"), "data": ("batches", "data", "loader")}


class FileDialogs(QObject):
    """Asks for files and opens them."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._purpose = ""
        self._path = Path()

    @Slot()
    def open_config(self) -> None:
        """Ask for a configuration."""
        self._open("Open configuration", "Configurations (*.toml)", "config")

    @Slot()
    def open_model(self) -> None:
        """Ask for a Python file with a model."""
        self.choose_file("model")

    @Slot()
    def open_weights(self) -> None:
        """Ask for a file of weights."""
        self.choose_file("weights")

    @Slot(str)
    def choose_file(self, purpose: str) -> None:
        """Ask for a file: ``model`` and ``data`` are Python files, ``weights`` holds tensors."""
        kinds = "Weights (*.safetensors *.pt *.pth)" if purpose == "weights" else "Python files (*.py)"
        self._open(f"Open {purpose}", kinds, purpose)

    @Slot()
    def choose_folder(self) -> None:
        """Ask for a folder of images."""
        self._open("Open image folder", "", "folder")

    def open_python_file(self, path: Path, purpose: str) -> None:
        """Find the function to call in a Python file, without running it; ask where there are several."""
        try:
            names = callables_of(path)
        except UserError as error:
            self._window.run_panel.show_error(str(error))
            return
        usual = [name for name in _USUAL_NAMES.get(purpose, ()) if name in names]
        self._path, self._purpose = path, purpose
        if not names:
            self._window.run_panel.show_error(f"{path.name} defines no function or class that could be called")
        elif len(names) == 1 or usual:
            self.on_factory(usual[0] if usual else names[0])
        else:
            dialog = QInputDialog(self._window)
            dialog.setObjectName("factoryDialog")
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            dialog.setWindowTitle(f"Open {path.name}")
            dialog.setLabelText("Which function or class is to be called?")
            dialog.setComboBoxItems(names)
            dialog.textValueSelected.connect(self.on_factory)
            dialog.open()

    @Slot(str)
    def on_factory(self, name: str) -> None:
        """Open the chosen function of the file."""
        source, panel = f"file:{self._path}:{name}", self._window.run_panel.form
        if self._purpose == "model":
            panel.set_model_source(source)
            self._window.workbench.desk.show_model(source)
        else:
            panel.set_data_source(source)
            self._window.workbench.desk.on_data_chosen(source)

    @Slot(str)
    def on_opened(self, name: str) -> None:
        """Take the chosen file."""
        panel, path = self._window.run_panel.form, Path(name)
        match self._purpose:
            case "config":
                self._window.workbench.desk.open_path(path)
            case "weights":
                set_choice(panel.weights_box, str(path))
            case "folder":
                panel.set_data_source(f"folder:{path}")
                self._window.workbench.desk.on_data_chosen(f"folder:{path}")
            case purpose:
                self.open_python_file(path, purpose)

    def _open(self, title: str, kinds: str, purpose: str) -> None:
        dialog = self._dialog(title, kinds, purpose)
        folder = QFileDialog.FileMode.Directory
        dialog.setFileMode(folder if purpose == "folder" else QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(self.on_opened)
        dialog.open()

    def _dialog(self, title: str, kinds: str, purpose: str) -> QFileDialog:
        self._purpose = purpose
        dialog = QFileDialog(self._window, title)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if kinds:
            dialog.setNameFilter(kinds)
        return dialog


def callables_of(path: Path) -> list[str]:
    """Return the names of the functions and classes that a Python file defines, read without running it.

    Raises
    ------
    UserError
        When it cannot be read or is no Python.
    """
    try:
        parsed = ast.parse(path.read_bytes(), str(path))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except (SyntaxError, ValueError) as error:
        raise UserError(f"{path.name}: not valid Python: {error}") from None
    kinds = (ast.FunctionDef, ast.ClassDef)
    return [item.name for item in parsed.body if isinstance(item, kinds) and not item.name.startswith("_")]
