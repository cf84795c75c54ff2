"""Running statistics and dropout of frozen layers: eval mode where the policy says so, whatever train() did."""

from __future__ import annotations

from dataclasses import dataclass

from freeze_gui.freezing.context import FreezeContext
from freeze_gui.models.layer_tree import is_dropout, is_norm


@dataclass(frozen=True)
class NormReport:
    """The three questions of a frozen norm layer, answered from what happened while it was frozen.

    Attributes
    ----------
    affine_still
        Whether no bit of its scale and shift moved; None where it has neither.
    statistics_still
        Whether no bit of its running statistics moved; None where it keeps none.
    same_function
        Whether it computed in training what it computes in evaluation: it never normalised by the statistics of the
        batch while it had running ones.
    """

    layer: str
    affine_still: bool | None
    statistics_still: bool | None
    same_function: bool


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
