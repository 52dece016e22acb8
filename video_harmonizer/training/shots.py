"""Synthetic shots of people: what a matting network learns from.

Photographs become short shots by a camera that pans and zooms; people are cut out and walk through other places, alone
or in twos, past things that were put there; what was filmed is shown as it is. Then light, lens, sensor and compression
do what they do.
"""

from typing import TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from video_harmonizer.pixels import jpeg_round_trip
from video_harmonizer.rendering.kernels import paste
from video_harmonizer.training.people import People, Shot

FRAMES = 4  # of a sample: one after another, or of as many different shots
FOLLOWING = 0.5  # of the batches have frames that follow one another
REFINED = 0.5  # of the batches are seen by the network at half their size, and refined
# (height, width) that the network sees; larger ones where there is nothing to refine
SMALL = ((128, 128), (112, 192), (128, 176), (176, 112), (144, 144))
LARGE = ((176, 176), (176, 304), (192, 256), (256, 192), (224, 224))

AS_IT_IS, MOVED, FILMED, FILMED_ELSEWHERE, EMPTY = range(5)
KINDS = (0.38, 0.24, 0.14, 0.06, 0.18)
COMPANY = 0.2  # of the people who were moved have somebody beside them
CLUTTER = 0.3  # of the places have something put there that is no person

Size = tuple[int, int]  # height, width
Layer = tuple[np.ndarray, np.ndarray]  # picture (H, W, 3) and alpha (H, W), uint8
Random = np.random.Generator
Item = TypeVar("Item")


