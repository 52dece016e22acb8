"""The included clip: a portrait that sways before a camera, to try everything without camera, file or network.

The pictures are scikit-image's, both in the public domain: astronaut Eileen Collins (NASA), and a cup of coffee on a
wooden table (Rachel Michetti).
"""

from collections.abc import Iterator
from fractions import Fraction

import cv2
import numpy as np
from skimage import data

from video_harmonizer.frame import Frame, SourceInfo

WIDTH, HEIGHT = 1280, 720
RATE = Fraction(30)
SECONDS = 8
LAMP = (1.08, 1.0, 0.9)  # to which the light turns and back: lamplight's red, green, blue
DIMMED = 0.75


def demo_background() -> np.ndarray:
    """(337, 600, 3) uint8, what stands behind if nothing is said: the table and its cup, far out of focus."""
    return cv2.GaussianBlur(data.coffee()[40:377], (0, 0), 21)


class DemoSource:
    """Eight seconds at 1280x720: she moves, the camera drifts, and from the middle on the light changes."""

    def __init__(self) -> None:
        self.info = SourceInfo("demo", WIDTH, HEIGHT, RATE, frames=int(SECONDS * RATE), time_base=1 / RATE)
        self._portrait = data.astronaut()
        self._closed = False

    def __iter__(self) -> Iterator[Frame]:
        for index in range(self.info.frames or 0):
            if self._closed:
                return
            seconds = float(index * self.info.time_base)
            x, y = _seen_at(seconds)
            rgb = cv2.remap(self._portrait, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
            yield Frame(_lit(rgb, seconds), index, seconds)

    def close(self) -> None:
        self._closed = True


def _seen_at(seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Where in the portrait each pixel looks: (H, W) float32 columns and rows."""
    phase = 2 * np.pi * seconds / SECONDS
    x, y = np.meshgrid(np.arange(WIDTH, dtype=np.float32), np.arange(HEIGHT, dtype=np.float32))
    scale = 500 / WIDTH * (0.97 + 0.03 * np.cos(phase))
    x = 256 + (x - WIDTH / 2) * scale + 4 * np.sin(phase)
    y = 160 + (y - HEIGHT / 2) * scale + 3 * np.sin(2 * phase)
    # the further up, the further she sways; the wall far from her stands still
    near = np.exp(-(((x - 225) / 150) ** 2)) * np.clip((480 - y) / 400, 0, 1)
    x, y = x + 14 * near * np.sin(2 * phase), y + 4 * near * np.sin(4 * phase)
    return x.astype(np.float32), y.astype(np.float32)


def _lit(rgb: np.ndarray, seconds: float) -> np.ndarray:
    """Daylight, and lamplight in the second half, with a second to change."""
    rise, fall = seconds - SECONDS / 2, SECONDS - seconds
    share = float(np.clip(min(rise, fall), 0, 1))
    gain = 1 + share * (DIMMED * np.array(LAMP) - 1)
    table = np.rint(np.arange(256)[:, None] * gain).clip(0, 255).astype(np.uint8)
    return cv2.LUT(rgb, table[None])
