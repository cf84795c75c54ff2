"""The streams and signals of a command: stdout carries the result alone, and Ctrl+C stops a run in good order."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from freeze_gui.errors import NotWrittenError

if TYPE_CHECKING:
    from freeze_gui.training.control import RunControl


def open_streams() -> None:
    """Make sure that stdin, stdout and stderr are there and never fail over a letter.

    A closed one is replaced by a sink, or the next file that is opened would get its number, and what libraries print
    would land in it. A terminal that lacks a letter shows a question mark.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)   # takes the lowest number that is free: this one
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def have_a_home() -> None:
    """Give a user without a home folder the root as one, as containers do: then ~ leads to a sentence, not nowhere."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = os.sep


def put(text: str) -> None:
    """Write `text` on stdout for a person; a reader that has gone away, as `head` does, is no error.

    Raises
    ------
    NotWrittenError
        When stdout takes no more, such as a file on a full disk.
    """
    with _to_stdout():
        sys.stdout.write(text)
        sys.stdout.flush()


def put_document(text: str) -> None:
    """Write a document on stdout: in UTF-8, whatever the terminal takes, or letters of it would be lost.

    Raises
    ------
    NotWrittenError
        As `put`.
    """
    with _to_stdout():
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", errors="replace"))
        sys.stdout.buffer.flush()


def tell(text: str) -> None:
    """Write a line on stderr; where nobody reads it any more, the work goes on."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def stdout_kept_clean() -> Iterator[None]:
    """Send what a person's model or data file prints to stderr, by whatever way: stdout carries the result alone."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


@contextlib.contextmanager
def stopped_by_signal() -> Iterator[RunControl]:
    """Yield a control that the first Ctrl+C stops, or a polite request to end; a second one acts as usual."""
    from freeze_gui.training.control import RunControl

    control = RunControl()
    numbers = (signal.SIGINT, signal.SIGTERM)

    def on_signal(*_: object) -> None:
        # in a thread: the loop, amid which this comes, may hold the very lock that stop() asks for
        threading.Thread(target=control.stop, name="stop", daemon=True).start()
        put_back()

    def put_back() -> None:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)

    before = [signal.signal(number, on_signal) for number in numbers]
    try:
        yield control
    finally:
        put_back()


@contextlib.contextmanager
def _to_stdout() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        with contextlib.suppress(OSError, ValueError):   # or the end of the program tries once more, and complains
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise NotWrittenError(f"stdout: cannot be written ({error.strerror})") from None
