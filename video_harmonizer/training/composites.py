"""Synthetic composites: photographs whose foreground was given foreign colours, with the photograph as target."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from video_harmonizer.errors import InputError
from video_harmonizer.frame import Matte
from video_harmonizer.harmonizers.s2crnet import CLASSES
from video_harmonizer.pixels import jpeg_round_trip
from video_harmonizer.thumbnails import make_thumbnails, shrink
from video_harmonizer.training import perturb
from video_harmonizer.training.photographs import Photographs, Row, fit
from video_harmonizer.training.regions import Pieces

WORK = (0.8, 1.4)  # sides of thumbnails: how large the pictures are that are composed; photographs are of all sizes
AS_LARGE = 0.5  # of them are as large as the thumbnails, as when a dataset is resized before all else
HARD = 0.3  # of the masks are given without soft edges, as iHarmony4's are; in the others the rim's pixels are shared
DYED = 0.5  # of the people may get some of their clothes in another colour, if a place that is not skin is hit
TRANSFERRED = 0.55  # of the foreign foregrounds have another foreground's colours, the others are graded
LIKENESS = 0.7  # least correlation of a channel before and after: below, no curve leads back
BEYOND = 12  # pixels by which what is cut out goes on beyond its rim, at least
REGIONS = 0.2  # of the foregrounds are regions of like colour
BORROWED = 0.15  # have another photograph's mask
SMALLEST = 0.15  # of their sides to which borrowed masks shrink: photographs' own are mostly of large things
MIN_REGION = 0.004  # of the picture: a smaller foreground says too little of its colours
MAX_DRAWS = 1000  # for one sample: only data without a fitting mask needs that many


@dataclass(frozen=True)
class Mixture:
    """The shares of several kinds of composites."""

    moved: float = 0.2  # foregrounds cut out cleanly that kept their light where the scene has another, often night
    untouched: float = 0.25  # of the others are harmonious already: there is nothing to do
    clean_cut: float = 0.2  # of them have a rim that tells nothing, as before another scene
    matted: float = 0.7  # of all cut out cleanly have a matting network's soft edges, at times with what lay behind
    retouched: float = 0.2  # of them were retouched, the scene is as the camera gave it, as in iHarmony4's HAdobe5k
    natural: float = 0.6  # of what is left has a scene as photographed, as in iHarmony4; others are developed anew


def as_sample(
    composite: np.ndarray, given: np.ndarray, target: np.ndarray, mask: np.ndarray, size: int
) -> dict[str, Tensor] | None:
    """What a network learns from of a composite (H, W, 3), see `CompositeDataset`; None of next to no foreground.

    Args:
        given: (H, W) uint8, the mask as the network gets it.
        mask: (H, W) uint8, where the composite really differs from its target.
        size: side of the thumbnails.
    """
    thumbnails = make_thumbnails(composite, Matte(given), composite, size)
    if thumbnails is None:
        return None
    arrays = thumbnails.pictures() | {"target": shrink(target, size), "target_mask": shrink(mask, size)}
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}


class CompositeDataset(Dataset):
    """An endless, repeatable supply: sample ``i`` is a function of (seed, i) alone, so a resumed run goes on exactly.

    A sample is a dict of uint8 tensors: the four `Thumbnails` (pictures (S, S, 3), masks (S, S)), ``target``
    (S, S, 3), what the composite ``background`` should have been, and ``target_mask`` (S, S), where it differs. Beside
    them is ``label`` (), int64: what the foreground is, an index into S2CRNet's classes.
    """

    def __init__(
        self,
        photographs: Photographs,
        luts: np.ndarray,
        size: int,
        seed: int,
        mixture: Mixture | None = None,
        changes: perturb.Changes = perturb,
    ) -> None:
        self.photographs = photographs
        self.luts = luts
        self.size = size
        self.seed = seed
        self.mixture = mixture or Mixture()
        self.changes = changes
        self._pieces: dict[str, Pieces] = {}  # of the photographs whose regions were asked for

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        random = np.random.default_rng([self.seed, index])
        for _ in range(MAX_DRAWS):
            sample = self._draw(random)
            if sample is not None:
                return sample
        raise InputError(f"{self.photographs.root}: hardly a foreground that covers 0.4 to 90 % of its picture")

    def _draw(self, random: np.random.Generator) -> dict[str, Tensor] | None:
        image, mask, group, person = self._cut_out(random)
        if not MIN_REGION < (mask > 127).mean() < 0.9:
            return None
        triple = self._perturb(image, mask, group, random)
        if triple is None:
            return None
        composite, mask, target = triple
        given = mask if random.random() < 0.8 else _imperfect(mask, random)
        if random.random() < HARD:
            given = np.where(given > 127, np.uint8(255), np.uint8(0))
        sample = as_sample(composite, given, target, mask, self.size)
        return sample and sample | {"label": torch.tensor(CLASSES.index("person" if person else "other"))}

    def _cut_out(self, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[Row], bool]:
        """(image, mask, the mask's group, whether that is a person).

        A random crop under its own mask, a borrowed one or a region of its own.
        """
        photographs = self.photographs
        any_row = photographs.rows[random.integers(len(photographs.rows))]
        choice = random.random()
        if choice < REGIONS or not photographs.groups:
            group, person = [any_row], False
            image = photographs.images[any_row.image]
            mask = fit(self._pieces_of(any_row.image).propose_region(random), image)
        else:
            group = photographs.groups[random.integers(len(photographs.groups))]
            row = group[random.integers(len(group))]
            borrowed = choice < REGIONS + BORROWED
            person = bool(row.person) and not borrowed  # under a borrowed mask is something else
            image = photographs.images[(any_row if borrowed else row).image]
            mask = photographs.mask_of(row)
            mask = fit(_elsewhere(mask, random) if borrowed else mask, image)
        height, width = mask.shape
        share = random.uniform(0.7, 1.0, 2)
        h, w = int(height * share[0]), int(width * share[1])
        top, left = random.integers(height - h + 1), random.integers(width - w + 1)
        image, mask = image[top : top + h, left : left + w], mask[top : top + h, left : left + w]
        if random.random() < 0.5:
            image, mask = image[:, ::-1], mask[:, ::-1]
        side = self.size if random.random() < AS_LARGE else round(self.size * random.uniform(*WORK))
        image, mask = (cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA) for picture in (image, mask))
        if person and random.random() < DYED:
            image = perturb.dye(image, mask, random)
        return image, _drawn_by_hand(mask, random), group, person

    def _pieces_of(self, name: str) -> Pieces:
        if name not in self._pieces:
            self._pieces[name] = Pieces(self.photographs.images[name])
        return self._pieces[name]

    def _perturb(
        self, image: np.ndarray, mask: np.ndarray, group: list[Row], random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """(composite, its alpha, target), (S, S, 3) uint8 and (S, S); None where the change can't be undone."""
        shares = self.mixture
        layers = (image.astype(np.float32) / 255)[None]  # foreground and scene, or one picture that is both
        moved = random.random() < shares.moved
        if moved or random.random() < shares.clean_cut:
            layers = _cut_out_cleanly(layers[0], mask)
            if random.random() < shares.matted:
                if random.random() < 0.5:
                    layers[0] = _over(self._another(mask.shape, random), layers[0], mask)
                mask = cv2.GaussianBlur(_wider(mask, int(random.integers(-2, 3))), (0, 0), random.uniform(0.5, 2.5))
        retouched = not moved and random.random() < shares.retouched
        natural = not moved and not retouched and random.random() < shares.natural
        original, covered = layers[0], mask > 0
        if not covered.any():
            return None
        # Scenes developed anew keep a network from knowing photographs by heart: it has to look at the background.
        if not natural:
            flat = np.ascontiguousarray(layers.reshape(-1, 3))
            layers = self._relit(flat, moved, retouched, random).reshape(layers.shape)
        foreground, scene = layers[0], layers[-1]
        own = colors = foreground[covered]
        changed = moved or random.random() >= shares.untouched
        if changed:
            if moved or retouched:
                colors = perturb.develop(original[covered], random, 0.3).clip(0, 1)
            elif random.random() < TRANSFERRED:
                colors = self.changes.transfer(colors, self._reference(group, random), random)
            else:
                colors = self.changes.grade(colors if natural else original[covered], random, self.luts)
        if not _alike(colors[::7], own[::7]):
            return None
        if changed and random.random() < 0.12:
            colors = colors * _falloff(mask.shape, random)[covered][:, None]
        foreign = foreground.copy()
        foreign[covered] = colors
        composite = _over(scene, foreign, mask)
        if random.random() < 0.25:
            composite += np.float32(random.uniform(0.005, 0.03)) * random.standard_normal(composite.shape, np.float32)
        # dithered: gaps between levels would betray what was changed, and thumbnails of real composites have none
        dither = random.random(composite.shape, np.float32)
        levels = np.minimum(composite.clip(0, 1) * 255 + dither, 255).astype(np.uint8)
        if random.random() < 0.25:
            levels = jpeg_round_trip(levels, quality=int(random.integers(40, 96)))
        return levels, mask, np.rint(_over(scene, foreground, mask) * 255).astype(np.uint8)

    def _relit(self, colors: np.ndarray, moved: bool, retouched: bool, random: np.random.Generator) -> np.ndarray:
        """A scene (N, 3) in another light than it was photographed in, or before it was retouched."""
        strongly = random.random() < 0.6
        if retouched:
            new = perturb.unretouched(colors, random)
        elif moved and strongly:
            new = perturb.nightfall(colors, random)
        elif moved or strongly:
            new = perturb.grade(colors, random, self.luts)
        else:
            new = perturb.develop(colors, random, 0.3)
        return new.clip(0, 1)

    def _another(self, shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
        """(H, W, 3) float32 of some other photograph."""
        row = self.photographs.rows[random.integers(len(self.photographs.rows))]
        return cv2.resize(self.photographs.images[row.image], shape[::-1]).astype(np.float32) / 255

    def _reference(self, group: list[Row], random: np.random.Generator) -> np.ndarray:
        """(N, 3) colours of another foreground, mostly of the same kind; sometimes of anything."""
        row = group[random.integers(len(group))]
        if row.mask and random.random() < 0.75:
            image, mask = self.photographs.images[row.image], self.photographs.mask_of(row)
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


def _over(scene: np.ndarray, foreground: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """(H, W, 3) float32 in front of (H, W, 3), alpha (H, W) uint8."""
    return scene + (alpha / np.float32(255))[..., None] * (foreground - scene)


def _cut_out_cleanly(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(2, H, W, 3): the foreground without what lies behind and the scene without it, each a bit beyond the rim."""
    inside = cv2.distanceTransform((mask > 127).astype(np.uint8), cv2.DIST_L2, 3)
    outside = cv2.distanceTransform((mask <= 127).astype(np.uint8), cv2.DIST_L2, 3)
    return np.stack([_continued(picture, inside - outside, 2), _continued(picture, outside - inside, 5)])


def _continued(picture: np.ndarray, depth: np.ndarray, margin: int) -> np.ndarray:
    """The picture where `depth` is over `margin`; elsewhere its mirror image, or a mean where that is not to be had."""
    sound = (depth > margin).astype(np.float32)
    area = (2 * (margin + BEYOND) + 1,) * 2
    weight = cv2.boxFilter(sound, -1, area, normalize=False)
    mean = cv2.boxFilter(picture * sound[..., None], -1, area, normalize=False) / np.maximum(weight, 1)[..., None]
    smooth = cv2.GaussianBlur(depth, (0, 0), 2)
    right, down = cv2.Sobel(smooth, -1, 1, 0), cv2.Sobel(smooth, -1, 0, 1)
    way = 2 * np.maximum(margin - depth, 0) / (np.hypot(right, down) + np.float32(1e-3))
    y, x = np.indices(depth.shape, np.float32)
    x, y = x + way * right, y + way * down
    mirrored, mirrors_sound = (cv2.remap(plate, x, y, cv2.INTER_LINEAR) for plate in (picture, sound))
    beyond = np.where(mirrors_sound[..., None] > 0.9, mirrored, np.where(weight[..., None] > 0, mean, picture))
    return np.where(sound[..., None] > 0, picture, beyond)


def _elsewhere(mask: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """What the mask shows, smaller and at another place of a picture of the same size."""
    height, width = mask.shape
    scale = np.exp(random.uniform(np.log(SMALLEST), 0))
    h, w = round(height * scale), round(width * scale)
    top, left = random.integers(height - h + 1), random.integers(width - w + 1)
    moved = np.zeros_like(mask)
    moved[top : top + h, left : left + w] = cv2.resize(mask, (w, h), interpolation=cv2.INTER_AREA)
    return moved


def _drawn_by_hand(mask: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The mask as an annotator might have given it, more often than not: as a polygon, too wide or too narrow.

    What was composed with such a mask shows at its rim how the colours were changed, as iHarmony4's composites do: a
    strip of the foreground kept its own colours, or a strip of the background got foreign ones. Photographs are much
    larger than these pictures, so that most such strips are narrower than a pixel of theirs.
    """
    if random.random() < 0.25:
        return mask
    mask = np.where(mask > 127, np.uint8(255), np.uint8(0))
    if random.random() < 0.4:
        outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        corners = [cv2.approxPolyDP(outline, float(random.uniform(0.5, 2.5)), True) for outline in outlines]
        mask = cv2.drawContours(np.zeros_like(mask), corners, -1, 255, cv2.FILLED)
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, 3) - cv2.distanceTransform(255 - mask, cv2.DIST_L2, 3)
    distance -= np.float32(0.5) * np.sign(distance)  # from pixels' edges, not their middles
    distance += np.float32(random.normal(0, 1))
    if random.random() < 0.5:  # an unsteady hand
        wobble = random.normal(0, random.uniform(0.2, 1), (8, 8)).astype(np.float32)
        distance += cv2.resize(wobble, mask.shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.rint(255 * (distance + 0.5).clip(0, 1)).astype(np.uint8)


def _imperfect(mask: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The mask as a matting network might give it: too wide or too narrow, soft, wobbly, with a hole."""
    pixels = int(random.integers(1, max(2, len(mask) // 40)))
    mask = _wider(mask, pixels if random.random() < 0.5 else -pixels)
    if random.random() < 0.7:
        mask = cv2.GaussianBlur(mask, (0, 0), random.uniform(0.5, max(1, len(mask) / 60)))
    if random.random() < 0.2:
        center = tuple(int(x) for x in random.integers(0, len(mask), 2))
        cv2.circle(mask, center, int(random.integers(2, max(3, len(mask) // 10))), 0, -1)
    return mask


def _wider(mask: np.ndarray, pixels: int) -> np.ndarray:
    """Grown on all sides; shrunken by a negative number of pixels."""
    kernel = np.ones((2 * abs(pixels) + 1,) * 2, np.uint8)
    return cv2.dilate(mask, kernel) if pixels > 0 else cv2.erode(mask, kernel)


def _falloff(shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """(H, W) float32 gain: light that comes from one side."""
    angle, depth = random.uniform(0, 2 * np.pi), random.uniform(0.05, 0.3)
    y, x = np.meshgrid(np.linspace(-1, 1, shape[0]), np.linspace(-1, 1, shape[1]), indexing="ij")
    return (1 + depth * (np.cos(angle) * x + np.sin(angle) * y)).astype(np.float32)
