from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from freeze_gui.gui.compare_view import CompareView
from freeze_gui.gui.main_window import MainWindow
from freeze_gui.gui.tab_order import order_tabs
from tests.gui.recorded_runs import started_run


def stops(qtbot: QtBot, start: QWidget, count: int) -> list[QWidget]:
    """Return where Tab comes to from here."""
    start.window().activateWindow()
    start.setFocus()
    qtbot.waitUntil(start.hasFocus)
    found: list[QWidget] = []
    for _ in range(count):
        focused = QApplication.focusWidget()
        assert focused is not None
        found.append(focused)
        QTest.keyClick(focused, Qt.Key.Key_Tab)
    return found


def test_tab_goes_through_parts_in_their_order_and_in_each_as_before(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    parts = [QWidget(window) for _ in range(3)]
    buttons = [[QPushButton(str(at), part) for at in range(2)] for part in parts]
    window.show()
    order_tabs(parts[2], buttons[0][1], buttons[0][0], parts[1])
    assert stops(qtbot, buttons[2][0], 7) == [*buttons[2], buttons[0][1], buttons[0][0], *buttons[1], buttons[2][0]]


def test_tab_goes_through_the_form_row_by_row_and_from_left_to_right(qtbot: QtBot, window: MainWindow) -> None:
    window.resize(1440, 900)
    form = window.run_panel.form
    found = stops(qtbot, form.model_box, 17)
    assert found[-1] is window.run_panel.run_button and all(form.isAncestorOf(widget) for widget in found[:-1])

    def place(widget: QWidget) -> tuple[int, int]:
        at = widget.mapTo(form, widget.rect().center())
        return int(at.y() > form.height() / 2), at.x()

    assert [place(widget) for widget in found[:-1]] == sorted(place(widget) for widget in found[:-1])


def test_tab_comes_to_the_cancel_button_of_a_comparison_before_the_runs_below_it(qtbot: QtBot) -> None:
    view = CompareView()
    qtbot.addWidget(view)
    view.resize(900, 700)
    view.show()
    view.set_runs([started_run("a"), started_run("b")])
    view.comparing = True
    view.refresh()
    qtbot.waitUntil(lambda: len(view.tiles_view.tiles) == 2)
    found = stops(qtbot, view.metric_box, 4)
    tiles = view.tiles_view.tiles
    assert found == [view.metric_box, view.status.cancel_button, tiles[0].heatmap, tiles[1].heatmap]


def test_tab_comes_from_the_form_over_tree_pages_and_verdict_to_the_runs(qtbot: QtBot, window: MainWindow) -> None:
    window.show_run_tab()
    found = [widget.objectName() for widget in stops(qtbot, window.run_panel.compare_button, 16)]
    order = ["compareButton", "findEdit", "layerTree", "heatmapView", "lossPlot", "codeView", "runsTable"]
    assert [name for name in found if name in order] == order
    assert found[3] == "qt_tabwidget_tabbar"   # of the pages, before what is on the one that is shown


def test_the_program_ends_without_a_crash_after_its_order_of_tabs_was_set(tmp_path: Path) -> None:
    code = (
        "import sys; from PySide6.QtWidgets import QApplication; from freeze_gui.gui.app import create_window;"
        "app = QApplication([]); window = create_window(sys.argv[1]); window.show(); window.close()"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "settings.ini")], check=True, timeout=100)
