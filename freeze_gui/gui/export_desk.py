"""Takes things away: asks for a file, makes its content beside the window, and says what was written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Slot
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QApplication, QFileDialog, QProgressBar, QTableView, QWidget

from freeze_gui.gui.background import Job
from freeze_gui.gui.export_actions import TABLE_ACTIONS, export_wishes
from freeze_gui.gui.export_figures import Figure, figure_of, table_of
from freeze_gui.gui.export_image import to_image, to_png
from freeze_gui.gui.export_svg import to_svg
from freeze_gui.gui.palette import DARK, LIGHT
from freeze_gui.runs.export import write_bytes

if TYPE_CHECKING:
    from freeze_gui.gui.main_window import MainWindow

NOTHING_YET = "Nothing to take away yet: this shows nothing. Press Run first"
NO_PLOT = "Choose a plot first: click it, or go to it with Tab"
ASK = {
    "png": ("Save picture", "PNG (*.png)"),
    "svg": ("Save picture", "SVG (*.svg)"),
    "csv": ("Save numbers", "CSV (*.csv)"),
}


@dataclass(frozen=True)
class Order:
    """A file to be made: title and kind of files for the dialog, the name proposed, and what writes it."""

    title: str
    kinds: str
    name: str
    write: Callable[[Path], list[Path]]


class ExportDesk(QObject):
    """Carries out what menus wish for.

    Attributes
    ----------
    in_dark
        Whether pictures are made in the colours of the dark theme. They are not until a person asks: most go on paper
        or a white page.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.in_dark = window.settings.dark_pictures
        self._window = window
        self._plot: QWidget | None = None   # had the keyboard last
        self._order: Order | None = None
        self._jobs: list[Job] = []
        self.busy = QProgressBar(window)
        self.busy.setObjectName("exportProgress")
        self.busy.setAccessibleName("A file is being made")
        self.busy.setRange(0, 0)
        self.busy.setTextVisible(False)
        self.busy.setFixedSize(120, 6)
        self.busy.hide()
        window.statusBar().addPermanentWidget(self.busy)
        for table in window.findChildren(QTableView):
            if table.contextMenuPolicy() == Qt.ContextMenuPolicy.DefaultContextMenu:   # has no menu of its own
                export_wishes().offer(table, TABLE_ACTIONS)
        export_wishes().wanted.connect(self.on_wanted)
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        app.focusChanged.connect(self.on_focus_changed)

    @Slot(bool)
    def set_dark(self, in_dark: bool) -> None:
        """Make the pictures from now on in dark colours, or in light ones."""
        self.in_dark = self._window.settings.dark_pictures = in_dark

    @Slot(object, str)
    def on_wanted(self, widget: QWidget, kind: str) -> None:
        """Take away the picture or the numbers of a plot or table of this window."""
        if widget.window() is self._window:
            self.take(widget, kind)

    @Slot()
    def take_focused(self) -> None:
        """Do what a menu entry says with the plot that has the keyboard, or had it last."""
        action: Any = self.sender()
        if self._plot is None or not self._plot.isVisible():
            self._window.say(NO_PLOT)
        else:
            self.take(self._plot, str(action.data()))

    def take(self, widget: QWidget, kind: str) -> None:
        """Take the picture or the numbers of a plot or table away, as a key of `PLOT_ACTIONS` says."""
        theme = DARK if self.in_dark else LIGHT
        if isinstance(widget, QTableView):
            figure = table_of(widget)
        else:
            figure = figure_of(widget, self._window.workbench.runs, theme)
        if figure is None:
            self._window.say(NOTHING_YET)
        elif kind == "copy":
            self.make(lambda: to_image(figure.draw()), self.on_copied)
        elif kind == "copy_csv":
            self.make(figure.numbers, self.on_copied)
        else:
            title, kinds = ASK[kind]
            self.ask(Order(title, kinds, f"{figure.name}.{kind}", lambda path: _write(figure, kind, path)))

    def ask(self, order: Order) -> None:
        """Ask where a file is to be written, then write it."""
        self._order = order
        dialog = QFileDialog(self._window, order.title)
        dialog.setObjectName("exportDialog")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setNameFilter(order.kinds)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(order.name.rpartition(".")[2])
        dialog.selectFile(order.name)
        dialog.fileSelected.connect(self.on_file_chosen)
        dialog.open()

    @Slot(str)
    def on_file_chosen(self, name: str) -> None:
        """Write what was asked for, beside the window."""
        order, self._order = self._order, None
        if order is not None:
            self._window.say(f"Writing {name}…")
            self.make(lambda: order.write(Path(name)), self.on_written)

    @Slot(object)
    def on_written(self, paths: list[Path]) -> None:
        """Say what was written."""
        self._window.say(f"Saved {' and '.join(str(path) for path in paths)}")

    @Slot(object)
    def on_copied(self, content: QImage | str) -> None:
        """Put a picture or numbers on the clipboard."""
        if isinstance(content, QImage):
            QGuiApplication.clipboard().setImage(content)
            self._window.say("Copied the picture")
        else:
            QGuiApplication.clipboard().setText(content)
            self._window.say("Copied the numbers as CSV")

    @Slot(str)
    def on_failed(self, sentence: str) -> None:
        """Say why there is no file."""
        self._window.say("")
        self._window.run_panel.show_error(sentence)

    @Slot(QWidget, QWidget)
    def on_focus_changed(self, before: QWidget | None, now: QWidget | None) -> None:
        """Remember the plot that has the keyboard: a menu takes it away."""
        if now is not None and now.window() is self._window and _is_plot(now):
            self._plot = now

    def make(self, function: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Call a function beside the window, then `then`, a slot, with what it returned; a failure is said."""
        self._window.run_panel.show_error("")
        job = Job(function, self)
        self._jobs.append(job)
        job.succeeded.connect(then)
        job.failed.connect(self.on_failed)
        job.finished.connect(self._on_finished)
        self.busy.show()
        job.start()

    def close(self) -> None:
        """Wait for files that are being written."""
        for job in self._jobs:
            job.wait()

    @Slot()
    def _on_finished(self) -> None:
        job = self.sender()
        self._jobs = [one for one in self._jobs if one is not job]
        self.busy.setVisible(bool(self._jobs))
        if job is not None:
            job.deleteLater()


def _write(figure: Figure, kind: str, path: Path) -> list[Path]:
    """Write a picture or numbers; in a thread of its own."""
    match kind:
        case "png":
            content = to_png(to_image(figure.draw()))
        case "svg":
            content = to_svg(figure.draw()).encode("utf-8")
        case _:
            content = figure.numbers().encode("utf-8")
    write_bytes(path, content)
    return [path]


def _is_plot(widget: QWidget) -> bool:
    return any(action.objectName() == "svgAction" for action in widget.actions())
