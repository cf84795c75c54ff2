"""Boxes for ticks that can be seen in both themes: Fusion's own have next to no outline on a dark background."""

from __future__ import annotations

from freeze_gui.gui.palette import Theme, mix
from freeze_gui.resources import resource_path

_SHEET = """
QTreeView::indicator, QCheckBox::indicator {{
    width: 13px; height: 13px; border: 1px solid {outline}; border-radius: 3px; background: {panel};
}}
QTreeView::indicator:hover, QCheckBox::indicator:hover {{ border-color: {accent}; }}
QTreeView::indicator:checked, QCheckBox::indicator:checked {{
    background: {accent}; border-color: {accent}; image: url({check});
}}
QTreeView::indicator:indeterminate, QCheckBox::indicator:indeterminate {{
    background: {accent}; border-color: {accent}; image: url({partial});
}}
QCheckBox:focus {{ color: {accent}; }}
"""


def indicator_sheet(theme: Theme) -> str:
    """Return the rules in the colours of a theme."""
    return _SHEET.format(
        outline=mix(theme.muted, theme.panel, 0.2),
        panel=theme.panel,
        accent=theme.accent,
        check=resource_path("styles", f"check-{theme.name}.svg").as_posix(),
        partial=resource_path("styles", f"partial-{theme.name}.svg").as_posix(),
    )
