"""The one exception that stands for a user's mistake."""

from __future__ import annotations


class UserError(Exception):
    """Something that a person can put right: one sentence with what is wrong, where, and what is allowed.

    It is shown as it is, in the window or on stderr, and never with a traceback.
    """


class NotWrittenError(UserError):
    """A result that was there could not be written: no mistake in what was asked for, but the disk or the system."""
