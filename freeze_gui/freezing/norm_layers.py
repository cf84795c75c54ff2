"""Running statistics and dropout of frozen layers: eval mode where the policy says so, whatever train() did."""

from __future__ import annotations

from freeze_gui.freezing.context import FreezeContext
from freeze_gui.models.layer_tree import is_dropout, is_norm


class NormPolicy:
    """Holds frozen norm and dropout modules in eval mode under the policy ``eval``; under ``leave`` does nothing."""

    def __init__(self, context: FreezeContext, policy: str) -> None:
        self._context = context
        self._active = policy == "eval"
        self._candidates = {p: m for p, m in context.modules.items() if is_norm(m) or is_dropout(m)}

    def apply(self) -> None:
        """Put every frozen norm and dropout module in eval mode; called before each forward, so train() undoes nothing.

        A module's own ``train(False)`` is called, so that classes which override it stay consistent.
        """
        if self._active:
            for path, module in self._candidates.items():
                if module.training and path in self._context.frozen:
                    module.eval()

    def thaw(self, modules: frozenset[str]) -> None:
        """Return thawed modules to training mode."""
        if self._active:
            for path in modules & self._candidates.keys():
                self._candidates[path].train()
