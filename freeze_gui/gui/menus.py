"""The menus of the window, their shortcuts, and the file dialogs that they open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMenu

from freeze_gui.gui.export_menu import fill_export_menu
from freeze_gui.gui.file_dialogs import FileDialogs
from freeze_gui.gui.form_choices import PACES, builtin_choices
from freeze_gui.gui.help import about, keyboard_sheet
from freeze_gui.gui.settings import THEMES
from freeze_gui.runs.store import SUFFIX
from freeze_gui.training.config import load_config

if TYPE_CHECKING:
    from freeze_gui.gui.main_window import MainWindow


class Menus(QObject):
    """Fills the menu bar of a window."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.files = FileDialogs(window)
        self._idle_actions: list[QAction] = []
        self._running_actions: list[QAction] = []
        self._file_menu()
        self._model_menu()
        window.menuBar().addMenu(window.layer_panel.actions_.menu)
        self._run_menu()
        self._view_menu()
        self._help_menu()
        panel = window.run_panel
        panel.file_wanted.connect(self.files.choose_file)
        panel.folder_wanted.connect(self.files.choose_folder)
        self.show_state(running=False, loading=False)

    def show_state(self, *, running: bool, loading: bool) -> None:
        """Enable what can be done now."""
        for action in self._idle_actions:
            action.setEnabled(not running and not loading)
        for action in self._running_actions:
            action.setEnabled(running)
        self._stop_action.setEnabled(running or loading)

    def open_path(self, path: Path) -> None:
        """Open a configuration, a Python file or a run."""
        if path.suffix.lower() == SUFFIX:
            self._window.library_desk.open_paths([path])
        elif self._window.controller.is_running:
            self._window.say("A run is going on: stop it before opening another model")
        elif path.suffix.lower() == ".py":
            self.files.open_python_file(path, "model")
        else:
            self._window.workbench.desk.open_path(path)

    def _add(self, menu: QMenu, text: str, keys: str | list[str], slot: Callable[[], object]) -> QAction:
        action = menu.addAction(text)
        action.setShortcuts([QKeySequence(key) for key in ([keys] if isinstance(keys, str) else keys) if key])
        action.triggered.connect(slot)
        return action

    def _file_menu(self) -> None:
        menu, files = self._window.menuBar().addMenu("&File"), self.files
        self._idle_actions.append(self._add(menu, "Open configuration…", "Ctrl+O", files.open_config))
        self._add(menu, "Open run…", "Ctrl+Shift+L", self._window.library_desk.choose_files)
        self._add(menu, "Save configuration…", "Ctrl+S", self._window.exports.save_config)
        fill_export_menu(menu.addMenu("E&xport"), self._window.export_desk, self._window.exports, self._add)
        menu.addSeparator()
        keep = menu.addAction("Keep runs")
        keep.setObjectName("keepRunsAction")
        keep.setCheckable(True)
        keep.setChecked(self._window.settings.keeps_runs)
        keep.toggled.connect(self._window.library_desk.set_keeping)
        self._add(menu, "Show the folder of the runs", "", self._window.library_desk.reveal)
        self._add(menu, "Empty trash of runs…", "", self._window.library_trash.ask)
        menu.addSeparator()
        quit_action = self._add(menu, "Quit", "Ctrl+Q", self._window.close)
        quit_action.setMenuRole(QAction.MenuRole.QuitRole)

    def _model_menu(self) -> None:
        menu = self._window.menuBar().addMenu("&Model")
        for choice in builtin_choices():
            action = self._add(menu, choice.label, "", self.on_model)
            action.setData(choice.source)
            self._idle_actions.append(action)
        menu.addSeparator()
        self._idle_actions.append(self._add(menu, "Choose a model by name", "Ctrl+L", self.focus_model))
        self._idle_actions.append(self._add(menu, "Default settings", "", self.take_defaults))
        self._idle_actions.append(self._add(menu, "Open a Python file…", "Ctrl+Shift+M", self.files.open_model))
        self._idle_actions.append(self._add(menu, "Load weights from a file…", "", self.files.open_weights))

    def _run_menu(self) -> None:
        menu, window = self._window.menuBar().addMenu("&Run"), self._window
        controller, bench = window.controller, window.workbench
        self._idle_actions.append(self._add(menu, "Run", ["Ctrl+R", "F5"], bench.run))
        self._running_actions += [
            self._add(menu, "Pause or go on", "F6", controller.toggle_pause),
            self._add(menu, "One step", "F10", controller.single_step),
        ]
        self._stop_action = self._add(menu, "Stop", "Ctrl+.", window.run_panel.stop_button.click)
        again = self._add(menu, "Put the shown run into the form", "", self._window.library_desk.run_shown_again)
        self._idle_actions.append(again)
        pace = menu.addMenu("Pace")
        for index, (text, _) in enumerate(PACES):
            self._add(pace, text, "", self.on_pace).setData(index)
        menu.addSeparator()
        self._idle_actions.append(self._add(menu, "Compare methods…", "Ctrl+Shift+R", bench.choose_comparison))

    def _view_menu(self) -> None:
        menu, window = self._window.menuBar().addMenu("&View"), self._window
        self._add(menu, "One run", "Ctrl+1", window.show_run_tab)
        self._add(menu, "Runs side by side", "Ctrl+2", window.show_compare_tab)
        self._add(menu, "Timeline of phases", "Ctrl+3", window.show_timeline_tab)
        self._add(menu, "Scenarios", "Ctrl+4", window.show_gallery_tab)
        self._add(menu, "Library of runs", "Ctrl+5", window.show_library_tab)
        self._add(menu, "Find layers", "Ctrl+F", self.focus_find)
        menu.addSeparator()
        group = QActionGroup(self)
        themes = menu.addMenu("Theme")
        for choice in THEMES:
            action = self._add(themes, choice.capitalize(), "", self.on_theme)
            action.setData(choice)
            action.setCheckable(True)
            action.setChecked(choice == window.settings.theme)
            group.addAction(action)
        self._add(menu, "Reset layout", "", window.reset_layout)

    def _help_menu(self) -> None:
        menu = self._window.menuBar().addMenu("&Help")
        self._add(menu, "Scenarios", "", self._window.show_gallery_tab)
        self._add(menu, "Keyboard shortcuts", "F1", self.show_keyboard)
        self._add(menu, "About Freeze GUI", "", self.show_about).setMenuRole(QAction.MenuRole.AboutRole)

    @Slot()
    def on_model(self) -> None:
        """Open the built-in model of a menu entry."""
        action = self.sender()
        if isinstance(action, QAction):
            self._window.workbench.desk.show_model(str(action.data()))

    @Slot()
    def take_defaults(self) -> None:
        """Put every setting back to its default, and the ticks to those of the model that is open."""
        window, desk = self._window, self._window.workbench.desk
        if desk.opened is None:
            return
        source = desk.opened.loaded.source
        window.run_panel.form.show_values(load_config({"model": {"source": source}}).to_dict())
        window.run_panel.form.set_data_source("")
        desk.show_model(source)

    @Slot()
    def on_pace(self) -> None:
        """Take the pace of a menu entry."""
        action = self.sender()
        if isinstance(action, QAction):
            self._window.run_panel.form.pace_box.setCurrentIndex(int(action.data()))

    @Slot()
    def on_theme(self) -> None:
        """Take the theme of a menu entry."""
        action = self.sender()
        if isinstance(action, QAction):
            self._window.choose_theme(action.data())

    @Slot()
    def focus_model(self) -> None:
        """Go to the model box."""
        self._window.run_panel.form.model_box.setFocus()

    @Slot()
    def focus_find(self) -> None:
        """Go to the find box."""
        self._window.layer_panel.find_bar.edit.setFocus()
        self._window.layer_panel.find_bar.edit.selectAll()

    @Slot()
    def show_keyboard(self) -> None:
        """Show all shortcuts."""
        keyboard_sheet(self._window).open()

    @Slot()
    def show_about(self) -> None:
        """Say what this program is."""
        about(self._window).open()


