"""What the matte's rim tells: how colours change from the foreground to what lies right beside it.

A mask is hardly ever exact. Where it is too narrow a strip of the foreground keeps its own colours outside, where it is
too wide a strip of the background got foreign ones inside, and where it is exact the blur of lens and resampling is cut
through. Each such place shows one surface in both colours: a sample of the very curve that is sought. In a composite of
a clean cut-out there are none, and a network has to learn to tell.

Full size shows the narrowest strips, half of it what lies across soft rims. Strips of a composite that was pasted at a
larger size are narrower still: its crop is given at twice the size.

One curve has to explain all such samples, so that profiles which contradict the others are trusted less: a first
regression, then another with weights from what the first left unexplained (iteratively reweighted least squares,
Holland and Welsch 1977, with learnt weights).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from video_harmonizer.thumbnails import CLOSE, SIZE

PROFILES = (1024, 256)  # taken from the crop at full and at half size: with fewer, curves flicker
RUN = 6  # pixels of a profile: three inside, three outside
BINS = 16
PAIRS = ((1, 4), (2, 3))  # which pixels of a profile are compared
WIDTH = 64
LITTLE = 1e-3  # trust that keeps quotients finite where nothing is trusted
PRIOR = 0.02  # share of all trust with which a level's mean is drawn to the mean of all levels


class Look(nn.Module):
    """Takes runs of pixels across the rim from a square picture: of those that there are, spread over the whole rim.

    Args:
        side: of the picture in pixels.
        profiles: how many are taken.
        every: so many rows and columns one is looked along.
    """

    def __init__(self, side: int, profiles: int, every: int = 2) -> None:
        super().__init__()
        self.profiles = profiles
        self.every = every
        self.start: Tensor
        self.stride: Tensor
        self.steps: Tensor
        self.turn: Tensor
        start, stride = _runs(side, every)
        buffers = {
            "start": start,
            "stride": stride,
            "steps": torch.arange(RUN),
            # spreads the choice over the whole rim where there are more profiles than are taken
            "turn": torch.frac(torch.arange(len(start)) * 0.6180339887),
        }
        for name, value in buffers.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 4, side, side) RGB and alpha -> runs (B, 4, P, RUN) from inside to outside, and which exist, (B, P)."""
        alpha = pixels[:, 3] - 0.5
        rows, columns = alpha[:, :: self.every], alpha[:, :, :: self.every]
        near, far, last = 1, RUN - 2, RUN - 1  # a run's second pixel is inside and its last but one outside
        left, right = rows[:, :, near : near - last], rows[:, :, far : far - last]
        upper, lower = columns[:, near : near - last], columns[:, far : far - last]
        turns = ((left, right), (right, left), (upper, lower), (lower, upper))  # in the order of `_runs`
        crossing = torch.cat([(F.relu(inside) * F.relu(-outside)).flatten(1) for inside, outside in turns], 1)
        score, chosen = ((crossing > 0.0125) * (4 * crossing + self.turn)).topk(self.profiles, 1)
        places = self.start[chosen][..., None] + self.stride[chosen][..., None] * self.steps  # (B, P, RUN)
        runs = pixels.flatten(2).gather(2, places.flatten(1)[:, None].expand(-1, 4, -1))
        return runs.unflatten(2, (self.profiles, RUN)), (score > 0).to(pixels.dtype)


