"""CurveNet: this project's own estimator of tone curves, in S2CRNet's place and at less than its cost.

What it does otherwise than S2CRNet (`s2crnet`, Liang et al., ECCV 2022):

- features are averaged over the foreground and over its surroundings, in the crop and in the whole picture, not over
  pictures with black holes: a small foreground counts as much as a large one;
- histograms and moments of both regions' colours stand beside the features;
- a curve is the identity plus eight hats, whose ends are free: a white shirt can be dimmed at night;
- it looks at 128x128 pixels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import squeezenet1_1

from video_harmonizer.harmonizers.curves import interpolate

SIDE = 128  # pixels of the pictures that it looks at
FEATURES = 512
BINS = 16  # of a colour histogram
STATISTICS = 2 * 3 * (BINS + 2) + 9
HATS = 8  # that bend a curve
REACH = 0.3  # of a hat for an answer of 1


class Standardize(nn.Module):
    """Brings every input to mean 0 and deviation 1, as measured once on training data and kept with the weights."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))
        self.mean: Tensor
        self.deviation: Tensor

    def measure(self, examples: Tensor) -> None:
        """Take mean and deviation from (N, width) inputs; what hardly varies is not blown up."""
        self.mean.copy_(examples.mean(0))
        self.deviation.copy_(examples.std(0) + 0.01)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.deviation


class CurveNet(nn.Module):
    """Thumbnails and masks -> tone curves, (B, 3, `HATS`) values at equal steps, for `curves.interpolate`."""

    def __init__(self, width: int = 256) -> None:
        super().__init__()
        self.encoder = squeezenet1_1(weights=None).features[:12]
        inputs = STATISTICS + 4 * FEATURES
        self.standardize = Standardize(inputs)
        last = nn.Linear(width, 3 * HATS)
        nn.init.zeros_(last.bias)
        last.weight.data.mul_(0.1)  # training starts near the identity
        self.head = nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), last)

    def forward(
        self, foreground: Tensor, foreground_mask: Tensor, background: Tensor, background_mask: Tensor
    ) -> Tensor:
        """Estimate the curves.

        Args:
            foreground: (B, 3, h, w) RGB 0..1, the composite cropped to the foreground's bounding box.
            foreground_mask: (B, 1, h, w), 1 = foreground, cropped alike.
            background: (B, 3, h, w) RGB 0..1, the whole composite.
            background_mask: (B, 1, h, w), 1 = foreground.

        Returns:
            (B, 3, HATS): what becomes of inputs at equal steps of 0..1. May leave 0..1, and fall, a little.
        """
        evidence = self.evidence(foreground, foreground_mask, background, background_mask)
        bends = self.head(self.standardize(evidence)).unflatten(1, (3, HATS))
        return torch.linspace(0, 1, HATS, device=bends.device) + REACH * bends.float()

    def evidence(
        self, foreground: Tensor, foreground_mask: Tensor, background: Tensor, background_mask: Tensor
    ) -> Tensor:
        """What the head decides by: statistics of the colours and averaged features, (B, STATISTICS + 4 * FEATURES)."""
        crop, crop_mask = shrink(foreground), shrink(foreground_mask)
        whole, whole_mask = shrink(background), shrink(background_mask)
        of_crop, of_whole = self.encoder(torch.cat([crop, whole])).float().chunk(2)  # (B, 512, y, x)
        evidence = [color_statistics(crop, crop_mask, whole, 1 - whole_mask)]
        for features, mask in ((of_crop, crop_mask), (of_whole, whole_mask)):
            inside = F.adaptive_avg_pool2d(mask, (features.shape[2], features.shape[3]))
            evidence += [masked_mean(features, inside), masked_mean(features, 1 - inside)]
        return torch.cat(evidence, 1)

    @staticmethod
    def draw(image: Tensor, parameters: Tensor) -> list[Tensor]:
        """The picture (B, 3, H, W) after the curves, as the only stage."""
        return [interpolate(image, parameters)]


def shrink(picture: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, C, SIDE, SIDE), averaged."""
    return picture if picture.shape[2:] == (SIDE, SIDE) else F.adaptive_avg_pool2d(picture, (SIDE, SIDE))


def masked_mean(features: Tensor, mask: Tensor) -> Tensor:
    """(B, C, y, x) averaged where (B, 1, y, x) weighs it: (B, C)."""
    return (features * mask).sum((2, 3)) / (mask.sum((2, 3)) + 1e-4)


def color_statistics(foreground: Tensor, inside: Tensor, background: Tensor, outside: Tensor) -> Tensor:
    """Histograms, means and deviations of each channel in both regions, and how the regions differ: (B, STATISTICS).

    Bins are triangles, so that a colour between two bins is shared by them.
    """
    regions = []
    for image, mask in ((foreground, inside), (background, outside)):
        image, mask = image[..., ::2, ::2].flatten(2), mask[..., ::2, ::2].flatten(2)  # every fourth pixel will do
        weight = mask / (mask.sum(-1, keepdim=True) + 1e-4)
        place = image * (BINS - 1)
        histogram = [(F.relu(1 - (place - center).abs()) * weight).sum(-1) for center in range(BINS)]
        mean = (image * weight).sum(-1)
        deviation = (((image - mean[..., None]).square() * weight).sum(-1) + 1e-6).sqrt()
        regions.append([*histogram, mean, deviation])  # each (B, 3)
    ours, theirs = regions
    scaled = [BINS / 4 * part for part in ours[:BINS] + theirs[:BINS]]
    red, green, blue = (theirs[BINS] - ours[BINS]).split(1, 1)
    opponents = torch.cat([red + green + blue, red - green, 2 * blue - red - green], 1)
    ratios = [torch.log((theirs[k] + 0.02) / (ours[k] + 0.02)) for k in (BINS, BINS + 1)]
    return torch.cat([*scaled, *ours[BINS:], *theirs[BINS:], opponents, *ratios], 1)
