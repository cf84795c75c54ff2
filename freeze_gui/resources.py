"""Where the files that ship with the program lie."""

from __future__ import annotations

from pathlib import Path


def resource_path(*parts: str) -> Path:
    """Return the path of a shipped file: inside the package in a wheel, in the repository root in a checkout.

    Raises
    ------
    FileNotFoundError
        When the file is in neither place, which means a broken installation.
    """
    package = Path(__file__).resolve().parent
    for root in (package / "resources", package.parent / "resources"):
        path = root.joinpath(*parts)
        if path.exists():
            return path
    raise FileNotFoundError(f"resources/{'/'.join(parts)} is missing from this installation of Freeze GUI")
