"""What an explanation consists of, and where its code belongs in a training script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

AT_FREEZE = "Once, where the layer freezes"
AT_THAW = "Once, where the layer thaws"
AT_START = "Once, before training"
BEFORE_FORWARD = "In every step, before the forward pass"
WHOLE_STEP = "In every step, from forward to step"
IN_STEP = "In every step, from backward to step"

FLAGS_OFF = """\
for parameter in layer.parameters():
    parameter.requires_grad_(False)
    parameter.grad = None          # {comment}"""
"""Code that cures more than one trouble, for a reason that `comment` gives."""

FREEZE_FROM_INPUT = """\
for part in model.children():      # from the input on, as far as the layer
    for parameter in part.parameters():
        parameter.requires_grad_(False)
    if part is layer:
        break"""

THAW_HEAD = """\
for parameter in head.parameters():
    parameter.requires_grad_(True)"""


@dataclass(frozen=True)
class Explanation:
    """One page for someone who has never heard of it.

    Attributes
    ----------
    title
        A few words.
    happened, why
        What happens, and why PyTorch does it. `happened` has places in braces for what is known of a run.
    cure
        One line.
    place, code
        Where the code of the cure stands in a training script, and the code. It takes the names that a script has:
        ``model``, ``layer`` (what is frozen), ``head``, ``optimizer``, ``loss_function``, ``inputs``, ``targets``, and
        ``loss``, computed in this step.
    """

    title: str
    happened: str
    why: str
    cure: str
    place: str
    code: str

    def filled(self, words: Mapping[str, str]) -> Explanation:
        """Return the same with the places in `happened` filled in."""
        return replace(self, happened=self.happened.format_map(words).strip())
