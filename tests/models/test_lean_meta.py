from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from freeze_gui.models import lean_meta
from freeze_gui.models.builtin import BUILTIN_NAMES
from freeze_gui.models.lean_meta import LeanMeta
from freeze_gui.models.shapes import sample_calls
from freeze_gui.models.sources import open_model
from freeze_gui.models.trial import meta_twin, quiet_trial

META = torch.device("meta")


def image(*shape: int) -> Tensor:
    return torch.empty(*(shape or (2, 6, 8, 8)), device=META, requires_grad=True)


def told(tensors: object) -> list[object]:
    """What is known of tensors without values."""
    found = tensors if isinstance(tensors, tuple | list) else (tensors,)
    return [None if t is None else (tuple(t.shape), t.stride(), t.dtype, t.device) for t in found]


NETWORKS: dict[str, Callable[[], Tensor]] = {
    "batch norm": lambda: nn.BatchNorm2d(6, device=META)(image()),
    "batch norm in eval": lambda: nn.BatchNorm2d(6, device=META).eval()(image()),
    "batch norm without weights": lambda: nn.BatchNorm2d(6, affine=False, device=META)(image()),
    "layer norm": lambda: nn.LayerNorm((8, 8), device=META)(image()),
    "layer norm without bias": lambda: nn.LayerNorm(8, bias=False, device=META)(image()),
    "layer norm of a permuted tensor": lambda: nn.LayerNorm(6, device=META)(image().permute(0, 2, 3, 1)),
    "convolution": lambda: nn.Conv2d(6, 4, 3, stride=2, padding=1, device=META)(image()),
    "dilated in groups": lambda: nn.Conv2d(6, 6, 3, dilation=2, groups=3, bias=False, device=META)(image()),
    "transposed convolution": lambda: nn.ConvTranspose2d(6, 4, 3, stride=2, device=META)(image()),
    "one axis": lambda: nn.Conv1d(6, 4, 5, padding="same", device=META)(image(2, 6, 9)),
    "three axes": lambda: nn.Conv3d(6, 4, (1, 3, 3), device=META)(image(2, 6, 4, 8, 8)),
    "channels last": lambda: nn.Conv2d(6, 4, 3, device=META)(image().to(memory_format=torch.channels_last)),
    "cat": lambda: torch.cat([image(), image(2, 3, 8, 8), image()], dim=-3),
    "cat of parts": lambda: torch.cat([image()[:, :2], image()[:, 3:]], dim=1),
    "broadcast": lambda: image() + image(6, 1, 1),
    "parts that lie apart": lambda: image()[:, ::2] * image()[:, :3],
    "other orders": lambda: image() + image(2, 8, 8, 6).permute(0, 3, 1, 2),
    "whole numbers": lambda: image() / torch.ones(2, 6, 8, 8, dtype=torch.int64, device=META),
    "half precision": lambda: nn.BatchNorm2d(6, device=META, dtype=torch.bfloat16)(image().bfloat16()),
    "pooling": lambda: F.max_pool2d(image(), 2),
    "pooling with padding": lambda: F.max_pool2d(image(), (3, 5), stride=(2, 1), padding=(1, 2), dilation=(2, 1)),
    "pooling of odd sides, rounded up": lambda: F.max_pool2d(image(2, 6, 7, 9), 2, ceil_mode=True),
    "pooling of channels last": lambda: F.max_pool2d(image().to(memory_format=torch.channels_last), 2),
    "pooling without a batch": lambda: F.max_pool2d(image(6, 8, 8), 2),
    "mean of an image": lambda: nn.AdaptiveAvgPool2d(1)(image()),
    "mean of some axes": lambda: image().mean((0, -1)),
    "mean of all": lambda: image().mean(),
    "mean of channels last": lambda: image().to(memory_format=torch.channels_last).mean(1, keepdim=True),
    "linear": lambda: nn.Linear(8, 3, device=META)(image(5, 8)),
    "linear, a bias of one": lambda: torch.addmm(image(1), image(5, 8), image(8, 3), alpha=2),
    "activations": lambda: F.hardswish(F.silu(F.gelu(F.relu(image()))).sigmoid().tanh()),
}


