"""The Export menu: the plot that has the keyboard, and whole runs."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu

from freeze_gui.gui.export_desk import ExportDesk
from freeze_gui.gui.export_files import RunExports

Add = Callable[[QMenu, str, str, Callable[..., object]], QAction]
_PLOT = (
    ("png", "Plot as PNG…", "Ctrl+P"),
    ("svg", "Plot as SVG…", ""),
    ("copy", "Copy plot as picture", ""),
    ("csv", "Plot's numbers as CSV…", ""),
    ("copy_csv", "Copy plot's numbers as CSV", ""),
)
"""Of the plot that has the keyboard, or had it last."""


def fill_export_menu(menu: QMenu, desk: ExportDesk, runs: RunExports, add: Add) -> None:
    """Fill the menu; `add` makes an entry of text, keys and slot."""
    for kind, text, keys in _PLOT:
        add(menu, text, keys, desk.take_focused).setData(kind)
    dark = add(menu, "Pictures in dark colours", "", desk.set_dark)
    dark.setObjectName("darkPicturesAction")
    dark.setCheckable(True)
    dark.setChecked(desk.in_dark)
    menu.addSeparator()
    for text, keys, slot in (
        ("Run as PyTorch script…", "Ctrl+E", runs.save_script),
        ("Show the script", "Ctrl+Shift+E", runs.show_script),
        ("Comparison as HTML report…", "", runs.save_report),
        ("Table of runs as CSV…", "", runs.save_table),
        ("Summary as JSON…", "Ctrl+Shift+S", runs.save_summary),
        ("Configuration as TOML…", "", runs.save_config),
        ("Whole tab as PNG…", "", runs.save_tab),
    ):
        add(menu, text, keys, slot)