class ShotDataset(Dataset):
    """An endless, repeatable supply: sample ``i`` is a function of (seed, i) alone, so a resumed run goes on exactly.

    A sample is a dict of tensors: ``source`` (F, H, W, 3), ``alpha`` (F, H, W), ``foreground`` (F, H, W, 3), uint8,
    where F = `FRAMES`; ``following`` (), bool: whether its frames follow one another or are strangers; ``refined`` (),
    bool: whether the network is to see them at half the size. The last two and the size are one for a batch.
    """

    def __init__(self, people: People, batch: int, seed: int) -> None:
        self.people = people
        self.batch = batch
        self.seed = seed
        self.stretches = list(people.clips.values())
        self.free, self.things = (
            [shot for shot in shots if not _cut_off_aside(shot.alpha[0])] for shots in (people.portraits, people.things)
        )

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        common = np.random.default_rng([self.seed, 0, index // self.batch])
        following, refined = bool(common.random() < FOLLOWING), bool(common.random() < REFINED)
        height, width = (SMALL if refined else LARGE)[common.integers(len(SMALL))]
        size = (2 * height, 2 * width) if refined else (height, width)
        random = np.random.default_rng([self.seed, 1, index])
        if following:
            frames = self._shot(size, FRAMES, random)
        else:
            frames = [self._shot(size, 1, random)[0] for _ in range(FRAMES)]
        tensors = {
            name: torch.from_numpy(np.stack(pictures))
            for name, pictures in zip(("source", "alpha", "foreground"), zip(*frames, strict=True), strict=True)
        }
        return tensors | {"following": torch.tensor(following), "refined": torch.tensor(refined)}

    def _shot(self, size: Size, length: int, random: Random) -> list[tuple[np.ndarray, ...]]:
        """(source, alpha, foreground) of each frame."""
        kind = random.choice(len(KINDS), p=KINDS)
        if kind in (FILMED, FILMED_ELSEWHERE) and not self.stretches:
            kind = AS_IT_IS if kind == FILMED else MOVED
        if kind == MOVED and not self.free:
            kind = AS_IT_IS
        if kind == EMPTY:
            frames = [(picture, alpha, picture) for picture, alpha in self._place(size, length, random)]
        elif kind in (AS_IT_IS, FILMED):
            shot = self._stretch(random, length) if kind == FILMED else _pick(self.people.portraits, random)
            layers = filmed(shot, size, length, random)
            frames = [(picture, alpha, purify(picture, alpha)) for picture, alpha in layers]
        else:
            behind = self._place(size, length, random)
            if kind == FILMED_ELSEWHERE:
                people = filmed(self._stretch(random, length), size, length, random)
            else:
                people = walking(_pick(self.free, random), size, length, random)
            grade, other_grade = Grade(random), Grade(random)
            people = [(grade(purify(picture, alpha)), alpha) for picture, alpha in people]
            if self.free and random.random() < COMPANY:
                company = walking(_pick(self.free, random), size, length, random)
                company = [(purify(picture, alpha), alpha) for picture, alpha in company]
                people = [over(one, other) for one, other in zip(people, company, strict=True)]
            places = [other_grade(place) for place, _ in behind]
            frames = [
                (paste(picture, alpha, place), alpha, picture)
                for (picture, alpha), place in zip(people, places, strict=True)
            ]
        camera = Camera(random)
        return [camera(*frame) for frame in frames]

    def _place(self, size: Size, length: int, random: Random) -> list[Layer]:
        """Somewhere without anybody, at times with something that was not there; alpha is zero."""
        picture, nobody = _pick(self.people.scenes, random), np.zeros(size, np.uint8)
        shot = Shot(picture[None], np.zeros((1, *picture.shape[:2]), np.uint8))
        places = filmed(shot, size, length, random)
        if self.things and random.random() < CLUTTER:
            things = walking(_pick(self.things, random), size, length, random)
            places = [
                (paste(thing, alpha, place), nobody) for (thing, alpha), (place, _) in zip(things, places, strict=True)
            ]
        return places

    def _stretch(self, random: Random, length: int) -> Shot:
        """A few frames of a clip, forwards or backwards, at its own or a higher speed."""
        shot = _pick(_pick(self.stretches, random), random)
        step = min(int(random.integers(1, 4)), max(1, len(shot.frames) // length))
        first = int(random.integers(max(1, len(shot.frames) - step * (length - 1))))
        place = np.minimum(first + step * np.arange(length), len(shot.frames) - 1)
        if random.random() < 0.5:
            place = place[::-1]
        return Shot(shot.frames[place], shot.alpha[place])


def filmed(shot: Shot, size: Size, length: int, random: Random) -> list[Layer]:
    """A camera looks at a part of the picture with somebody in it, if there is somebody, and drifts."""
    height, width = shot.alpha.shape[1:]
    largest = min(height / size[0], width / size[1])  # pixels of the shot for one of ours
    scale = largest * random.uniform(0.35, 1.0)
    reach = np.array([size[1], size[0]]) * scale / 2
    center = random.uniform(0, 1, 2) * (width, height)
    if random.random() < 0.9 and len(inside := 8.0 * np.argwhere(shot.alpha[0, ::8, ::8] > 127)):
        center = inside[random.integers(len(inside))][::-1]
        if random.random() < 0.75:  # with the head, as most pictures of people
            center[1] = inside[0, 0] + random.uniform(0.5, 0.95) * reach[1]
    still = random.random() < 0.4
    drift = 0 if still else random.normal(0, 0.02, 2) * reach
    zoom = 1.0 if still else np.exp(random.normal(0, 0.006))
    shake = 0 if still else random.choice([0.0, 0.004])
    layers = []
    for number in range(length):
        at = center + number * drift + random.normal(0, 1, 2) * shake * reach
        now = min(scale * zoom**number, largest)
        reach = np.array([size[1], size[0]]) * now / 2
        at = np.clip(at, reach, np.array([width, height]) - reach)
        matrix = np.array([[now, 0, at[0] - reach[0]], [0, now, at[1] - reach[1]]])
        place = number % len(shot.frames)
        layers.append(_seen_through(matrix, shot.frames[place], shot.alpha[place], size))
    return layers


def walking(shot: Shot, size: Size, length: int, random: Random) -> list[Layer]:
    """Somebody or something cut out, at some place and size, who moves; in or out of the picture at times."""
    picture, alpha = shot.frames[0], shot.alpha[0]
    height, width = size
    rows, columns = (np.flatnonzero((alpha > 127).any(axis)) for axis in (1, 0))
    tall = max(8, rows[-1] - rows[0])
    near = random.random() < 0.5  # as before a webcam
    scale = tall / (height * (random.uniform(0.8, 3.0) if near else random.uniform(0.25, 0.95)))
    x = random.uniform(0.25, 0.75) * width if near else random.uniform(0, 1) * width
    top = random.uniform(0, 0.3 if near else 0.5) * height
    if (alpha[-1] > 127).any():  # cut off below: the picture has to end there, too
        top = max(top, height - (alpha.shape[0] - rows[0]) / scale + 1)
        top = min(top, height - (alpha.shape[0] - rows[0]) / scale + 1 + 0.2 * height)
    speed = random.normal(0, 0.06 if random.random() < 0.15 else 0.008, 2) * (width, 0.3 * height)
    turn, growth = random.normal(0, 0.006), random.normal(0, 0.006)
    lean = random.normal(0, 0.05)
    foot = np.array([(columns[0] + columns[-1]) / 2, rows[0]])
    layers = []
    for number in range(length):
        angle, now = lean + turn * number, scale * np.exp(growth * number)
        cos, sin = now * np.cos(angle), now * np.sin(angle)
        at = np.array([x, top]) + speed * number
        linear = np.array([[cos, -sin], [sin, cos]])
        matrix = np.concatenate([linear, (foot - linear @ at)[:, None]], 1)
        layers.append(_seen_through(matrix, picture, alpha, size))
    return layers


def _seen_through(matrix: np.ndarray, picture: np.ndarray, alpha: np.ndarray, size: Size) -> Layer:
    """What (H, W) `size` shows where each of its points x is the picture's matrix @ (x, 1)."""
    shape, how = size[::-1], cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return (
        cv2.warpAffine(picture, matrix, shape, flags=how, borderMode=cv2.BORDER_REPLICATE),
        cv2.warpAffine(alpha, matrix, shape, flags=how, borderMode=cv2.BORDER_CONSTANT),
    )


def purify(picture: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The foreground's own colours where it is half transparent: spread there from where it is not."""
    soft = (alpha > 0) & (alpha < 250)
    if not soft.any():
        return picture
    solid = (alpha >= 250).astype(np.float32)
    weight = cv2.blur(solid, (11, 11))
    spread = cv2.blur(picture * solid[..., None], (11, 11))[soft] / np.maximum(weight[soft], 1e-3)[:, None]
    pure = picture.copy()
    pure[soft] = np.rint(np.where(weight[soft][:, None] > 0.01, spread, picture[soft])).clip(0, 255)
    return pure


def over(front: Layer, back: Layer) -> Layer:
    """Two people as one layer, one before the other."""
    (picture, alpha), (other, other_alpha) = front, back
    both = 255 - np.rint((255.0 - alpha) * (255.0 - other_alpha) / 255).astype(np.uint8)
    share = np.rint(255.0 * alpha / np.maximum(both, 1)).astype(np.uint8)  # of the front in what is seen of the two
    return paste(picture, share, other), both


class Grade:
    """Another exposure, contrast and white balance: one table a channel."""

    def __init__(self, random: Random) -> None:
        gain = np.exp(random.normal(0, 0.2) + random.normal(0, 0.08, 3))
        gamma = np.exp(random.normal(0, 0.25) + random.normal(0, 0.05, 3))
        levels = np.linspace(0, 1, 256)[:, None] ** gamma * gain
        self._table = np.rint(255 * levels.clip(0, 1)).astype(np.uint8)[None]

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        return cv2.LUT(picture, self._table)


class Camera:
    """What is between the light and the network: mirror, exposure, lens, sensor and compression of one shot."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._mirrored = random.random() < 0.5
        self._exposure = float(np.exp(random.normal(0, 0.25)))
        self._flicker = random.choice([0.0, 0.02, 0.06])
        self._noise = random.uniform(1, 7) if random.random() < 0.35 else 0.0
        if random.random() < 0.12:  # a dark room
            self._exposure, self._noise = random.uniform(0.12, 0.5), random.uniform(3, 14)
        self._moving = _streak(random) if random.random() < 0.12 else None
        self._soft = random.uniform(0.4, 1.2) if random.random() < 0.25 else 0.0
        self._quality = int(random.integers(25, 90)) if random.random() < 0.4 else None
        self._gray = random.random() < 0.1

    def __call__(self, source: np.ndarray, alpha: np.ndarray, foreground: np.ndarray) -> tuple[np.ndarray, ...]:
        random = self._random
        gain = self._exposure * np.exp(random.normal(0, 1) * self._flicker)
        light = np.rint(np.arange(256) * gain).clip(0, 255).astype(np.uint8)
        source, foreground = cv2.LUT(source, light), cv2.LUT(foreground, light)
        if self._moving is not None:
            source, alpha, foreground = (cv2.filter2D(p, -1, self._moving) for p in (source, alpha, foreground))
        if self._soft:
            source = cv2.GaussianBlur(source, (0, 0), self._soft)
        if self._noise:
            grain = self._noise * random.standard_normal(source.shape, np.float32)
            source = cv2.add(source, grain, dtype=cv2.CV_8U)
        if self._gray:
            source, foreground = (cv2.cvtColor(p, cv2.COLOR_RGB2GRAY) for p in (source, foreground))
            source, foreground = (cv2.merge([p] * 3) for p in (source, foreground))
        if self._quality:
            source = jpeg_round_trip(source, self._quality)
        if self._mirrored:
            source, alpha, foreground = source[:, ::-1], alpha[:, ::-1], foreground[:, ::-1]
        return tuple(np.ascontiguousarray(p) for p in (source, alpha, foreground))


def _streak(random: Random) -> np.ndarray:
    """A kernel of motion blur."""
    length = int(random.integers(3, 9))
    kernel = np.zeros((9, 9), np.float32)
    angle = random.uniform(0, np.pi)
    end = np.rint(4 + np.array([np.cos(angle), np.sin(angle)]) * length / 2).astype(int)
    start = 8 - end
    cv2.line(kernel, [int(v) for v in start], [int(v) for v in end], 1.0)
    return kernel / kernel.sum()


def _cut_off_aside(alpha: np.ndarray) -> bool:
    """Whether somebody reaches over the picture's left, right or upper side."""
    return any((side > 127).mean() > 0.05 for side in (alpha[:, 0], alpha[:, -1], alpha[0]))


def _pick(items: list[Item], random: Random) -> Item:
    return items[int(random.integers(len(items)))]
