"""CurveNet: this project's own estimator of tone curves, in S2CRNet's place.

What it does otherwise than S2CRNet (`s2crnet`, Liang et al., ECCV 2022):

- it looks across the matte's rim, where one surface often shows in its own and in foreign colours (`rim`);
- histograms and moments of both regions' colours stand beside the features;
- everything is decided together, by a small perceptron, not by a sum of what foreground and background say;
- a curve's ends are free: a white shirt can be dimmed at night;
- its convolutions look at 96x96 pixels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rvm.squeezenet import squeezenet_features
from video_harmonizer.harmonizers.curves import interpolate
from video_harmonizer.harmonizers.rim import Rim
from video_harmonizer.thumbnails import CLOSE, SIZE

SIDE = 128  # of the pictures that histograms are of
FEATURES = 512
GLANCE = 96  # side of the pictures that the convolutions look at
BINS = 16  # of a colour histogram
STATISTICS = 2 * 3 * (BINS + 2) + 9
WIDTH = 512  # of the perceptron
PIECES = 32  # of a curve
ENDS = 0.2  # by how much an answer of 1 moves a curve's end


class CurveNet(nn.Module):
    """Thumbnails and masks -> tone curves, (B, 3, PIECES + 1) values at equal steps, for `curves.interpolate`."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = squeezenet_features(12)
        self.rim = Rim()
        last = nn.Linear(WIDTH, 3 * (PIECES + 2))
        nn.init.zeros_(last.bias)
        last.weight.data.mul_(0.1)  # training starts near the identity
        inputs = Rim.outputs + STATISTICS + 2 * FEATURES
        self.head = nn.Sequential(nn.Linear(inputs, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), last)

    def forward(
        self, foreground: Tensor, foreground_mask: Tensor, background: Tensor, background_mask: Tensor
    ) -> Tensor:
        """Estimate the curves.

        Args:
            foreground: (B, 3, s, s) RGB 0..1, the composite cropped to the foreground's bounding box. From `CLOSE`
                pixels a side on the rim is looked at twice as closely.
            foreground_mask: (B, 1, s, s), 1 = foreground, cropped alike.
            background: (B, 3, t, t) RGB 0..1, the whole composite.
            background_mask: (B, 1, t, t), 1 = foreground.

        Returns:
            (B, 3, PIECES + 1): what becomes of inputs at equal steps of 0..1; rises, and may leave 0..1 a little.
        """
        with torch.autocast(foreground.device.type, enabled=False):  # averages and histograms need every digit
            near = torch.cat([foreground, foreground_mask], 1).float()
            far = shrink(torch.cat([background, background_mask], 1).float(), SIDE)
            full = shrink(near, CLOSE if near.shape[-1] >= CLOSE else SIZE)
            half = shrink(full, full.shape[-1] // 2)
            crop, inside = shrink(half, SIDE).split((3, 1), 1)
            whole, outside = far[:, :3], 1 - far[:, 3:]
            known = [self.rim(full, half), color_statistics(crop, inside, whole, outside)]
            glance = shrink(torch.cat([crop * inside, whole * outside]), GLANCE)
        # mean over the whole picture, not the region: how large the region is counts, too
        of_crop, of_whole = self.encoder(glance).float().mean((2, 3)).chunk(2)
        return self.curves(self.head(torch.cat([*known, of_crop, of_whole], 1)).float())

    @staticmethod
    def curves(answer: Tensor) -> Tensor:
        """(B, 3 (PIECES + 2)) answers -> the curves that they mean: two free ends, and pieces that rise in between."""
        answer = answer.unflatten(1, (3, PIECES + 2))
        low, high = ENDS * answer[..., :1], 1 + ENDS * answer[..., 1:2]
        rises = torch.cumsum(F.softplus(2 * answer[..., 2:]), -1)
        knots = F.pad(rises / rises[..., -1:], (1, 0))
        return low + (high - low) * knots

    @staticmethod
    def knots(parameters: Tensor) -> Tensor:
        """(B, 3, K) -> (B, 1, 3, K): the curves' values at equal steps, as the only stage."""
        return parameters[:, None]

    @staticmethod
    def draw(image: Tensor, parameters: Tensor) -> list[Tensor]:
        """The picture (B, 3, H, W) after the curves, as the only stage."""
        return [interpolate(image, parameters)]


def shrink(picture: Tensor, side: int) -> Tensor:
    """(B, C, s, s) -> (B, C, side, side), averaged as adaptive pooling does, in steps that engines are fast at."""
    now = picture.shape[-1]
    if now == side:
        return picture
    if now % side == 0:
        return F.avg_pool2d(picture, now // side)
    rows = F.adaptive_avg_pool1d(torch.eye(now, device=picture.device), side)  # (now, side)
    return rows.T @ picture @ rows


def color_statistics(foreground: Tensor, inside: Tensor, background: Tensor, outside: Tensor) -> Tensor:
    """Histograms, means and deviations of each channel in both regions, and how the regions differ: (B, STATISTICS).

    Bins are triangles, so that a colour between two bins is shared by them.
    """
    pictures, masks = torch.stack([foreground, background], 1), torch.stack([inside, outside], 1)
    image, mask = pictures[..., ::2, ::2].flatten(3), masks[..., ::2, ::2].flatten(3)  # every fourth pixel will do
    weight = mask / (mask.sum(-1, keepdim=True) + 1e-4)  # (B, 2, 1, P)
    bins = torch.arange(BINS, dtype=image.dtype, device=image.device)[:, None]
    shares = F.relu(1 - (image[..., None, :] * (BINS - 1) - bins).abs())  # (B, 2, 3, BINS, P)
    histograms = (shares @ weight[..., None])[..., 0]
    mean = (image * weight).sum(-1)
    deviation = (((image - mean[..., None]).square() * weight).sum(-1) + 1e-6).sqrt()
    moments = torch.stack([mean, deviation], 2)  # (B, 2, 2, 3)
    ours, theirs = moments.unbind(1)
    red, green, blue = (theirs - ours)[:, 0].split(1, 1)
    opponents = torch.cat([red + green + blue, red - green, 2 * blue - red - green], 1)
    ratios = torch.log((theirs + 0.02) / (ours + 0.02))
    scaled = BINS / 4 * histograms.transpose(2, 3)
    return torch.cat([scaled.flatten(1), moments.flatten(1), opponents, ratios.flatten(1)], 1)
