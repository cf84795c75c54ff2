"""Which runs to set side by side: freezing methods, and if wanted optimizers, zero_grad modes and norm policies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QFont, QFontMetrics
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from freeze_gui.errors import UserError
from freeze_gui.freezing.methods import METHODS
from freeze_gui.gui.compare_choices import (
    DEFAULT,
    HONEST_FOUR,
    Offer,
    optimizer_choice,
    optimizer_offers,
    plan_words,
    with_and_without_fused,
)
from freeze_gui.gui.fields import number_edit
from freeze_gui.gui.form_choices import NORM_TIPS, ZERO_GRAD_TIPS, sentence_of
from freeze_gui.gui.theme import set_states
from freeze_gui.runs.grid import Axes, grid
from freeze_gui.training.config import RunConfig

_BESIDE = (
    ("reference", "nothing frozen", "The same run with nothing frozen, to set the others against"),
    ("ideal", "paused ideal", "The frozen layers are held by construction: what every method would like to be"),
)
_TURNS_TIP = (
    "All runs take turns, so that their times are measured under the same conditions; all models are in memory at "
    "once. Otherwise one run follows the other"
)
_FUSED_TIP = "Each ticked optimizer a second time with torch's fused step, where there is one"


class CompareDialog(QDialog):
    """Methods with ticks and presets, and what else may vary; what is not ticked is as the form says.

    Parameters
    ----------
    config
        What the form says.
    chosen
        What is ticked at first.
    steps, step_s
        How many steps a run takes and how long one does, as far as they are known.

    Signals
    -------
    comparison_chosen(object, bool)
        The `Axes` of the comparison.
    """

    comparison_chosen = Signal(object, bool)

    def __init__(
        self,
        config: RunConfig,
        chosen: Axes = DEFAULT,
        steps: int | None = None,
        step_s: float | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("compareDialog")
        self.setWindowTitle("Compare methods")
        self._config, self._steps, self._step_s = config, steps, step_s
        self._filling = False
        self.boxes: dict[str, QCheckBox] = {}
        self.optimizer_boxes: dict[str, tuple[QCheckBox, QLineEdit]] = {}
        self.zero_grad_boxes: dict[str, QCheckBox] = {}
        self.norm_boxes: dict[str, QCheckBox] = {}
        self.beside_boxes: dict[str, QCheckBox] = {}
        heading = QLabel("Every run starts with the same weights and seed, and sees the same batches.", self)
        rule = QFrame(self)
        rule.setFrameShape(QFrame.Shape.HLine)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 16)
        layout.setSpacing(12)
        layout.addWidget(heading)
        layout.addLayout(self._methods())
        layout.addWidget(rule)
        layout.addLayout(self._others(chosen))
        layout.addStretch(1)
        self.plan_label = QLabel(self)
        self.plan_label.setObjectName("comparisonPlanLabel")
        self.plan_label.setWordWrap(True)   # an error may be long
        layout.addWidget(self.plan_label)
        layout.addLayout(self._buttons())
        self._show(chosen)
        self.ok_button.setFocus()   # Enter runs

    def chosen(self) -> list[str]:
        """Return the ids of the ticked methods."""
        return _ticked(self.boxes)

    def axes(self) -> Axes:
        """Return what is ticked."""
        own = self._config.optimizer
        optimizers = [
            optimizer_choice(own, Offer(name, edit.text().strip()))
            for name, (box, edit) in self.optimizer_boxes.items()
            if box.isChecked()
        ]
        return Axes(
            methods=self.chosen(),
            optimizers=with_and_without_fused(own, optimizers) if self.fused_box.isChecked() else optimizers,
            zero_grad=_ticked(self.zero_grad_boxes),
            norm=_ticked(self.norm_boxes),
            reference=self.beside_boxes["reference"].isChecked(),
            ideal=self.beside_boxes["ideal"].isChecked(),
        )

    def choose(self, names: Iterable[str]) -> None:
        """Tick exactly these methods."""
        self._tick((self.boxes, set(names)))

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
        """Tick no method."""
        self.choose(())

    @Slot()
    def on_toggled(self) -> None:
        """Say how many runs it will be and how long they take, or what is wrong."""
        if self._filling:
            return
        count, wrong = 0, ""
        for box, edit in self.optimizer_boxes.values():
            edit.setEnabled(box.isChecked())
        if self.chosen():
            try:
                count = len(grid(self._config, self.axes()))
            except UserError as error:
                wrong = str(error)
        else:
            wrong = "Tick at least one method"
        self.plan_label.setText(wrong or plan_words(count, self._steps, self._step_s))
        set_states(self.plan_label, warning=bool(wrong))
        self.ok_button.setEnabled(count > 0)
        self.ok_button.setText(f"Compare {count} runs" if count > 1 else "Run it" if count else "Compare")

    def accept(self) -> None:
        """Pass on what is ticked."""
        if not self.ok_button.isEnabled():
            return
        axes = self.axes()
        super().accept()
        self.comparison_chosen.emit(axes, self.turns_box.isChecked())

    # ------------------------------------------------------------------------------------------------- set-up

    def _methods(self) -> QGridLayout:
        lines = QGridLayout()
        lines.setHorizontalSpacing(16)
        lines.setVerticalSpacing(6)
        lines.setColumnStretch(1, 1)
        for row, name in enumerate(METHODS):
            box = self._box(name, f"method_{name}", sentence_of(name))
            sentence = QLabel(sentence_of(name), self)
            sentence.setProperty("muted", True)
            lines.addWidget(box, row, 0)
            lines.addWidget(sentence, row, 1)
            self.boxes[name] = box
        return lines

    def _others(self, chosen: Axes) -> QGridLayout:
        """Lay out what may vary beside the method, a line each."""
        for offer in optimizer_offers(self._config.optimizer, chosen.optimizers):
            box = self._box(offer.name, f"optimizer_{offer.name}", f"torch.optim.{offer.name} at this learning rate")
            edit = number_edit(f"optimizer_{offer.name}_lr", self)
            edit.setText(offer.rate)
            edit.setAccessibleName(f"Learning rate of {offer.name}")
            edit.setToolTip("Learning rate; empty takes the optimizer's own default")
            edit.setFixedWidth(76)
            edit.textChanged.connect(self.on_toggled)
            self.optimizer_boxes[offer.name] = box, edit
        self.zero_grad_boxes = {name: self._box(name, f"zero_grad_{name}", tip) for name, tip in ZERO_GRAD_TIPS}
        self.norm_boxes = {name: self._box(name, f"norm_{name}", tip) for name, tip in NORM_TIPS}
        self.beside_boxes = {name: self._box(text, f"beside_{name}", tip) for name, text, tip in _BESIDE}
        self.fused_box = self._box("fused as well", "fused_beside", _FUSED_TIP)
        self.turns_box = self._box("in turns of ten steps", "in_turns", _TURNS_TIP)
        rows: tuple[tuple[str, Sequence[QWidget]], ...] = (
            ("Optimizer", [*(widget for pair in self.optimizer_boxes.values() for widget in pair), self.fused_box]),
            ("zero_grad", list(self.zero_grad_boxes.values())),
            ("Norm layers", list(self.norm_boxes.values())),
            ("Set against", list(self.beside_boxes.values())),
            ("Order", [self.turns_box]),
        )
        lines = QGridLayout()
        lines.setHorizontalSpacing(16)
        lines.setVerticalSpacing(6)
        lines.setColumnStretch(1, 1)
        for row, (caption, widgets) in enumerate(rows):
            label = QLabel(caption, self)
            label.setProperty("muted", True)
            line = QHBoxLayout()
            line.setSpacing(8)
            for widget in widgets:
                line.addWidget(widget)
                if not isinstance(widget, QCheckBox) or row:
                    line.addSpacing(16)
            line.addStretch(1)
            lines.addWidget(label, row, 0)
            lines.addLayout(line, row, 1)
        return lines

    def _buttons(self) -> QHBoxLayout:
        self.all_button = QPushButton("All methods", self)
        self.honest_button = QPushButton("The honest four", self)
        self.honest_button.setToolTip("Those that hold every weight, whatever the optimizer does")
        self.none_button = QPushButton("None", self)
        self.cancel_button = QPushButton("Cancel", self)
        self.ok_button = QPushButton("Compare", self)
        self.ok_button.setObjectName("startComparisonButton")
        self.ok_button.setDefault(True)
        self.ok_button.setMinimumWidth(self._bold_width("Compare 100 runs") + 36)   # its text changes
        line = QHBoxLayout()
        line.setSpacing(8)
        for button, name, slot in (
            (self.all_button, "allMethodsButton", self.choose_all),
            (self.honest_button, "honestMethodsButton", self.choose_honest),
            (self.none_button, "noMethodsButton", self.choose_none),
            (self.cancel_button, "cancelDialogButton", self.reject),
            (self.ok_button, "startComparisonButton", self.accept),
        ):
            if button is self.cancel_button:
                line.addStretch(1)
            button.setObjectName(name)
            button.setAutoDefault(button is self.ok_button)
            button.clicked.connect(slot)
            line.addWidget(button)
        return line

    def _box(self, text: str, name: str, tip: str) -> QCheckBox:
        box = QCheckBox(text, self)
        box.setObjectName(name)
        box.setToolTip(tip)
        box.toggled.connect(self.on_toggled)
        return box

    def _bold_width(self, text: str) -> int:
        font = QFont(self.font())
        font.setBold(True)
        return QFontMetrics(font).horizontalAdvance(text)

    def _show(self, chosen: Axes) -> None:
        """Tick what is chosen; what no comparison has varied yet is as the form says."""
        own = self._config
        optimizers = {choice.name for choice in chosen.optimizers} or {own.optimizer.name}
        beside = {name for name in self.beside_boxes if getattr(chosen, name)}
        self._tick(
            (self.boxes, set(chosen.methods)),
            ({name: box for name, (box, _) in self.optimizer_boxes.items()}, optimizers),
            (self.zero_grad_boxes, set(chosen.zero_grad) or {own.optimizer.zero_grad}),
            (self.norm_boxes, set(chosen.norm) or {own.freeze.norm}),
            (self.beside_boxes, beside),
        )
        self.fused_box.setChecked(len(optimizers) < len(chosen.optimizers))

    def _tick(self, *wanted: tuple[dict[str, QCheckBox], set[str]]) -> None:
        """Tick in each group exactly these, and count the runs once."""
        self._filling = True
        for boxes, names in wanted:
            for name, box in boxes.items():
                box.setChecked(name in names)
        self._filling = False
        self.on_toggled()


def _ticked(boxes: dict[str, QCheckBox]) -> list[str]:
    return [name for name, box in boxes.items() if box.isChecked()]

