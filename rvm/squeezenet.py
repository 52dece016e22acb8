"""The convolutions of SqueezeNet 1.1 (Iandola et al., 2016, arXiv 1602.07360).

torchvision has them too, under the same key names, but importing it would add a second to a start that compiles
networks.
"""

import torch
from torch import Tensor, nn

# Of every Fire module: channels in, squeezed, and of each of its two halves out; None stands for pooling
_LAYERS = (
    None,
    (64, 16, 64),
    (128, 16, 64),
    None,
    (128, 32, 128),
    (256, 32, 128),
    None,
    (256, 48, 192),
    (384, 48, 192),
    (384, 64, 256),
    (512, 64, 256),
)


class Fire(nn.Module):
    """Few channels by 1x1, then many by 1x1 and 3x3 side by side."""

    def __init__(self, channels: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(x).relu(), self.expand3x3(x).relu()], 1)


def squeezenet_features(layers: int = 13, padding: int = 0) -> nn.Sequential:
    """The first so many layers, numbered as torchvision numbers its ``features``; fresh weights are random.

    Args:
        padding: 0 as published; with 1 an odd side always rounds up where it is halved.
    """
    modules = [Fire(*fire) if fire else nn.MaxPool2d(3, 2, padding, ceil_mode=not padding) for fire in _LAYERS]
    features = nn.Sequential(nn.Conv2d(3, 64, 3, 2, padding), nn.ReLU(), *modules)[:layers]
    for module in features.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_uniform_(module.weight)
            assert module.bias is not None  # each has one
            nn.init.zeros_(module.bias)
    return features
