"""One tensor on its way through the steps of a forecast: the law, step by step, with no weights at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

from freeze_gui.freezing.basis import Basis, Moment
from freeze_gui.freezing.facts import ANY, FIRST, TRAINING, TensorFacts
from freeze_gui.freezing.reach import Reach

CUTTING = ("no_grad", "detach")
"""Methods that wrap a module's forward instead of touching its parameters."""

_RPROP_LEAST = 1e-6
"""The least step of Rprop by default, which it takes at a learning rate of 0 too."""


_FLOAT32_EPS = 2.0**-23
"""Weights of a coarser format may lose the steps of a rate that nobody knows."""


class Gradient(Enum):
    """The class of gradient that an optimizer step sees on a parameter."""

    NONE = "none"
    ZERO = "zero"
    STALE = "stale"
    LIVE = "live"


class Untried(Enum):
    """What a tensor's layer may do in the steps of a task of which none could be tried."""

    RUNS = "runs"
    IDLE = "idle"
    APART = "apart"   # another module uses its tensors without calling it, so that wrapping its forward holds nothing


class Life:
    """One tensor on its way through the steps.

    Attributes
    ----------
    was_frozen, frozen_at, moves_at, surely_moves_at
        Whether it was ever frozen, and the steps at which it was, and at which the optimizer moves it or may do so.
    causes, unsure, leaves_gradient, state_evolves
        As in `TensorForecast`.
    """

    def __init__(
        self, facts: TensorFacts, basis: Basis, behind_zeros: bool, untried: Mapping[str | None, Untried] | None = None
    ) -> None:
        self.facts = facts
        self.causes: set[str] = set()
        self.unsure: set[str] = set()
        self.was_frozen = self.leaves_gradient = self.state_evolves = False
        self.frozen_at: set[int] = set()
        self.moves_at: set[int] = set()
        self.surely_moves_at: set[int] = set()
        self._basis = basis
        self._gradient = Gradient.NONE
        self._shifted = False          # its gradient is nothing but round-off, or may be zero
        self._has_moment = False
        self._sure_moment = False      # there is more than round-off in it
        self._stepped = False          # the last step had a learning rate: ASGD goes on with it once
        self._is_zero = facts.is_zero
        self._ever_moved = False
        self._wholly: dict[frozenset[str], bool] = {}
        self._behind_zeros = behind_zeros
        self._untried = untried or {}
        self._ran = False              # a forward that may write it has run
        self._long_frozen = False      # since before the steps that count: what fades may have faded by then

    def take(self, moment: Moment, counts: bool) -> None:
        """Go through one step."""
        basis, method = self._basis, self._basis.plan.method
        before, now = self._owned(moment.in_forward), self._owned(moment.frozen)
        if basis.plan.thaw == "reset_state" and not before and self._owned(moment.thawed):
            self._has_moment = self._sure_moment = self._stepped = False
        if now and counts:
            self.was_frozen = True
            self.frozen_at.add(moment.step)
        self._long_frozen = now and (self._long_frozen or not counts)
        self._forward(moment, before and counts)
        if self.facts.role != "parameter":
            return
        out_of_group = method in ("exclude", "filter")
        if not (before and out_of_group) and basis.zero_grad != "never":
            keeps = basis.zero_grad == "zero" and self._gradient is not Gradient.NONE
            self._gradient = Gradient.ZERO if keeps else Gradient.NONE
        if self._gradient is Gradient.LIVE:
            self._gradient = Gradient.STALE
        if self._learns(moment):
            self._gradient = Gradient.LIVE
        if now and method == "grad_none":
            self._gradient = Gradient.NONE
        if now and method == "grad_zero" and self._gradient is not Gradient.NONE:
            self._gradient = Gradient.ZERO
        self.leaves_gradient |= now and self._gradient in (Gradient.LIVE, Gradient.STALE)
        if not (now and out_of_group) and self._gradient is not Gradient.NONE:
            self._step(moment, now, counts)

    def _owned(self, modules: frozenset[str]) -> bool:
        return any(layer in modules for layer in self.facts.layers)

    def _forward(self, moment: Moment, is_frozen: bool) -> None:
        """Let the module's own forward write the tensor."""
        facts = self.facts
        if not facts.written_in or not self._runs(moment):
            return
        ran_before, self._ran = self._ran, True
        if facts.role == "parameter" and self._basis.plan.method == "restore":
            return   # it is copied back after the step
        if not is_frozen or (facts.written_in == FIRST and not self._ever_moved):
            return
        # rows that were cut are cut again only when they have grown, or when others are looked up
        surely = facts.surely_written and (facts.written_in == TRAINING or (facts.written_in == ANY and not ran_before))
        self._note({facts.written_as} if surely else set(), {facts.written_as})

    def _runs(self, moment: Moment) -> bool:
        """Tell whether the module's forward runs so that it writes."""
        facts, plan = self.facts, self._basis.plan
        in_any_mode = facts.written_in != TRAINING
        rests = plan.method == "eval_only" or (plan.norm == "eval" and facts.written_as == "running_statistics")
        in_eval = rests and self._owned(moment.in_forward)
        for task in moment.tasks:
            reach = self._tried(moment.in_forward, task)
            known = reach or self._tried(frozenset(), task)   # a freeze does not change which layers run
            if known is None:
                runs = self._untried.get(task) is not Untried.IDLE
            else:
                runs = bool(set(self.facts.layers) & (set(known.ran) if in_any_mode else known.ran_in_training))
            if runs and (in_any_mode or reach is not None or not in_eval):
                return True
        return False

    def _learns(self, moment: Moment) -> bool:
        """Tell whether this step's backward writes a gradient; note whether it is nothing but round-off."""
        found = False
        shifted = self._gradient is not Gradient.STALE or self._shifted
        for task in moment.tasks:
            reach = self._tried(moment.in_forward, task)
            known = reach or self._tried(frozenset(), task)
            if reach is not None:
                learns = self.facts.name in reach.learning
            elif known is not None:
                learns = self.facts.name in known.learning and not self._is_held(moment.in_forward)
            else:
                learns = self.facts.learns and self._may_learn(moment.in_forward, self._untried.get(task))
            if learns:
                found = True
                nothing_yet = moment.step == 0 and self._behind_zeros
                shifted = shifted and (nothing_yet or (known is not None and self.facts.name in known.shifted))
        if found:
            self._shifted = shifted
        return found

    def _tried(self, frozen: frozenset[str], task: str | None) -> Reach | None:
        return self._basis.reaches.get((frozen, task))

    def _may_learn(self, frozen: frozenset[str], untried: Untried | None) -> bool:
        """Tell whether a step that could not be tried writes a gradient if the layer does as is assumed."""
        if untried is Untried.IDLE:
            return False
        apart = untried is Untried.APART and self._basis.plan.method in CUTTING
        return apart or not self._is_held(frozen)

    def _is_held(self, frozen: frozenset[str]) -> bool:
        """Tell whether the method keeps gradients from being computed, as far as the structure shows."""
        method = self._basis.plan.method
        if method in ("requires_grad", "filter"):
            return self._owned(frozen)
        if method not in CUTTING or not self._owned(frozen):
            return False
        if frozen not in self._wholly:
            wrapped = _wholly_frozen(self._basis.modules, frozen)
            self._wholly[frozen] = all(layer in wrapped for layer in self.facts.layers)
        return self._wholly[frozen]

    def _step(self, moment: Moment, is_frozen: bool, counts: bool) -> None:
        """Let the optimizer take its step with a gradient that is not None."""
        step = moment.step
        basis, rule = self._basis, self._basis.rule
        self.state_evolves |= is_frozen and rule.momentum
        # the scheduler sets the rates before the forward, so a rate that becomes 0 after backward lasts one step
        set_since = is_frozen and not self._owned(moment.in_forward)
        held = basis.held_until is None or step < basis.held_until or set_since
        lr_is_zero = basis.lr_is_zero or (is_frozen and basis.plan.method == "lr_zero" and held)
        able = not lr_is_zero or (rule.at_lr_zero == "once" and self._stepped)
        causes: set[str] = set()
        unsure: set[str] = set()
        if self._gradient is Gradient.ZERO:
            if rule.decay and able and not self._is_zero:
                self._decay(causes, unsure)
            if rule.momentum and self._has_moment and able:
                (causes if self._sure_moment else unsure).add("momentum")
            filled = rule.decay_fills_momentum and not self._is_zero
            self._has_moment |= filled
            self._sure_moment |= filled
        else:
            cause = "gradient" if self._gradient is Gradient.LIVE else "stale_gradient"
            if able or rule.at_lr_zero == "always":
                (unsure if self._shifted else causes).add(cause)
                if self._shifted:   # a gradient that comes out as zero leaves decay and momentum to it
                    unsure |= {"weight_decay"} if rule.decay else set()
                    unsure |= {"momentum"} if rule.momentum and self._has_moment else set()
            self._has_moment = True
            self._sure_moment |= not self._shifted or (rule.decay_fills_momentum and not self._is_zero)
        self._stepped = not lr_is_zero
        if self._is_tiny(lr_is_zero):
            causes, unsure = set(), causes | unsure
        moves = bool(causes or unsure) and not (is_frozen and basis.plan.method == "restore")
        if moves:
            self._is_zero = False
            self._ever_moved = True
            self.moves_at.add(step)
            if causes:
                self.surely_moves_at.add(step)
            if is_frozen and counts:
                self._note(causes, unsure)

    def _note(self, causes: set[str], unsure: set[str]) -> None:
        """Note what moves it, and what may; a run that is gone on with may have missed the steps in which it did."""
        if self._long_frozen:
            fading = {"momentum", "stale_gradient", "forward_write"}
            fading |= {"weight_decay"} if self._basis.rule.decay_share is None else set()
            causes, unsure = causes - fading, unsure | (causes & fading)
        self.causes |= causes
        self.unsure |= unsure

    def _is_tiny(self, lr_is_zero: bool) -> bool:
        """Tell whether rounding may take a whole step: a weight of half precision hardly feels a small one.

        A weight of 1 loses what is below eps / 2. A step that is divided by the size of the gradient is about as large
        as the learning rate; another is so many times of it as the gradient is large, a few hundredths.
        """
        rule, eps = self._basis.rule, self.facts.eps
        lr = _RPROP_LEAST if lr_is_zero and rule.at_lr_zero == "always" else rule.lr
        if lr is None:
            return eps > _FLOAT32_EPS
        return 0 < lr < eps * (4 if rule.normalised else 256)

    def _decay(self, causes: set[str], unsure: set[str]) -> None:
        """Add decay, unless the part that it takes is lost in the rounding of every element, or may be."""
        rule, eps = self._basis.rule, self.facts.eps
        if rule.decay_share is None or rule.decay_share > eps / 2:
            causes.add("weight_decay")
        elif rule.decay_share * rule.decay_gain > eps / 8:
            unsure.add("weight_decay")


def _wholly_frozen(modules: Sequence[str], frozen: frozenset[str]) -> set[str]:
    """Return the modules that are frozen with everything below them: those whose forward a method may wrap."""
    partly = {""} if any(path not in frozen for path in modules) else set()
    for path in modules:
        while path and path not in frozen:
            path = path.rpartition(".")[0]
            partly.add(path)
    return {path for path in modules if path in frozen and path not in partly}
