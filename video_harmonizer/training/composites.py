"""Synthetic composites: photographs whose foreground was given foreign colours, with the photograph as target."""

import csv
import logging
from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from video_harmonizer.errors import InputError
from video_harmonizer.frame import Matte
from video_harmonizer.thumbnails import Thumbnails, make_thumbnails
from video_harmonizer.training import perturb

log = logging.getLogger(__name__)

SHORT_SIDE = 256  # photographs are kept in memory at this size
TRAINING_LUTS = 60  # of the tables in luts.npz; the others are kept for validation
MIN_REGION = 0.01  # of the picture: a smaller foreground says too little of its colours


@dataclass(frozen=True)
class Row:
    """A line of index.csv: one photograph with one foreground mask, or none."""

    image: str
    mask: str  # "" where there is none
    person: bool


class Photographs:
    """A folder with `index.csv` (source,image,mask,person,split), decoded into memory."""

    def __init__(self, root: Path, split: str) -> None:
        self.root = root
        self.rows = [row for row in _read_index(root, split)]
        self.images: dict[str, np.ndarray] = {}
        self.masks: dict[str, np.ndarray] = {}
        self.skipped: list[str] = []
        for row in self.rows:
            self._load(row)
        self.rows = [row for row in self.rows if row.image in self.images and (row.mask in self.masks or not row.mask)]
        self.masked = [row for row in self.rows if row.mask]
        if self.skipped:
            log.warning("%d unreadable pictures skipped, the first is %s", len(self.skipped), self.skipped[0])
        if len(self.masked) < 2:
            raise InputError(f"{root}: {len(self.masked)} photographs with a mask in split {split!r}; want 2 or more")
        people = [row for row in self.masked if row.person]
        things = [row for row in self.masked if not row.person]
        self.groups = [group for group in (people, things) if group]

    def _load(self, row: Row) -> None:
        for name, store, flag in ((row.image, self.images, cv2.IMREAD_COLOR), (row.mask, self.masks, 0)):
            if not name or name in store:
                continue
            picture = cv2.imread(str(self.root / name), flag)
            if picture is None:
                self.skipped.append(name)
                return
            scale = SHORT_SIDE / min(picture.shape[:2])
            if scale < 1:
                picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            store[name] = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB) if flag else picture


def _read_index(root: Path, split: str) -> list[Row]:
    index = root / "index.csv"
    if not index.is_file():
        raise InputError(f"{index}: no such file; want a table with columns source,image,mask,person,split")
    with index.open(newline="") as lines:
        table = [line for line in csv.DictReader(lines) if line["split"] == split]
    return [Row(line["image"], line["mask"], line["person"] == "1") for line in table]


