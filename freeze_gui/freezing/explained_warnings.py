"""What the forecast warns of before a run, explained; what it shares with a side effect stands there."""

from __future__ import annotations

from freeze_gui.freezing.explanation import (
    AT_FREEZE,
    AT_START,
    AT_THAW,
    BEFORE_FORWARD,
    FLAGS_OFF,
    FREEZE_FROM_INPUT,
    IN_STEP,
    THAW_HEAD,
    Explanation,
)

WARNINGS: dict[str, Explanation] = {
    "frozen_in_the_middle": Explanation(
        "frozen in the middle",
        "{layers}: frozen, with layers that train in front. Such a freeze saves no activation memory "
        "and only a part of the computation.",
        "Gradients for the layers in front have to pass through the frozen one, so its forward is recorded and its "
        "backward is computed; only the gradients of its own weights are left out. A freeze that begins at the input "
        "needs no backward there at all.",
        "Freeze from the input on, without a gap, if time or memory is the reason for freezing.",
        AT_FREEZE,
        FREEZE_FROM_INPUT,
    ),
    "adamw_decays": Explanation(
        "decay of zeroed gradients",
        "{layers}: the gradient will be zero, not missing, and {optimizer} has weight decay. Every weight that is not "
        "zero will shrink a little in each step.",
        "Weight decay takes a share of the weight in every step in which there is a gradient, a zero one too. Only a "
        "gradient of None makes the optimizer pass over the weight. AdamW decays by 0.01 unless it is told otherwise.",
        "Set zero_grad to none with method requires_grad, or take method grad_none.",
        AT_FREEZE,
        FLAGS_OFF.format(comment="None, not zeros: no step, no decay"),
    ),
    "gradients_pile_up": Explanation(
        "gradients will pile up",
        "{layers}: left out of the optimizer, with requires_grad still on. Gradients are computed in every step and "
        "nobody clears them.",
        "optimizer.zero_grad() clears the tensors in its own groups only. What is left out of them keeps adding up "
        "and counts in clipping. If the layer is given back to the optimizer and zero_grad() runs next, the sum is "
        "cleared; if step() comes first, or nobody calls zero_grad(), the whole sum is applied as one huge step.",
        "Turn requires_grad off as well.",
        AT_FREEZE,
        FLAGS_OFF.format(comment="and nothing is added any more"),
    ),
    "everything_frozen": Explanation(
        "everything is frozen",
        "Every layer with parameters is frozen, so there is nothing left to train.",
        "With all flags off the loss has no record of how it was computed, and backward() raises “element 0 of "
        "tensors does not require grad”. With other methods the steps run for nothing.",
        "Leave at least the last layer, the head, unfrozen.",
        AT_FREEZE,
        THAW_HEAD,
    ),
    "head_frozen": Explanation(
        "the head is frozen",
        "{layers}: the last layer, which turns features into answers, is frozen while layers in front of it train.",
        "A new head starts with random weights. If it is frozen, the layers in front have to learn features that suit "
        "a random readout, and a pretrained body is bent out of shape. Usually the head is the one part that must "
        "train.",
        "Take the head out of the freeze.",
        AT_FREEZE,
        THAW_HEAD,
    ),
    "tied_tensors": Explanation(
        "tied tensors",
        "{layers}: a tensor that also belongs to another layer. The two freeze and train together, whichever of them "
        "is ticked.",
        "Tied layers hold one and the same Parameter, as the input embedding and the output layer of a language model "
        "often do. A flag, a gradient or a place in the optimizer belongs to the tensor, not to the layer that shows "
        "it.",
        "Tick both layers, or give one of them a copy of its own before the optimizer is made.",
        AT_START,
        """\
head.weight = torch.nn.Parameter(layer.weight.detach().clone())   # no longer tied""",
    ),
    "parametrized": Explanation(
        "a weight that is computed",
        "{layers}: the weight is not stored but computed in each forward from other tensors. The stored parts can "
        "hold still and the weight can move.",
        "weight_norm computes it from a length and a direction; spectral_norm divides it by an estimate that improves "
        "with each forward in training mode, with all parameters frozen. A freeze must hold everything that goes into "
        "the computation.",
        "Freeze the layer as a whole and put it in eval mode after every model.train(). Or make the weight an ordinary "
        "one before freezing: remove_parametrizations, and for the older hooks remove_spectral_norm or "
        "remove_weight_norm.",
        BEFORE_FORWARD,
        """\
model.train()
layer.eval()                          # spectral_norm rests in eval mode, of either kind
for parameter in layer.parameters():  # everything that goes into the weight
    parameter.requires_grad_(False)
    parameter.grad = None""",
    ),
    "clipping_sees_frozen": Explanation(
        "clipping will see frozen gradients",
        "{layers}: frozen by a method that leaves gradients in place, and clip_grad_norm is set. These gradients will "
        "count in the norm and cut short the steps of everyone else.",
        "clip_grad_norm_(model.parameters(), limit) measures every gradient that it finds and scales them all by one "
        "factor. It does not know which layers are frozen.",
        "Use requires_grad or grad_none, or clip the trainable parameters only.",
        IN_STEP,
        """\
loss.backward()
frozen = set(layer.parameters())
trainable = [p for p in model.parameters() if p not in frozen]
torch.nn.utils.clip_grad_norm_(trainable, 1.0)
optimizer.step()""",
    ),
    "scheduler_overwrites_lr_zero": Explanation(
        "the scheduler overwrites lr = 0",
        "{layers}: held by a learning rate of 0, which the scheduler will overwrite with its own curve. From then on "
        "the layer trains.",
        "OneCycleLR and a few others compute each group's rate from numbers of their own and do not multiply the one "
        "that is there. A rate of 0 survives only schedulers that multiply, such as StepLR.",
        "Do not hold a layer by its learning rate under such a scheduler: give it no gradient.",
        AT_FREEZE,
        FLAGS_OFF.format(comment="without a gradient the rate does not matter"),
    ),
    "unknown_optimizer": Explanation(
        "an optimizer that the forecast does not know",
        "What {optimizer} does with a gradient of zero is not known here, so nothing is forecast. The verdict after "
        "the run does not depend on it: it compares bits.",
        "Whether a frozen weight moves depends on two facts: which gradient the optimizer sees, and what its rule "
        "does with zeros. The second is written down for the common classes of torch.optim only.",
        "Run a few steps and read the verdict; or leave the layer out, so that no optimizer can move it.",
        AT_FREEZE,
        """\
frozen = set(layer.parameters())
for group in optimizer.param_groups:
    group["params"] = [p for p in group["params"] if p not in frozen]""",
    ),
    "nothing_to_train": Explanation(
        "no gradient can reach the loss",
        "{layers}: the freeze runs the end of the network under no_grad or detaches it, so that nothing connects the "
        "loss to a weight. backward() will raise.",
        "backward() follows the record of the forward from the loss. If the last part is not recorded, the loss is a "
        "plain number and there is nothing to follow: “element 0 of tensors does not require grad”.",
        "Freeze the end by requires_grad, or leave the head out of the freeze.",
        AT_FREEZE,
        """\
for parameter in layer.parameters():
    parameter.requires_grad_(False)
loss = loss_function(model(inputs), targets)   # recorded, without no_grad() and detach()
loss.backward()""",
    ),
    "never_in_effect": Explanation(
        "a freeze that never takes place",
        "{layers}: frozen at steps that this run does not reach, or for a task that the data never bring. The layer "
        "will train all the time.",
        "A freeze by step holds from its first step up to, and without, its last one. One that begins after the end "
        "of the run, or that waits for a task of another name, is never switched on, and nothing complains.",
        "Let the freeze begin within the run; check the name of the task.",
        BEFORE_FORWARD,
        """\
start, stop = 0, 100               # counted in steps of this run
for parameter in layer.parameters():
    parameter.requires_grad_(not start <= step < stop)""",
    ),
    "rates_overlap": Explanation(
        "phases that disagree about a learning rate",
        "{layers}: named by several phases with different values of lr_factor. The last of these phases alone counts, "
        "in the steps of the others too.",
        "The optimizer keeps each parameter in exactly one param_group, which has one learning rate; PyTorch raises "
        "“some parameters appear in more than one parameter group” for a second one. lr_factor is the rate of that "
        "group for the whole run, not for the steps of its phase.",
        "Give the layer the same lr_factor in every phase that names it; a rate that changes over the steps is the "
        "work of a scheduler.",
        AT_START,
        """\
own = set(layer.parameters())
optimizer = torch.optim.SGD([
    {"params": [p for p in model.parameters() if p not in own], "lr": 0.1},
    {"params": layer.parameters(), "lr": 0.01},   # the one rate of this layer
])""",
    ),
    "momentum_dropped": Explanation(
        "everyone's momentum is dropped",
        "The optimizer is built anew in the middle of the run. The layers that go on training lose what {optimizer} "
        "remembers of their gradients and start again from nothing.",
        "Momentum and moments live in optimizer.state, which a new optimizer does not have. Building it again from "
        "the trainable parameters freezes the layer, and resets all others.",
        "Take the layer out of the optimizer in place (method exclude), or turn requires_grad off.",
        AT_FREEZE,
        """\
frozen = set(layer.parameters())
for group in optimizer.param_groups:   # in place: the others keep their memory
    group["params"] = [p for p in group["params"] if p not in frozen]""",
    ),
    "thaw_fails": Explanation(
        "fused SGD cannot thaw it",
        "{layers}: will thaw without momentum, into a group of fused SGD in which the other layers have some. PyTorch "
        "raises, and the run fails.",
        "A fused step works on a whole group at once, and PyTorch tells it once for all whether the momentum begins. "
        "Where some parameters have a momentum buffer and others have none it raises a TypeError.",
        "Leave fused out, or give the layer a group of its own when it thaws, as exclude and filter do.",
        AT_THAW,
        """\
own = set(layer.parameters())
for group in optimizer.param_groups:
    group["params"] = [p for p in group["params"] if p not in own]
optimizer.add_param_group({"params": layer.parameters()})   # begins its momentum for itself""",
    ),
    "eval_only_freezes_nothing": Explanation(
        "eval() freezes nothing",
        "{layers}: put in eval mode and nothing else. Dropout and batch statistics rest, and the weights train on.",
        "train() and eval() switch the behaviour of dropout and norm layers. Gradients are computed in eval mode too, "
        "and the optimizer does not look at the mode.",
        "Turn requires_grad off, and keep eval() for the statistics.",
        AT_FREEZE,
        """\
layer.eval()
for parameter in layer.parameters():
    parameter.requires_grad_(False)
    parameter.grad = None""",
    ),
}