def trained(network: Callable[[], Tensor]) -> tuple[list[object], list[object]]:
    """Return what is known of the output of a network on the meta device, and of the gradients."""
    output = network()
    output.sum().backward()   # type: ignore[no-untyped-call]
    return told(output), told([node.variable.grad for node in leaves(output)])


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_answered_at_once_is_what_torch_would_say(name: str) -> None:
    """Shapes, strides and formats of output and gradients, and the floating-point operations."""
    with FlopCounterMode(display=False) as torchs:
        expected = trained(NETWORKS[name])
    with LeanMeta() as lean:
        found = trained(NETWORKS[name])
    assert found == expected
    assert lean.flops == torchs.get_total_flops()


TORCHVISION = ("resnet18", "mobilenet_v3_small", "vit_b_16", "convnext_tiny", "squeezenet1_1")


@pytest.mark.parametrize(
    "source", [*(f"builtin:{name}" for name in BUILTIN_NAMES), *(f"torchvision:{name}" for name in TORCHVISION)]
)
def test_every_module_of_a_model_has_the_shapes_that_torch_works_out(source: str) -> None:
    """Outputs of all modules, gradients of all parameters, and the floating-point operations."""
    loaded = open_model(source)

    def laid(output: object) -> object:   # the stride of an axis of one element says nothing
        if not isinstance(output, Tensor):
            return [laid(part) for part in output] if isinstance(output, tuple | list) else output
        strides = [stride for size, stride in zip(output.shape, output.stride(), strict=True) if size > 1]
        return tuple(output.shape), strides, output.dtype, output.device

    def step() -> list[object]:
        with quiet_trial():
            twin = meta_twin(loaded.module).train()
            outputs: list[object] = []
            for path, module in twin.named_modules():
                module.register_forward_hook(lambda _m, _i, output, path=path: outputs.append((path, laid(output))))
            with torch.device("meta"):
                for call in sample_calls(loaded, 2):
                    call.of(twin).sum().backward()
        return [*outputs, *((name, laid(p.grad)) for name, p in twin.named_parameters())]

    with FlopCounterMode(display=False) as torchs:
        expected = step()
    with LeanMeta() as lean:
        found = step()
    assert len(found) > 5
    assert found == expected
    assert lean.flops == torchs.get_total_flops()


