"""A matte that is there already."""

import logging
from typing import Any

import cv2
import numpy as np

from video_harmonizer.errors import InputError
from video_harmonizer.frame import Frame, Matte
from video_harmonizer.matting import Matting
from video_harmonizer.pixels import to_depth

log = logging.getLogger(__name__)

COLORFUL = 0.05  # of white, by which channels of a mask differ, and of its pixels: no compression does that


class GivenMask(Matting):
    """One mask for a picture: white is the foreground.

    Args:
        rgb: (H, W, 3) uint8 or uint16, the mask as it was read.
        name: of its file, for messages.
    """

    name = "mask"

    def __init__(self, rgb: np.ndarray, name: str) -> None:
        tell_of_colors(rgb, name, "is it the picture? give the composite first, then its mask")
        self._alpha = alpha_of(rgb)
        self._file = name

    def matte(self, frame: Frame, seen: Any = None) -> Matte:
        return fitting(Matte(self._alpha), frame, self._file)

    def reset(self) -> None:
        """Nothing to forget."""


def alpha_of(rgb: np.ndarray) -> np.ndarray:
    """A mask as it was read, (H, W, 3) uint8 or uint16 -> (H, W) uint8, its gray levels."""
    return cv2.cvtColor(to_depth(rgb, np.uint8), cv2.COLOR_RGB2GRAY)


def fitting(matte: Matte, frame: Frame, name: str) -> Matte:
    """The matte; InputError if it is of another size than the frame."""
    if matte.alpha.shape != frame.size:
        (height, width), (h, w) = frame.size, matte.alpha.shape
        raise InputError(f"{name}: mask of {w}x{h} for a picture of {width}x{height}; give one of its size")
    return matte


def tell_of_colors(rgb: np.ndarray, name: str, remedy: str) -> None:
    """Warn of what is hardly a mask."""
    spread = cv2.subtract(rgb.max(2), rgb.min(2))
    if (spread > COLORFUL * np.iinfo(rgb.dtype).max).mean() > COLORFUL:
        log.warning("%s: a mask with colours; %s", name, remedy)
