"""What stands behind the person: a picture, a video looped by time, a plain colour, or the room out of focus."""

import logging
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from video_harmonizer.errors import InputError
from video_harmonizer.frame import Frame, Matte
from video_harmonizer.pixels import to_depth
from video_harmonizer.sources import Source, camera_number, open_source

log = logging.getLogger(__name__)

BLUR_SHARE = 1 / 30  # of the frame's height: the default radius
NEIGHBOURS = np.ones((3, 3), np.uint8)  # a small pixel beside the person may hold some of their colour
PATIENCE = 0.02  # seconds that a frame of live video waits for the pictures that a video behind it skips
ROUNDED = 0.002  # seconds: files round times, Matroska to milliseconds, and a picture that is early is due
ASPECT_TOLERANCE = 0.02  # relative difference of aspects below which nobody sees the crop


class Background(Protocol):
    """Gives the scene behind each frame.

    Attributes:
        light: share of the change of colours that the scene calls for.
    """

    light: float

    def behind(self, frame: Frame, matte: Matte) -> np.ndarray:
        """(H, W, 3) of the frame's size and dtype; valid until the next call."""
        ...

    def close(self) -> None: ...


def open_background(text: str, live: bool = False) -> Background:
    """``#rrggbb``, ``blur``, ``blur:RADIUS`` in pixels, ``demo``, or a picture's or video's path. Raises InputError.

    Args:
        live: frames come from a camera, which does not wait for a video behind them.
    """
    if text.startswith("#"):
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
            raise InputError(f"--background {text}: not a colour; give #rrggbb, six hexadecimal digits")
        return SolidColor((int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)))
    if text == "blur" or text.startswith("blur:"):
        radius = text[5:] if ":" in text else "0"
        if not re.fullmatch(r"\d+(\.\d+)?", radius) or (":" in text and float(radius) <= 0):
            raise InputError(f"--background {text}: got radius {radius!r}; give blur or blur:RADIUS, in pixels above 0")
        return Blur(float(radius))
    if text == "demo" and not Path(text).exists():
        from video_harmonizer.sources.demo import demo_background  # reads its pictures when it is asked for

        return Picture(text, demo_background())
    if not text:
        raise InputError("--background: it is empty; give a picture, a video, #rrggbb or blur")
    if camera_number(text) is not None:  # said without lighting its lamp
        raise InputError(f"--background {text}: a camera; give a picture, a video, #rrggbb or blur")
    if not (Path(text).suffix or text.startswith("pattern") or os.path.exists(text)):  # noqa: PTH110 - Path fails where it is too long
        known = "a picture, a video, #rrggbb, blur or blur:RADIUS"
        raise InputError(f"--background {text}: neither known nor a file; give {known}")
    try:
        source = open_source(text)
    except InputError as error:
        raise InputError(f"--background {error}") from None
    try:
        return Picture(text, next(iter(source)).rgb) if source.info.frames == 1 else LoopedVideo(text, live)
    finally:
        source.close()


class SolidColor:
    """One colour everywhere: no scene with a light of its own, so half of the change will do."""

    light = 0.5

    def __init__(self, rgb: tuple[int, int, int]) -> None:
        self.rgb = np.array(rgb, np.uint8)
        self._fit: np.ndarray | None = None

    def behind(self, frame: Frame, matte: Matte) -> np.ndarray:
        if self._fit is None or not _alike(self._fit, frame.rgb):
            self._fit = np.empty_like(frame.rgb, order="C")
            self._fit[:] = to_depth(self.rgb, frame.rgb.dtype)
        return self._fit

    def close(self) -> None: ...


class Original:
    """The frame itself: for a composite that is ready, whose foreground alone is to change."""

    light = 1.0

    def behind(self, frame: Frame, matte: Matte) -> np.ndarray:
        return frame.rgb

    def close(self) -> None: ...


class Picture:
    """A photograph, (h, w, 3) uint8 or uint16, cropped to fill the frame; ``name`` is for messages."""

    light = 1.0

    def __init__(self, name: str, picture: np.ndarray) -> None:
        self.name = name
        self.picture = picture
        self._fit: np.ndarray | None = None

    def behind(self, frame: Frame, matte: Matte) -> np.ndarray:
        if self._fit is None or not _alike(self._fit, frame.rgb):
            say_if_cropped(self.name, self.picture, frame)
            self._fit = to_depth(crop_to_fill(self.picture, *frame.size), frame.rgb.dtype)
        return self._fit

    def close(self) -> None: ...


