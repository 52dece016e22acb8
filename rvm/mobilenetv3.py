"""The convolutions of MobileNetV3-Large (Howard et al., 2019, arXiv 1905.02244, table 1), its last stage dilated.

Key names are torchvision's, as the published checkpoints have them; importing torchvision itself would add
a second to a start that compiles networks.
"""

from torch import Tensor, nn

# kernel, channels in, expanded, out, squeeze-and-excitation, hard swish (else ReLU), stride, dilation
_BLOCKS = (
    (3, 16, 16, 16, False, False, 1, 1),
    (3, 16, 64, 24, False, False, 2, 1),
    (3, 24, 72, 24, False, False, 1, 1),
    (5, 24, 72, 40, True, False, 2, 1),
    (5, 40, 120, 40, True, False, 1, 1),
    (5, 40, 120, 40, True, False, 1, 1),
    (3, 40, 240, 80, False, True, 2, 1),
    (3, 80, 200, 80, False, True, 1, 1),
    (3, 80, 184, 80, False, True, 1, 1),
    (3, 80, 184, 80, False, True, 1, 1),
    (3, 80, 480, 112, True, True, 1, 1),
    (3, 112, 672, 112, True, True, 1, 1),
    (5, 112, 672, 160, True, True, 1, 2),  # not halved: wider taps instead
    (5, 160, 960, 160, True, True, 1, 2),
    (5, 160, 960, 160, True, True, 1, 2),
)


class SqueezeExcitation(nn.Module):
    """Channels weighed by what all of the picture says (Hu et al., 2018, arXiv 1709.01507)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        quarter = channels // 4
        squeezed = max(8, (quarter + 4) // 8 * 8)  # the next eight, but not much less
        squeezed += 8 if squeezed < 0.9 * quarter else 0
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.relu, self.scale = nn.ReLU(), nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale(self.fc2(self.relu(self.fc1(self.avgpool(x)))))


class InvertedResidual(nn.Module):
    """Expand, filter each channel alone, project; the input is added where shapes allow."""

    def __init__(
        self, kernel: int, inside: int, expanded: int, out: int, excited: bool, hard: bool, stride: int, dilation: int
    ) -> None:
        super().__init__()
        act = nn.Hardswish if hard else nn.ReLU
        layers: list[nn.Module] = []
        if expanded != inside:
            layers.append(_conv_bn(inside, expanded, 1, act=act))
        layers.append(_conv_bn(expanded, expanded, kernel, stride, dilation, groups=expanded, act=act))
        if excited:
            layers.append(SqueezeExcitation(expanded))
        layers.append(_conv_bn(expanded, out, 1))
        self.block = nn.Sequential(*layers)
        self.residual = stride == 1 and inside == out

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block(x) if self.residual else self.block(x)


def mobilenetv3_features() -> nn.Sequential:
    """Seventeen layers, numbered as torchvision numbers its ``features``; fresh weights are random."""
    first = _conv_bn(3, 16, 3, 2, act=nn.Hardswish)
    features = nn.Sequential(
        first, *(InvertedResidual(*block) for block in _BLOCKS), _conv_bn(160, 960, 1, act=nn.Hardswish)
    )
    for module in features.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return features


def _conv_bn(
    inside: int,
    out: int,
    kernel: int,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    act: type[nn.Module] | None = None,
) -> nn.Sequential:
    padding = (kernel - 1) // 2 * dilation
    conv = nn.Conv2d(inside, out, kernel, stride, padding, dilation, groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out, eps=1e-3, momentum=1e-2), *([act()] if act else []))
