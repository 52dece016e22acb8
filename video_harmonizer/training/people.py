"""Who and what a matting network learns from: people in photographs and clips, places without anybody, and things."""

import logging
from fnmatch import fnmatch
from pathlib import Path

import numpy as np

from video_harmonizer.errors import InputError
from video_harmonizer.training.photographs import Photographs, Row, read_rows
from video_harmonizer.training.teacher import Shot, Teacher, find_clips

log = logging.getLogger(__name__)

NOBODY = 0.003  # mean alpha of a photograph in which the teacher saw none
SOMEBODY = 0.03  # least share of the picture of a person worth learning
UNNOTICED = 0.02  # mean alpha inside a mask of something that the teacher did not take for a person
DOUBT = 0.3  # of a matte's pixels that are neither: above, the teacher was unsure
KEPT_SCENES = 50  # photographs without people that are kept for validation, if that is at most every fifth


class People:
    """Photographs and clips of one split, mattes beside them.

    Attributes:
        portraits: photographs of people, as shots of one frame.
        scenes: (H, W, 3) uint8 photographs without anybody.
        things: photographs of anything but people, and its mask, as shots of one frame; none to validate with.
        clips: name -> the stretches that are kept of it.
    """

    def __init__(self, data: Path, clips: Path | None, held_out: tuple[str, ...], teacher: Teacher, split: str) -> None:
        """
        Args:
            clips: folder of videos, each for training or, if its name fits one of `held_out`, for validation.

        Raises:
            InputError: there is nobody or no place to learn from.
        """
        paths = [] if clips is None else find_clips(clips)  # that there are some: before hours of mattes
        photographs = Photographs(data, split)
        images, drawn = photographs.images, _drawn(photographs)
        unknown = [row.image for row in photographs.rows if row.person is not False and row.image not in drawn]
        mattes = teacher.photographs({name: images[name] for name in unknown})
        people = {row.image for row in photographs.rows if row.person}
        empty = [name for name, alpha in mattes.items() if name not in people and alpha.mean() < 255 * NOBODY]
        # chosen among all that are listed, readable or not: else training would choose others than validation
        kept, others = _places(read_rows(data, "train"))
        self.portraits = _portraits(photographs, drawn, mattes)
        self.things: list[Shot] = []
        if split == "train":
            self.things = _things(photographs, mattes, set(kept))
            names = dict.fromkeys([*empty, *others])
            self.scenes = [images[name] for name in names if name in images and name not in kept]
        elif kept:  # surer than what the teacher thinks
            self.scenes = list(Photographs(data, "train", only=kept).images.values())
        else:
            kept, others = _places(photographs.rows)
            self.scenes = [images[name] for name in [*empty, *kept, *others]]
        self.clips = {} if clips is None else _clips(clips, paths, held_out, teacher, split)
        log.info(
            "%s: %d photographs of people, %d without, %d things, %d clips",
            split,
            len(self.portraits),
            len(self.scenes),
            len(self.things),
            len(self.clips),
        )
        if not self.portraits or not self.scenes:
            raise InputError(
                f"{data}: {len(self.portraits)} photographs of people and {len(self.scenes)} without in split "
                f"{split!r}; want some of both: people marked 1 in index.csv's column person, with masks of "
                "255 where there are any, and places marked 0"
            )


def _drawn(photographs: Photographs) -> dict[str, np.ndarray]:
    """Name -> (H, W) uint8: masks of people; of several people in a photograph each has one."""
    drawn: dict[str, np.ndarray] = {}
    for row in photographs.rows:
        if row.person and row.mask:
            mask = photographs.mask_of(row)
            drawn[row.image] = np.maximum(mask, drawn.get(row.image, mask))
    return drawn


def _portraits(photographs: Photographs, drawn: dict[str, np.ndarray], mattes: dict[str, np.ndarray]) -> list[Shot]:
    """Photographs that are known to show people, with mattes of which the teacher is sure, or with masks."""
    # of animals and dolls the teacher is sure, too, and distant people it misses: who is there has to be known
    people = dict.fromkeys(row.image for row in photographs.rows if row.person)
    found = {name: mattes[name] for name in people if name in mattes and sure(mattes[name])}
    found |= {name: mask for name, mask in drawn.items() if (mask > 127).any()}
    return [Shot(photographs.images[name][None], alpha[None]) for name, alpha in found.items()]


def _things(photographs: Photographs, mattes: dict[str, np.ndarray], unseen: set[str]) -> list[Shot]:
    """What has a mask and is no person, in photographs other than the ``unseen``."""
    rows = [row for row in photographs.rows if row.mask and not row.person and row.image not in unseen]
    found = [row for row in rows if _is_thing(photographs.mask_of(row), mattes.get(row.image))]
    return [Shot(photographs.images[row.image][None], photographs.mask_of(row)[None]) for row in found]


def _clips(
    root: Path, clips: list[Path], held_out: tuple[str, ...], teacher: Teacher, split: str
) -> dict[str, list[Shot]]:
    """Name -> stretches of each clip that is of this split."""
    unseen = [path for path in clips if any(fnmatch(path.stem, name) for name in held_out)]
    if not unseen and split == "val":
        what = f"held_out ({', '.join(held_out)}) names none of its clips" if held_out else "held_out names no clip"
        log.warning("%s: %s, so none is kept for validation", root, what)
    stretches = {}
    for path in clips:
        if (path in unseen) == (split == "val"):
            try:
                stretches[str(path.relative_to(root))] = teacher.clip(path)
            except InputError as error:
                log.warning("%s; skipped", error)
    return stretches


def sure(alpha: np.ndarray) -> bool:
    """Whether the teacher saw somebody in (H, W) uint8, and had little doubt."""
    inside, doubtful = (alpha > 127).mean(), ((alpha > 25) & (alpha < 230)).mean()
    return bool(inside > SOMEBODY and doubtful < DOUBT * inside)


def _is_thing(mask: np.ndarray, matte: np.ndarray | None) -> bool:
    """Whether a mask has something in it that the teacher saw no person in, if it was asked: (H, W) uint8 each."""
    inside = mask > 127
    return bool(inside.any()) and (matte is None or matte[inside].mean() < 255 * UNNOTICED)


def _places(rows: list[Row]) -> tuple[list[str], list[str]]:
    """Photographs that are known to show nobody, those kept for validation first."""
    people = {row.image for row in rows if row.person}
    names = [name for name in dict.fromkeys(row.image for row in rows if row.person is False) if name not in people]
    mixed = [names[place] for place in np.random.default_rng(0).permutation(len(names))]  # the sources
    kept = min(KEPT_SCENES, len(names) // 5)
    return mixed[:kept], mixed[kept:]
