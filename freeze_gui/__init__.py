"""Freeze GUI: a layer-freezing explorer for PyTorch.

Importing the package is cheap: torch is loaded on the first run, Qt only by the window.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

__version__ = "0.1.0"

__all__ = ["__version__", "run_config"]


def run_config(config: dict[str, Any] | str | Path, *, device: str = "auto") -> dict[str, Any]:
    """Run one configuration and return its summary.

    Parameters
    ----------
    config
        The content of a CONFIG.toml as a dict, or the path of such a file.
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``; anything but ``auto`` wins over the configuration.

    Returns
    -------
    dict
        The run's summary, ready for JSON. A run that fails or diverges returns too, with its ``status`` and ``error``.

    Raises
    ------
    freeze_gui.errors.UserError
        When the configuration is wrong: which key, which value, what is allowed.
    """
    from freeze_gui.runs.execute import run_config as execute

    return execute(config, device=device)
