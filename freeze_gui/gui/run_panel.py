"""Everything above the tree and the plots: the form, and the buttons that run it."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from freeze_gui.gui.form_choices import OPEN_FILE, OPEN_FOLDER
from freeze_gui.gui.run_form import RunForm
from freeze_gui.gui.tab_order import order_tabs
from freeze_gui.gui.theme import current_theme, icon, theme_manager

_MOST_ERROR_LINES = 3
"""A longer sentence is cut, so that the window needs no more height than there is; its tooltip has all of it."""


class RunPanel(QWidget):
    """The form; it takes and gives plain tables as in a CONFIG.toml and starts nothing itself.

    Signals
    -------
    model_chosen(str), data_chosen(str)
        A source was chosen or typed in full.
    file_wanted(str), folder_wanted()
        A file is to be chosen in a dialog, for ``model``, ``data`` or ``weights``; a folder of images.
    policy_changed(str, str)
        Another method or norm policy was chosen.
    pace_chosen(object)
        Steps a second, or None.
    run_wanted(), stop_wanted(), pause_wanted(), step_wanted(), comparison_wanted()
        A button was pressed.
    """

    model_chosen = Signal(str)
    data_chosen = Signal(str)
    file_wanted = Signal(str)
    folder_wanted = Signal()
    policy_changed = Signal(str, str)
    pace_chosen = Signal(object)
    run_wanted = Signal()
    stop_wanted = Signal()
    pause_wanted = Signal()
    step_wanted = Signal()
    comparison_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._is_of_form = False   # what is said to be wrong
        self.form = RunForm(self)
        self._make_buttons()
        self._lay_out()
        self._connect()
        theme_manager().changed.connect(self.on_theme_changed)
        self.on_theme_changed(current_theme())
        self.show_state(running=False, paused=False)

    def show_error(self, text: str) -> None:
        """Say in one sentence what is wrong; an empty text takes it away."""
        self._is_of_form = False
        self.error_label.setText(text)
        self.error_label.setToolTip(text)
        self.error_label.setVisible(bool(text))

    def show_form_error(self, text: str) -> None:
        """Say what is wrong with the form, until it is right or something else is said."""
        self.show_error(text)
        self._is_of_form = True

    def take_form_error_away(self) -> None:
        """Say no more that something is wrong with the form; what else was said stays."""
        if self._is_of_form:
            self.show_error("")

    def show_state(self, *, running: bool, paused: bool, comparing: bool = False, loading: bool = False) -> None:
        """Enable what can be done now; what cannot change during a run is greyed meanwhile."""
        for field in self.form.fields:
            field.setEnabled(not running)
        self.form.model_box.setEnabled(not running and not loading)
        self.run_button.setEnabled(not running and not loading)
        going_on = "Paused" if paused else "Comparing…" if comparing else "Running…"
        self.run_button.setText("Loading…" if loading else going_on if running and not comparing else "Run")
        self.compare_button.setEnabled(not running and not loading)
        self.compare_button.setText(going_on if comparing else "Compare methods…")
        self.pause_button.setEnabled(running)
        self.pause_button.setChecked(paused)
        self.pause_button.setIcon(icon("run" if paused else "pause"))
        self.pause_button.setToolTip("Go on (F6)" if paused else "Pause (F6)")
        self.step_button.setEnabled(running)
        self.stop_button.setEnabled(running or loading)

    # ------------------------------------------------------------------------------------------------- wishes

    @Slot()
    def on_model_edited(self) -> None:
        """Pass on a source that was chosen or typed in full."""
        source = self.form.model_source()
        if source == OPEN_FILE:
            self.form.model_box.setEditText(self.form.model_shown)
            self.file_wanted.emit("model")
        elif source and source != self.form.model_shown:
            self.form.model_shown = source
            self.model_chosen.emit(source)

    @Slot(str)
    def on_model_text(self, text: str) -> None:
        """Open a listed model as soon as its name is complete; vgg11 may still become vgg11_bn while a person types."""
        edit = self.form.model_box.lineEdit()
        typing = edit is not None and edit.hasFocus()
        if self.form.model_box.findData(text.strip()) >= 0 and (not typing or text.startswith("builtin:")):
            self.on_model_edited()

    @Slot()
    def on_data_edited(self) -> None:
        """Pass on a data source that was chosen or typed in full."""
        source = self.form.data_source()
        if source in (OPEN_FILE, OPEN_FOLDER):
            self.form.data_box.setEditText(self.form.data_shown)
            if source == OPEN_FILE:
                self.file_wanted.emit("data")
            else:
                self.folder_wanted.emit()
        elif source != self.form.data_shown:
            self.form.data_shown = source
            self.data_chosen.emit(source)

    @Slot(int)
    def on_weights_chosen(self, index: int) -> None:
        """Ask for a file where one is wanted."""
        if self.form.weights_box.itemText(index) == OPEN_FILE:
            self.form.weights_box.setCurrentIndex(0)
            self.file_wanted.emit("weights")

    @Slot()
    def on_policy_chosen(self) -> None:
        """Pass on the freezing method and the norm policy."""
        self.policy_changed.emit(self.form.method_box.currentText(), self.form.norm_box.currentText())

    @Slot(int)
    def on_pace_chosen(self, index: int) -> None:
        """Pass on the pace."""
        self.pace_chosen.emit(self.form.pace_box.itemData(index))

    @Slot(object)
    def on_theme_changed(self, theme: object) -> None:
        """Take the icons in the new colours."""
        self.pause_button.setIcon(icon("run" if self.pause_button.isChecked() else "pause"))
        for button, name in (
            (self.step_button, "step"), (self.stop_button, "stop"), (self.compare_button, "compare"),
        ):
            button.setIcon(icon(name))

    # ------------------------------------------------------------------------------------------------- set-up

    def _make_buttons(self) -> None:
        self.run_button = QPushButton("Run", self)
        self.run_button.setObjectName("runButton")
        self.run_button.setToolTip("Train with these settings (Ctrl+R)")
        self.compare_button = QPushButton("Compare methods…", self)
        self.compare_button.setObjectName("compareButton")
        self.compare_button.setToolTip("Run several freezing methods from the same start (Ctrl+Shift+R)")
        self.pause_button, self.step_button, self.stop_button = (QToolButton(self) for _ in range(3))
        for button, name, tip in (
            (self.pause_button, "pauseButton", "Pause (F6)"),
            (self.step_button, "stepButton", "One step, then pause (F10)"),
            (self.stop_button, "stopButton", "Stop before the next step (Ctrl+.)"),
        ):
            button.setObjectName(name)
            button.setToolTip(tip)
            button.setAccessibleName(tip.partition(" (")[0])
            button.setIconSize(QSize(18, 18))
            button.setMinimumWidth(34)
        self.pause_button.setCheckable(True)
        self.error_label = QLabel(self)
        self.error_label.setObjectName("errorLabel")
        self.error_label.setProperty("leaked", True)
        self.error_label.setWordWrap(True)
        self.error_label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.error_label.setMaximumHeight(_MOST_ERROR_LINES * self.error_label.fontMetrics().lineSpacing() + 2)
        self.error_label.setMinimumHeight(1)   # the plots give way to it, not the edge of the screen
        self.error_label.hide()

    def _lay_out(self) -> None:
        buttons = QGridLayout()
        buttons.setHorizontalSpacing(4)
        buttons.setVerticalSpacing(6)
        buttons.addWidget(self.run_button, 0, 0)
        buttons.addWidget(self.pause_button, 0, 1)
        buttons.addWidget(self.step_button, 0, 2)
        buttons.addWidget(self.stop_button, 0, 3)
        buttons.addWidget(self.compare_button, 1, 0, 1, 4)
        buttons.setColumnStretch(0, 1)
        for button in (self.run_button, self.pause_button, self.step_button, self.stop_button, self.compare_button):
            button.setMinimumHeight(34)
        self.run_button.setMinimumWidth(88)
        frame = QFrame(self)
        frame.setProperty("card", True)
        top = QHBoxLayout(frame)
        top.setContentsMargins(12, 8, 12, 10)
        top.setSpacing(16)
        top.addWidget(self.form, 1)
        top.addLayout(buttons)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 0)
        layout.setSpacing(4)
        layout.addWidget(frame)
        layout.addWidget(self.error_label)
        order_tabs(
            self.form, self.run_button, self.pause_button, self.step_button, self.stop_button, self.compare_button
        )

    def _connect(self) -> None:
        self.form.model_box.activated.connect(self.on_model_edited)
        self.form.model_box.currentIndexChanged.connect(self.on_model_edited)
        self.form.model_box.editTextChanged.connect(self.on_model_text)
        self.form.data_box.activated.connect(self.on_data_edited)
        self.form.data_box.currentIndexChanged.connect(self.on_data_edited)
        for box, slot in ((self.form.model_box, self.on_model_edited), (self.form.data_box, self.on_data_edited)):
            edit = box.lineEdit()
            if edit is not None:
                edit.editingFinished.connect(slot)
        self.form.weights_box.activated.connect(self.on_weights_chosen)
        self.form.method_box.currentIndexChanged.connect(self.on_policy_chosen)
        self.form.norm_box.currentIndexChanged.connect(self.on_policy_chosen)
        self.form.pace_box.currentIndexChanged.connect(self.on_pace_chosen)
        self.run_button.clicked.connect(self.run_wanted)
        self.compare_button.clicked.connect(self.comparison_wanted)
        self.pause_button.clicked.connect(self.pause_wanted)
        self.step_button.clicked.connect(self.step_wanted)
        self.stop_button.clicked.connect(self.stop_wanted)
