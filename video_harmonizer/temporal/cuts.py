"""Where another shot begins, so that nothing of the one before is carried into it."""

from dataclasses import replace

import cv2
import numpy as np

from video_harmonizer.frame import Frame

POINTS = (256, 144)  # across and down, where a picture is looked at
CELLS = (32, 18)  # that they are averaged in: grain, leaves and a shaking hand hardly change these
SUDDEN = 3.0  # times the mean change of the frames before
CHANGE = 8.0  # 8-bit levels by which the picture changes in the mean, at least
ALIKE = 0.9  # correlation of two pictures that show the same place: light that is switched on leaves it high
BLANK = 1.0  # squared levels of variance below which a picture shows nothing
WEIGHT = 0.2  # of the newest change in the mean


class CutDetector:
    """Tells a cut from motion, which grows and stays, and from light, which leaves the picture's structure.

    The adaptive threshold is PySceneDetect's idea, here with the past alone, since live frames can't wait for the
    next ones. Dissolves and fades are no cuts: what remembers follows them by itself.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget; the next frame begins a video."""
        self._last: np.ndarray | None = None
        self._usual = 0.0  # mean change from frame to frame
        self._was_cut = False  # the last frame

    def marked(self, frame: Frame) -> Frame:
        """The frame, its ``cut`` set where another shot begins with it; the first frame has none before it."""
        last, self._last = self._last, _seen(frame)
        if last is None:
            return frame
        change = float(np.abs(self._last - last).mean())
        if change > max(CHANGE, SUDDEN * self._usual) and _correlation(last, self._last) < ALIKE:
            # Behind a flash there are two at once; of a quick pan all frames would be cuts.
            self._usual = change if self._was_cut else 0.0
            self._was_cut = True
            return replace(frame, cut=True)
        self._was_cut = False
        self._usual += WEIGHT * (change - self._usual)
        return frame


def _seen(frame: Frame) -> np.ndarray:
    """(18, 32, 3) float32 on the scale 0..255."""
    points = cv2.resize(frame.rgb, POINTS, interpolation=cv2.INTER_NEAREST)
    cells = cv2.resize(points, CELLS, interpolation=cv2.INTER_AREA)
    return cells.astype(np.float32) * np.float32(255 / (frame.levels - 1))


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Of two pictures without their mean colours; 0 where one of them is blank, 1 where both are."""
    a, b = one - one.mean((0, 1)), other - other.mean((0, 1))
    if max(a.var(), b.var()) < BLANK:
        return 1.0
    return float((a * b).sum() / np.sqrt(max((a * a).sum() * (b * b).sum(), BLANK)))