@pytest.mark.parametrize("name", ["batch norm", "convolution", "layer norm", "activations", "linear", "pooling"])
def test_where_torch_has_none_of_the_operations_it_says_all_itself(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version of torch may call them otherwise."""
    assert lean_meta._ops("no_such_operation.default", "add.no_such_overload") == {}
    with LeanMeta() as known:
        expected = trained(NETWORKS[name])
    for table in ("_SAME_SHAPE", "_IN_PLACE", "_SPECIAL"):
        monkeypatch.setattr(lean_meta, table, {})
    with LeanMeta() as unknown:
        assert trained(NETWORKS[name]) == expected
    assert unknown.flops == known.flops


def test_where_torch_wraps_the_mode_to_hide_it_from_its_compiler_the_answers_are_the_same() -> None:
    """As it does in versions that ask for no leave."""
    class Wrapped(LeanMeta):  # type: ignore[no-untyped-call]   # torch's own __init_subclass__
        @classmethod
        def _should_skip_dynamo(cls) -> bool:
            return True

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return super().__torch_dispatch__(func, types, args, kwargs)

    with LeanMeta() as lean:
        expected = trained(NETWORKS["batch norm"])
    with Wrapped() as wrapped:
        assert trained(NETWORKS["batch norm"]) == expected
    assert wrapped.flops == lean.flops


def test_an_operation_that_nobody_has_told_of_is_left_to_torch() -> None:
    def doubled(values: Tensor) -> Tensor:
        return torch.cat([values, values])

    with torch.library._scoped_library("freeze_gui_test", "FRAGMENT") as library:
        library.define("doubled(Tensor values) -> Tensor")
        library.define("valued(Tensor values) -> Tensor")
        library.impl("doubled", doubled, "Meta")
        with LeanMeta():
            assert told(torch.ops.freeze_gui_test.doubled(image())) == told(image(4, 6, 8, 8))
            with pytest.raises(NotImplementedError):   # it needs values: no shapes is an honest answer
                torch.ops.freeze_gui_test.valued(image())


def leaves(output: Tensor) -> list[Any]:
    found: list[Any] = []
    waiting: list[Any] = [output.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None:
            found += [node] if hasattr(node, "variable") else []
            waiting += [below for below, _ in node.next_functions]
    return found


@pytest.mark.parametrize("name", ["Adam", "AdamW", "RMSprop", "SGD"])
def test_the_step_of_an_optimizer_leaves_the_state_that_it_leaves_without(name: str) -> None:
    def state() -> list[object]:
        weight = nn.Parameter(torch.empty(3, 4, device=META))
        optimizer = getattr(torch.optim, name)([weight], lr=0.1, weight_decay=0.1)
        weight.grad = torch.empty(3, 4, device=META)
        optimizer.step()
        return told([value for value in optimizer.state[weight].values() if isinstance(value, Tensor)])

    expected = state()
    with LeanMeta():
        assert state() == expected


def test_a_module_that_does_not_fit_its_input_is_refused_as_torch_does() -> None:
    cases = [
        (nn.Conv2d(3, 4, 3, device=META), image()),
        (nn.Conv2d(6, 4, 9, device=META), image()),
        (nn.LayerNorm(7, device=META), image()),
        (nn.BatchNorm2d(5, device=META), image()),
        (nn.BatchNorm2d(6, device=META), image(1, 6, 1, 1)),
        (nn.MaxPool2d(9), image()),
        (nn.MaxPool2d(2, padding=2), image()),
        (nn.Linear(7, 3, device=META), image(5, 8)),
    ]
    for module, values in cases:
        with pytest.raises((RuntimeError, ValueError)), LeanMeta():
            module(values)
    for axes in ((0, 0), (4,)):
        with pytest.raises((RuntimeError, IndexError)), LeanMeta():
            image().mean(axes)
    with pytest.raises(RuntimeError), LeanMeta():
        torch.cat([image(), image(2, 6, 7, 8)], dim=1)


def test_numbers_with_values_are_computed_as_ever() -> None:
    a, b = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])
    with LeanMeta():
        assert (a + b).tolist() == [4.0, 6.0]
        assert a.mul_(b).tolist() == [3.0, 8.0]


@pytest.mark.parametrize("draw", [
    F.dropout,
    lambda x: F.dropout(x.clone(), inplace=True),
    lambda x: torch.rrelu(x, training=True),
    lambda x: F.scaled_dot_product_attention(x, x, x, dropout_p=0.5),
    torch.rand_like,
    lambda x: torch.poisson(x),
    lambda x: F.fractional_max_pool2d(x, 2, output_size=2),
    lambda x: torch.randperm(3, device=x.device),
])  # fmt: skip
def test_what_is_drawn_for_numbers_with_values_leaves_the_global_generator_alone(
    draw: Callable[[Tensor], Tensor],
) -> None:
    values = torch.ones(1, 4, 4)
    before, shape = torch.get_rng_state(), draw(values).shape
    torch.set_rng_state(before)
    with quiet_trial(), META, LeanMeta():
        assert draw(values).shape == shape
    assert torch.equal(torch.get_rng_state(), before)


def test_a_twin_shares_no_hooks_with_its_model_and_keeps_what_is_tied() -> None:
    module = open_model("builtin:digits-cnn").module
    with quiet_trial():
        twin = meta_twin(module)
    twin.register_forward_hook(lambda *_: None)
    assert not module._forward_hooks
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    second.weight = first.weight
    copied = dict(meta_twin(nn.Sequential(first, second)).named_parameters(remove_duplicate=False))
    assert copied["0.weight"] is copied["1.weight"]
