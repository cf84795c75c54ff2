"""Tensors in what goes into a module and comes out of it: in lists, tuples, dicts, and what torch knows besides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_is_leaf, tree_leaves, tree_map


def map_tensors(change: Callable[[Tensor], Tensor], values: Any) -> Any:
    """Return `values` with every tensor in them replaced by what `change` makes of it."""
    return tree_map(lambda value: change(value) if isinstance(value, Tensor) else value, values, is_leaf=_is_leaf)


def tensors_in(values: Any) -> list[Tensor]:
    """Return every tensor in `values`, in order."""
    return [value for value in tree_leaves(values, is_leaf=_is_leaf) if isinstance(value, Tensor)]


def _is_leaf(value: Any) -> bool:
    """Tell whether torch finds nothing inside of `value`; it looks its class up, which may have no hash or raise."""
    try:
        return tree_is_leaf(value)
    except Exception:   # whatever the code of that class raises: it is none of torch's containers
        return True
