"""Synthetic composites: photographs whose foreground was given foreign colours, with the photograph as target."""

from dataclasses import fields

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from video_harmonizer.errors import InputError
from video_harmonizer.frame import Matte
from video_harmonizer.harmonizers.s2crnet import CLASSES
from video_harmonizer.thumbnails import Thumbnails, make_thumbnails
from video_harmonizer.training import perturb
from video_harmonizer.training.photographs import Photographs, Row, fit
from video_harmonizer.training.regions import propose_region

UNTOUCHED = 0.1  # of the training samples are harmonious already: there is nothing to do
LIKENESS = 0.7  # least correlation of a channel before and after: below, no curve leads back
MIN_REGION = 0.01  # of the picture: a smaller foreground says too little of its colours
MAX_DRAWS = 1000  # for one sample: only data without a fitting mask needs that many


class CompositeDataset(Dataset):
    """An endless, repeatable supply: sample ``i`` is a function of (seed, i) alone, so a resumed run goes on exactly.

    A sample is a dict of uint8 tensors: the four `Thumbnails` (pictures (S, S, 3), masks (S, S)), ``target``
    (S, S, 3), what the composite ``background`` should have been, and ``target_mask`` (S, S), where it differs. Beside
    them is ``label`` (), int64: what the foreground is, an index into S2CRNet's classes.
    """

    def __init__(
        self, photographs: Photographs, luts: np.ndarray, size: int, seed: int, untouched: float = UNTOUCHED
    ) -> None:
        self.photographs = photographs
        self.luts = luts
        self.size = size
        self.seed = seed
        self.untouched = untouched

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        random = np.random.default_rng([self.seed, index])
        for _ in range(MAX_DRAWS):
            sample = self._draw(random)
            if sample is not None:
                return sample
        raise InputError(f"{self.photographs.root}: hardly a foreground that covers 1 to 90 % of its picture")

    def _draw(self, random: np.random.Generator) -> dict[str, Tensor] | None:
        image, mask, group, person = self._cut_out(random)
        if not MIN_REGION < (mask > 127).mean() < 0.9:
            return None
        pair = self._perturb(image, mask, group, random)
        if pair is None:
            return None
        composite, target = pair
        given = mask if random.random() < 0.6 else _imperfect(mask, random)
        thumbnails = make_thumbnails(composite, Matte(given), composite, self.size)
        if thumbnails is None:
            return None
        arrays = {field.name: getattr(thumbnails, field.name) for field in fields(Thumbnails)}
        arrays |= {"target": target, "target_mask": mask}
        tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
        return tensors | {"label": torch.tensor(CLASSES.index("person" if person else "other"))}

    def _cut_out(self, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[Row], bool]:
        """(image, mask, the mask's group, whether that is a person).

        A random crop under its own mask, a borrowed one or a region of its own.
        """
        photographs = self.photographs
        any_row = photographs.rows[random.integers(len(photographs.rows))]
        choice = random.random()
        if choice < 0.25 or not photographs.groups:
            group, person = [any_row], False
            image = photographs.images[any_row.image]
            mask = propose_region(image, random)
        else:
            group = photographs.groups[random.integers(len(photographs.groups))]
            row = group[random.integers(len(group))]
            person = row.person and choice >= 0.4  # under a borrowed mask is something else
            image = photographs.images[(any_row if choice < 0.4 else row).image]
            mask = fit(photographs.masks[row.mask], image)
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
            person,
        )

    def _perturb(
        self, image: np.ndarray, mask: np.ndarray, group: list[Row], random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """(composite, target), both (S, S, 3) uint8; None where the change can't be undone."""
        original = image.astype(np.float32) / 255
        flat = np.ascontiguousarray(original.reshape(-1, 3))
        # The scene is developed anew each time, now and then strongly: a network that has seen the photograph before
        # can't know its colours by heart and has to look at the background.
        regraded = random.random() < 0.2
        new = perturb.grade(flat, random, self.luts) if regraded else perturb.develop(flat, random, 0.2).clip(0, 1)
        scene = new.reshape(original.shape)
        covered = mask > 0
        choice = random.random()
        colors = scene[covered]
        if self.untouched <= choice < 0.5:
            colors = perturb.transfer(colors, self._reference(group, random), random)
        elif self.untouched <= choice:
            colors = perturb.grade(original[covered], random, self.luts)
        if not _alike(colors, scene[covered]):
            return None
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
            levels = _compressed(levels, quality=int(random.integers(40, 96)))
        return levels, np.rint(scene * 255).astype(np.uint8)

    def _reference(self, group: list[Row], random: np.random.Generator) -> np.ndarray:
        """(N, 3) colours of another foreground, mostly of the same kind; sometimes of anything."""
        row = group[random.integers(len(group))]
        if row.mask and random.random() < 0.75:
            image, mask = self.photographs.images[row.image], self.photographs.masks[row.mask]
            sparse = np.s_[:: max(1, len(image) // 96), ::3]
            colors = image[sparse][mask[sparse] > 127]
            if len(colors) > 50:
                return colors.astype(np.float32) / 255
        row = self.photographs.rows[random.integers(len(self.photographs.rows))]
        return self.photographs.images[row.image][::4, ::4].reshape(-1, 3).astype(np.float32) / 255


def _alike(colors: np.ndarray, others: np.ndarray) -> bool:
    """Whether each channel still rises where it rose: (N, 3) against (N, 3)."""
    a, b = colors - colors.mean(0), others - others.mean(0)
    noise = 1e-4  # of a flat region, whose correlation is only that of noise
    correlation = ((a * b).mean(0) + noise) / (np.sqrt((a * a).mean(0) * (b * b).mean(0)) + noise)
    return bool(correlation.min() > LIKENESS)


def _imperfect(mask: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The mask as a matting network might give it: too wide or too narrow, soft, wobbly, with a hole."""
    size = int(random.integers(1, max(2, len(mask) // 40)))
    kernel = np.ones((2 * size + 1, 2 * size + 1), np.uint8)
    mask = cv2.dilate(mask, kernel) if random.random() < 0.5 else cv2.erode(mask, kernel)
    if random.random() < 0.7:
        mask = cv2.GaussianBlur(mask, (0, 0), float(random.uniform(0.5, len(mask) / 60)))
    if random.random() < 0.2:
        center = tuple(int(x) for x in random.integers(0, len(mask), 2))
        cv2.circle(mask, center, int(random.integers(2, max(3, len(mask) // 10))), 0, -1)
    return mask


def _compressed(picture: np.ndarray, quality: int) -> np.ndarray:
    """What JPEG leaves of an RGB picture."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    decoded = cv2.imdecode(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
    assert decoded is not None  # it was encoded just now
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)


def _falloff(shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """(H, W) float32 gain: light that comes from one side."""
    angle, depth = random.uniform(0, 2 * np.pi), random.uniform(0.05, 0.3)
    y, x = np.meshgrid(np.linspace(-1, 1, shape[0]), np.linspace(-1, 1, shape[1]), indexing="ij")
    return (1 + depth * (np.cos(angle) * x + np.sin(angle) * y)).astype(np.float32)
