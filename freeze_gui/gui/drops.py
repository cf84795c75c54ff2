"""What may be dropped on the window: configurations, Python files, and runs."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtGui import QDragEnterEvent, QDropEvent

from freeze_gui.runs.store import SUFFIX


def dropped_path(event: QDragEnterEvent | QDropEvent) -> Path | None:
    """Return the one local file that is dragged, if it is a configuration or a Python file."""
    urls = event.mimeData().urls()
    if len(urls) != 1 or not urls[0].isLocalFile():
        return None
    path = Path(urls[0].toLocalFile())
    return path if path.suffix.lower() in (".toml", ".py") else None


def dropped_runs(event: QDragEnterEvent | QDropEvent) -> list[Path]:
    """Return the files that are dragged, if all are local files of runs."""
    urls = event.mimeData().urls()
    paths = [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
    return paths if len(paths) == len(urls) and all(path.suffix.lower() == SUFFIX for path in paths) else []
