"""A camera, read by a thread that keeps only the newest frame, so that what is shown is now."""

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from video_harmonizer.errors import InputError
from video_harmonizer.frame import Frame, SourceInfo

log = logging.getLogger(__name__)

DEVICES = Path("/dev")
DEVICE_NAMES = Path("/sys/class/video4linux")


class WebcamSource:
    """Live frames of one camera. ``index`` counts what the camera gave, so a gap shows dropped frames.

    A size and rate are asked for; `info` holds what the camera really gives. ``seconds`` is when a
    frame arrived. A camera that gives nothing for ``timeout`` seconds raises InputError.

    Args:
        camera: its number.
        size: wanted (width, height).
        rate: wanted frames a second.
        mirrored: left and right exchanged, as people know themselves.
        timeout: seconds.
        open_capture: makes a `cv2.VideoCapture` of the number; replaced in tests.
    """

    def __init__(
        self,
        camera: int,
        size: tuple[int, int] = (1280, 720),
        rate: float = 30,
        timeout: float = 5,
        mirrored: bool = False,
        open_capture: Callable[[int], Any] | None = None,
    ) -> None:
        self._name = f"webcam {camera}"
        self._timeout = timeout
        self._mirrored = mirrored
        self._capture = (open_capture or _open_camera)(camera)
        if not self._capture.isOpened():
            raise InputError(_closed(camera) if _may_be_there(camera) else _no_camera(camera))
        self._ask_for(size, rate)
        height, width = self._first_picture().shape[:2]  # some cameras know their size only now
        real_rate = self._capture.get(cv2.CAP_PROP_FPS)  # of some drivers it is nonsense
        self.info = SourceInfo(
            name=self._name,
            width=width,
            height=height,
            rate=Fraction(real_rate).limit_denominator(1001) if 1 <= real_rate <= 1000 else Fraction(30),
            live=True,
        )
        if (width, height) != size:
            log.info("%s: gives %dx%d, not %dx%d", self._name, width, height, *size)

        self._slot: tuple[int, float, np.ndarray] | None = None  # count, arrival, BGR
        self._error: Exception | None = None
        self._news = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._keep_newest, name=self._name, daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Frame]:
        first: tuple[int, float] | None = None
        while (newest := self._take()) is not None:
            count, arrival, bgr = newest
            first = first or (count, arrival)
            if bgr.shape[:2] != (self.info.height, self.info.width):  # turned by hand, or by another program
                bgr = cv2.resize(bgr, (self.info.width, self.info.height), interpolation=cv2.INTER_LINEAR)
            if self._mirrored:
                bgr = cv2.flip(bgr, 1)
            yield Frame(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), count - first[0], arrival - first[1])

    def close(self) -> None:
        """Stop, and wait for the thread, which frees the camera; not for ever, since a camera may hang."""
        with self._news:
            if self._stopping:  # closed before, and waited for then
                return
            self._stopping = True
            self._news.notify_all()
        if self._thread is not threading.current_thread():
            self._thread.join(self._timeout)
            if self._thread.is_alive():
                log.warning("%s: it hangs; unplug it if it stays busy", self._name)

    def _take(self) -> tuple[int, float, np.ndarray] | None:
        """The newest frame not taken yet; waits for one. None when closed."""
        with self._news:
            self._news.wait_for(lambda: self._slot or self._error or self._stopping, self._timeout)
            if self._stopping:
                return None
            if self._slot:
                newest, self._slot = self._slot, None
                return newest
            if self._error:
                raise self._error
            raise InputError(f"{self._name}: no picture for {self._timeout:g} seconds; plug it in again")

    def _first_picture(self) -> np.ndarray:
        """Cameras that have just been opened may need some attempts."""
        began = time.perf_counter()
        while time.perf_counter() - began < self._timeout:
            got, picture = self._capture.read()
            if got:
                return picture
            time.sleep(0.01)
        self._capture.release()
        raise InputError(f"{self._name}: it opens but gives no picture; close other programs that use it")

    def _keep_newest(self) -> None:
        count, last_arrival = 0, time.perf_counter()
        try:
            while not self._stopping:
                got, bgr = self._capture.read()
                arrival = time.perf_counter()
                if got:
                    last_arrival = arrival
                    with self._news:
                        self._slot = (count, arrival, bgr)
                        self._news.notify_all()
                    count += 1
                elif arrival - last_arrival > self._timeout:
                    raise InputError(f"{self._name}: it stopped giving pictures; plug it in again")
                else:
                    time.sleep(0.01)  # a camera that fails at once must not take a whole core
        except Exception as error:
            with self._news:
                self._error = error
                self._news.notify_all()
        finally:
            self._capture.release()  # here, since a camera must not be freed while it is read

    def _ask_for(self, size: tuple[int, int], rate: float) -> None:
        # Uncompressed, most USB cameras manage HD at 5 to 10 frames a second only. Set before the size.
        self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
        self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
        self._capture.set(cv2.CAP_PROP_FPS, rate)
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)


def _open_camera(camera: int) -> cv2.VideoCapture:
    # without its file OpenCV would try every other backend, each with its own complaint
    if not _may_be_there(camera):
        raise InputError(_no_camera(camera))
    return cv2.VideoCapture(camera)


def _may_be_there(camera: int) -> bool:
    return sys.platform != "linux" or (DEVICES / f"video{camera}").exists()  # on Linux a camera is a file


def _closed(camera: int) -> str:
    return f"webcam {camera}: it can't be opened; close other programs that use it, and check that you may use it"


def _no_camera(camera: int) -> str:
    there = "; ".join(_cameras()) or "none found"
    return f"webcam {camera}: no such camera (there are: {there}); give another number, or a clip with --source FILE"


def _cameras() -> list[str]:
    """The cameras that Linux knows, each with its number and name."""
    numbers = sorted(int(device.name[5:]) for device in DEVICES.glob("video*") if device.name[5:].isdigit())
    return [f"{number}{_camera_name(number)}" for number in numbers]


def _camera_name(number: int) -> str:
    try:
        return f" ({(DEVICE_NAMES / f'video{number}' / 'name').read_text().strip()})"
    except OSError:
        return ""
