"""CurveNet: this project's own estimator of tone curves, in S2CRNet's place and at its cost.

What it does otherwise than S2CRNet (`s2crnet`, Liang et al., ECCV 2022), each measured in docs/harmonizer.md:

- features are averaged over the foreground and over the background, not over the whole picture, so that a small
  foreground counts as much as a large one, and the encoder sees the foreground's surroundings;
- every piece of the foreground looks for like pieces of the background (attention) and sees their colours;
- histograms and moments of both regions' colours stand beside the features;
- curves are monotone by construction and their ends are free: a white shirt can be dimmed at night.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import squeezenet1_1

from video_harmonizer.harmonizers.curves import interpolate

FEATURES = 512
BINS = 16  # of a colour histogram
KNOTS = 33  # of a curve


class CurveNet(nn.Module):
    """Thumbnails and masks -> tone curves, (B, 3, `KNOTS`), for `curves.interpolate`."""

    def __init__(self, width: int = 256) -> None:
        super().__init__()
        self.encoder = squeezenet1_1(weights=None).features[:12]
        self.normalize = nn.GroupNorm(1, FEATURES)  # ImageNet features are tens in size; what follows wants ones
        self.attention = ColorAttention(64)
        statistics = 2 * 3 * (BINS + 2) + 9
        self.squeeze = nn.Linear(4 * FEATURES, width)
        self.head = nn.Sequential(
            nn.Linear(width + statistics + self.attention.outputs, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, 3 * KNOTS),
        )
        last = self.head[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.bias)  # training starts near the identity
        last.weight.data.mul_(0.1)

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
            (B, 3, KNOTS) what becomes of inputs at equal steps of 0..1; monotone, may leave 0..1 a little.
        """
        features = self.normalize(self.encoder(torch.cat([foreground, background])))
        crop, whole = features.chunk(2)  # (B, 512, y, x)
        crop_mask = F.adaptive_avg_pool2d(foreground_mask, crop.shape[2:])
        whole_mask = F.adaptive_avg_pool2d(background_mask, whole.shape[2:])
        pooled = [
            masked_mean(crop, crop_mask),
            masked_mean(crop, 1 - crop_mask),
            masked_mean(whole, whole_mask),
            masked_mean(whole, 1 - whole_mask),
        ]
        evidence = [
            torch.relu(self.squeeze(torch.cat(pooled, 1))),
            color_statistics(foreground, foreground_mask, background, 1 - background_mask),
            self.attention(crop, crop_mask, foreground, whole, 1 - whole_mask, background),
        ]
        raw = self.head(torch.cat(evidence, 1)).unflatten(1, (3, KNOTS))
        low, rises = 0.2 * raw[..., :1], F.softplus(2 * raw[..., 1:] + 0.5413)  # softplus(0.5413) = 1
        return torch.cat([low, low + torch.cumsum(rises, -1) / (KNOTS - 1)], -1)

    @staticmethod
    def draw(image: Tensor, parameters: Tensor) -> list[Tensor]:
        """The picture (B, 3, H, W) after the curves, as the only stage."""
        return [interpolate(image, parameters)]


class ColorAttention(nn.Module):
    """Each piece of the foreground asks which pieces of the background are like it, and what colours they have."""

    outputs = 9

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(FEATURES, width, 1)
        self.key = nn.Conv2d(FEATURES, width, 1)
        self.scale = width**-0.5

    def forward(
        self, crop: Tensor, inside: Tensor, foreground: Tensor, whole: Tensor, outside: Tensor, background: Tensor
    ) -> Tensor:
        """(B, 9): mean colour of the foreground, of what answers it, and their mean absolute difference."""
        query, key = self.query(crop).flatten(2), self.key(whole).flatten(2)  # (B, width, N), (B, width, M)
        ours = F.adaptive_avg_pool2d(foreground, crop.shape[2:]).flatten(2)  # (B, 3, N)
        theirs = F.adaptive_avg_pool2d(background, whole.shape[2:]).flatten(2)  # (B, 3, M)
        likeness = torch.einsum("bcn,bcm->bnm", query, key) * self.scale + torch.log(outside.flatten(2) + 1e-4)
        answer = torch.einsum("bnm,bcm->bcn", likeness.softmax(-1), theirs)  # (B, 3, N)
        weight = inside.flatten(2)
        weight = weight / (weight.sum(-1, keepdim=True) + 1e-4)
        parts = [ours, answer, (answer - ours).abs()]
        return torch.cat([(part * weight).sum(-1) for part in parts], 1)


def masked_mean(features: Tensor, mask: Tensor) -> Tensor:
    """(B, C, y, x) averaged where (B, 1, y, x) weighs it: (B, C)."""
    return (features * mask).sum((2, 3)) / (mask.sum((2, 3)) + 1e-4)


def color_statistics(foreground: Tensor, inside: Tensor, background: Tensor, outside: Tensor) -> Tensor:
    """Histograms, means and deviations of each channel in both regions, and the three's mean differences.

    Bins are triangles, so that the histogram of a colour between two bins is shared by them.
    """
    regions = []
    for image, mask in ((foreground, inside), (background, outside)):
        image, mask = image[..., ::2, ::2].flatten(2), mask[..., ::2, ::2].flatten(2)  # every fourth pixel will do
        weight = mask / (mask.sum(-1, keepdim=True) + 1e-4)
        centers = torch.arange(BINS, device=image.device, dtype=image.dtype)
        place = image * (BINS - 1)
        histogram = [(F.relu(1 - (place - center).abs()) * weight).sum(-1) for center in centers]
        mean = (image * weight).sum(-1)
        deviation = (((image - mean[..., None]).square() * weight).sum(-1) + 1e-6).sqrt()
        regions.append([*histogram, mean, deviation])  # each (B, 3)
    ours, theirs = regions
    scaled = [BINS / 4 * part for part in ours[:BINS] + theirs[:BINS]]
    red, green, blue = (theirs[BINS] - ours[BINS]).split(1, 1)
    opponents = torch.cat([red + green + blue, red - green, 2 * blue - red - green], 1)
    ratios = [torch.log((theirs[k] + 0.02) / (ours[k] + 0.02)) for k in (BINS, BINS + 1)]
    return torch.cat([*scaled, *ours[BINS:], *theirs[BINS:], opponents, *ratios], 1)
