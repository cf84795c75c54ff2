"""Light and dark: the palette, the style sheet and icons, and the signal that tells widgets to restyle."""

from __future__ import annotations

import functools
from typing import Literal

from PySide6.QtCore import QByteArray, QObject, QRectF, Qt, Signal, Slot
from PySide6.QtGui import QColor, QGuiApplication, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication, QWidget

from freeze_gui.gui.palette import DARK, LIGHT, RUN_DASHES, Theme, disabled_words, mix, selected_back
from freeze_gui.resources import resource_path

__all__ = ["RUN_DASHES", "Choice", "Theme", "ThemeManager"]
__all__ += ["apply_theme", "current_theme", "icon", "series_color", "set_states", "style_sheet", "theme_manager"]

Choice = Literal["system", "light", "dark"]
_SHAPES = ("chevron", "check", "partial")


class ThemeManager(QObject):
    """Holds the theme in use.

    Attributes
    ----------
    theme
        The theme in use.
    choice
        What the person asked for: ``system``, ``light`` or ``dark``.

    Signals
    -------
    changed(Theme)
        The theme in use has changed.
    """

    changed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.theme: Theme = LIGHT
        self.choice: Choice = "light"
        self._follows = False

    def apply(self, app: QApplication, choice: Choice) -> Theme:
        """Give `app` the chosen theme, and follow the system where that is the choice."""
        self.choice = choice
        hints = app.styleHints()
        if not self._follows:
            hints.colorSchemeChanged.connect(self.on_color_scheme_changed)
            self._follows = True
        schemes = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark, "system": Qt.ColorScheme.Unknown}
        hints.setColorScheme(schemes[choice])   # title bars and native dialogs follow
        dark = hints.colorScheme() == Qt.ColorScheme.Dark if choice == "system" else choice == "dark"
        return self._use(app, DARK if dark else LIGHT)

    @Slot(Qt.ColorScheme)
    def on_color_scheme_changed(self, scheme: Qt.ColorScheme) -> None:
        """Follow the system when that is the choice."""
        app = QApplication.instance()
        if self.choice == "system" and isinstance(app, QApplication):
            self._use(app, DARK if scheme == Qt.ColorScheme.Dark else LIGHT)

    def _use(self, app: QApplication, theme: Theme) -> Theme:
        if app.style().objectName() != "fusion":
            app.setStyle("Fusion")   # the one style that takes all its colours from the palette on every system
        changed, self.theme = theme is not self.theme, theme
        app.setPalette(_palette(theme))
        if changed:
            self.changed.emit(theme)
        return theme


_manager: ThemeManager | None = None


def theme_manager() -> ThemeManager:
    """Return the one manager, which lives as long as the program."""
    global _manager
    if _manager is None:
        _manager = ThemeManager()
    return _manager


def current_theme() -> Theme:
    """Return the theme in use."""
    return theme_manager().theme


def apply_theme(app: QApplication, choice: Choice) -> Theme:
    """Give `app` the chosen theme; ``system`` follows the desktop from now on."""
    return theme_manager().apply(app, choice)


def series_color(i: int) -> str:
    """Return the colour of the line or run number `i` in the theme in use."""
    series = current_theme().series
    return series[i % len(series)]


@functools.cache
def style_sheet(theme: Theme) -> str:
    """Return the style sheet with the theme's colours filled in for ``@name``.

    It belongs on the parts of a window, see `freeze_gui.gui.styling`. On the application it costs ten times as much to
    change: Qt then styles every widget again for each of its parents.
    """
    sheet = resource_path("styles", "freeze.qss").read_text(encoding="utf-8")
    extra = {
        "hover": mix(theme.raised, theme.text, 0.06),
        "pressed": mix(theme.raised, theme.text, 0.12),
        "selected": selected_back(theme),
        "disabled": disabled_words(theme),
        "outline": mix(theme.muted, theme.panel, 0.2),
        **{name: resource_path("styles", f"{name}-{theme.name}.svg").as_posix() for name in _SHAPES},
    }
    values = {**{k: v for k, v in vars(theme).items() if isinstance(v, str)}, **extra}
    for name in sorted(values, key=len, reverse=True):   # @accent_text before @accent
        sheet = sheet.replace(f"@{name}", values[name])
    return sheet


def set_states(widget: QWidget, **states: bool) -> None:
    """Set properties that the style sheet looks at, such as ``held=True``, and style the widget anew if one is new."""
    changed = [name for name, state in states.items() if bool(widget.property(name)) != state]
    for name in changed:
        widget.setProperty(name, states[name])
    if changed:
        widget.style().unpolish(widget)
        widget.style().polish(widget)


def icon(name: str) -> QIcon:
    """Return ``resources/icons/NAME.svg`` in the theme's text colour, greyed when disabled.

    An icon keeps the colours that it was made with: ask again on `ThemeManager.changed`.
    """
    return _icon(name, current_theme())


@functools.cache
def _icon(name: str, theme: Theme) -> QIcon:
    source = resource_path("icons", f"{name}.svg").read_text(encoding="utf-8")
    made = QIcon()
    for mode, color in (
        (QIcon.Mode.Normal, theme.text),
        (QIcon.Mode.Disabled, mix(theme.muted, theme.panel, 0.5)),
    ):
        renderer = QSvgRenderer(QByteArray(source.replace("currentColor", color).encode()))
        for size in (16, 20, 24, 32, 48, 64):
            made.addPixmap(_render(renderer, size), mode)
    return made


def _render(renderer: QSvgRenderer, size: int) -> QPixmap:
    pixmap = QPixmap(size, size)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    renderer.render(painter, QRectF(0, 0, size, size))
    painter.end()
    return pixmap


def _palette(theme: Theme) -> QPalette:
    role = QPalette.ColorRole
    colors = {
        role.Window: theme.window, role.WindowText: theme.text, role.Base: theme.panel, role.Text: theme.text,
        role.AlternateBase: mix(theme.panel, theme.text, 0.03), role.Button: theme.raised, role.ButtonText: theme.text,
        role.ToolTipBase: theme.raised, role.ToolTipText: theme.text, role.PlaceholderText: theme.muted,
        role.Highlight: theme.accent, role.HighlightedText: theme.accent_text, role.Link: theme.accent,
        role.BrightText: theme.leaked, role.Mid: theme.border, role.Midlight: theme.grid, role.Light: theme.panel,
        role.Dark: theme.border, role.Accent: theme.accent,
    }  # fmt: skip
    palette = QGuiApplication.palette()
    for which, color in colors.items():
        palette.setColor(which, QColor(color))
    grey = QColor(disabled_words(theme))
    for which in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, which, grey)
    return palette
