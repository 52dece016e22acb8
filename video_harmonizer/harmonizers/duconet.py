"""DucoNet: a U-Net on RGB whose decoder is steered by codes of the L, a and b channels.

Tan et al., "Deep Image Harmonization in Dual Color Spaces", ACM MM 2023, arXiv 2308.02813. Key names and shapes are
those of the authors' checkpoints, of which the 256 and the 1024 pixel one share this network.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from video_harmonizer.harmonizers.styled import StyledConv

WIDTHS = (32, 64, 128, 256)  # of the levels, from full resolution down
CODE = 256  # numbers that say what a Lab channel looks like
MULTIPLE = 1 << (len(WIDTHS) - 1)  # of which the sides have to be


class ConvBlock(nn.Module):
    """A 3x3 convolution, batch norm if wanted, ReLU. Without ``bias`` where the checkpoint has none."""

    def __init__(self, inputs: int, outputs: int, norm: bool, bias: bool = True) -> None:
        super().__init__()
        convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)
        self.block = nn.Sequential(convolution, *([nn.BatchNorm2d(outputs)] if norm else []), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return self.block(x)


class DoubleConv(nn.Module):
    """Two convolutions."""

    def __init__(self, inputs: int, outputs: int, norm: bool) -> None:
        super().__init__()
        self.block = nn.Sequential(ConvBlock(inputs, outputs, norm), ConvBlock(outputs, outputs, norm))

    def forward(self, x: Tensor) -> Tensor:
        return self.block(x)


class EncoderBlock(nn.Module):
    """One level of an encoder."""

    def __init__(self, inputs: int, outputs: int, norm: bool) -> None:
        super().__init__()
        self.convs = DoubleConv(inputs, outputs, norm)

    def forward(self, x: Tensor) -> Tensor:
        return self.convs(x)


class Encoder(nn.Module):
    """(B, C, H, W) -> a map of each level, from full resolution down to an eighth."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.block0 = EncoderBlock(inputs, WIDTHS[0], norm=False)
        self.block1 = EncoderBlock(WIDTHS[0], WIDTHS[1], norm=False)
        self.blocks_connected = nn.ModuleDict(
            {f"block{n}": EncoderBlock(WIDTHS[n - 1], WIDTHS[n], norm=True) for n in range(2, len(WIDTHS))}
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = [self.block0(x)]
        for block in (self.block1, *self.blocks_connected.values()):
            maps.append(block(F.max_pool2d(maps[-1], 2)))
        return maps


class CodeMapping(nn.Module):
    """Averaged features -> code."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(WIDTHS[-1], CODE), nn.ReLU(), nn.Linear(CODE, CODE))

    def forward(self, features: Tensor) -> Tensor:
        return self.net(features)


class ChannelEncoder(nn.Module):
    """One Lab channel and the mask, (B, 2, H, W) -> code (B, CODE)."""

    def __init__(self) -> None:
        super().__init__()
        self.lab_encoder = Encoder(2)
        self.map2w = CodeMapping()

    def forward(self, x: Tensor) -> Tensor:
        return self.map2w(self.lab_encoder(x)[-1].mean((2, 3)))


class DucoNet(nn.Module):
    """A composite, its mask and its Lab channels -> the harmonized picture."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder(4)
        self.l_encoder = ChannelEncoder()
        self.a_encoder = ChannelEncoder()
        self.b_encoder = ChannelEncoder()
        self.decoder = Decoder()

    def forward(self, image: Tensor, mask: Tensor, lab: Tensor) -> Tensor:
        """Harmonize.

        Args:
            image: (B, 3, H, W) RGB, normalised by ImageNet's mean and deviation; sides are multiples of `MULTIPLE`.
            mask: (B, 1, H, W), 1 = foreground.
            lab: (B, 3, H, W), the same picture as `lab.opencv_lab` gives it.

        Returns:
            (B, 3, H, W), normalised like the image, not clamped. All of it, the background too, is the network's.
        """
        height, width = image.shape[2:]
        if height % MULTIPLE or width % MULTIPLE or not height * width:
            raise ValueError(f"got {height}x{width} pixels; want sides that are multiples of {MULTIPLE}")
        encoders = (self.l_encoder, self.a_encoder, self.b_encoder)
        codes = [encode(torch.cat([lab[:, n : n + 1], mask], 1)) for n, encode in enumerate(encoders)]
        return self.decoder(self.encoder(torch.cat([image, mask], 1)), image, mask, codes)


class Decoder(nn.Module):
    """From the deepest map up, to a picture that is blended with the one that came in."""

    def __init__(self) -> None:
        super().__init__()
        steps = list(zip(WIDTHS[:0:-1], WIDTHS[-2::-1], strict=True))  # (256, 128), (128, 64), (64, 32)
        self.up_blocks = nn.ModuleList(
            UpBlock(inputs, outputs, attention=outputs == WIDTHS[0]) for inputs, outputs in steps
        )
        self.conv_attention = nn.Conv2d(WIDTHS[0], 1, 1)
        self.to_rgb = nn.Conv2d(WIDTHS[0], 3, 1)

    def forward(self, maps: list[Tensor], image: Tensor, mask: Tensor, codes: list[Tensor]) -> Tensor:
        x = maps[-1]
        for block, skip in zip(self.up_blocks, maps[-2::-1], strict=True):
            x = block(x, skip, mask, codes)
        keep = torch.sigmoid(3 * self.conv_attention(x))
        return keep * image + (1 - keep) * self.to_rgb(x)


class UpBlock(nn.Module):
    """One level of the decoder: twice the size, joined with the encoder's map, steered by the codes."""

    def __init__(self, inputs: int, outputs: int, attention: bool) -> None:
        super().__init__()
        enlarge = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        self.upconv = nn.Sequential(enlarge, ConvBlock(inputs, outputs, norm=False))
        self.attention = RegionAttention(2 * outputs) if attention else None
        self.convs = DoubleConv(2 * outputs, outputs, norm=True)
        self.control_module = ControlModule(outputs)

    def forward(self, x: Tensor, skip: Tensor, mask: Tensor, codes: list[Tensor]) -> Tensor:
        mask = F.interpolate(mask, skip.shape[2:], mode="bilinear", align_corners=True)
        x = torch.cat([skip, self.upconv(x)], 1)
        if self.attention is not None:
            x = self.attention(x, mask)
        return self.control_module(self.convs(x), mask, codes)


class ChannelGate(nn.Module):
    """Weighs channels by their mean and maximum over the picture."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        middle = max(channels // 16, 8)
        self.attention_transform = nn.Sequential(
            nn.Linear(2 * channels, middle), nn.ReLU(), nn.Linear(middle, channels), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        weights = self.attention_transform(torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1))
        return x * weights[..., None, None]


class MaskBlur(nn.Module):
    """A 7x7 Gaussian of deviation 1, black beyond the border; the checkpoint holds its weights."""

    def __init__(self) -> None:
        super().__init__()
        bell = torch.exp(-(torch.arange(-3.0, 4.0) ** 2) / 2)
        self.register_buffer("weight", (torch.outer(bell, bell) / bell.sum() ** 2)[None, None])
        self.weight: Tensor

    def forward(self, mask: Tensor) -> Tensor:
        return F.conv2d(mask, self.weight, padding=3)


class RegionAttention(nn.Module):
    """Spatial-separated attention: foreground and background weigh their channels apart, the foreground learns more."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.background_gate = ChannelGate(channels)
        self.foreground_gate = ChannelGate(channels)
        self.mix_gate = ChannelGate(channels)
        self.learning_block = nn.Sequential(
            ConvBlock(channels, channels // 2, norm=True, bias=False),
            ConvBlock(channels // 2, channels, norm=True, bias=False),
        )
        self.mask_blurring = MaskBlur()

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        soft = self.mask_blurring(mask)
        foreground = self.learning_block(self.foreground_gate(x)) + self.mix_gate(x)
        return soft * foreground + (1 - soft) * self.background_gate(x)


class ControlModule(nn.Module):
    """Styles the foreground after each of the three codes, and chooses among them at every pixel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.l_styleblock = StyledBlock(channels)
        self.a_styleblock = StyledBlock(channels)
        self.b_styleblock = StyledBlock(channels)
        self.G_weight = nn.Sequential(nn.Conv2d(3 * channels, 32, 1), nn.ReLU(), nn.Conv2d(32, 3, 1))

    def forward(self, x: Tensor, mask: Tensor, codes: list[Tensor]) -> Tensor:
        blocks = (self.l_styleblock, self.a_styleblock, self.b_styleblock)
        styled = [block(x, code) for block, code in zip(blocks, codes, strict=True)]
        shares = torch.softmax(self.G_weight(torch.cat(styled, 1)), 1).split(1, 1)  # 3 x (B, 1, H, W)
        chosen = sum(share * one for share, one in zip(shares, styled, strict=True))
        return x * (1 - mask) + chosen * mask


class StyledBlock(nn.Module):
    """Two styled convolutions by the same code."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.style_block1 = StyledConv(channels, CODE)
        self.style_block2 = StyledConv(channels, CODE)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        return self.style_block2(self.style_block1(x, code), code)
