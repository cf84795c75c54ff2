"""What is taken away of whole runs: script, report, summary, configuration, and the table of runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot

from freeze_gui.errors import UserError
from freeze_gui.gui.export_desk import ExportDesk, Order
from freeze_gui.gui.export_figures import file_stem, run_stem
from freeze_gui.gui.export_image import to_png
from freeze_gui.gui.export_script import ScriptDialog
from freeze_gui.runs.comparison import comparison_summary
from freeze_gui.runs.csv_export import table_csv
from freeze_gui.runs.export import to_json, write_bytes, write_text
from freeze_gui.runs.report import comparison_report
from freeze_gui.runs.script import Script, make_script
from freeze_gui.runs.script_files import write_script
from freeze_gui.runs.toml_writer import to_toml
from freeze_gui.training.config import RunConfig

if TYPE_CHECKING:
    from freeze_gui.gui.main_window import MainWindow
    from freeze_gui.runs.recorder import RunRecorder

NO_SUMMARY = "There is no summary yet: press Run first"
NO_REPORT = "There is nothing to report yet: run a comparison, or a run, to its end first"
BUSY = "A run is going on: a script is made when it has ended, because making one builds the model anew"


class RunExports(QObject):
    """Slots of the Export menu."""

    def __init__(self, window: MainWindow, desk: ExportDesk) -> None:
        super().__init__(window)
        self._window, self._desk = window, desk
        self._script_of: RunConfig | None = None
        self._dialog: ScriptDialog | None = None

    @Slot()
    def save_config(self) -> None:
        """Ask where to write what form and tree say."""
        config = self._config()
        if config is not None:
            text = to_toml(config.to_dict())
            self._desk.ask(
                Order("Save configuration", "Configurations (*.toml)", f"{run_stem(config)}.toml", _texts(lambda: text))
            )

    @Slot()
    def save_summary(self) -> None:
        """Ask where to write the summary of the run on show, or of the runs side by side where these are seen."""
        shown = self._window.workbench.shown
        beside = [run for run in self._window.compare_view.recorders if run.ended is not None]
        if beside and self._window.tabs.currentWidget() is self._window.compare_view:
            text = _texts(partial(_comparison, beside, self._took_turns(beside)))
            order = Order("Save summary", "JSON (*.json)", "comparison-summary.json", text)
        elif shown is not None and shown.ended is not None:
            run = shown
            stem = f"{run_stem(run.config)}-summary.json"
            order = Order("Save summary", "JSON (*.json)", stem, _texts(lambda: to_json(run.summary())))
        else:
            self._window.say(NO_SUMMARY)
            return
        self._desk.ask(order)

    @Slot()
    def save_report(self) -> None:
        """Ask where to write the report on the runs that stand side by side, or on a run on show that does not."""
        beside, shown = self._window.compare_view.recorders, self._window.workbench.shown
        comparing = bool(beside) and self._window.tabs.currentWidget() is self._window.compare_view
        wanted = beside if comparing or shown is None or shown in beside else [shown]
        runs = [run for run in wanted if run.ended is not None]
        if not runs:
            self._window.say(NO_REPORT)
            return
        name = file_stem(run_stem(runs[0].config), f"{len(runs)} runs" if len(runs) > 1 else "", "report")
        text = _texts(partial(_report, runs, self._took_turns(runs)))
        self._desk.ask(Order("Save report", "HTML (*.html)", f"{name}.html", text))

    @Slot()
    def save_table(self) -> None:
        """Ask where to write the table of all runs that have ended, with every number that is known of them."""
        runs = [run for run in self._window.workbench.runs if run.ended is not None]
        if not runs:
            self._window.say(NO_REPORT)
            return
        self._desk.ask(Order("Save table of runs", "CSV (*.csv)", "freeze-runs.csv", _texts(partial(table_csv, runs))))

    @Slot()
    def save_tab(self) -> None:
        """Ask where to write the open tab as it is on the screen."""
        tabs = self._window.tabs
        name = file_stem("freeze", tabs.tabText(tabs.currentIndex()))
        image = tabs.currentWidget().grab().toImage()

        def write(path: Path) -> list[Path]:
            write_bytes(path, to_png(image))
            return [path]

        self._desk.ask(Order("Save picture of the tab", "PNG (*.png)", f"{name}.png", write))

    @Slot()
    def save_script(self) -> None:
        """Ask where to write the run on show, or the one that the form describes, as a script."""
        shown = self._window.workbench.shown
        self._with_script(shown.config if shown is not None else self._config(), self._ask_for_script)

    @Slot()
    def show_script(self) -> None:
        """Show the script of what form and tree say, and so of the next run."""
        self._with_script(self._config(), self._make_preview)

    @Slot(object)
    def on_script(self, script: Script) -> None:
        """Open the preview."""
        self._window.say("")
        assert self._script_of is not None
        self._dialog = ScriptDialog(script, self._window)
        self._dialog.save_wanted.connect(self._ask_for_script)
        self._dialog.open()

    def _with_script(self, config: RunConfig | None, then: Callable[[], None]) -> None:
        """Call `then` once the Python files of the configuration may be run; no run goes on, so nobody is disturbed."""
        if config is None:
            return
        if self._window.controller.is_running:
            self._window.say(BUSY)
            return
        self._script_of = config
        self._window.workbench.desk.with_trust(config, then)

    @Slot()
    def _make_preview(self) -> None:
        config = self._script_of
        assert config is not None
        self._window.say("Writing the script…")
        self._desk.make(lambda: make_script(config), self.on_script)

    @Slot()
    def _ask_for_script(self) -> None:
        config = self._script_of
        assert config is not None
        name = run_stem(config).replace(".", "-")
        order = Order("Save script", "Python (*.py)", f"{name}.py", lambda path: write_script(config, path))
        self._desk.ask(order)

    def _took_turns(self, runs: Sequence[RunRecorder]) -> bool:
        return self._window.workbench.beside.took_turns(runs)

    def _config(self) -> RunConfig | None:
        try:
            return self._window.workbench.desk.config()
        except UserError as error:
            self._window.run_panel.show_error(str(error))
            return None


def _report(runs: Sequence[RunRecorder], in_turns: bool) -> str:
    return comparison_report(comparison_summary(runs, in_turns), runs)


def _comparison(runs: Sequence[RunRecorder], in_turns: bool) -> str:
    return to_json(comparison_summary(runs, in_turns))


def _texts(make: Callable[[], str]) -> Callable[[Path], list[Path]]:
    """Return what makes a text and writes it to a path, all in the thread of a job."""

    def write(path: Path) -> list[Path]:
        write_text(path, make())
        return [path]

    return write
