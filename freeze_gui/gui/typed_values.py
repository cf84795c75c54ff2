"""Values of hyper-parameters as a person types them, and back."""

from __future__ import annotations

import ast
from typing import Any


def written(value: Any) -> str:
    """Return a value as it stands in a field; None is an empty field."""
    if isinstance(value, tuple):
        return ", ".join(written(item) for item in value)
    return "" if value is None else f"{value:.12g}" if isinstance(value, float) else str(value)


def typed(text: str, default: Any) -> Any:
    """Return what was typed, or the default where nothing was.

    What is no number comes back as text, for a check to refuse by name; a whole number becomes a float where the
    default is one.
    """
    text = text.strip()
    if not text or text.lower() == "none":
        return default
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    if isinstance(default, tuple) and isinstance(value, list):
        value = tuple(value)
    return float(value) if isinstance(default, float) and type(value) is int else value
