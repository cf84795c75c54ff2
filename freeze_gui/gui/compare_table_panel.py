"""The table of runs with what one does to it: search, hide what is equal, choose columns, copy, set side by side."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QMenu, QPushButton, QVBoxLayout, QWidget

from freeze_gui.gui.compare_columns import COLUMNS
from freeze_gui.gui.runs_table import RunsTable

_AROUND_TEXT_PX = 43


class RunsPanel(QWidget):
    """The table on the left, a narrow column of controls on the right.

    Signals
    -------
    side_by_side_wanted(object)
        These runs, by their places, are to stand side by side.
    diff_only_toggled(bool)
        What is equal in all runs is to be hidden, in the heatmaps too.
    columns_chosen(object)
        Other columns are shown: their keys.
    """

    side_by_side_wanted = Signal(object)
    diff_only_toggled = Signal(bool)
    columns_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.table = RunsTable(self)
        self.search_edit = QLineEdit(self)
        self.search_edit.setObjectName("runSearchEdit")
        self.search_edit.setPlaceholderText("Search runs")
        self.search_edit.setAccessibleName("Search runs")
        self.search_edit.setClearButtonEnabled(True)
        self.diff_button = QPushButton("Diff only", self)
        self.diff_button.setObjectName("diffOnlyButton")
        self.diff_button.setCheckable(True)
        self.diff_button.setToolTip("Hide the columns and the layers that are equal in all runs")
        self.beside_button = QPushButton("Side by side", self)
        self.beside_button.setObjectName("sideBySideButton")
        self.beside_button.setToolTip("Show the selected runs side by side; Ctrl+click selects more than one")
        self.more_button = QPushButton("Columns", self)
        self.more_button.setObjectName("runsMoreButton")
        self.more_button.setToolTip("Choose columns, copy the selected runs")
        self.menu = self._make_menu()
        self.more_button.setMenu(self.menu)
        aside = QVBoxLayout()
        aside.setSpacing(2)
        aside_px = self.fontMetrics().horizontalAdvance(self.beside_button.text()) + _AROUND_TEXT_PX
        for widget in (self.search_edit, self.diff_button, self.beside_button, self.more_button):
            widget.setFixedWidth(aside_px)
            aside.addWidget(widget)
        aside.addStretch(1)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 0, 8, 4)
        layout.setSpacing(8)
        layout.addWidget(self.table, 1)
        layout.addLayout(aside)
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.table.customContextMenuRequested.connect(self.show_menu)
        self.table.selection_changed.connect(self.on_selection_changed)
        self.search_edit.textChanged.connect(self.table.set_search)
        self.diff_button.toggled.connect(self.on_diff_toggled)
        self.beside_button.clicked.connect(self.on_side_by_side)
        self.on_selection_changed([])

    def set_shown_keys(self, keys: list[str]) -> None:
        """Show these columns; keys of another version are passed over."""
        known = {column.key for column in COLUMNS}
        self.table.set_shown_keys(key for key in keys if key in known)
        for action in self.columns_menu.actions():
            action.setChecked(action.data() in self.table.columns.shown_keys)

    @Slot(QPoint)
    def show_menu(self, position: QPoint) -> None:
        """Open the menu at the pointer."""
        self.menu.popup(self.table.viewport().mapToGlobal(position))

    @Slot(object)
    def on_selection_changed(self, rows: list[int]) -> None:
        """Allow to set side by side what is selected."""
        self.beside_button.setEnabled(len(rows) > 1)
        self.beside_action.setEnabled(len(rows) > 1)

    @Slot(bool)
    def on_diff_toggled(self, diff_only: bool) -> None:
        """Hide what is equal, or show it again."""
        self.table.set_diff_only(diff_only)
        self.diff_only_toggled.emit(diff_only)

    @Slot()
    def on_side_by_side(self) -> None:
        """Ask for the selected runs."""
        self.side_by_side_wanted.emit(self.table.selected_runs())

    @Slot()
    def on_column_toggled(self) -> None:
        """Show the columns that are ticked."""
        keys = [str(action.data()) for action in self.columns_menu.actions() if action.isChecked()]
        self.table.set_shown_keys(keys)
        self.columns_chosen.emit(keys)

    def _make_menu(self) -> QMenu:
        menu = QMenu(self)
        copy = menu.addAction("Copy as text\tCtrl+C")
        copy.triggered.connect(self.table.copy_text)
        menu.addAction("Copy as CSV").triggered.connect(self.table.copy_csv)
        menu.addSeparator()
        self.beside_action: QAction = menu.addAction("Side by side")
        self.beside_action.triggered.connect(self.on_side_by_side)
        self.columns_menu = menu.addMenu("Columns")
        for column in COLUMNS[1:]:
            action = self.columns_menu.addAction(column.title)
            action.setData(column.key)
            action.setToolTip(column.tip)
            action.setCheckable(True)
            action.setChecked(column.shown)
            action.triggered.connect(self.on_column_toggled)
        self.columns_menu.setToolTipsVisible(True)
        return menu
