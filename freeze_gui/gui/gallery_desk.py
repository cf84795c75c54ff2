"""What the buttons of the gallery do: a scenario into the form, into a run, or a card's scenarios side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Slot

from freeze_gui.runs.scenario_cards import Variant
from freeze_gui.training.config import load_config

if TYPE_CHECKING:
    from freeze_gui.gui.main_window import MainWindow


class GalleryDesk(QObject):
    """Carries out the wishes of the gallery of one window; what it starts waits until the model is in the tree."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._then: Callable[[], object] | None = None
        self._compared: tuple[Variant, ...] = ()
        gallery, desk = window.gallery, window.workbench.desk
        gallery.open_wanted.connect(self.open)
        gallery.run_wanted.connect(self.run)
        gallery.comparison_wanted.connect(self.compare)
        # after the desk has said what it opened, and everybody else has taken it in
        desk.model_opened.connect(self.on_model_opened, Qt.ConnectionType.QueuedConnection)
        desk.open_failed.connect(self.on_open_failed)
        window.controller.run_ended.connect(self.on_run_ended)
        window.controller.comparison_ended.connect(self.on_comparison_ended)

    @Slot(object)
    def open(self, variant: Variant) -> None:
        """Put a scenario into form and tree, ready to run."""
        self._open(variant, lambda: self._window.say(f"{variant.scenario.title}: press Run"))

    @Slot(object)
    def run(self, variant: Variant) -> None:
        """Put a scenario into form and tree, and run it."""
        self._open(variant, self._window.workbench.run)

    @Slot(object)
    def compare(self, variants: tuple[Variant, ...]) -> None:
        """Run these scenarios one after another; the first is in form and tree meanwhile."""
        self._compared = variants
        self._open(variants[0], self._compare)

    @Slot()
    def on_model_opened(self) -> None:
        """Go on with what waited for the model."""
        then, self._then = self._then, None
        if then is not None:
            then()

    @Slot()
    def on_open_failed(self) -> None:
        """Forget what waited for the model."""
        self._then = None

    @Slot(object)
    def on_run_ended(self, summary: dict[str, Any]) -> None:
        """Have its card say what the run has shown."""
        self._window.gallery.show_result(summary)

    @Slot(object)
    def on_comparison_ended(self, summary: dict[str, Any]) -> None:
        """Have the card say what the runs have shown."""
        for run in summary["runs"]:
            self._window.gallery.show_result(run["summary"])

    def _open(self, variant: Variant, then: Callable[[], object]) -> None:
        workbench = self._window.workbench
        if workbench.controller.is_running or workbench.desk.is_loading:
            return
        self._then = then
        workbench.desk.show_config(load_config(variant.scenario.path))

    def _compare(self) -> None:
        self._window.layer_panel.tree_view.setFocus()   # as after a run; the button that had it is hidden now
        configs = [load_config(variant.scenario.path) for variant in self._compared]
        self._window.workbench.compare_runs(configs, [variant.label for variant in self._compared])
