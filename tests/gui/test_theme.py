from __future__ import annotations

from itertools import pairwise

import pytest
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QApplication, QDialog, QLineEdit, QWidget
from pytestqt.qtbot import QtBot
from shiboken6 import delete

from freeze_gui.gui.main_window import MainWindow
from freeze_gui.gui.palette import DARK, LIGHT, RUN_DASHES, Theme, color_map, disabled_words, on_selected, selected_back
from freeze_gui.gui.styling import Styling
from freeze_gui.gui.theme import apply_theme, current_theme, icon, series_color, style_sheet, theme_manager
from freeze_gui.resources import resource_path


def luminance(color: str) -> float:
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(color: str, other: str) -> float:
    low, high = sorted((luminance(color), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def distance(color: str, other: str) -> int:
    return sum(abs(int(color[i : i + 2], 16) - int(other[i : i + 2], 16)) for i in (1, 3, 5))


def app() -> QApplication:
    instance = QApplication.instance()
    assert isinstance(instance, QApplication)
    return instance


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("word", ["text", "muted", "accent", "held", "leaked", "frozen", "warning"])
def test_every_word_is_legible_on_every_background(theme: Theme, word: str) -> None:
    for background in (theme.window, theme.panel, theme.raised, theme.plot_background):
        assert contrast(getattr(theme, word), background) >= 4.5   # WCAG 2.2, text


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("word", ["text", "muted", "held", "leaked", "frozen", "warning"])
def test_every_word_is_legible_on_a_selected_row_in_a_colour_of_its_own(theme: Theme, word: str) -> None:
    color = on_selected(theme, getattr(theme, word))
    assert contrast(color, selected_back(theme)) >= 4.5
    words = ("text", "held", "leaked", "frozen", "warning")
    nearest = min(words, key=lambda other: distance(color, getattr(theme, other)))
    assert nearest == word or word == "muted"   # which is between text and frozen


def test_the_hint_in_an_empty_field_is_written_in_the_colour_of_lesser_words(qtbot: QtBot) -> None:
    edit = QLineEdit()
    qtbot.addWidget(edit)
    edit.setStyleSheet(style_sheet(DARK))
    edit.ensurePolished()
    assert edit.palette().color(QPalette.ColorRole.PlaceholderText).name() == DARK.muted   # Qt halves that of the text
    edit.setEnabled(False)
    assert edit.palette().color(QPalette.ColorRole.PlaceholderText).name() == disabled_words(DARK)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_every_line_is_seen_on_the_plot_background_and_there_are_enough(theme: Theme) -> None:
    assert len(set(theme.series)) >= 8
    assert all(contrast(color, theme.plot_background) >= 4 for color in theme.series)
    assert len(set(RUN_DASHES)) == len(RUN_DASHES)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_the_colour_map_gets_lighter_from_low_to_high(theme: Theme) -> None:
    lights = [luminance(f"#{int(color) & 0xFFFFFF:06x}") for color in color_map(theme, 32)]
    assert all(a < b for a, b in pairwise(lights))


def test_a_choice_reaches_palette_style_sheet_icons_and_those_who_listen(qtbot: QtBot) -> None:
    apply_theme(app(), "light")
    light_icon = icon("run").pixmap(32, 32).toImage()
    with qtbot.waitSignal(theme_manager().changed) as changed:
        assert apply_theme(app(), "dark") is DARK
    assert changed.args == [DARK]
    assert current_theme() is DARK and series_color(0) == DARK.series[0] and series_color(10) == DARK.series[0]
    assert app().palette().color(QPalette.ColorRole.Window).name() == DARK.window
    assert icon("run").pixmap(32, 32).toImage() != light_icon
    with qtbot.assertNotEmitted(theme_manager().changed):
        apply_theme(app(), "dark")
    apply_theme(app(), "light")


def test_the_system_is_followed_only_when_that_is_the_choice(qtbot: QtBot) -> None:
    apply_theme(app(), "system")
    theme_manager().on_color_scheme_changed(Qt.ColorScheme.Dark)
    assert current_theme() is DARK
    apply_theme(app(), "light")
    theme_manager().on_color_scheme_changed(Qt.ColorScheme.Dark)
    assert current_theme() is LIGHT


class StyleChanges(QObject):
    """Counts how often widgets of one window are styled anew: other tests leave widgets behind."""

    def __init__(self, window: QWidget) -> None:
        super().__init__()
        self._window = window
        self.count = 0

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.StyleChange and isinstance(watched, QWidget):
            self.count += watched is self._window or _is_inside(watched, self._window)
        return False


def _is_inside(watched: QObject, window: QWidget) -> bool:
    """Tell whether a widget, or the popup that it lies in, belongs to a window."""
    parent = watched.parent()
    return parent is not None and (parent is window or _is_inside(parent, window))


def test_another_theme_styles_each_widget_of_the_window_about_once(window: MainWindow, qtbot: QtBot) -> None:
    window.choose_theme("light")
    qtbot.waitUntil(lambda: LIGHT.panel in window.library.styleSheet())
    changes = StyleChanges(window)
    app().installEventFilter(changes)
    window.choose_theme("dark")
    qtbot.waitUntil(lambda: DARK.panel in window.library.styleSheet())   # what is hidden comes last
    qtbot.wait(50)
    app().removeEventFilter(changes)
    for part in (window.run_panel, window.layer_panel, window.run_plots, window.gallery, window.menuBar()):
        assert DARK.panel in part.styleSheet() and LIGHT.panel not in part.styleSheet()
    assert window.updatesEnabled()
    widgets = len(window.findChildren(QWidget)) + 1
    assert 0.9 * widgets <= changes.count <= 2.5 * widgets   # lists of boxes are told by their owners again
    window.choose_theme("light")


def test_a_dialog_of_the_window_has_the_style_of_the_theme_when_it_is_shown(window: MainWindow, qtbot: QtBot) -> None:
    window.choose_theme("dark")
    dialog = QDialog(window)
    dialog.open()
    assert DARK.panel in dialog.styleSheet()
    window.choose_theme("light")
    qtbot.waitUntil(lambda: LIGHT.panel in dialog.styleSheet())
    dialog.close()


@pytest.mark.parametrize("is_open", [True, False])
def test_a_dialog_that_goes_while_a_theme_reaches_the_parts_is_passed_over(
    window: MainWindow, qtbot: QtBot, is_open: bool
) -> None:
    dialog = QDialog(window)
    if is_open:
        dialog.open()
    styling = window.findChild(Styling)
    assert styling is not None
    pieces = styling.style_all()
    next(pieces)
    delete(dialog)
    assert len(list(pieces)) > 0   # goes on with the rest


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_no_name_is_left_unfilled_in_the_style_sheet(theme: Theme) -> None:
    assert "@" not in style_sheet(theme).split("*/", 1)[1]


def test_every_icon_paints_something(qtbot: QtBot) -> None:
    for path in resource_path("icons").glob("*.svg"):
        image = icon(path.stem).pixmap(24, 24).toImage()
        assert any(image.pixelColor(x, y).alpha() > 0 for x in range(24) for y in range(24)), path.stem
