"""Takes the results of a command to their places: one that cannot be written keeps none of the others back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from freeze_gui.errors import UserError
from freeze_gui.runs.export import write_text
from freeze_gui.runs.outputs import STDOUT
from freeze_gui.terminal import put, put_document, tell


class Delivery:
    """Writes files as they come; stdout, whose reader may go away, is left for the end.

    Attributes
    ----------
    places
        Where what is wanted goes, by option; see `check_outputs`.
    errors
        A sentence for each result that could not be written.
    """

    def __init__(self, places: Mapping[str, Path]) -> None:
        self.places = places
        self.errors: list[str] = []
        self._document: str | None = None

    def write(self, option: str, make: Callable[[], str]) -> None:
        """Write what `make` returns to the place of an option; nothing where it is not wanted."""
        place = self.places.get(option)
        if place == STDOUT:
            self._document = make()
        elif place is not None:
            with self.collected():
                write_text(place, make())

    @contextlib.contextmanager
    def collected(self) -> Iterator[None]:
        """Keep what went wrong for the end."""
        try:
            yield
        except UserError as error:
            self.errors.append(str(error))

    def finish(self, text: str) -> bool:
        """Write the document that goes to stdout, or else `text` for a person; tell what went wrong, if anything did.

        Returns
        -------
        bool
            Whether all is where it was wanted.
        """
        with self.collected():
            if self._document is None:
                put(f"{text}\n")
            else:
                put_document(self._document)
        for error in self.errors:
            tell(f"freeze-gui: {error}")
        return not self.errors
