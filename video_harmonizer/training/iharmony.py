"""iHarmony4's composites as training samples."""

import logging
from pathlib import Path

import cv2
import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from video_harmonizer.errors import InputError
from video_harmonizer.iharmony4 import SUBSETS, Entry, Sample, list_entries, read_sample
from video_harmonizer.thumbnails import MIN_PIXELS
from video_harmonizer.training.composites import as_sample

log = logging.getLogger(__name__)

SHARES = (0.7, 1.0)  # of a side that a random crop keeps


def is_iharmony4(root: Path) -> bool:
    """Whether the folder has one of the subsets in it."""
    return any((root / subset).is_dir() for subset in SUBSETS)


class IHarmonyDataset(Dataset):
    """Sample ``i`` is a function of (seed, i) alone, of the form that `CompositeDataset` gives.

    For the train split an endless supply: each epoch in an order of its own, cropped and flipped by chance. For the
    test split ``count`` whole composites, evenly spread over the lists. A picture that can't be read is skipped.
    """

    def __init__(self, root: Path, split: str, size: int, seed: int, count: int | None = None) -> None:
        entries = list_entries(root, split)
        if count is not None and count < len(entries):
            entries = [entries[n * len(entries) // count] for n in range(count)]
        self.root = root
        self.entries = entries
        self.size = size
        self.seed = seed
        self.augmented = split == "train"
        self.skipped: set[str] = set()
        self._order = (-1, np.arange(len(entries)))  # of an epoch: (its number, the entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        for n in range(len(self.entries)):
            random = np.random.default_rng([self.seed, index, n])
            entry = self._entry(index + n)
            try:
                pictures = read_sample(entry)
            except InputError as error:
                self._skip(entry, error)
                continue
            pictures = _cropped(pictures, random) if self.augmented else pictures
            sample = as_sample(pictures.composite, pictures.mask, pictures.real, pictures.mask, self.size)
            if sample is not None:
                return sample
        raise InputError(f"{self.root}: none of {len(self.entries)} composites can be used; give the dataset complete")

    def _entry(self, index: int) -> Entry:
        epoch, place = divmod(index, len(self.entries))
        if not self.augmented:
            return self.entries[place]
        if self._order[0] != epoch:
            self._order = (epoch, np.random.default_rng([self.seed, epoch]).permutation(len(self.entries)))
        return self.entries[self._order[1][place]]

    def _skip(self, entry: Entry, error: InputError) -> None:
        if entry.name not in self.skipped:
            self.skipped.add(entry.name)
            log.warning("%s; skipped, number %d", error, len(self.skipped))


def _cropped(pictures: Sample, random: np.random.Generator) -> Sample:
    """A random part, mirrored by chance; the whole where that part would hold next to no foreground."""
    height, width = pictures.mask.shape
    h, w = int(height * random.uniform(*SHARES)), int(width * random.uniform(*SHARES))
    top, left = random.integers(height - h + 1), random.integers(width - w + 1)
    part = np.s_[top : top + h, left : left + w]
    if cv2.countNonZero(pictures.mask[part]) < MIN_PIXELS:
        part = np.s_[:, :]
    turn = np.s_[:, :: random.choice([-1, 1])]
    return Sample(*(np.ascontiguousarray(p[part][turn]) for p in (pictures.composite, pictures.mask, pictures.real)))
