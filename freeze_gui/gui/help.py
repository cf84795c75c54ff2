"""The sheet of shortcuts, and what this program is."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QLabel, QMainWindow, QMessageBox, QVBoxLayout

from freeze_gui import __version__

_ELSEWHERE = (
    ("Tick or untick the selected layer", "Space"),
    ("Open or close a block in the tree", "Right, Left"),
    ("Next match, previous match in the find box", "Down, Up"),
    ("Move the selected phase; move its end", "Left, Right; with Shift"),
    ("Exact numbers of a phase; remove it", "Enter; Delete"),
    ("Show all steps again in a plot", "A, double click"),
)


def keyboard_sheet(window: QMainWindow) -> QDialog:
    """Return a dialog with every shortcut of the window, read from its menus."""
    dialog = QDialog(window)
    dialog.setObjectName("keyboardSheet")
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setWindowTitle("Keyboard shortcuts")
    grid = QGridLayout()
    grid.setHorizontalSpacing(32)
    grid.setVerticalSpacing(6)
    rows = [*_ELSEWHERE, *_of_menus(window)]
    half = -(-len(rows) // 2)
    for at, (text, keys) in enumerate(rows):
        column, row = divmod(at, half)
        keys_label = QLabel(f"<b>{escape(keys)}</b>", dialog)
        grid.addWidget(keys_label, row, 2 * column)
        grid.addWidget(QLabel(text, dialog), row, 2 * column + 1)
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, dialog)
    buttons.rejected.connect(dialog.reject)
    layout = QVBoxLayout(dialog)
    layout.setContentsMargins(20, 16, 20, 16)
    layout.setSpacing(16)
    layout.addLayout(grid)
    layout.addWidget(buttons)
    return dialog


def about(window: QMainWindow) -> QMessageBox:
    """Return a box that says what this program is."""
    box = QMessageBox(window)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setWindowTitle("About Freeze GUI")
    box.setText(f"<b>Freeze GUI {__version__}</b>")
    box.setInformativeText(
        "Shows what freezing a layer of a neural network really does, and proves bit by bit whether it held still."
    )
    return box


def _of_menus(window: QMainWindow) -> list[tuple[str, str]]:
    found = []
    for action in window.findChildren(QAction):
        keys = [key.toString(QKeySequence.SequenceFormat.NativeText) for key in action.shortcuts()]
        if keys and action.text():
            found.append((action.text().replace("&", "").rstrip("…"), ", ".join(keys)))
    return list(dict.fromkeys(found))
