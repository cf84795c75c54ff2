"""The verdict as HTML in the colours of a theme."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from freeze_gui.gui.palette import Theme
from freeze_gui.gui.verdict_text import Line, Section, VerdictText, cause_name

_MARKS = {"held": "✓", "leaked": "✗", "warning": "!", "muted": "·"}
_TONES = {"✓": "held", "✗": "leaked", "–": "muted"}


def headline_html(text: VerdictText, theme: Theme) -> str:
    """Return the headlines, and the error in full."""
    parts = [
        f'<div style="color: {getattr(theme, tone)}; font-weight: 600;">{escape(words)}</div>'
        for tone, words in text.headlines
    ]
    if text.error:
        parts.append(f'<div style="margin-top: 4px;">{escape(text.error)}</div>')
    return "".join(parts)


def sections_html(sections: Iterable[Section], theme: Theme) -> str:
    """Return the sections, each under its heading."""
    return "".join(_section(section, theme) for section in sections)


def _section(section: Section, theme: Theme) -> str:
    parts = [f'<p style="margin: 10px 0 0 0; font-weight: 600;">{escape(section.title)}</p>']
    if section.note:
        parts.append(f'<p style="margin: 1px 0 0 0; color: {theme.muted};">{escape(section.note)}</p>')
    parts += [_line(line, theme) for line in section.lines]
    if section.table:
        parts.append(_table(section.table, theme))
    return "".join(parts)


def _line(line: Line, theme: Theme) -> str:
    mark = _MARKS.get(line.tone, "")
    head = f'<span style="color: {getattr(theme, line.tone)}; font-weight: 600;">{mark}</span> ' if mark else ""
    links = ", ".join(
        f'<a href="explain:{kind}" style="color: {theme.accent};">{escape(cause_name(kind))}</a>' for kind in line.links
    )
    words = " — ".join(part for part in (escape(line.head), links) if part)
    details = "".join(
        f'<p style="margin: 1px 0 0 14px; color: {theme.muted};">{escape(detail)}</p>' for detail in line.details
    )
    return f'<p style="margin: 5px 0 0 0;">{head}{words}</p>{details}'


def _table(rows: tuple[tuple[str, ...], ...], theme: Theme) -> str:
    captions, *content = rows
    parts = ['<table width="100%" cellspacing="0" cellpadding="2" style="margin-top: 4px;"><tr>']
    parts += [f'<td style="color: {theme.muted};">{escape(caption)}</td>' for caption in captions]
    parts.append("</tr>")
    for name, *answers in content:
        parts.append(f"<tr><td>{escape(name)}</td>")
        for answer in answers:
            color = getattr(theme, _TONES.get(answer[:1], "text"))
            parts.append(f'<td style="color: {color}; white-space: nowrap;">{escape(answer)}</td>')
        parts.append("</tr>")
    return "".join((*parts, "</table>"))
