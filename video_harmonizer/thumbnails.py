"""The small pictures that an estimator sees: the same function makes them in training and in the live path."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from video_harmonizer.frame import Matte
from video_harmonizer.pixels import to_depth
from video_harmonizer.rendering.kernels import paste

SIZE = 256  # what the published networks were trained on
CLOSE = 512  # of a crop that is to show how a ready composite was pasted
LARGE = 1.5  # times the thumbnail's side: from there on sampling is as good as averaging, and ten times as fast
MIN_PIXELS = 12  # of foreground or of background in the whole thumbnail, below which there is nothing to harmonize


@dataclass(frozen=True, eq=False)
class Thumbnails:
    """The composite twice: cropped to the foreground, and whole. The squares do not keep the aspect."""

    foreground: np.ndarray  # (C, C, 3) uint8 RGB, the crop to the foreground's bounding box; C is S, or larger
    foreground_mask: np.ndarray  # (C, C) uint8, 255 = foreground
    background: np.ndarray  # (S, S, 3) uint8 RGB, the whole composite
    background_mask: np.ndarray  # (S, S) uint8, 255 = foreground
    ready: bool = False  # the composite was given, not pasted here: its rim may tell what became of the colours

    def pictures(self) -> dict[str, np.ndarray]:
        """The four by their names, in the order in which networks take them."""
        return {
            "foreground": self.foreground,
            "foreground_mask": self.foreground_mask,
            "background": self.background,
            "background_mask": self.background_mask,
        }

    def recolored(self, table: np.ndarray) -> "Thumbnails":
        """As they are once the foreground's colours went through a table, (3, 256) uint8."""
        lut = np.ascontiguousarray(table.T)[None]
        foreground = paste(cv2.LUT(self.foreground, lut), self.foreground_mask, self.foreground)
        background = paste(cv2.LUT(self.background, lut), self.background_mask, self.background)
        return replace(self, foreground=foreground, background=background)


def make_thumbnails(
    rgb: np.ndarray, matte: Matte, backdrop: np.ndarray, size: int = SIZE, close: int | None = None
) -> Thumbnails | None:
    """Paste the foreground on the backdrop at thumbnail size.

    Args:
        rgb: (H, W, 3) uint8 or uint16, the frame that the matte belongs to.
        matte: whose colours the foreground has where it gives them.
        backdrop: (H, W, 3), same dtype: the new scene. For a ready composite give the composite itself.
        size: side of the thumbnails in pixels.
        close: side of the crop instead, if it is one of a ready composite and shows more pixels than ``size`` squared:
            that was pasted at full size, and how it was pasted shows best from near.

    Returns:
        The thumbnails, or None where the matte holds nobody, or leaves nothing of the scene.
    """
    person = rgb if matte.foreground is None else matte.foreground
    scene = None if backdrop is person else backdrop
    alpha = _sampled(matte.alpha, size)
    mask = _averaged(alpha, size)
    box = bounding_box(mask)
    if box is None or cv2.countNonZero((mask <= 127).astype(np.uint8)) < MIN_PIXELS:
        return None
    height, width = matte.alpha.shape
    top, bottom = box[0] * height // size, -(-box[1] * height // size)
    left, right = box[2] * width // size, -(-box[3] * width // size)
    crop = np.s_[top:bottom, left:right]
    ready = scene is None
    closer = ready and (bottom - top) * (right - left) > size * size
    near_size = close if close and closer else size
    near = _sampled(matte.alpha[crop], near_size)
    foreground = _composed(person[crop], near, None if scene is None else scene[crop], near_size)
    return Thumbnails(foreground, _averaged(near, near_size), _composed(person, alpha, scene, size), mask, ready)


def _composed(person: np.ndarray, sampled: np.ndarray, scene: np.ndarray | None, size: int) -> np.ndarray:
    """The thumbnail: pasted first and averaged then, or what was behind the person would show in its rim.

    Args:
        sampled: alpha, as `_sampled` gives it.
    """
    if scene is None:
        return shrink(person, size)
    return _averaged(paste(_sampled(person, size), sampled, _sampled(scene, size)), size)


def bounding_box(mask: np.ndarray) -> tuple[int, int, int, int] | None:
    """(top, bottom, left, right) of what is more foreground than not; None if that is hardly anything."""
    solid = (mask > 127).astype(np.uint8)
    if cv2.countNonZero(solid) < MIN_PIXELS:
        return None
    left, top, width, height = cv2.boundingRect(solid)
    return top, top + height, left, left + width


def shrink(image: np.ndarray, size: int) -> np.ndarray:
    """(H, W[, 3]) uint8 or uint16 -> (size, size[, 3]) uint8.

    Large pictures are sampled bilinearly on twice the grid first, then averaged: colours come out as from
    a full area average, at a small part of its memory traffic.
    """
    return _averaged(_sampled(image, size), size)


def _sampled(image: np.ndarray, size: int) -> np.ndarray:
    """At (2 size, 2 size), if the picture is about as large or larger; contiguous."""
    if min(image.shape[:2]) >= LARGE * size:
        return cv2.resize(image, (2 * size, 2 * size), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(image)


def _averaged(image: np.ndarray, size: int) -> np.ndarray:
    height, width = image.shape[:2]
    if min(height, width) < size < max(height, width):  # where one side grows, OpenCV does not average the other
        image = cv2.resize(image, (min(width, size), min(height, size)), interpolation=cv2.INTER_AREA)
    return to_depth(cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
