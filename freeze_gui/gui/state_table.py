"""The table of the optimizer's state: per parameter its step count and the norms of its moments, live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QSize, Qt, Slot
from PySide6.QtGui import QAction, QColor, QGuiApplication, QKeySequence
from PySide6.QtWidgets import QHBoxLayout, QHeaderView, QLabel, QSpinBox, QTableView, QToolButton, QVBoxLayout, QWidget

from freeze_gui.gui.fields import whole_number_box
from freeze_gui.gui.state_rows import CAPTIONS, NONE, TIPS, StateRow, StateView, state_view
from freeze_gui.gui.theme import current_theme, icon, theme_manager

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder

Index = QModelIndex | QPersistentModelIndex
_NUMBERS = (1, 2, 3)
LEAST_NAME_PX = 104
"""Names keep this width in a narrow pane; the last column is scrolled to."""


class StateModel(QAbstractTableModel):
    """Shows a `StateView`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: tuple[StateRow, ...] = ()

    def show(self, rows: tuple[StateRow, ...]) -> None:
        """Show these rows; the same number of them keeps selection and scroll bar where they are."""
        if len(rows) != len(self._rows):
            self.beginResetModel()
            self._rows = rows
            self.endResetModel()
        elif rows != self._rows:
            self._rows = rows
            self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(CAPTIONS) - 1))

    def rowCount(self, parent: Index = QModelIndex()) -> int:   # noqa: B008   # Qt's signature
        """Return the number of parameters."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:   # noqa: B008   # Qt's signature
        """Return the number of columns."""
        return 0 if parent.isValid() else len(CAPTIONS)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return a cell's text, colour or place."""
        row, column = self._rows[index.row()], index.column()
        text = row.texts()[column]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return text
            case Qt.ItemDataRole.DecorationRole if column == 0 and row.frozen:
                return icon("snowflake")
            case Qt.ItemDataRole.ToolTipRole | Qt.ItemDataRole.AccessibleTextRole:
                return f"{row.name}{', frozen' * row.frozen}" if column == 0 else f"{row.name}: {text}"
            case Qt.ItemDataRole.TextAlignmentRole if column in _NUMBERS:
                return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            case Qt.ItemDataRole.ForegroundRole if text == NONE:
                return QColor(current_theme().muted)
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        """Return a column's caption, and what it means."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return CAPTIONS[section]
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.ToolTipRole:
            return TIPS[section]
        if role == Qt.ItemDataRole.TextAlignmentRole and orientation == Qt.Orientation.Horizontal:
            side = Qt.AlignmentFlag.AlignRight if section in _NUMBERS else Qt.AlignmentFlag.AlignLeft
            return int(side | Qt.AlignmentFlag.AlignVCenter)
        return None


class StatePanel(QWidget):
    """The table, a note on what the optimizer keeps, and, where every step was read, a field that goes back in time."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.note = QLabel(self)
        self.note.setProperty("muted", True)
        self.note.setWordWrap(True)
        self.note.setMinimumWidth(0)
        self.step_box: QSpinBox = whole_number_box("stateStepBox", 0, 0, 0, self)
        self.step_label = QLabel("After step", self)
        self.step_label.setProperty("muted", True)
        self.step_label.setBuddy(self.step_box)
        self.step_box.setMinimumWidth(64)
        self.step_box.setToolTip("Look at an earlier step; the last one follows the run")
        self.step_box.setAccessibleName("Step at which the optimizer's state is shown")
        self.copy_button = QToolButton(self)
        self.copy_button.setObjectName("copyStateButton")
        self.copy_button.setProperty("flat", True)
        self.copy_button.setToolTip("Copy the table as text")
        self.copy_button.setAccessibleName("Copy the optimizer's state as text")
        self.model = StateModel(self)
        self.table = QTableView(self)
        self.table.setObjectName("optimizerStateTable")
        self.table.setAccessibleName("Optimizer state of each parameter")
        self.table.setModel(self.model)
        self._recorder: RunRecorder | None = None
        self._view = StateView()
        self._follows = True
        self._lay_out()
        self.step_box.valueChanged.connect(self.on_step_chosen)
        self.copy_button.clicked.connect(self.copy)
        theme_manager().changed.connect(self.on_theme_changed)
        self.on_theme_changed(current_theme())
        self.refresh()

    def sizeHint(self) -> QSize:
        """Return room for a few rows."""
        return QSize(300, 200)

    def set_run(self, recorder: RunRecorder | None) -> None:
        """Show another run, or none, at its newest step."""
        if recorder is not self._recorder:
            self._recorder, self._follows = recorder, True
        self.refresh()

    def refresh(self) -> None:
        """Take in what has arrived; a hidden table waits for the end of the run."""
        if not self.isVisible() and (self._recorder is None or self._recorder.ended is None):
            return
        self._view = state_view(self._recorder, None if self._follows else self.step_box.value())
        self.note.setText(self._view.note)
        self.model.show(self._view.rows)
        self.table.setVisible(bool(self._view.rows))
        self.copy_button.setVisible(bool(self._view.rows))
        self._show_steps()
        self._fit_names()

    def resizeEvent(self, event: object) -> None:
        """Give the names what room the numbers leave."""
        self._fit_names()

    def showEvent(self, event: object) -> None:
        """Take in what arrived while the table was hidden."""
        self.refresh()

    @Slot()
    def on_step_chosen(self) -> None:
        """Show the chosen step; the last one follows the run."""
        self._follows = self.step_box.value() == self.step_box.maximum()
        self.refresh()

    @Slot()
    def copy(self) -> None:
        """Put the table on the clipboard."""
        QGuiApplication.clipboard().setText(self._view.as_text())

    @Slot(object)
    def on_theme_changed(self, theme: object) -> None:
        """Take the new colours."""
        self.copy_button.setIcon(icon("copy"))
        self.table.viewport().update()   # snowflakes in the new colour

    def _fit_names(self) -> None:
        header = self.table.horizontalHeader()
        numbers = sum(header.sectionSize(column) for column in _NUMBERS)
        header.resizeSection(0, max(self.table.viewport().width() - numbers, LEAST_NAME_PX))

    def _show_steps(self) -> None:
        steps = self._view.steps
        back_in_time = steps is not None and steps[0] < steps[1]
        self.step_label.setText("After step" if back_in_time else "After the last step")
        self.step_label.setVisible(bool(self._view.rows))
        self.step_box.setVisible(back_in_time)
        if steps is None:
            return
        blocked = self.step_box.blockSignals(True)
        self.step_box.setRange(*steps)
        if self._follows:
            self.step_box.setValue(steps[1])
        self.step_box.blockSignals(blocked)

    def _lay_out(self) -> None:
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(20)
        self.table.setShowGrid(False)
        self.table.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        self.table.setTextElideMode(Qt.TextElideMode.ElideLeft)   # the end tells parameters of a layer apart
        self.table.setIconSize(QSize(12, 12))
        self.table.setWordWrap(False)
        small = self.table.font()   # four columns stand in a narrow pane
        small.setPointSizeF(small.pointSizeF() * 0.88)
        self.table.setFont(small)
        self.table.horizontalHeader().setFont(small)
        header = self.table.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(32)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Fixed)
        copying = QAction("Copy", self.table)
        copying.setShortcut(QKeySequence.StandardKey.Copy)
        copying.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        copying.triggered.connect(self.copy)
        self.table.addAction(copying)
        top = QHBoxLayout()
        top.addWidget(self.step_label)
        top.addWidget(self.step_box)
        top.addWidget(self.note, 1)
        top.addWidget(self.copy_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 8, 8)
        layout.setSpacing(6)
        layout.addLayout(top)
        layout.addWidget(self.table, 1)
        layout.addStretch(0)
