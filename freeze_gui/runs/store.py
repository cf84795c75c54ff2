"""Runs that last: one file a run, written while it goes on, whole after a crash, readable all the time.

The file is an SQLite database whose name ends in ``.freezerun``; ``application_id`` is ``FZRU``, ``user_version`` the
version of this layout. While a run is written, and after a crash, it is in WAL mode with a ``-wal`` file beside it; a
run that has ended is one plain file.

========== ===================================================================================================
table      content
========== ===================================================================================================
header     one row: ``label``, ``status``, ``verdict`` (held, leaked, nothing frozen), ``started`` (seconds since
           1970), ``steps``, ``model``, ``method``, ``tags`` (a JSON list), ``notes``; and who writes: ``host``,
           ``pid``, ``alive`` (when it last wrote)
records    ``config``, ``started`` (`RunStarted`, environment and forecast in it) and ``ended`` (`RunEnded`), each
           as JSON packed with zlib; NaN and infinities as Python writes them
masks      each set of frozen flags that occurred, one byte a layer
tasks      each task that occurred; None where the data have none
chunks     stretches of the run, in order; the last one is written anew until it is large enough
========== ===================================================================================================

The columns of a chunk are arrays in little-endian byte order: ``steps``, ``plans`` and ``evaluations`` are packed rows
(`STEP`, `PLAN` and `EVALUATION` in `store_format`; ``mask`` and ``task`` are numbers of `masks` and `tasks`);
``norms`` is float32 of shape (measured steps, 3, layers): gradient norm, update norm, weight delta, with -1 for "no
gradient"; ``leaked`` has one bit a layer and step, each step padded to whole bytes, first layer in the highest bit;
``states`` is float32 of shape (reads, parameters, 3); ``checksum`` is the CRC-32 of the others, in this order.

What is rounded: the three norms, and the optimizer's state at measured steps, to float32. All else is exact: losses,
times, learning rates, evaluations, verdicts, and the optimizer's state at the end. A model's weights are not kept.

A file holds values only. Reading one builds the types that the program asks for, from JSON and plain arrays.
"""

from freeze_gui.runs.store_files import (
    RunCard,
    card_of,
    delete_run,
    list_runs,
    new_run_path,
    rename_run,
    restore_run,
    runs_folder,
    set_notes,
    set_tags,
)
from freeze_gui.runs.store_format import FORMAT, SUFFIX
from freeze_gui.runs.store_trash import KEPT_DAYS, Trash, empty_trash, trash_of
from freeze_gui.runs.store_writer import RunWriter
from freeze_gui.runs.stored_run import FollowedRun, open_run

__all__ = [
    "FORMAT",
    "KEPT_DAYS",
    "SUFFIX",
    "FollowedRun",
    "RunCard",
    "RunWriter",
    "Trash",
    "card_of",
    "delete_run",
    "empty_trash",
    "list_runs",
    "new_run_path",
    "open_run",
    "rename_run",
    "restore_run",
    "runs_folder",
    "set_notes",
    "set_tags",
    "trash_of",
]
