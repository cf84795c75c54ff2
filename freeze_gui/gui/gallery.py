"""The start page: a card for every situation that ships with the program, as many side by side as there is room for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from freeze_gui.gui.gallery_card import ScenarioCard
from freeze_gui.gui.tab_order import order_tabs
from freeze_gui.runs.scenario_cards import Card, list_cards

LEAST_CARD_PX = 260
_GAP = 12

_WORDS = (
    "Each card is a situation that people meet when they freeze layers, with what is often claimed of it. Run one, and "
    "the verdict says what was seen. Or press Run above: the form is ready."
)


class GalleryView(QScrollArea):
    """Shows all cards and passes on what is wanted of them; makes them when it is first shown, or before.

    Attributes
    ----------
    cards
        The cards in order; none before they are made.

    Signals
    -------
    open_wanted(object), run_wanted(object)
        A `Variant` is to be put into the form, or run.
    comparison_wanted(object)
        These variants are to be run one after another.
    """

    open_wanted = Signal(object)
    run_wanted = Signal(object)
    comparison_wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("galleryView")
        self.setAccessibleName("Scenarios")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # cards are the lower the narrower they are: a bar that came with the height would make them fit, go, and come
        # again, which Qt follows until the stack is full
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.verticalScrollBar().rangeChanged.connect(self.on_range_changed)
        self.cards: list[ScenarioCard] = []
        self._columns = 0
        self._idle = True
        self._results: dict[str, Sequence[Mapping[str, Any]]] = {}   # scenario → its claims

    @property
    def columns(self) -> int:
        """How many cards stand side by side."""
        return self._columns

    @Slot(bool)
    def set_idle(self, idle: bool) -> None:
        """Enable what starts something only when nothing is going on."""
        self._idle = idle
        for card in self.cards:
            card.set_idle(idle)

    def show_result(self, summary: Mapping[str, Any]) -> None:
        """Say on its card what the run of a scenario has shown; a run of one's own is on no card."""
        name, claims = summary.get("scenario"), summary.get("claims")
        if name is not None and claims:
            self._results[name] = claims
            self._show_result(name)

    @Slot(int, int)
    def on_range_changed(self, least: int, most: int) -> None:
        """Hide the handle of the bar where there is nothing to scroll."""
        self.verticalScrollBar().setEnabled(most > least)

    def fill(self) -> Iterator[None]:
        """Make the cards, one after another, once."""
        if self.cards:
            return
        page = QWidget()
        page.setObjectName("galleryPage")
        heading = QLabel(_WORDS, page)
        heading.setProperty("muted", True)
        heading.setWordWrap(True)
        self._grid = QGridLayout()
        self._grid.setSpacing(_GAP)
        layout = QVBoxLayout(page)
        layout.setContentsMargins(8, 8, 8, 12)
        layout.setSpacing(10)
        layout.addWidget(heading)
        layout.addLayout(self._grid)
        layout.addStretch(1)
        cards = []
        for card in list_cards():
            yield
            cards.append(self._new_card(card, page))
        self.cards = cards
        self._arrange(columns_for(self.viewport().width()))
        self.setWidget(page)
        order_tabs(self)
        for name in self._results:
            self._show_result(name)

    def showEvent(self, event: QShowEvent) -> None:
        """Make the cards, once."""
        for _ in self.fill():
            pass
        super().showEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put as many cards side by side as have room."""
        super().resizeEvent(event)
        self._arrange(columns_for(self.viewport().width()))

    def _new_card(self, content: Card, page: QWidget) -> ScenarioCard:
        card = ScenarioCard(content, page)
        card.set_idle(self._idle)
        card.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        card.open_wanted.connect(self.open_wanted)
        card.run_wanted.connect(self.run_wanted)
        card.comparison_wanted.connect(self.comparison_wanted)
        return card

    def _show_result(self, scenario: str) -> None:
        for card in self.cards:
            if scenario in {variant.scenario.name for variant in card.card.variants}:
                card.show_result(scenario, self._results[scenario])

    def _arrange(self, columns: int) -> None:
        if columns == self._columns or not self.cards:
            return
        for column in range(self._columns):
            self._grid.setColumnStretch(column, 0)
        self._columns = columns
        for position, card in enumerate(self.cards):
            self._grid.addWidget(card, position // columns, position % columns)
        for column in range(columns):
            self._grid.setColumnStretch(column, 1)


def columns_for(width_px: int) -> int:
    """Return how many cards fit side by side into so many pixels."""
    return max((width_px - 16 + _GAP) // (LEAST_CARD_PX + _GAP), 1)
