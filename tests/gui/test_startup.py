"""Tests of the window that is built part by part, as the program starts it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from freeze_gui.gui.events_between_imports import EventsBetweenImports
from freeze_gui.gui.main_window import MainWindow
from freeze_gui.gui.settings import Settings
from freeze_gui.training.config import load_config


def test_all_that_will_be_seen_is_styled_and_laid_out_before_the_window_is_shown(
    qtbot: QtBot, tmp_path: Path, runs_in_a_folder_of_the_test: Path
) -> None:
    window = MainWindow(Settings(tmp_path / "settings.ini"), at_once=False)
    qtbot.addWidget(window)
    while window.build_next():
        assert not window.isVisible()
    assert window.tabs.currentWidget() is window.gallery   # a first start
    for part in (window.run_panel, window.layer_panel, window.gallery, window.verdict_panel, window.runs_panel):
        seen = [child for child in part.findChildren(QWidget) if child.isVisibleTo(window)]
        assert seen
        assert all(child.testAttribute(Qt.WidgetAttribute.WA_WState_Polished) for child in seen)
    before = {card.card.number: card.geometry() for card in window.gallery.cards}
    window.show()
    assert {card.card.number: card.geometry() for card in window.gallery.cards} == before
    window.close()


_SAYS_WHAT_WAS_READ = """
import linecache, sys
from freeze_gui.gui.startup import leave_sources_unread
sys.path.insert(0, sys.argv[1])
import imported_before
leave_sources_unread()
import imported_after
for module in (imported_before, imported_after):
    print(module.__file__ in linecache.cache)
print(sys.modules["shibokensupport.feature"]._mod_uses_pyside(sys.modules["freeze_gui.gui.startup"]))
"""


def test_pyside_reads_the_sources_of_modules_that_use_qt_alone(tmp_path: Path) -> None:
    for when in ("before", "after"):
        (tmp_path / f"imported_{when}.py").write_text("from pathlib import Path\n")
    done = subprocess.run(   # what was imported and read before is another test's business
        [sys.executable, "-c", _SAYS_WHAT_WAS_READ, str(tmp_path)], capture_output=True, text=True, check=True,
        timeout=100,
    )   # fmt: skip
    assert done.stdout.split() == ["True", "False", "True"]   # the first: else nothing needs to be done any more


def test_a_later_start_is_built_part_by_part_as_well_and_shows_its_plots(
    qtbot: QtBot, tmp_path: Path, runs_in_a_folder_of_the_test: Path
) -> None:
    settings = Settings(tmp_path / "settings.ini")
    settings.last_config = load_config({"model": {"source": "builtin:digits-cnn"}}).to_dict()
    window = MainWindow(settings, at_once=False)
    qtbot.addWidget(window)
    while window.build_next():
        assert not window.isVisible()
    window.show()
    assert window.tabs.currentWidget() is window.run_plots
    assert not window.run_plots.grab().isNull()
    window.close()


_SAYS_WHAT_THE_THREAD_IMPORTED = """
import random
import sys
import time
from PySide6.QtCore import QCoreApplication
from freeze_gui.gui.startup import Imports
application = QCoreApplication([])
before = set(sys.modules)
imports = Imports(application, "builtin:digits-cnn")
imports.run()
print(imports.error, sorted(name.partition(".")[2] for name in set(sys.modules) - before if "PySide6." in name))
print([name for name in sys.modules if name == "pyqtgraph" or name.startswith("freeze_gui.gui.main")])
print("torch" in sys.modules)
print(hasattr(random.gauss, "__wrapped__"))   # the modules ask the thread, before any file is run
"""


def test_nothing_that_makes_classes_of_qt_is_imported_beside_the_window() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SAYS_WHAT_THE_THREAD_IMPORTED], capture_output=True, text=True, check=True, timeout=100
    )
    assert done.stdout.splitlines() == [" []", "[]", "True", "True"]


def test_events_have_their_turn_between_the_imports_of_the_windows_thread(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "slow_first.py").write_text("import time\ntime.sleep(0.02)\nimport slow_second\n")
    (tmp_path / "slow_second.py").write_text("")
    finders, turns = list(sys.meta_path), []
    timer = QTimer()
    timer.timeout.connect(lambda: turns.append("slow_second" in sys.modules))
    timer.start(0)
    with EventsBetweenImports():
        __import__("slow_first")
    timer.stop()
    assert turns[0] is False   # before the second was imported
    assert sys.meta_path == finders


def test_events_have_their_turn_while_classes_are_made_too(qtbot: QtBot) -> None:
    class Lazy(ModuleType):
        def __dir__(self) -> list[str]:
            return ["First", "Second"]

        def __getattr__(self, name: str) -> str:
            asked.append(name)
            time.sleep(0.02)
            return name

    asked: list[str] = []
    seen: list[int] = []
    timer = QTimer()
    timer.timeout.connect(lambda: seen.append(len(asked)))
    timer.start(0)
    with EventsBetweenImports() as importing:
        importing.make_classes_of(Lazy("lazy"))
    timer.stop()
    assert asked == ["First", "Second"]
    assert seen[0] == 1   # between the two
