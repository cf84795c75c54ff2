"""The button of the form that opens the settings of the loop, and shows that some are set."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QToolButton, QWidget

from freeze_gui.gui.train_popup import TrainDialog


class TrainButton(QToolButton):
    """Stays pressed while something is not at its default.

    Attributes
    ----------
    dialog
        Holds the settings, open or not.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("trainSettingsButton")
        self.setCheckable(True)
        self.setAccessibleName("More settings of the run")
        self.dialog = TrainDialog(self)
        self.clicked.connect(self.open)
        self.dialog.edited.connect(self.refresh)
        self.refresh()

    @Slot()
    def open(self) -> None:
        """Open the settings."""
        self.refresh()   # a click has toggled the button
        self.dialog.open()

    @Slot()
    def refresh(self) -> None:
        """Show whether and what is set."""
        words = self.dialog.in_words()
        self.setChecked(bool(words))
        self.setText(f"More… ({len(words)} set)" if words else "More…")
        said = ", ".join(words) or "all at their defaults"
        self.setToolTip(f"Scheduler, layer decay, mixed precision, clipping, accumulation, thaw ({said})")
