"""Where everything is in the window, and how it closes; no logic."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import cast

from PySide6.QtCore import QSize, Qt, QTimer, Slot
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QLabel, QMainWindow, QSplitter, QTabWidget, QVBoxLayout, QWidget

from freeze_gui.gui.code_panel import CodePanel
from freeze_gui.gui.compare_table_panel import RunsPanel
from freeze_gui.gui.compare_view import CompareView
from freeze_gui.gui.drops import dropped_path, dropped_runs
from freeze_gui.gui.export_desk import ExportDesk
from freeze_gui.gui.export_files import RunExports
from freeze_gui.gui.gallery import GalleryView
from freeze_gui.gui.gallery_desk import GalleryDesk
from freeze_gui.gui.garbage import GarbageGuard
from freeze_gui.gui.layer_panel import LayerPanel
from freeze_gui.gui.library_desk import LibraryDesk
from freeze_gui.gui.library_panel import LibraryPanel
from freeze_gui.gui.library_trash import LibraryTrash
from freeze_gui.gui.measuring_label import MeasuringLabel
from freeze_gui.gui.menus import Menus
from freeze_gui.gui.painting import PaintOnce
from freeze_gui.gui.plots import RunPlots
from freeze_gui.gui.run_panel import RunPanel
from freeze_gui.gui.settings import Settings
from freeze_gui.gui.state_table import StatePanel
from freeze_gui.gui.styling import Styling
from freeze_gui.gui.tab_order import order_tabs
from freeze_gui.gui.theme import Choice, apply_theme
from freeze_gui.gui.timeline_panel import TimelinePanel
from freeze_gui.gui.verdict_panel import VerdictPanel
from freeze_gui.gui.workbench import Workbench

FIRST_SIZE = QSize(1440, 900)
LISTING_MS = 300
"""Until torchvision is imported: beside the first painting it would hold the interpreter's lock."""
_COLUMNS = [480, 660, 300]
_RIGHT = [430, 230]
_ROWS = [680, 148]