class Rim(nn.Module):
    """Profiles across the rim, weighed by how much each tells, as joint histograms and averaged features."""

    outputs = WIDTH + 2 + len(PAIRS) * 3 * (BINS * BINS + 2 * BINS + 1)

    def __init__(self) -> None:
        super().__init__()
        self.looks = nn.ModuleList([Look(SIZE, PROFILES[0]), Look(SIZE // 2, PROFILES[1])])
        # of every fourth row as many runs as of every other at `SIZE`, which it learnt with: of more it judges worse
        self.closer = nn.ModuleList([Look(CLOSE, PROFILES[0], every=4), Look(CLOSE // 2, PROFILES[1])])
        self.features = nn.Sequential(nn.Linear(4 * RUN, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU())
        self.trust = nn.Linear(WIDTH, 1)
        self.consensus = nn.Sequential(nn.Linear(WIDTH + 2 * 3 * len(PAIRS), 32), nn.ReLU(), nn.Linear(32, 1))
        self.bins: Tensor
        self.register_buffer("bins", torch.arange(BINS, dtype=torch.float32), persistent=False)

    def forward(self, full: Tensor, half: Tensor) -> Tensor:
        """RGB and alpha 0..1 of the crop, (B, 4, S, S), S `SIZE` or `CLOSE`, and at half size -> (B, outputs)."""
        looks = self.closer if full.shape[-1] == CLOSE else self.looks
        runs, exist = zip(*(look(crop) for look, crop in zip(looks, (full, half), strict=True)), strict=True)
        profiles, there = torch.cat(runs, 2), torch.cat(exist, 1)
        seen = self.features(profiles.permute(0, 2, 3, 1).flatten(2) - 0.5)  # (B, P, WIDTH)
        belief = self.trust(seen)[..., 0]  # (B, P)
        samples = [self._sample(profiles, *pair) for pair in PAIRS]
        first = torch.sigmoid(belief) * there
        left = [sample.change - sample.predicted(_regress(sample, first).shift) for sample in samples]
        surprise = 4 * torch.cat(left, 1).transpose(1, 2)  # (B, P, 3 a pair)
        trust = torch.sigmoid(belief + self.consensus(torch.cat([seen, surprise.abs(), surprise], 2))[..., 0]) * there
        total = trust.sum(1, keepdim=True) + LITTLE
        found = [(seen * trust[..., None]).sum(1) / total, trust.mean(1, keepdim=True), there.mean(1, keepdim=True)]
        for sample in samples:
            joint = (sample.inside * trust[:, None, :, None]).transpose(2, 3) @ sample.outside
            curve = _regress(sample, trust)
            found.append((BINS * joint / total[..., None, None]).flatten(1))
            found += [4 * curve.shift.flatten(1), curve.known.flatten(1), 4 * curve.mean]
        return torch.cat(found, 1)

    def _sample(self, profiles: Tensor, inner: int, outer: int) -> "_Samples":
        inside, outside = profiles[:, :3, :, inner], profiles[:, :3, :, outer]
        return _Samples(outside - inside, self._shares(inside), self._shares(outside))

    def _shares(self, levels: Tensor) -> Tensor:
        """Levels in 0..1 -> their shares in each of `BINS` bins, in a new last dimension; neighbours share a level."""
        return F.relu(1 - (levels[..., None] * (BINS - 1) - self.bins).abs())


@dataclass(frozen=True)
class _Samples:
    """Colours on both sides of the rim, one from each profile."""

    change: Tensor  # (B, 3, P) from inside to outside
    inside: Tensor  # (B, 3, P, BINS) shares of the levels inside
    outside: Tensor  # alike, outside

    def predicted(self, shift: Tensor) -> Tensor:
        """What a curve, given as the change (B, 3, BINS) at each level, says of each profile: (B, 3, P)."""
        return (self.inside @ shift[..., None])[..., 0]


@dataclass(frozen=True)
class _Curve:
    shift: Tensor  # (B, 3, BINS) change at each level
    known: Tensor  # (B, 3, BINS) 0..1, how much was seen of it
    mean: Tensor  # (B, 3) change over all levels


def _regress(sample: _Samples, trust: Tensor) -> _Curve:
    """The mean change at each level, weighed by trust (B, P); the mean over all levels where little was seen."""
    weight = sample.inside * trust[:, None, :, None]
    total = trust.sum(1)[:, None] + LITTLE
    mean = (sample.change * trust[:, None]).sum(2) / total
    seen = weight.sum(2) / total[..., None]
    change = (sample.change[:, :, None] @ weight)[:, :, 0] / total[..., None]
    return _Curve((change + PRIOR * mean[..., None]) / (seen + PRIOR), seen / (seen + PRIOR), mean)


def _runs(side: int, every: int) -> tuple[Tensor, Tensor]:
    """First pixels and strides of the runs of a flattened picture: rightwards, leftwards, down and up.

    Those of some rows and columns: the rim passes through the others in between.
    """
    pixels = torch.arange(side * side).view(side, side)
    last = RUN - 1
    starts = [pixels[::every, :-last], pixels[::every, last:], pixels[:-last, ::every], pixels[last:, ::every]]
    strides = [torch.full((start.numel(),), stride) for start, stride in zip(starts, (1, -1, side, -side), strict=True)]
    return torch.cat([start.flatten() for start in starts]), torch.cat(strides)
