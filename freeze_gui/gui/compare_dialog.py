"""Which freezing methods to run one after another from the same start."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QCheckBox, QDialog, QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from freeze_gui.freezing.methods import METHODS
from freeze_gui.gui.form_choices import sentence_of

HONEST_FOUR = ("requires_grad", "grad_none", "exclude", "filter")
"""They hold every weight, whatever the optimizer does."""
DEFAULT = ("requires_grad", "grad_zero", "eval_only")


class CompareDialog(QDialog):
    """A list of methods with ticks and presets.

    Signals
    -------
    methods_chosen(object)
        The ids of the ticked methods, in order.
    """

    methods_chosen = Signal(object)

    def __init__(self, chosen: Iterable[str] = DEFAULT, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("compareDialog")
        self.setWindowTitle("Compare methods")
        self.boxes: dict[str, QCheckBox] = {}
        heading = QLabel("Each method runs with the same weights, seed and batches, one after another.", self)
        heading.setWordWrap(True)
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(8)
        grid.setColumnStretch(1, 1)
        for row, name in enumerate(METHODS):
            box = QCheckBox(name, self)
            box.setObjectName(f"method_{name}")
            sentence = QLabel(sentence_of(name), self)
            sentence.setProperty("muted", True)
            sentence.setWordWrap(True)
            box.setToolTip(sentence_of(name))
            box.toggled.connect(self.on_toggled)
            grid.addWidget(box, row, 0)
            grid.addWidget(sentence, row, 1)
            self.boxes[name] = box
        self.all_button = QPushButton("All", self)
        self.honest_button = QPushButton("The honest four", self)
        self.honest_button.setToolTip("Those that hold every weight, whatever the optimizer does")
        self.none_button = QPushButton("None", self)
        self.cancel_button = QPushButton("Cancel", self)
        self.ok_button = QPushButton("Compare", self)
        self.ok_button.setObjectName("startComparisonButton")
        self.ok_button.setDefault(True)
        self.ok_button.setMinimumWidth(190)   # its text is bold and changes
        line = QHBoxLayout()
        line.setSpacing(8)
        for button in (self.all_button, self.honest_button, self.none_button):
            button.setAutoDefault(False)
            line.addWidget(button)
        line.addStretch(1)
        self.cancel_button.setAutoDefault(False)
        line.addWidget(self.cancel_button)
        line.addWidget(self.ok_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 16)
        layout.setSpacing(16)
        layout.addWidget(heading)
        layout.addLayout(grid)
        layout.addStretch(1)
        layout.addLayout(line)
        self.setMinimumWidth(640)
        self.all_button.clicked.connect(self.choose_all)
        self.honest_button.clicked.connect(self.choose_honest)
        self.none_button.clicked.connect(self.choose_none)
        self.cancel_button.clicked.connect(self.reject)
        self.ok_button.clicked.connect(self.accept)
        self.choose(chosen)

    def chosen(self) -> list[str]:
        """Return the ids of the ticked methods."""
        return [name for name, box in self.boxes.items() if box.isChecked()]

    def choose(self, names: Iterable[str]) -> None:
        """Tick exactly these methods."""
        wanted = set(names)
        for name, box in self.boxes.items():
            box.setChecked(name in wanted)
        self.on_toggled()

    @Slot()
    def choose_all(self) -> None:
        """Tick every method."""
        self.choose(METHODS)

    @Slot()
    def choose_honest(self) -> None:
        """Tick the four that hold every weight."""
        self.choose(HONEST_FOUR)

    @Slot()
    def choose_none(self) -> None:
        """Tick nothing."""
        self.choose(())

    @Slot()
    def on_toggled(self) -> None:
        """Say how many runs it will be."""
        count = len(self.chosen())
        self.ok_button.setEnabled(count > 0)
        self.ok_button.setText(f"Compare {count} methods" if count > 1 else "Compare")

    def accept(self) -> None:
        """Pass on what is ticked."""
        methods = self.chosen()
        super().accept()
        if methods:
            self.methods_chosen.emit(methods)
