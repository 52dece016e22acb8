"""A stand-in for `cv2.VideoCapture`, with a camera's habits."""

import threading
import time

import cv2
import numpy as np


class FakeCamera:
    """Gives ``frames`` pictures whose pixels hold their number, ``interval`` seconds apart, then fails."""

    def __init__(
        self,
        width: int,
        height: int,
        interval: float = 0.002,
        frames: int = 10**6,
        rate: float = 30,
        opens: bool = True,
    ) -> None:
        self.size, self.interval, self.left, self.rate, self.opens = (width, height), interval, frames, rate, opens
        self.given = 0
        self.asked: dict[int, float] = {}
        self.released = False
        self.reading = threading.Lock()  # released while it reads, a real one may crash

    def isOpened(self) -> bool:  # noqa: N802
        return self.opens

    def set(self, prop: int, value: float) -> bool:
        self.asked[prop] = value
        return False

    def get(self, prop: int) -> float:
        return self.rate if prop == cv2.CAP_PROP_FPS else 0.0

    def read(self) -> tuple[bool, np.ndarray | None]:
        with self.reading:
            assert not self.released
            time.sleep(self.interval)
            if not self.left:
                return False, None
            self.left -= 1
            bgr = np.zeros((self.size[1], self.size[0], 3), np.uint8)
            bgr[..., 0], bgr[..., 2] = 200, self.given % 256
            self.given += 1
            return True, bgr

    def release(self) -> None:
        assert self.reading.acquire(blocking=False)
        self.released = True
        self.reading.release()