class LoopedVideo:
    """A video that shows what it would show at the frame's time, from its start again after its end.

    Behind live video it plays slower where it can't be read as fast as it was filmed: skipped frames have to be decoded
    as well, so trying to catch up would only make it fall further behind.
    """

    light = 1.0

    def __init__(self, path: str, live: bool = False) -> None:
        self.name = path
        self._live = live
        self._late = 0.0  # seconds that it has lost
        self._damaged = False
        self._source: Source | None = None
        self._said = False
        self._pictures = self._loop()
        self._since, self._shown = next(self._pictures)
        self._upcoming = next(self._pictures, None)
        self._fit: np.ndarray | None = None

    def behind(self, frame: Frame, matte: Matte) -> np.ndarray:
        seconds, began = frame.seconds - self._late, time.perf_counter()
        if seconds < self._since - ROUNDED:
            self.close()
            self._pictures = self._loop()
            self._upcoming = next(self._pictures)
        moved = False
        while self._upcoming is not None and self._upcoming[0] <= seconds + ROUNDED:
            if self._live and moved and time.perf_counter() - began > PATIENCE:
                self._late += seconds - self._since
                break
            self._since, self._shown, self._fit = *self._upcoming, None
            self._upcoming, moved = next(self._pictures, None), True
        if not self._said:
            say_if_cropped(self.name, self._shown, frame)
            self._said = True
        if self._fit is None or not _alike(self._fit, frame.rgb):
            self._fit = to_depth(crop_to_fill(self._shown, *frame.size), frame.rgb.dtype)
        return self._fit

    def close(self) -> None:
        if self._source is not None:
            self._source.close()

    def _loop(self) -> Iterator[tuple[float, np.ndarray]]:
        """(seconds, picture), without end; a video of one picture ends after it, which then stays."""
        began = 0.0
        while True:
            last = step = 0.0
            count = 0
            try:
                source = self._source = open_source(self.name)
                for picture in source:
                    count += 1
                    yield began + picture.seconds, picture.rgb
                    step, last = picture.seconds - last, picture.seconds
            except InputError as error:
                if began == last == 0:
                    raise
                if count == 0:  # gone since: the last picture stays
                    log.warning("%s; its last picture stays", error)
                    return
                if not self._damaged:
                    log.warning("%s; what there is of it is repeated", error)
                self._damaged = True
            source.close()
            if last == 0:
                return
            lasted = last + step  # the last picture is shown for as long as the one before it
            exact = count / source.info.rate if source.info.rate else lasted
            began += float(exact) if abs(exact - lasted) < ROUNDED else lasted  # what was rounded would add up


class Blur:
    """The room itself, out of focus. The person is left out of the average, or they would glow.

    Args:
        radius: standard deviation in pixels of the frame; 0 means `BLUR_SHARE` of its height.
    """

    light = 0.0  # the person stands in it already

    def __init__(self, radius: float = 0) -> None:
        self.radius = radius

    def behind(self, frame: Frame, matte: Matte) -> np.ndarray:
        height, width = frame.size
        radius = self.radius or height * BLUR_SHARE
        reduction = max(1.0, radius / 4)  # a wide blur of few pixels is the same and far cheaper
        small = (max(1, round(width / reduction)), max(1, round(height / reduction)))
        rgb = cv2.resize(frame.rgb, small, interpolation=cv2.INTER_AREA).astype(np.float32)
        room = cv2.erode(255 - cv2.resize(matte.alpha, small, interpolation=cv2.INTER_AREA), NEIGHBOURS)
        room = np.maximum(room.astype(np.float32), 0.5)[..., None]  # deep inside the person all there is is them
        sigma = radius / reduction
        blurred = cv2.GaussianBlur(rgb * room, (0, 0), sigma) / cv2.GaussianBlur(room, (0, 0), sigma)[..., None]
        levels = np.rint(blurred).astype(frame.rgb.dtype)
        return cv2.resize(levels, (width, height), interpolation=cv2.INTER_LINEAR)

    def close(self) -> None: ...


def crop_to_fill(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Scale (h, w, 3) until it covers height x width, keeping its aspect, and cut off what stands out, evenly."""
    scale = max(height / picture.shape[0], width / picture.shape[1])
    h, w = (max(1, round(side / scale)) for side in (height, width))  # rounding can't exceed the picture
    top, left = (picture.shape[0] - h) // 2, (picture.shape[1] - w) // 2
    middle = picture[top : top + h, left : left + w]
    smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(middle, (width, height), interpolation=smooth)


def say_if_cropped(name: str, picture: np.ndarray, frame: Frame) -> None:
    """Warn where the background's aspect is another than the frame's."""
    (height, width), (h, w) = frame.size, picture.shape[:2]
    if abs(np.log(w * height / (h * width))) > ASPECT_TOLERANCE:
        log.warning("%s: background of %dx%d is cropped to fill frames of %dx%d", name, w, h, width, height)


def _alike(picture: np.ndarray, other: np.ndarray) -> bool:
    return picture.shape == other.shape and picture.dtype == other.dtype
