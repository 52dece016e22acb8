"""Encoders: from the low-resolution source to features at strides 2, 4, 8 and 16; and the LR-ASPP on top."""

from torch import Tensor, nn

from rvm.imagenet import Normalize
from rvm.mobilenetv3 import mobilenetv3_features
from rvm.squeezenet import squeezenet_features

Features = tuple[Tensor, ...]  # f1..f4, (N, C_i, ceil(H / 2^i), ceil(W / 2^i))


class MobileNetV3Encoder(nn.Module):
    """MobileNetV3-Large, dilated so that the last stage stays at stride 16; 16, 24, 40 and 960 channels."""

    TAPS = (1, 3, 6)
    DEEP = 13  # the first of the layers that are dilated

    def __init__(self) -> None:
        super().__init__()
        self.features = mobilenetv3_features()
        self.normalize = Normalize()

    def forward(self, source: Tensor) -> Features:
        *taps, x = self.shallow(source)
        return *taps, self.deep(x)

    def shallow(self, source: Tensor) -> Features:
        """f1..f3, and what `deep` makes f4 of."""
        x = self.normalize(source)
        taps = []
        for index, layer in enumerate(self.features[: self.DEEP]):
            x = layer(x)
            if index in self.TAPS:
                taps.append(x)
        return *taps, x

    def deep(self, x: Tensor) -> Tensor:
        """f4."""
        return self.features[self.DEEP :](x)


class ResNet50Encoder(nn.Module):
    """ResNet-50 with a dilated last stage; 64, 256, 512 and 2048 channels. Takes RGB as it is."""

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import resnet50  # takes a second, and few need it

        trunk = resnet50(weights=None, replace_stride_with_dilation=(False, False, True))
        self.conv1, self.bn1, self.relu, self.maxpool = trunk.conv1, trunk.bn1, trunk.relu, trunk.maxpool
        self.layer1, self.layer2 = trunk.layer1, trunk.layer2
        self.layer3, self.layer4 = trunk.layer3, trunk.layer4

    def forward(self, source: Tensor) -> Features:
        f1 = self.relu(self.bn1(self.conv1(source)))
        f2 = self.layer1(self.maxpool(f1))
        f3 = self.layer2(f2)
        f4 = self.layer4(self.layer3(f3))
        return f1, f2, f3, f4


class SqueezeNetEncoder(nn.Module):
    """SqueezeNet 1.1 (Iandola et al., 2016, arXiv 1602.07360), this project's own choice: dense convolutions run at a
    processor's full speed, where MobileNetV3's separable ones wait for memory. 8, 16, 32 and 512 channels: all but
    the last features are thinned out for the decoder, whose cost goes with them.
    """

    TAPS = (1, 4, 7)

    def __init__(self) -> None:
        super().__init__()
        self.features = squeezenet_features(padding=1)
        self.thin = nn.ModuleList(nn.Conv2d(channels, channels // 8, 1) for channels in (64, 128, 256))
        self.normalize = Normalize()

    def forward(self, source: Tensor) -> Features:
        x = self.normalize(source)
        taps: list[Tensor] = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self.TAPS:
                taps.append(self.thin[len(taps)](x))
        return *taps, x


class LRASPP(nn.Module):
    """Lite reduced ASPP (Howard et al., 2019, arXiv 1905.02244): features gated by their global context."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.aspp1 = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU()
        )
        self.aspp2 = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.aspp1(x) * self.aspp2(x)


class ContextBlock(nn.Module):
    """A residual of what lies around: this project's own, after ConvNeXt (Liu et al., 2022, arXiv 2201.03545).

    At stride 16 a 7x7 neighbourhood is 112 pixels wide and its cost hardly counts. The residual starts at zero, so
    that a network that has learnt without such blocks goes on as it was.
    """

    WIDENING = 4

    def __init__(self, channels: int) -> None:
        super().__init__()
        last = nn.Conv2d(self.WIDENING * channels, channels, 1)
        nn.init.zeros_(last.weight)
        assert last.bias is not None
        nn.init.zeros_(last.bias)
        self.residual = nn.Sequential(
            nn.Conv2d(channels, channels, 7, padding=3, groups=channels, bias=False),
            nn.BatchNorm2d(channels),
            nn.Conv2d(channels, self.WIDENING * channels, 1),
            nn.ReLU(),
            last,
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.residual(x)
