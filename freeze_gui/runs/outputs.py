"""Where a command's results go: checked before anything runs, so that none takes the place of another file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from freeze_gui.errors import UserError
from freeze_gui.runs.export import check_writable
from freeze_gui.whole_files import is_special

if TYPE_CHECKING:   # the list of scenarios is written without torch
    from freeze_gui.training.config import RunConfig

STDOUT = Path("-")
"""Stands for stdout in the place of a file."""


def check_outputs(
    wanted: Mapping[str, str | None], read: Mapping[Path, str], on_stdout: tuple[str, ...] = ("--json",)
) -> dict[str, Path]:
    """Return where each output really lies, or `STDOUT`, once it is sure that they can all be written side by side.

    Parameters
    ----------
    wanted
        What a person gave for each option; None where it is not wanted.
    read
        The files and folders that the command reads, with what they are.
    on_stdout
        The options that may go to stdout.

    Raises
    ------
    UserError
        When one cannot be written, two go to one place, or one would take the place of what is read.
    """
    places: dict[str, Path] = {}
    for option, given in wanted.items():
        if given is None:
            continue
        place = _place(option, given, on_stdout)
        for other, taken in places.items():
            if _is_same(place, taken):
                raise UserError(f"{other} and {option} both go to {_named(given)}: give each a place of its own")
        check_not_read(option, place, read)
        places[option] = place
    return places


def check_not_read(option: str, place: Path, read: Mapping[Path, str]) -> None:
    """Make sure that writing `place` takes nothing away that is read.

    Raises
    ------
    UserError
        When it would.
    """
    if place == STDOUT or is_special(place):
        return
    for path, what in read.items():
        if _is_same(place, path) or (place.exists() and path.is_dir() and place.is_relative_to(path.resolve())):
            raise UserError(f"{option} would replace {place}, which belongs to {what}: choose another file")


def files_read(config: RunConfig) -> dict[Path, str]:
    """Return the files and folders that a configuration names, with what they are."""
    read: dict[Path, str] = {}
    for source, what in ((config.model.source, "the model"), (config.data.source or "", "the data")):
        read |= source_read(source, what)
    if config.model.weights not in (None, "none", "default"):
        read[Path(config.model.weights).expanduser()] = "the weights"
    return read


def source_read(source: str, what: str) -> dict[Path, str]:
    """Return the file or folder that a source of a model or of data names, as `what`; nothing where it names none."""
    kind, _, rest = source.partition(":")
    if kind == "folder":
        return {Path(rest).expanduser(): what}
    if kind == "file":
        from freeze_gui.models.factory import split_file_source

        try:
            return {split_file_source(source)[0]: what}
        except UserError:
            pass   # said when it is loaded
    return {}


def _place(option: str, given: str, on_stdout: tuple[str, ...]) -> Path:
    if given != "-":
        return check_writable(given)
    if option not in on_stdout:
        raise UserError(f"{option} - : it goes to a file and not to stdout, as {' and '.join(on_stdout)} can; name one")
    return STDOUT


def _is_same(one: Path, other: Path) -> bool:
    """Tell whether two paths are one file: links are followed, and names that differ by case alone may be one."""
    if STDOUT in (one, other):
        return one == other
    if one.exists() and other.exists():
        return one.samefile(other) and not is_special(one)   # a device takes from everybody
    return one.resolve() == other.resolve()


def _named(given: str) -> str:
    return "stdout" if given == "-" else given