class MainWindow(QMainWindow):
    """The window.

    Attributes
    ----------
    run_panel, layer_panel, run_plots, compare_view, timeline_panel, gallery, library, verdict_panel, code_panel,
    state_panel, runs_panel, runs_table
        Its parts.
    workbench
        Connects them.
    controller
        Runs: its signals `run_ended` and `comparison_ended` carry the summary.
    """

    def __init__(self, settings: Settings, *, at_once: bool = True) -> None:
        super().__init__()
        self.settings = settings
        self._building = self._build() if at_once else chain(self._build(), self._rehearse())
        if at_once:
            while self.build_next():
                pass

    def build_next(self) -> bool:
        """Build the next part of a window that was not built at once; return whether there is more to build.

        All of it takes some 200 ms: what is on the screen meanwhile can move between the parts.
        """
        return next(self._building, False)

    def _build(self) -> Iterator[bool]:
        self.setWindowTitle("Freeze GUI")
        self.setObjectName("mainWindow")
        self.setAcceptDrops(True)
        self._garbage = GarbageGuard(self)
        PaintOnce(self)
        apply_theme(cast(QApplication, QApplication.instance()), self.settings.theme)
        self.run_panel = RunPanel(self)
        yield True
        self.layer_panel = LayerPanel(self)
        yield True
        self.run_plots = RunPlots(self)
        yield True
        self.compare_view = CompareView(self)
        yield True
        self.timeline_panel = TimelinePanel(self.layer_panel.model, self)
        self.verdict_panel = VerdictPanel(self)
        self.code_panel = CodePanel(self)
        self.state_panel = StatePanel(self)
        yield True
        self.runs_panel = RunsPanel(self)
        self.runs_table = self.runs_panel.table
        self.compare_view.status.equal_runs = self.runs_table.runs_model.equal_runs   # each run is compared once
        yield True
        self.gallery = GalleryView(self)
        if self.settings.last_config is None:   # it will be on show
            for _ in self.gallery.fill():
                yield True
        yield True
        self.library = LibraryPanel(self)
        yield True
        self._lay_out()
        yield True
        self.workbench = Workbench(self, self.settings)
        self.controller = self.workbench.controller
        self._garbage.is_busy = lambda: self.controller.is_running
        self.gallery_desk = GalleryDesk(self)
        self.library_desk = LibraryDesk(self)
        self.library_trash = LibraryTrash(self)
        self.export_desk = ExportDesk(self)
        self.exports = RunExports(self, self.export_desk)
        self.code_panel.script_wanted.connect(self.exports.show_script)
        yield True
        self.menus = Menus(self)
        self.workbench.said.connect(self.say)
        if self.settings.columns is not None:
            self.runs_panel.set_shown_keys(self.settings.columns)
        self.runs_panel.columns_chosen.connect(self.on_columns_chosen)
        self._restore_layout()
        yield True
        for _ in Styling(self, self._parts()).style_all():   # once all is in its place: what is moved is styled again
            yield True
        if self.settings.last_config is None:
            self.show_gallery_tab()   # a first start: the form is ready to run all the same
        order_tabs(self.run_panel, self.layer_panel, self.tabs, self.verdict_panel, self.code_tabs, self.runs_panel)
        self._listing = QTimer(self, singleShot=True, interval=LISTING_MS)
        self._listing.timeout.connect(self.workbench.desk.list_models_once)
        self.workbench.desk.begin()
        self.run_panel.run_button.setFocus()

    def _rehearse(self) -> Iterator[bool]:
        """Paint each part for nobody: what is styled, laid out and has its icons read is shown in half the time."""
        for part in self._parts():
            if part.isVisibleTo(self) and part is not self.run_plots:   # Qt crashes on plots not yet shown
                yield True
                part.grab()

    def show_state(self, *, running: bool, paused: bool, comparing: bool, loading: bool) -> None:
        """Enable what can be done now."""
        self.run_panel.show_state(running=running, paused=paused, comparing=comparing, loading=loading)
        self.menus.show_state(running=running, loading=loading)
        self.gallery.set_idle(not running and not loading)

    @Slot()
    def show_run_tab(self) -> None:
        """Show the picture of one run."""
        self.tabs.setCurrentIndex(0)

    @Slot()
    def show_compare_tab(self) -> None:
        """Show runs side by side."""
        self.tabs.setCurrentIndex(1)

    @Slot()
    def show_timeline_tab(self) -> None:
        """Show what is frozen when."""
        self.tabs.setCurrentWidget(self.timeline_panel)

    @Slot()
    def show_gallery_tab(self) -> None:
        """Show what there is to try."""
        self.tabs.setCurrentWidget(self.gallery)

    @Slot()
    def show_library_tab(self) -> None:
        """Show all runs that are kept."""
        self.tabs.setCurrentWidget(self.library)

    @Slot(str)
    def say(self, text: str) -> None:
        """Say something in the status bar."""
        self.status_label.setText(text)

    @Slot()
    def reset_layout(self) -> None:
        """Put everything where it was at first."""
        self.settings.forget_layout()
        self._first_sizes()

    def choose_theme(self, choice: Choice) -> None:
        """Take another theme, now and next time."""
        self.settings.theme = choice
        apply_theme(cast(QApplication, QApplication.instance()), choice)

    @Slot(object)
    def on_columns_chosen(self, keys: list[str]) -> None:
        """Remember which columns the table of runs has."""
        self.settings.columns = keys

    def showEvent(self, event: QShowEvent) -> None:
        """Look for torchvision's models once the window is painted."""
        super().showEvent(event)
        self._listing.start()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Remember everything, end what goes on, and go."""
        self.settings.set_layout("window", self.saveGeometry())
        for name, splitter in self._splitters.items():
            self.settings.set_layout(name, splitter.saveState())
        self.workbench.desk.remember()
        self.library.details.commit()
        self.settings.save()
        self._listing.stop()
        self.hide()   # the last step of a big model may take a while
        self.workbench.close()
        self.library_desk.close()
        self.export_desk.close()
        self._garbage.close()
        super().closeEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take configurations, Python files and runs."""
        if dropped_path(event) is not None or dropped_runs(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open what was dropped."""
        path, runs = dropped_path(event), dropped_runs(event)
        if path is not None:
            event.acceptProposedAction()
            self.menus.open_path(path)
        elif runs:
            event.acceptProposedAction()
            self.library_desk.open_paths(runs)

    def _lay_out(self) -> None:
        self.tabs = QTabWidget(self)
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        self.tabs.addTab(self.run_plots, "Run")
        self.tabs.addTab(self.compare_view, "Compare")
        self.tabs.addTab(self.timeline_panel, "Timeline")
        self.tabs.addTab(self.gallery, "Scenarios")
        self.tabs.addTab(self.library, "Library")
        self.right = QSplitter(Qt.Orientation.Vertical, self)
        self.right.addWidget(self.verdict_panel)
        self.code_tabs = QTabWidget(self)
        self.code_tabs.setObjectName("codeTabs")
        self.code_tabs.setDocumentMode(True)
        self.code_tabs.tabBar().setDrawBase(False)
        self.code_tabs.addTab(self.code_panel, "Code")
        self.code_tabs.addTab(self.state_panel, "Optimizer state")
        self.right.addWidget(self.code_tabs)
        self.columns = QSplitter(Qt.Orientation.Horizontal, self)
        for widget in (self.layer_panel, self.tabs, self.right):
            self.columns.addWidget(widget)
        self.columns.setStretchFactor(1, 1)
        self.rows = QSplitter(Qt.Orientation.Vertical, self)
        self.rows.addWidget(self.columns)
        self.rows.addWidget(self.runs_panel)
        self.rows.setStretchFactor(0, 1)
        self._splitters = {"columns": self.columns, "right": self.right, "rows": self.rows}
        for splitter in self._splitters.values():
            splitter.setHandleWidth(8)
            splitter.setChildrenCollapsible(False)
        central = QWidget(self)
        layout = QVBoxLayout(central)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.run_panel)
        layout.addWidget(self.rows, 1)
        self.setCentralWidget(central)
        self.status_label = QLabel(self)
        self.status_label.setProperty("muted", True)
        self.status_label.setContentsMargins(8, 0, 8, 2)
        self.statusBar().addWidget(self.status_label, 1)
        self.measuring_label = MeasuringLabel(self)
        self.statusBar().addPermanentWidget(self.measuring_label)
        self.statusBar().setSizeGripEnabled(False)

    def _parts(self) -> list[QWidget]:
        """Return all that is styled by itself."""
        return [
            self.run_panel, self.menuBar(), self.statusBar(), self.tabs.tabBar(), self.code_tabs.tabBar(),
            self.layer_panel, self.run_plots, self.compare_view, self.timeline_panel, self.gallery, self.library,
            self.verdict_panel, self.code_panel, self.state_panel, self.runs_panel,
        ]  # fmt: skip

    def _restore_layout(self) -> None:
        self.resize(FIRST_SIZE)
        self._first_sizes()
        geometry = self.settings.layout("window")
        if geometry is not None:
            self.restoreGeometry(geometry)
        for name, splitter in self._splitters.items():
            state = self.settings.layout(name)
            if state is not None:
                splitter.restoreState(state)

    def _first_sizes(self) -> None:
        """Give every part its first share of the window."""
        for splitter, sizes in ((self.columns, _COLUMNS), (self.right, _RIGHT), (self.rows, _ROWS)):
            splitter.setSizes(sizes)
