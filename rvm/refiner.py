"""Guided filters: bring residual and alpha from low to full resolution along the source's own edges.

At low resolution a local linear model y = a x + b of the output y is fitted to the source x; the smooth
coefficients are enlarged and meet the sharp full-resolution source (He & Sun, 2015, arXiv 1505.00996).
y is (residual R, G, B, alpha), x is (R, G, B, their mean).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CHANNELS = 4
EPSILON = 1e-5  # variance under which the source counts as flat and tells nothing about y
WIDTH = 16  # channels of the small network that gives a deep guided filter its slope


class GuidedFilter(nn.Module):
    """What both filters share: fit at low resolution, apply at full resolution."""

    def forward(self, fine: Tensor, base: Tensor, residual_alpha: Tensor, hidden: Tensor) -> Tensor:
        """Source (N, 3, H, W) and (N, 3, h, w), y (N, 4, h, w), hidden (N, C, h, w) -> y (N, 4, H, W)."""
        return apply_coefficients(fine, *self.coefficients(base, residual_alpha, hidden))

    def coefficients(self, base: Tensor, residual_alpha: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """The linear model's a and b, (N, 4, h, w) each, all at low resolution."""
        x, y = _with_mean(base), residual_alpha
        mean_x, mean_y = self.box(x), self.box(y)
        covariance = self.box(x * y) - mean_x * mean_y
        variance = self.box(x * x) - mean_x * mean_x
        a = self.slope(covariance, variance, hidden)
        return a, mean_y - a * mean_x

    def box(self, x: Tensor) -> Tensor:
        """Local 3x3 mean, the outside counting as zeros."""
        raise NotImplementedError

    def slope(self, covariance: Tensor, variance: Tensor, hidden: Tensor) -> Tensor:
        """a from the local statistics of each channel, (N, 4, h, w)."""
        raise NotImplementedError


class FastGuidedFilter(GuidedFilter):
    """The closed-form filter; no parameters."""

    def box(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(F.avg_pool2d(x, (3, 1), 1, (1, 0)), (1, 3), 1, (0, 1))

    def slope(self, covariance: Tensor, variance: Tensor, hidden: Tensor) -> Tensor:
        return covariance / (variance + EPSILON)


class DeepGuidedFilter(GuidedFilter):
    """The slope comes from a small network that also sees the decoder's output (Wu et al., 2018)."""

    def __init__(self, hidden_channels: int) -> None:
        super().__init__()
        self.box_filter = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, groups=CHANNELS, bias=False)
        nn.init.constant_(self.box_filter.weight, 1 / 9)
        self.conv = nn.Sequential(
            nn.Conv2d(2 * CHANNELS + hidden_channels, WIDTH, 1, bias=False),
            nn.BatchNorm2d(WIDTH),
            nn.ReLU(),
            nn.Conv2d(WIDTH, WIDTH, 1, bias=False),
            nn.BatchNorm2d(WIDTH),
            nn.ReLU(),
            nn.Conv2d(WIDTH, CHANNELS, 1),
        )

    def box(self, x: Tensor) -> Tensor:
        return self.box_filter(x)

    def slope(self, covariance: Tensor, variance: Tensor, hidden: Tensor) -> Tensor:
        return self.conv(torch.cat([covariance, variance, hidden], dim=1))


def apply_coefficients(fine: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """y = a x + b for source (N, 3, H, W) and coefficients (N, 4, h, w) of any size -> (N, 4, H, W)."""
    size = fine.shape[2:]
    a = F.interpolate(a, size, mode="bilinear", align_corners=False)
    b = F.interpolate(b, size, mode="bilinear", align_corners=False)
    return a * _with_mean(fine) + b


def _with_mean(source: Tensor) -> Tensor:
    return torch.cat([source, source.mean(dim=1, keepdim=True)], dim=1)
