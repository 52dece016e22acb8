"""What the matte's rim tells: how colours change from the foreground to what lies right beside it.

A mask is hardly ever exact. Where it is too narrow a strip of the foreground keeps its own colours outside, where it is
too wide a strip of the background got foreign ones inside, and where it is exact the blur of lens and resampling is cut
through. Each such place shows one surface in both colours: a sample of the very curve that is sought. In a composite of
a clean cut-out there are none, and a network has to learn to tell.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIDE = 128  # pixels of the crop that is looked at
RUN = 6  # pixels of a profile: three inside, three outside
PROFILES = 384  # taken from a picture
BINS = 16
PAIRS = ((1, 4), (2, 3))  # which pixels of a profile are compared
WIDTH = 64


class Rim(nn.Module):
    """Profiles across the rim, weighed by how much each tells, as joint histograms and averaged features."""

    outputs = len(PAIRS) * 3 * BINS * BINS + WIDTH + 2

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Linear(4 * RUN, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU())
        self.trust = nn.Linear(WIDTH, 1)
        self.start: Tensor
        self.stride: Tensor
        self.steps: Tensor
        self.bins: Tensor
        self.turn: Tensor
        start, stride = _runs(SIDE)
        buffers = {
            "start": start,
            "stride": stride,
            "steps": torch.arange(RUN),
            "bins": torch.arange(BINS, dtype=torch.float32),
            # spreads the choice over the whole rim where there are more profiles than are taken
            "turn": torch.frac(torch.arange(len(start)) * 0.6180339887),
        }
        for name, value in buffers.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, crop: Tensor, mask: Tensor) -> Tensor:
        """(B, 3, SIDE, SIDE) RGB 0..1 and its mask (B, 1, SIDE, SIDE) -> (B, outputs)."""
        pixels = torch.cat([crop, mask], 1).flatten(2)  # (B, 4, N)
        profiles, there = self._choose(pixels)
        seen = self.features(profiles.permute(0, 2, 3, 1).flatten(2) - 0.5)  # (B, P, WIDTH)
        trust = torch.sigmoid(self.trust(seen))[..., 0] * there  # (B, P)
        total = trust.sum(1, keepdim=True) + 1e-3
        found = [(seen * trust[..., None]).sum(1) / total, total / PROFILES, there.mean(1, keepdim=True)]
        for inside, outside in PAIRS:
            ours, theirs = (self._shares(profiles[:, :3, :, place]) for place in (inside, outside))  # (B, 3, P, BINS)
            joint = (ours * trust[:, None, :, None]).transpose(2, 3) @ theirs
            found.append((BINS * joint / total[..., None, None]).flatten(1))
        return torch.cat(found, 1)

    def _choose(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Runs of pixels that begin inside and end outside: (B, 4, P, RUN), and (B, P) which of them there are."""
        mask = pixels[:, 3]
        crossing = F.relu(mask[:, self.start + self.stride] - 0.5) * F.relu(0.5 - mask[:, self.start + 4 * self.stride])
        score, chosen = ((crossing > 0.0125) * (4 * crossing + self.turn)).topk(PROFILES, 1)
        places = self.start[chosen][..., None] + self.stride[chosen][..., None] * self.steps  # (B, P, RUN)
        runs = pixels.gather(2, places.flatten(1)[:, None].expand(-1, 4, -1))
        return runs.unflatten(2, (PROFILES, RUN)), (score > 0).to(pixels.dtype)

    def _shares(self, levels: Tensor) -> Tensor:
        """Levels in 0..1 -> their shares in each of `BINS` bins, in a new last dimension; neighbours share a level."""
        return F.relu(1 - (levels[..., None] * (BINS - 1) - self.bins).abs())


def _runs(side: int) -> tuple[Tensor, Tensor]:
    """First pixels and strides of all runs of a flattened picture: rightwards, leftwards, down and up."""
    pixels = torch.arange(side * side).view(side, side)
    last = RUN - 1
    starts = [pixels[:, :-last], pixels[:, last:], pixels[:-last], pixels[last:]]
    strides = [torch.full((start.numel(),), stride) for start, stride in zip(starts, (1, -1, side, -side), strict=True)]
    return torch.cat([start.flatten() for start in starts]), torch.cat(strides)
