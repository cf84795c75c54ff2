"""A script on the disk, with the file of tensors that lies beside it."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch

from freeze_gui.errors import UserError
from freeze_gui.runs.export import check_writable, write_text
from freeze_gui.runs.outputs import check_not_read, files_read
from freeze_gui.runs.script import make_script
from freeze_gui.training.config import RunConfig
from freeze_gui.whole_files import written_whole

_MARK, _MAKER = "made_by", "Freeze GUI, for the script of the same name"
"""Stand in each file beside a script, and so tell it from weights and checkpoints of a person's own."""


def write_script(config: RunConfig, path: str | Path) -> list[Path]:
    """Write the script of a run, and beside it the tensors that it reads where it cannot make them itself.

    A script under that name is replaced, and so is the file beside an earlier script; any other file is not.

    Returns
    -------
    list of Path
        The files that were written.

    Raises
    ------
    UserError
        When model, data or plan of the run are wrong, a file cannot be written, or one is in the way.
    """
    target = check_writable(path)
    if target.suffix != ".py":
        raise UserError(f"{path}: a script's name must end in .py")
    beside = target.with_suffix(".pt")
    for each in (target, beside):
        check_not_read("the script", each, files_read(config))
    script = make_script(config)
    if script.tensors:
        if beside.exists() and not _is_own(beside):
            raise UserError(
                f"{beside}: not replaced, because no exported script brought it, and this one needs the name for what "
                f"it reads. Give the script another name than {target.name}, or move that file"
            )
        with written_whole(check_writable(beside)) as file:
            torch.save({_MARK: _MAKER, **script.tensors}, file)
    write_text(target, script.text)
    return [target, beside] if script.tensors else [target]


def _is_own(path: Path) -> bool:
    """Tell whether a file was written beside a script; nothing in it is run."""
    try:
        with warnings.catch_warnings():   # of a file of another kind torch has much to say
            warnings.simplefilter("ignore")
            content = torch.load(path, weights_only=True, map_location="cpu", mmap=True)   # large weights are not read
    except Exception:   # reading a file that is something else, or damaged, raises nearly anything
        return False
    return isinstance(content, dict) and content.get(_MARK) == _MAKER
