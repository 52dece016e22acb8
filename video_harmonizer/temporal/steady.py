"""Curves as often as the light changes, not as often as frames come."""

from typing import Protocol

import cv2
import numpy as np

from video_harmonizer.frame import MAX_GAP_SECONDS, Frame, Matte, ToneCurves
from video_harmonizer.thumbnails import Thumbnails, make_thumbnails

INTERVAL = 0.5  # seconds after which an estimate is made anew in any case
CHANGE = 4.0  # 8-bit levels by which a mean colour has to change for a new estimate
GRID = (128, 72)  # points, across and down, at which a picture's light is measured


class Estimator(Protocol):
    """Says what the foreground's colours should become."""

    name: str
    side: int  # of the thumbnails that it looks at, in pixels
    close: int | None  # that of the crop where a ready composite has more to show, if it looks at that from near

    def estimate(self, thumbnails: Thumbnails | None, samples: int) -> ToneCurves | None:
        """Curves of ``samples`` levels; None where there is nobody, or no answer."""
        ...


class SteadyEstimator:
    """Asks an estimator at cuts, when mean colours or the person's size have changed, and every ``interval`` seconds.

    Args:
        estimator: the one to ask.
        interval: 0 asks at every frame.
    """

    def __init__(self, estimator: Estimator, interval: float = INTERVAL) -> None:
        self.name = estimator.name
        self.patience = 1.0  # factor on interval and change, for who has no time
        self._estimator = estimator
        self._interval = interval
        self.reset()

    def reset(self) -> None:
        """Forget; the next frame is asked about."""
        self.asked = 0  # how often, so far
        self.largest = 0.0  # share of a picture that the person took, at most
        self._answer: ToneCurves | None = None
        self._light = np.full(7, np.inf)  # at the last answer
        self._seconds = 0.0
        self._seen = -np.inf  # the time of the last frame, asked about or not

    def estimate(self, frame: Frame, matte: Matte, backdrop: np.ndarray) -> ToneCurves | None:
        """This frame's curves, or the last ones where it looks as it did then; None as `Estimator.estimate` says."""
        light = _light(frame.rgb, matte.alpha, backdrop)
        self.largest = max(self.largest, float(light[-1]) / 255)
        in_time = 0 <= frame.seconds - self._seconds < self._interval * self.patience
        changed = frame.cut or np.abs(light - self._light).max() > CHANGE * self.patience
        followed = 0 <= frame.seconds - self._seen <= MAX_GAP_SECONDS  # else the smoother, too, begins anew
        self._seen = frame.seconds
        if self._answer is None or not in_time or not followed or changed:
            asked = self._estimator
            thumbnails = make_thumbnails(frame.rgb, matte, backdrop, asked.side, asked.close)
            self._answer = asked.estimate(thumbnails, frame.levels)
            self._light, self._seconds = light, frame.seconds
            self.asked += 1
        return self._answer


def _light(rgb: np.ndarray, alpha: np.ndarray, backdrop: np.ndarray) -> np.ndarray:
    """Mean colours of person and scene, and the person's share of the picture: (7,), all on the scale 0..255."""
    person, scene = (cv2.resize(picture, GRID).reshape(-1, 3) for picture in (rgb, backdrop))
    weight = cv2.resize(alpha, GRID).reshape(-1).astype(np.float32)
    full = 1 if rgb.itemsize == 1 else 257
    of_person = weight @ person / max(weight.sum(), 1) / full
    of_scene = (255 - weight) @ scene / max((255 - weight).sum(), 1) / full
    return np.concatenate([of_person, of_scene, [weight.mean()]])