class CompositeDataset(Dataset):
    """An endless, repeatable supply: sample ``i`` is a function of (seed, i) alone, so a resumed run goes on exactly.

    A sample is a dict of uint8 tensors: the four `Thumbnails` (pictures (S, S, 3), masks (S, S)), ``target``
    (S, S, 3), what the composite ``background`` should have been, and ``target_mask`` (S, S), where it differs.
    """

    def __init__(self, photographs: Photographs, luts: np.ndarray, size: int, seed: int) -> None:
        self.photographs = photographs
        self.luts = luts
        self.size = size
        self.seed = seed

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        random = np.random.default_rng([self.seed, index])
        while True:
            sample = self._draw(random)
            if sample is not None:
                return sample

    def _draw(self, random: np.random.Generator) -> dict[str, Tensor] | None:
        image, mask, group = self._cut_out(random)
        if not MIN_REGION < (mask > 127).mean() < 0.9:
            return None
        composite, target = self._perturb(image, mask, group, random)
        given = mask if random.random() < 0.6 else _imperfect(mask, random)
        thumbnails = make_thumbnails(composite, Matte(given), composite, self.size)
        if thumbnails is None:
            return None
        arrays = {field.name: getattr(thumbnails, field.name) for field in fields(Thumbnails)}
        arrays |= {"target": target, "target_mask": mask}
        return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}

    def _cut_out(self, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[Row]]:
        """A random crop of a photograph with a mask: its own, or for some photographs without one a borrowed shape."""
        group = self.photographs.groups[random.integers(len(self.photographs.groups))]
        row = group[random.integers(len(group))]
        image, mask = self.photographs.images[row.image], self.photographs.masks[row.mask]
        if random.random() < 0.2:
            other = self.photographs.rows[random.integers(len(self.photographs.rows))]
            image = self.photographs.images[other.image]
        if mask.shape != image.shape[:2]:
            mask = cv2.resize(mask, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        height, width = mask.shape
        share = random.uniform(0.7, 1.0, 2)
        h, w = int(height * share[0]), int(width * share[1])
        top, left = random.integers(height - h + 1), random.integers(width - w + 1)
        image, mask = image[top : top + h, left : left + w], mask[top : top + h, left : left + w]
        if random.random() < 0.5:
            image, mask = image[:, ::-1], mask[:, ::-1]
        area = (self.size, self.size)
        return (
            cv2.resize(image, area, interpolation=cv2.INTER_AREA),
            cv2.resize(mask, area, interpolation=cv2.INTER_AREA),
            group,
        )

    def _perturb(
        self, image: np.ndarray, mask: np.ndarray, group: list[Row], random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """(composite, target), both (S, S, 3) uint8."""
        original = image.astype(np.float32) / 255
        scene = original
        regraded = random.random() < 0.45
        if regraded:  # the same raw developed twice, one for the scene and one for the foreground
            flat = np.ascontiguousarray(original.reshape(-1, 3))
            scene = perturb.grade(flat, random, self.luts).reshape(original.shape)
        covered = mask > 0
        choice = random.random()
        colors = original[covered]
        if choice < 0.06:
            colors = scene[covered]  # already harmonious: there is nothing to do
        elif choice < 0.5:
            colors = perturb.transfer(colors, self._reference(group, random), random)
        elif choice < 0.9 or not regraded:
            colors = perturb.grade(colors, random, self.luts)
        if random.random() < 0.12:
            colors = colors * _falloff(mask.shape, random)[covered][:, None]
        foreign = scene.copy()
        foreign[covered] = colors
        weight = mask[..., None] / np.float32(255)
        composite = foreign * weight + scene * (1 - weight)
        if random.random() < 0.25:
            noise = random.normal(0, random.uniform(0.005, 0.03), composite.shape)
            composite = composite + noise.astype(np.float32)
        levels = np.rint(composite.clip(0, 1) * 255).astype(np.uint8)
        if random.random() < 0.25:
            quality = int(random.integers(40, 96))
            levels = cv2.imdecode(cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1)
        return levels, np.rint(scene * 255).astype(np.uint8)

    def _reference(self, group: list[Row], random: np.random.Generator) -> np.ndarray:
        """(N, 3) colours of another foreground, mostly of the same kind; sometimes of anything."""
        if random.random() < 0.75:
            row = group[random.integers(len(group))]
            image, mask = self.photographs.images[row.image], self.photographs.masks[row.mask]
            colors = image[:: max(1, len(image) // 96), ::3][mask[:: max(1, len(mask) // 96), ::3] > 127]
            if len(colors) > 50:
                return colors.astype(np.float32) / 255
        row = self.photographs.rows[random.integers(len(self.photographs.rows))]
        return self.photographs.images[row.image][::4, ::4].reshape(-1, 3).astype(np.float32) / 255


def _imperfect(mask: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The mask as a matting network might give it: too wide or too narrow, soft, wobbly, with a hole."""
    size = int(random.integers(1, max(2, len(mask) // 40)))
    kernel = np.ones((2 * size + 1, 2 * size + 1), np.uint8)
    mask = cv2.dilate(mask, kernel) if random.random() < 0.5 else cv2.erode(mask, kernel)
    if random.random() < 0.7:
        mask = cv2.GaussianBlur(mask, (0, 0), float(random.uniform(0.5, len(mask) / 60)))
    if random.random() < 0.2:
        center = tuple(int(x) for x in random.integers(0, len(mask), 2))
        mask = mask.copy()
        cv2.circle(mask, center, int(random.integers(2, max(3, len(mask) // 10))), 0, -1)
    return mask


def _falloff(shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """(H, W) float32 gain: light that comes from one side."""
    angle, depth = random.uniform(0, 2 * np.pi), random.uniform(0.05, 0.3)
    y, x = np.meshgrid(np.linspace(-1, 1, shape[0]), np.linspace(-1, 1, shape[1]), indexing="ij")
    return (1 + depth * (np.cos(angle) * x + np.sin(angle) * y)).astype(np.float32)
