"""Convolutions steered by a code, as in StyleGAN2 (Karras et al., CVPR 2020, arXiv 1912.04958)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class EqualizedWeight(nn.Module):
    """Weights stored at deviation 1, and used divided by the square root of their fan-in."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(shape))
        self.scale = self.weight[0].numel() ** -0.5

    def forward(self) -> Tensor:
        return self.weight * self.scale


class EqualizedLinear(nn.Module):
    """A linear layer of equalized weights; its biases start at 1, so that a style starts as no change."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = EqualizedWeight(outputs, inputs)
        self.bias = nn.Parameter(torch.ones(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight(), self.bias)


class ModulatedConv(nn.Module):
    """A 3x3 convolution without bias whose inputs each sample scales by its style, and whose outputs are evened out."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = EqualizedWeight(channels, channels, 3, 3)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """x: (B, C, H, W); style: (B, C)."""
        weight = self.weight()
        # the same as one kernel a sample, scaled and normalised, but with one kernel for all: scaling is linear
        power = F.linear(style.square(), weight.square().sum((2, 3)))  # (B, C), of each sample's kernel
        convolved = F.conv2d(x * style[..., None, None], weight, padding=1)
        return convolved * torch.rsqrt(power + 1e-8)[..., None, None]


class StyledConv(nn.Module):
    """Code -> style -> modulated convolution, bias, leaky ReLU."""

    def __init__(self, channels: int, code: int) -> None:
        super().__init__()
        self.to_style = EqualizedLinear(code, channels)
        self.conv = ModulatedConv(channels)
        self.scale_noise = nn.Parameter(torch.zeros(1))  # in the checkpoint, but no noise is added
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        styled = self.conv(x, self.to_style(code)) + self.bias[:, None, None]
        return F.leaky_relu(styled, 0.2)
