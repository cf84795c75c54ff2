"""Two runs against each other: a signed map, its scale, and the first step at which they part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QRect, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from freeze_gui.gui import compare_difference_codes as codes
from freeze_gui.gui.card import Card
from freeze_gui.gui.compare_difference_map import DifferenceMap
from freeze_gui.gui.compare_words import difference_detail, difference_line
from freeze_gui.gui.heatmap_legend import pixels_to_image, power_text
from freeze_gui.gui.run_look import SAMPLE_PX, sample_icon
from freeze_gui.gui.theme import current_theme, theme_manager
from freeze_gui.runs.differences import first_difference

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder

_BAR_PX = 10


class DifferenceView(QWidget):
    """Lets a person choose two of the runs, and shows where they differ.

    Signals
    -------
    layer_clicked(str), step_hovered(object), reset_requested()
        Those of the map.
    found(str, str)
        Where the two part: a sentence, and a line a layer.
    """

    layer_clicked = Signal(str)
    step_hovered = Signal(object)
    reset_requested = Signal()
    found = Signal(str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._recorders: list[RunRecorder] = []
        self._numbers: list[int] = []
        self._said_for: object = None
        self._said_steps = 0
        self._is_filled = True
        self.map = DifferenceMap(self)
        self.legend = DifferenceLegend(self)
        self.first_box, self.second_box = (
            self._run_box(name, words)
            for name, words in (("differenceFirstBox", "First run"), ("differenceSecondBox", "Run to take from it"))
        )
        minus = QLabel("−", self)
        line = QHBoxLayout()
        line.setSpacing(8)
        for widget in (self.first_box, minus, self.second_box):
            line.addWidget(widget)
        line.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(line)
        column.addWidget(Card(self.map, 6, self), 1)
        column.addWidget(self.legend)
        self.map.layer_clicked.connect(self.layer_clicked)
        self.map.step_hovered.connect(self.step_hovered)
        self.map.reset_requested.connect(self.reset_requested)
        self.map.levels_changed.connect(self.on_levels_changed)
        theme_manager().changed.connect(self.on_theme_changed)

    @property
    def pair(self) -> tuple[RunRecorder, RunRecorder] | None:
        """The two chosen runs."""
        one, other = self.first_box.currentIndex(), self.second_box.currentIndex()
        chosen = one >= 0 and other >= 0 and one != other and max(one, other) < len(self._recorders)
        return (self._recorders[one], self._recorders[other]) if chosen else None

    def set_runs(self, recorders: Sequence[RunRecorder], numbers: Sequence[int]) -> None:
        """Offer these runs, and show the first two, as soon as somebody sees it."""
        self._recorders, self._numbers, self._is_filled = list(recorders), list(numbers), False
        self.refresh()

    def _fill(self) -> None:
        if self._is_filled:
            return
        self._is_filled = True
        for at, box in enumerate((self.first_box, self.second_box)):
            box.blockSignals(True)
            box.clear()
            for number, recorder in zip(self._numbers, self._recorders, strict=True):
                box.addItem(sample_icon(number), recorder.label)
            box.setCurrentIndex(min(at, box.count() - 1))
            box.blockSignals(False)
        self.on_chosen()

    def show_pair(self, one: int, other: int) -> None:
        """Show the run at one place less the run at another."""
        self._fill()
        for box, at in ((self.first_box, one), (self.second_box, other)):
            box.blockSignals(True)
            box.setCurrentIndex(at)
            box.blockSignals(False)
        self.on_chosen()

    def say_again(self) -> None:
        """Have the next refresh tell what was found, whether it is new or not."""
        self._said_for = None

    def refresh(self) -> None:
        """Draw what has arrived since the last call; costs next to nothing when hidden or when nothing is new."""
        if not self.isVisible():
            return
        self._fill()
        self._take_labels()
        self.map.refresh()
        pair = self.pair
        steps = min((run.history.steps if run.history else 0 for run in pair or ()), default=0)
        # looking for it takes longer the more steps there are: again after a tenth more of them, and at the end
        if self._said_for != [(id(run), run.status) for run in pair or ()] or steps > 1.1 * self._said_steps:
            self._said_for, self._said_steps = [(id(run), run.status) for run in pair or ()], steps
            self._say(pair)

    def _take_labels(self) -> None:
        """Call runs that a person has renamed as they are called now."""
        labels = [run.label for run in self._recorders]
        if labels == [self.first_box.itemText(at) for at in range(self.first_box.count())]:
            return
        for box in (self.first_box, self.second_box):
            for at, label in enumerate(labels):
                box.setItemText(at, label)
        self.map.say_pair()
        self._name_ends()

    def _name_ends(self) -> None:
        pair = self.pair
        self.legend.set_names(*(run.label for run in pair) if pair else ("", ""))
        for box in (self.first_box, self.second_box):   # where a name has no room
            box.setToolTip(f"{box.accessibleName()}: {box.currentText()}")

    def _say(self, pair: tuple[RunRecorder, RunRecorder] | None) -> None:
        if pair is None:
            self.found.emit("Choose two different runs", "")
        else:
            found = first_difference(*pair)
            self.found.emit(difference_line(found), difference_detail(found))

    @Slot()
    def on_chosen(self) -> None:
        """Show the pair that the boxes say."""
        self.map.set_pair(self.pair)
        self._said_for = None
        self._name_ends()
        self.refresh()

    @Slot()
    def on_levels_changed(self) -> None:
        """Have the legend say the new ends."""
        self.legend.set_levels(self.map.levels)

    @Slot(object)
    def on_theme_changed(self, theme: object) -> None:
        """Draw the samples of the runs in the new colours."""
        for box in (self.first_box, self.second_box):
            for at, number in enumerate(self._numbers[: box.count()]):
                box.setItemIcon(at, sample_icon(number))

    def _run_box(self, name: str, words: str) -> QComboBox:
        box = QComboBox(self)
        box.setObjectName(name)
        box.setAccessibleName(words)
        box.setIconSize(QSize(SAMPLE_PX, 14))
        box.setMinimumContentsLength(15)   # requires_grad #2
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)   # as far as there is room
        box.currentIndexChanged.connect(self.on_chosen)
        return box


class DifferenceLegend(QWidget):
    """One line: whose number is the larger one at which end of the scale, and what white and the hatch mean."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._names = ("", "")
        self._levels: tuple[float, float] | None = None
        self.set_levels(None)
        theme_manager().changed.connect(self.update)

    def set_names(self, first: str, second: str) -> None:
        """Name the runs."""
        self._names = first, second
        self.set_levels(self._levels)

    def set_levels(self, levels: tuple[float, float] | None) -> None:
        """Show these ends of the scale, as powers of ten; None where nothing differs."""
        self._levels = levels
        words = "nothing differs" if levels is None else f"differences of up to {power_text(levels[1])}"
        self.setAccessibleName(f"Scale of the map: {words}; orange {self._names[0]}, blue {self._names[1]}")
        self.update()

    def sizeHint(self) -> QSize:
        """Return one line."""
        return QSize(400, QFontMetrics(self.font()).height())

    minimumSizeHint = sizeHint

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint names, scale and swatches."""
        painter = QPainter(self)
        metrics, theme = painter.fontMetrics(), current_theme()
        painter.setPen(QColor(theme.muted))
        end = "" if self._levels is None else power_text(self._levels[1])
        before, after = (f" −{end}", f"+{end} ") if end else ("", "")
        width = min(max(self.width() // 6, 90), 220)
        around = metrics.horizontalAdvance(f"more in {before}{after}more in ") + width + 24
        most = max((self.width() - around) // 2, 0)
        names = [metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, most) for name in self._names]
        x = self._word(painter, 0, f"more in {names[1]}{before}")
        ramp = np.linspace(codes.LOWEST, codes.HIGHEST, width).round().astype(np.uint8)[None, :]
        bar = QRect(x + 8, (self.height() - _BAR_PX) // 2, width, _BAR_PX)
        painter.drawImage(bar, pixels_to_image(ramp, codes.color_table(theme)))
        painter.setPen(QColor(theme.border))
        painter.drawRect(bar.adjusted(-1, -1, 0, 0))
        painter.setPen(QColor(theme.muted))
        x = self._word(painter, bar.right() + 10, f"{after}more in {names[0]}")
        for code, text in ((codes.ZERO, "equal"), (codes.MISSING, "gradient in one only")):
            need = 24 + metrics.horizontalAdvance(text)
            if x + 16 + need > self.width():
                break
            swatch = codes.to_pixels(np.full((1, 16), code, np.uint8), _BAR_PX)
            at = QRect(x + 16, bar.top(), 16, _BAR_PX)
            painter.drawImage(at, pixels_to_image(swatch, codes.color_table(theme)))
            painter.setPen(QColor(theme.border))
            painter.drawRect(at.adjusted(-1, -1, 0, 0))
            painter.setPen(QColor(theme.muted))
            x = self._word(painter, x + 38, text)
        painter.end()

    def _word(self, painter: QPainter, x: int, text: str) -> int:
        """Paint words from `x` on; return where they end."""
        wide = painter.fontMetrics().horizontalAdvance(text)
        painter.drawText(QRect(x, 0, wide + 2, self.height()), Qt.AlignmentFlag.AlignVCenter, text)
        return x + wide
