"""The one timeline of a window, and the one history of its changes: ticks and bars are undone together."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from freeze_gui.gui.timeline_state import Span, Timeline


class TimelineModel(QObject):
    """What is frozen when.

    Attributes
    ----------
    timeline
        Bars, tasks, and which bar is selected.
    span
        How long the run is that they lie over.
    undo_stack
        Every change of ticks and bars, by whatever hand.

    Signals
    -------
    changed(object)
        Bars, ticks or the selection have changed; carries the `Timeline`.
    plan_changed(object)
        What is frozen when has changed, not the selection alone; carries the `Timeline`. Comes after `changed`.
    span_changed()
        The run has another length.
    """

    changed = Signal(object)
    plan_changed = Signal(object)
    span_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.timeline = Timeline()
        self.span = Span(1)
        self.undo_stack = QUndoStack(self)

    def change(self, timeline: Timeline, text: str, merge: str = "") -> None:
        """Take another timeline, as one step that can be undone under the name `text`.

        Changes with the same `merge` that follow each other are one step: a key that repeats.
        """
        if timeline.freezes_the_same(self.timeline):
            self.show(timeline)
        else:
            self.undo_stack.push(_Change(self, timeline, text, merge))

    def show(self, timeline: Timeline) -> None:
        """Take another timeline without a way back; for another selection, and what undo steps call."""
        before, self.timeline = self.timeline, timeline
        if timeline == before:
            return
        self.changed.emit(timeline)
        if not timeline.freezes_the_same(before):
            self.plan_changed.emit(timeline)

    def reset(self, timeline: Timeline) -> None:
        """Take the timeline of another model, whose history begins anew."""
        self.timeline = timeline
        self.undo_stack.clear()
        self.changed.emit(timeline)

    def set_span(self, span: Span) -> None:
        """Lay the bars over a run of another length."""
        if span != self.span:
            self.span = span
            self.span_changed.emit()


class _Change(QUndoCommand):
    """One change of ticks or bars."""

    def __init__(self, model: TimelineModel, timeline: Timeline, text: str, merge: str) -> None:
        super().__init__(text)
        self._model, self._before, self._after, self._merge = model, model.timeline, timeline, merge

    def id(self) -> int:
        """Return the same number for changes that may be one step: Qt asks no other."""
        return 1 if self._merge else -1

    def mergeWith(self, other: QUndoCommand) -> bool:
        """Take in the change that came right after this one."""
        if not isinstance(other, _Change) or other._merge != self._merge:
            return False
        self._after = other._after
        return True

    def redo(self) -> None:
        """Take the new timeline."""
        self._model.show(self._after)

    def undo(self) -> None:
        """Take the old one."""
        self._model.show(self._before)
