"""The causes for which a frozen tensor moves, explained."""

from __future__ import annotations

from freeze_gui.freezing.explanation import AT_FREEZE, BEFORE_FORWARD, FLAGS_OFF, IN_STEP, WHOLE_STEP, Explanation

_DROP = """\
loss.backward()
for parameter in layer.parameters():
    parameter.grad = None          # {comment}
optimizer.step()"""

CAUSES: dict[str, Explanation] = {
    "gradient": Explanation(
        "a fresh gradient",
        "{At}, backward() writes a new gradient (for each weight, how the loss would change with it) for {layers}, "
        "and {optimizer} takes its step with it. Such a step trains the layer like any other. {moved}",
        "optimizer.step() asks two things of a weight: is it in one of my groups, and is there something in its "
        ".grad. It reads neither requires_grad nor whether the layer is in eval mode. So eval() does not stop it, a "
        "flag that is turned off between backward() and step() comes one step late, and a learning rate of 0 lasts "
        "only until a scheduler writes another one.",
        "Drop the gradient after backward() and before step() (method grad_none), or turn requires_grad off at the "
        "top of a step.",
        IN_STEP,
        _DROP.format(comment="what has no gradient is passed over"),
    ),
    "stale_gradient": Explanation(
        "a stale gradient",
        "{At}, no new gradient is computed for {layers}, but the one from before the freeze still lies in .grad. "
        "{Optimizer} cannot know that it is old and applies it in every step, always in the same direction. {moved}",
        "backward() only ever adds to .grad, and only zero_grad() clears it. Turning requires_grad off stops the "
        "adding and clears nothing; without zero_grad() the last gradient stays for ever.",
        "Clear the gradient once, when the layer freezes, or call zero_grad() in every step (zero_grad: none).",
        AT_FREEZE,
        FLAGS_OFF.format(comment="the flag alone leaves the old gradient there"),
    ),
    "momentum": Explanation(
        "momentum",
        "{At}, the gradient of {layers} is exactly zero. {Optimizer} moves the weights all the same, by what it "
        "remembers of earlier gradients. {moved}",
        "Momentum is a running average of past gradients, kept for each weight; Adam calls it the first moment. A "
        "gradient of zero is taken into the average like any other: the average fades, and meanwhile it pushes on. A "
        "gradient of None is something else: the optimizer passes over the weight and its memory. Zeros come from "
        "zero_grad(set_to_none=False), from grad.zero_() or from a hook that returns zeros.",
        "Give the optimizer None, not zeros: zero_grad none with method requires_grad, or method grad_none.",
        IN_STEP,
        _DROP.format(comment="None is passed over; a zero is averaged in"),
    ),
    "weight_decay": Explanation(
        "weight decay",
        "{At}, the gradient of {layers} is zero, and {optimizer} shrinks every weight that is not zero a little "
        "towards zero. {moved}",
        "Weight decay keeps weights small: each step takes a fixed share of the weight away, whatever the gradient "
        "says. It is skipped only where there is no gradient at all (None). AdamW, Muon and ASGD decay even if nobody "
        "asks them to: it is part of their defaults.",
        "Leave no gradient behind (zero_grad none, or method grad_none), or leave the layer out of the optimizer.",
        AT_FREEZE,
        FLAGS_OFF.format(comment="from now on None: no gradient, no decay"),
    ),
    "running_statistics": Explanation(
        "running statistics",
        "{At}, a batch goes through {layers} in training mode, and the layer updates the mean and variance that it "
        "keeps for later use. No gradient and no optimizer is involved. {moved}",
        "A batch norm layer has two kinds of numbers: scale and shift, which are trained, and running statistics, "
        "which the forward pass itself writes whenever the layer is in training mode. Flags, no_grad() and the "
        "optimizer have no say in the second kind. model.train() puts every layer back into training mode, the frozen "
        "ones too.",
        "Put frozen norm layers into eval mode after every model.train() (Norm layers: eval).",
        BEFORE_FORWARD,
        """\
model.train()
layer.eval()                       # again after each train()""",
    ),
    "forward_write": Explanation(
        "a write in the forward pass",
        "{At}, the forward pass itself writes to tensors of {layers}: no gradient and no optimizer is involved. "
        "{moved}",
        "A few layers write in their forward. spectral_norm improves two vectors with each batch while it is in "
        "training mode, and divides the weight by what they say. Embedding(max_norm=…) cuts the rows that are looked "
        "up back to a largest length, in training and in eval mode.",
        "Put the layer in eval mode; take max_norm off an embedding.",
        AT_FREEZE,
        """\
layer.eval()                       # spectral_norm rests in eval mode; repeat it after model.train()
if isinstance(layer, torch.nn.Embedding):
    layer.max_norm = None          # rows keep the length that they have now""",
    ),
    "shared_storage": Explanation(
        "shared memory",
        "{At}, a tensor of {layers} changes because another tensor lies in the same memory and is trained. {moved}",
        "A tensor is a view of a piece of memory, and two parameters may look at the same piece: after b.data = "
        "a.data, or where one is a slice of the other. The freeze holds one of them, and the optimizer writes through "
        "the other.",
        "Give the frozen layer memory of its own, or freeze the other tensor too.",
        AT_FREEZE,
        """\
for parameter in layer.parameters():
    parameter.data = parameter.data.clone()   # a copy in memory of its own""",
    ),
    "other_writer": Explanation(
        "another writer",
        "{At}, tensors of {layers} change, and neither a gradient nor the optimizer's state, decay or running "
        "statistics give exactly the bits that were seen. Something else writes to them. {moved}",
        "Any code can write to a tensor: a forward that normalises its own weight, a hook, an averaging of weights, a "
        "callback of a library. PyTorch does not forbid it and keeps no record of it.",
        "Find the code that assigns to the tensor; until then, put the values back at the end of each step.",
        WHOLE_STEP,
        """\
before = [parameter.detach().clone() for parameter in layer.parameters()]
loss_function(model(inputs), targets).backward()
optimizer.step()
with torch.no_grad():
    for parameter, value in zip(layer.parameters(), before):
        if not torch.equal(parameter, value):   # a breakpoint here is close to the culprit
            parameter.copy_(value)""",
    ),
}
