"""A generated clip: a person-like shape that walks before colour bars. Deterministic, so tests can lean on it."""

import re
from collections.abc import Iterator
from fractions import Fraction

import cv2
import numpy as np

from video_harmonizer.errors import InputError
from video_harmonizer.frame import Frame, SourceInfo

BARS = ((191, 191, 191), (191, 191, 0), (0, 191, 191), (0, 191, 0), (191, 0, 191), (191, 0, 0), (0, 0, 191))
SKIN, SHIRT, TROUSERS = (224, 172, 138), (58, 84, 140), (52, 48, 60)
RATE = Fraction(30)  # frames a second
SUBPIXEL = 4  # fractional bits of the shapes' coordinates, so that slow motion does not jump


class PatternSource:
    """Colour bars, a gray ramp below them, and a figure that walks across and back every four seconds.

    Args:
        width, height: pixels, at least 2.
        seconds: the clip's length.
    """

    def __init__(self, width: int = 1280, height: int = 720, seconds: float = 10) -> None:
        if min(width, height) < 2:
            raise InputError(f"pattern: {width}x{height} picture; give a size of at least 2x2")
        frames = round(seconds * RATE)
        self.info = SourceInfo("test pattern", width, height, RATE, frames=frames, time_base=1 / RATE)
        self._backdrop = _backdrop(width, height)
        self._closed = False

    @classmethod
    def parse(cls, text: str) -> "PatternSource":
        """``pattern`` or ``pattern:1280x720``."""
        if text == "pattern":
            return cls()
        size = re.fullmatch(r"pattern:(\d+)x(\d+)", text)
        if not size:
            raise InputError(f"{text}: not a size; write it as pattern:1280x720")
        return cls(int(size[1]), int(size[2]))

    def __iter__(self) -> Iterator[Frame]:
        for index in range(self.info.frames or 0):
            if self._closed:
                return
            seconds = float(index * self.info.time_base)
            rgb = self._backdrop.copy()
            _draw_figure(rgb, seconds)
            yield Frame(rgb, index, seconds)

    def close(self) -> None:
        self._closed = True


def _backdrop(width: int, height: int) -> np.ndarray:
    bar = np.arange(width) * len(BARS) // width
    rgb = np.broadcast_to(np.array(BARS, np.uint8)[bar], (height, width, 3)).copy()
    ramp = np.linspace(0, 255, width).round().astype(np.uint8)
    rgb[height * 4 // 5 :] = ramp[None, :, None]
    return rgb


def _draw_figure(rgb: np.ndarray, seconds: float) -> None:
    height, width = rgb.shape[:2]
    middle = width * (0.5 + 0.3 * np.sin(2 * np.pi * seconds / 4))
    stride = 0.05 * np.sin(2 * np.pi * seconds)

    def fixed(x: float, y: float) -> tuple[int, int]:
        return round(x * 2**SUBPIXEL), round(y * 2**SUBPIXEL)

    def ellipse(x: float, y: float, across: float, down: float, colour: tuple[int, int, int]) -> None:
        """Centre and half axes in heights of the picture; ``x`` counts from the figure's middle."""
        centre, axes = fixed(middle + x * height, y * height), fixed(across * height, down * height)
        cv2.ellipse(rgb, centre, axes, 0, 0, 360, colour, -1, cv2.LINE_AA, SUBPIXEL)

    ellipse(-0.05 - stride, 0.85, 0.05, 0.2, TROUSERS)
    ellipse(0.05 + stride, 0.85, 0.05, 0.2, TROUSERS)
    ellipse(0, 0.53, 0.13, 0.22, SHIRT)
    ellipse(0, 0.24, 0.08, 0.1, SKIN)
