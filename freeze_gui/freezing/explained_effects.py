"""What a freeze does to the rest of a run, explained."""

from __future__ import annotations

from freeze_gui.freezing.explanation import (
    AT_FREEZE,
    AT_THAW,
    BEFORE_FORWARD,
    FREEZE_FROM_INPUT,
    IN_STEP,
    Explanation,
)

EFFECTS: dict[str, Explanation] = {
    "upstream_cut": Explanation(
        "layers before the freeze stop learning",
        "{layers}: not frozen, and without any gradient all the same, because a frozen layer behind them cuts the "
        "path that gradients take. They stay as they are, and no error says so.",
        "backward() walks from the loss back to the input along the record that the forward made. no_grad() stops the "
        "recording and detach() cuts it, so that nothing in front of that place is reached. requires_grad = False is "
        "different: the layer's own weights get no gradient, and gradients still pass through it.",
        "Freeze by requires_grad, which lets gradients through; keep no_grad for frozen layers with nothing trainable "
        "in front of them.",
        AT_FREEZE,
        """\
for parameter in layer.parameters():
    parameter.requires_grad_(False)
loss = loss_function(model(inputs), targets)   # no no_grad(), no detach()
loss.backward()                                # reaches what lies in front of the layer""",
    ),
    "state_evolving": Explanation(
        "the optimizer's memory goes on",
        "Whether or not the weights of {layers} move, {optimizer} goes on updating what it remembers of them: step "
        "count, averages of gradients. After a thaw it goes on from that memory and not from the one that it had when "
        "the layer froze.",
        "The optimizer updates its state for every weight that has a gradient, a zero one too. It cannot see that the "
        "weight is copied back afterwards or that its learning rate is 0.",
        "Give it no gradient while the layer is frozen (method grad_none or requires_grad), or thaw with reset_state.",
        IN_STEP,
        """\
loss.backward()
for parameter in layer.parameters():
    parameter.grad = None          # no gradient: weight and memory both rest
optimizer.step()""",
    ),
    "clip_inflated": Explanation(
        "frozen gradients take part in clipping",
        "The gradients of {layers} count in the norm that clip_grad_norm_ compares with its limit, although the layer "
        "does not use them. The sum is larger than what is really applied, so the steps of all other layers are cut "
        "short.",
        "clip_grad_norm_(model.parameters(), limit) measures every gradient that it finds and scales all of them by "
        "the same factor. It does not know which layers are frozen. One infinite value in a frozen layer sets "
        "everyone else's step to zero.",
        "Drop the frozen gradients first, then clip; or clip the trainable parameters only.",
        IN_STEP,
        """\
loss.backward()
for parameter in layer.parameters():
    parameter.grad = None                                 # first drop,
torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)   # then clip
optimizer.step()""",
    ),
    "gradients_accumulate": Explanation(
        "gradients pile up",
        "backward() goes on computing gradients for {layers}, and nobody clears them: each step adds to the sum. It "
        "costs time and memory, and it counts in clipping. A thaw at the top of a step is followed by zero_grad(), "
        "which clears the sum; without zero_grad(), or if the layer thaws after it, the whole sum is applied at once.",
        "optimizer.zero_grad() clears only the tensors in its own groups. A layer that was left out of the optimizer, "
        "with requires_grad still on, gets gradients in every step and is never cleared.",
        "Turn requires_grad off as well, or clear with model.zero_grad().",
        IN_STEP,
        """\
model.zero_grad()                  # optimizer.zero_grad() knows only its own groups
loss.backward()
optimizer.step()""",
    ),
    "no_saving": Explanation(
        "the freeze saves no memory",
        "The inputs of {layers} are kept for the backward pass as if they were trained.",
        "Outputs of layers (activations) are kept during the forward because backward() needs them. A frozen layer "
        "needs few of them for itself, but as long as anything in front of it trains, or its own flags are on, "
        "gradients must pass through it and the record is kept. Dropping or zeroing a gradient comes too late: it was "
        "computed before.",
        "Turn requires_grad off, and freeze from the input on, without a gap.",
        AT_FREEZE,
        FREEZE_FROM_INPUT,
    ),
    "dead_thaw": Explanation(
        "thawed, and never moved",
        "{layers}: trainable again, with gradients in every step, and nothing moves them. The count of trainable "
        "parameters looks right and no error is raised.",
        "An optimizer moves only the tensors in its groups. One that was built from the trainable parameters alone "
        "(filter) does not learn of the layer when its flags are turned on again.",
        "Hand the layer to the optimizer with add_param_group when it thaws.",
        AT_THAW,
        """\
optimizer.add_param_group(
    {"params": list(layer.parameters()), "lr": optimizer.param_groups[0]["lr"]}
)""",
    ),
    "thaw_jump": Explanation(
        "a leap at the thaw",
        "{AtThaw}, {optimizer} moves {layers} much further than a first step should go. {jump}",
        "What the optimizer remembers did not rest with the layer. Adam divides a quick average of gradients by the "
        "root of a slow average of their squares. After many zeros both are almost empty; the first new gradient "
        "fills the quick one by a tenth and the slow one by a thousandth, and the quotient is up to √10, about three "
        "normal steps. Momentum that was kept up while the weights were put back pushes with its full strength at "
        "once.",
        "Start from a fresh memory (thaw: reset_state), or warm the learning rate up.",
        AT_THAW,
        """\
for parameter in layer.parameters():
    optimizer.state.pop(parameter, None)   # its next step is a first step""",
    ),
}

FRESH_JUMP = Explanation(
    "a leap at the thaw",
    "{AtThaw}, {optimizer} moves {layers} much further than the learning rate says. {jump} A fresh optimizer "
    "goes about as far, or further.",
    "RMSprop, for one, divides a gradient by the root of an average of its squares. That average begins at zero, and "
    "zeros that come while the layer is frozen let it fade to zero again. The first new gradient fills it by a "
    "hundredth, the root of which is a tenth: the step is ten times the learning rate. Adam corrects for the empty "
    "beginning, RMSprop does not.",
    "A reset of the state does not help, for this is how a fresh one begins: warm the learning rate up after the thaw.",
    BEFORE_FORWARD,
    """\
thaw, rate = 100, 0.1              # the step of the thaw, and the usual learning rate
share = min(1.0, (step - thaw + 1) / 100) if step >= thaw else 1.0
for group in optimizer.param_groups:
    group["lr"] = rate * share     # a hundredth at first, all of it after a hundred steps""",
)
"""A jump of a layer whose state is empty: a reset of the state, the cure for other jumps, does nothing for it."""
