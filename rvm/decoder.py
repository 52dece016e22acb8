"""The recurrent decoder: from features at stride 16 back to the low resolution, with memory at four scales.

Tensors are (B*T, C, h, w) throughout, a clip's T frames lying behind one another in the batch; only the
ConvGRU looks at them in turn.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rvm.encoder import Features

States = tuple[Tensor, ...]  # r1..r4, (B, C_i, ceil(H / 2^i), ceil(W / 2^i))


class HalfGRU(nn.Module):
    """A convolutional GRU over the second half of the channels; the first half passes by untouched.

    (r, z) = sigmoid(conv([x, h])), c = tanh(conv([x, r h])), h' = (1 - z) h + z c; the output is h'.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.ih = nn.Sequential(nn.Conv2d(2 * half, 2 * half, 3, padding=1), nn.Sigmoid())
        self.hh = nn.Sequential(nn.Conv2d(2 * half, half, 3, padding=1), nn.Tanh())

    def forward(self, x: Tensor, h: Tensor, clip_length: int) -> tuple[Tensor, Tensor]:
        """x (B*T, C, h, w) and state (B, C/2, h, w) -> the same shapes, the state after the last frame."""
        passing, remembered = x.chunk(2, dim=1)
        outputs = []
        for frame in remembered.unflatten(0, (-1, clip_length)).unbind(1):
            h = self._step(frame, h)
            outputs.append(h)
        return torch.cat([passing, torch.stack(outputs, dim=1).flatten(0, 1)], dim=1), h

    def _step(self, x: Tensor, h: Tensor) -> Tensor:
        r, z = self.ih(torch.cat([x, h], dim=1)).chunk(2, dim=1)
        c = self.hh(torch.cat([x, r * h], dim=1))
        return (1 - z) * h + z * c


class Bottleneck(nn.Module):
    """Memory at stride 16."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gru = HalfGRU(channels)

    def forward(self, x: Tensor, h: Tensor, clip_length: int) -> tuple[Tensor, Tensor]:
        return self.gru(x, h, clip_length)


class UpsamplingBlock(nn.Module):
    """Twice the size, joined by the encoder's features and the source of that size; then memory."""

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(*_conv_bn_relu(in_channels + skip_channels + 3, out_channels))
        self.gru = HalfGRU(out_channels)

    def forward(self, x: Tensor, skip: Tensor, source: Tensor, h: Tensor, clip_length: int) -> tuple[Tensor, Tensor]:
        x = self.conv(torch.cat([_double_and_crop(x, source), skip, source], dim=1))
        return self.gru(x, h, clip_length)


class OutputBlock(nn.Module):
    """The last doubling: no features of the encoder, no memory."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            *_conv_bn_relu(in_channels + 3, out_channels), *_conv_bn_relu(out_channels, out_channels)
        )

    def forward(self, x: Tensor, source: Tensor) -> Tensor:
        return self.conv(torch.cat([_double_and_crop(x, source), source], dim=1))


class FoldedOutputBlock(nn.Module):
    """The last doubling with every 2x2 pixels folded into channels (Shi et al., 2016, arXiv 1609.05158).

    This project's own: a quarter of the pixels with four times the channels fill a processor's registers, which the
    few channels of `OutputBlock` leave half empty, and nothing is enlarged.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            *_conv_bn_relu(in_channels + 4 * 3, 2 * in_channels), *_conv_bn_relu(2 * in_channels, 4 * out_channels)
        )

    def forward(self, x: Tensor, source: Tensor) -> Tensor:
        height, width = source.shape[2:]
        even = F.pad(source, (0, width % 2, 0, height % 2), mode="replicate")
        folded = F.pixel_unshuffle(even, 2)
        return F.pixel_shuffle(self.conv(torch.cat([x, folded], dim=1)), 2)[:, :, :height, :width]


class RecurrentDecoder(nn.Module):
    """Channels: `features` of f1..f3, `context` of f4 after LR-ASPP, `channels` out of decode3..decode0."""

    def __init__(
        self,
        features: tuple[int, int, int],
        context: int,
        channels: tuple[int, int, int, int],
        output: Callable[[int, int], nn.Module] = OutputBlock,
    ) -> None:
        super().__init__()
        f1, f2, f3 = features
        d3, d2, d1, d0 = channels
        self.decode4 = Bottleneck(context)
        self.decode3 = UpsamplingBlock(context, f3, d3)
        self.decode2 = UpsamplingBlock(d3, f2, d2)
        self.decode1 = UpsamplingBlock(d2, f1, d1)
        self.decode0 = output(d1, d0)
        self.state_channels = d1 // 2, d2 // 2, d3 // 2, context // 2  # of r1..r4

    def forward(self, source: Tensor, features: Features, states: States, clip_length: int) -> tuple[Tensor, States]:
        """Source (B*T, 3, h, w) -> hidden (B*T, d0, h, w) and the states after the clip's last frame."""
        s1 = _halve(source)
        s2 = _halve(s1)
        s3 = _halve(s2)
        f1, f2, f3, f4 = features
        r1, r2, r3, r4 = states
        x, r4 = self.decode4(f4, r4, clip_length)
        x, r3 = self.decode3(x, f3, s3, r3, clip_length)
        x, r2 = self.decode2(x, f2, s2, r2, clip_length)
        x, r1 = self.decode1(x, f1, s1, r1, clip_length)
        return self.decode0(x, source), (r1, r2, r3, r4)


def _conv_bn_relu(in_channels: int, out_channels: int) -> list[nn.Module]:
    return [
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    ]


def _halve(source: Tensor) -> Tensor:
    # An odd side rounds up, as in the encoders' strided convolutions; its last cell averages what is there.
    return F.avg_pool2d(source, 2, stride=2, ceil_mode=True, count_include_pad=False)


def _double_and_crop(x: Tensor, source: Tensor) -> Tensor:
    # Exactly twice and then a crop: resizing straight to an odd size would shift the features by a fraction.
    x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    return x[:, :, : source.shape[2], : source.shape[3]]
