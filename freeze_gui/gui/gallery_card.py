"""One card of the gallery: a picture, a few words, and the buttons that open, run and compare its scenarios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QPainter, QPaintEvent, QPixmap, QResizeEvent
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from freeze_gui.gui.theme import current_theme, set_states, theme_manager
from freeze_gui.runs.scenario_cards import Card, Variant, thumbnail_path
from freeze_gui.runs.words import counted

PICTURE = QSize(320, 112)
"""Size of a thumbnail in pixels of a plain screen; its file has twice as many each way."""
_ABOVE = 8


class ScenarioCard(QFrame):
    """Shows one `Card` and lets a person choose among its variants.

    Signals
    -------
    open_wanted(object), run_wanted(object)
        The `Variant` that is chosen is to be put into the form, or run.
    comparison_wanted(object)
        These variants are to be run one after another: those that share the chosen one's model.
    """

    open_wanted = Signal(object)
    run_wanted = Signal(object)
    comparison_wanted = Signal(object)

    def __init__(self, card: Card, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.card = card
        self.setObjectName(f"scenarioCard{card.number}")
        self.setProperty("card", True)
        self.setAccessibleName(f"Scenario {card.number}: {card.title}")
        self.setAccessibleDescription(f"{card.text} Look for: {card.look_for}")
        self.picture = Picture(card, self)
        self.title = QLabel(f"{card.number} · {card.title}", self)
        self.title.setProperty("title", True)
        self.title.setWordWrap(True)
        self.text = QLabel(card.text, self)
        self.text.setWordWrap(True)
        self.look_for = QLabel(f"<b>Look for:</b> {card.look_for}", self)
        self.look_for.setTextFormat(Qt.TextFormat.RichText)
        self.look_for.setProperty("muted", True)
        self.look_for.setWordWrap(True)
        self.result = QLabel(self)
        self.result.setWordWrap(True)
        self._results: dict[str, tuple[int, int, int]] = {}   # scenario → claims, those as expected, those seen true
        self.chooser = QComboBox(self)
        self.open_button = QPushButton("Open", self)
        self.run_button = QPushButton("Run", self)
        self.compare_button = QPushButton(self)
        self._name_widgets()
        self._lay_out()
        self.chooser.currentIndexChanged.connect(self.on_variant_chosen)
        self.open_button.clicked.connect(self.on_open)
        self.run_button.clicked.connect(self.on_run)
        self.compare_button.clicked.connect(self.on_compare)
        self.on_variant_chosen()

    @property
    def variant(self) -> Variant:
        """The variant that is chosen."""
        return self.card.variants[max(self.chooser.currentIndex(), 0)]

    def alike(self) -> tuple[Variant, ...]:
        """Return the variants that can be compared with the chosen one, because they train the same model."""
        return tuple(v for v in self.card.variants if v.scenario.model == self.variant.scenario.model)

    def set_idle(self, idle: bool) -> None:
        """Enable what starts something only when nothing is going on."""
        for button in (self.open_button, self.run_button, self.compare_button):
            button.setEnabled(idle)

    def show_result(self, scenario: str, claims: Sequence[Mapping[str, Any]]) -> None:
        """Remember what a run of this scenario has shown, and say it while that variant is chosen."""
        expected, true = (sum(claim[key] for claim in claims) for key in ("agrees", "claimed_true"))
        self._results[scenario] = len(claims), expected, true
        self._show_result()

    @Slot()
    def on_variant_chosen(self) -> None:
        """Say of the buttons what they would do, and what the variant has shown before."""
        scenario, alike = self.variant.scenario, self.alike()
        self.chooser.setToolTip(scenario.title)
        self.open_button.setToolTip(f"Put “{scenario.title}” into the form and the tree")
        self.run_button.setToolTip(f"{scenario.title}. {scenario.look_at}")
        self.compare_button.setVisible(len(alike) > 1)
        self.compare_button.setText("Compare all" if len(alike) == len(self.card.variants) else f"Compare {len(alike)}")
        self._show_result()
        names = ", ".join(variant.label for variant in alike)
        self.compare_button.setToolTip(f"Run {names} one after another, and show them side by side")

    def _show_result(self) -> None:
        count, expected, true = self._results.get(self.variant.scenario.name, (0, 0, 0))
        all_expected = expected == count
        self.result.setVisible(count > 0)
        of_them = f"{true} true, {count - true} false" if count > true else "true"
        self.result.setText(
            f"✓ run: {counted(count, 'claim')}, {of_them}, as expected" if all_expected
            else f"✗ run: {count - expected} of {counted(count, 'claim')} not as expected"
        )
        set_states(self.result, held=all_expected, leaked=not all_expected)

    @Slot()
    def on_open(self) -> None:
        """Pass on that the chosen variant is wanted in the form."""
        self.open_wanted.emit(self.variant)

    @Slot()
    def on_run(self) -> None:
        """Pass on that the chosen variant is to be run."""
        self.run_wanted.emit(self.variant)

    @Slot()
    def on_compare(self) -> None:
        """Pass on that the variants are to be compared."""
        self.comparison_wanted.emit(self.alike())

    def _name_widgets(self) -> None:
        number, title = self.card.number, self.card.title
        for variant in self.card.variants:
            self.chooser.addItem(variant.label)
            self.chooser.setItemData(self.chooser.count() - 1, variant.scenario.title, Qt.ItemDataRole.ToolTipRole)
        self.chooser.setVisible(len(self.card.variants) > 1)
        self.chooser.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        for widget, name, words in (
            (self.chooser, "variantBox", f"Variant of {title}"),
            (self.open_button, "openScenarioButton", f"Open {title}"),
            (self.run_button, "runScenarioButton", f"Run {title}"),
            (self.compare_button, "compareScenariosButton", f"Compare the variants of {title}"),
        ):
            widget.setObjectName(f"{name}{number}")
            widget.setAccessibleName(words)

    def _lay_out(self) -> None:
        words = QVBoxLayout()
        words.setContentsMargins(12, 8, 12, 12)
        words.setSpacing(6)
        for label in (self.title, self.text, self.look_for, self.result):
            words.addWidget(label)
        words.addStretch(1)
        words.addSpacing(2)
        words.addWidget(self.chooser)
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        for button in (self.run_button, self.open_button, self.compare_button):
            buttons.addWidget(button)
        buttons.addStretch(1)
        words.addLayout(buttons)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.picture)
        layout.addLayout(words, 1)


class Picture(QWidget):
    """The thumbnail of a card, as wide as the card, in the theme in use."""

    def __init__(self, card: Card, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(f"Heatmap of {card.variants[0].label}, layers over steps")
        self._card = card
        self._pixmap: QPixmap | None = None
        theme_manager().changed.connect(self.on_theme_changed)
        self.on_theme_changed(current_theme())

    @Slot(object)
    def on_theme_changed(self, theme: object) -> None:
        """Take the picture of the other theme, once it is seen."""
        self._pixmap = None
        self.setVisible(thumbnail_path(self._card, current_theme().name) is not None)
        self.update()

    def sizeHint(self) -> QSize:
        """Return the size at which it is sharpest."""
        return PICTURE

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the picture's shape."""
        super().resizeEvent(event)
        self.setFixedHeight(round(self.width() * PICTURE.height() / PICTURE.width()) + _ABOVE)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the picture, whose background is the card's."""
        if self._pixmap is None:
            self._pixmap = QPixmap(str(thumbnail_path(self._card, current_theme().name)))
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawPixmap(self.rect().adjusted(0, _ABOVE, 0, 0), self._pixmap)
        painter.end()
