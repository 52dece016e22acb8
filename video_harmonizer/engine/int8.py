"""Convolutions in whole numbers of 8 bits, which many processors multiply faster than floats.

Values are rounded to 256 levels a tensor and weights to 255 a channel (Jacob et al., CVPR 2018, 1712.05877), after what
is large in some channels has been moved from values into weights (Xiao et al., ICML 2023, arXiv 2211.10438). What
rounding shifts in the mean is taken back (Nagel et al., ICCV 2019, arXiv 1906.04721). Where the levels lie is learnt
from calls such as the network will get; nothing is trained.
"""

import copy
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEVELS, WEIGHT = 255, 127  # the highest of values, which start at 0; and of weights, which lie on both sides of it
FEW = 16  # channels; below that, and for kernels of 1x1, rounding takes as long as it saves
DIFFERENCE = 0.04  # of a convolution's deviation: one whose answers would move by more stays in floats


class Int8Conv2d(nn.Module):
    """The same convolution of rounded values with rounded weights, written so that engines compute it in integers.

    Args:
        conv: zero-padded, without groups.
        low, high: (C,), the least and the most that came in, by channel.
    """

    narrow: Tensor
    weight: Tensor
    bias: Tensor | None
    steps: Tensor
    zeros: Tensor

    def __init__(self, conv: nn.Conv2d, low: Tensor, high: Tensor) -> None:
        super().__init__()
        weight = conv.weight.detach()
        low, high = low.clamp(max=0), high.clamp(min=0)
        values = torch.maximum(-low, high).clamp(min=1e-4)
        share = (values / weight.abs().amax((0, 2, 3)).clamp(min=1e-6)).sqrt()  # Xiao et al., equation 4, halfway
        least, most = float((low / share).min()), float((high / share).max())
        weight = weight * share[:, None, None]
        self.register_buffer("narrow", 1 / share[:, None, None])
        self.register_buffer("weight", weight)
        self.register_buffer("bias", conv.bias)
        self.register_buffer("steps", weight.abs().amax((1, 2, 3)).clamp(min=1e-9) / WEIGHT)
        self.register_buffer("zeros", torch.zeros(len(weight), dtype=torch.int32))
        self.step = max(most - least, 1e-6) / LEVELS
        self.zero = round(-least / self.step)
        assert isinstance(conv.padding, tuple)
        self.stride, self.padding, self.dilation = conv.stride, conv.padding, conv.dilation

    def forward(self, x: Tensor) -> Tensor:
        x = torch.fake_quantize_per_tensor_affine(x * self.narrow, self.step, self.zero, 0, LEVELS)
        weight = torch.fake_quantize_per_channel_affine(self.weight, self.steps, self.zeros, 0, -WEIGHT, WEIGHT)
        return F.conv2d(x, weight, self.bias, self.stride, self.padding, self.dilation)


Calls = Sequence[Sequence[Tensor]]
Note = Callable[[str, Tensor, Tensor], None]


@torch.inference_mode()
def in_int8(module: nn.Module, calls: Calls) -> nn.Module:
    """A copy whose larger convolutions are rounded, but for those that rounding changes too much.

    Args:
        module: in evaluation.
        calls: inputs of typical calls.
    """
    copied = copy.deepcopy(module)
    ranges: dict[str, tuple[Tensor, Tensor]] = {}

    def note_range(name: str, x: Tensor, y: Tensor) -> None:
        low, high = x.amin((0, 2, 3)), x.amax((0, 2, 3))
        least, most = ranges.get(name, (low, high))
        ranges[name] = torch.minimum(low, least), torch.maximum(high, most)

    _watch(copied, calls, note_range)
    rounded = {}
    for name, (low, high) in ranges.items():
        conv = copied.get_submodule(name)
        assert isinstance(conv, nn.Conv2d)
        if (high - low).isfinite().all():  # else the weights are broken, which the network's answers have to show
            rounded[name] = Int8Conv2d(conv, low, high)
    differences: dict[str, list[tuple[Tensor, Tensor, Tensor]]] = {name: [] for name in rounded}

    def note_difference(name: str, x: Tensor, y: Tensor) -> None:
        if name not in rounded:
            return
        difference = y - rounded[name](x)
        differences[name].append((difference.square().mean(), y.var((2, 3)).mean(), difference.mean((0, 2, 3))))

    _watch(copied, calls, note_difference)
    for name, notes in differences.items():
        moved, varied, shift = (torch.stack(part).mean(0) for part in zip(*notes, strict=True))
        if moved <= DIFFERENCE**2 * varied:
            conv = rounded[name]
            conv.bias = shift if conv.bias is None else conv.bias + shift
            copied.set_submodule(name, conv)
    return copied


def _watch(module: nn.Module, calls: Calls, note: Note) -> None:
    """Make the calls, and tell of every convolution that may be rounded: its name, what comes in and what goes out."""
    hooks = [
        part.register_forward_hook(lambda conv, given, y, name=name: note(name, given[0], y))
        for name, part in module.named_modules()
        if isinstance(part, nn.Conv2d) and _may_be_rounded(part)
    ]
    for call in calls:
        module(*call)
    for hook in hooks:
        hook.remove()


def _may_be_rounded(conv: nn.Conv2d) -> bool:
    enough = min(conv.in_channels, conv.out_channels) >= FEW
    return enough and conv.groups == 1 and min(conv.kernel_size) > 1 and conv.padding_mode == "zeros"
