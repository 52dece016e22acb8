"""Where frames come from. One file a kind of source; all keep the contract below."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from video_harmonizer.errors import InputError
from video_harmonizer.frame import Frame, SourceInfo


class Source(Protocol):
    """Opened by its constructor (which raises InputError for what can't be read), iterated once (a camera
    again and again), closed once.

    Frames are upright RGB with strictly increasing ``seconds`` that start at 0. ``close`` may be called
    at any time, also twice, also from another thread's end of the pipeline; iteration then stops.
    """

    info: SourceInfo

    def __iter__(self) -> Iterator[Frame]: ...

    def close(self) -> None: ...


CAMERA_RATE, PICTURES_RATE = 30, 25  # frames a second, where none are asked for


@dataclass(frozen=True)
class Wish:
    """What is asked of a source that has no ways of its own."""

    rate: float | None = None  # frames a second, of a camera or of a sequence of pictures
    size: tuple[int, int] = (1280, 720)  # (width, height) of a camera
    mirrored: bool = False  # a camera's picture, as in a mirror


NO_WISH = Wish()


def open_source(text: str, wish: Wish = NO_WISH, as_mask: bool = False) -> Source:
    """Open what a person named.

    ``0``, ``/dev/video0`` or a link to it is a webcam; ``pattern`` or ``pattern:1280x720`` the generated test pattern;
    ``demo`` the clip that is included; a
    folder, ``frames/%04d.png`` or ``frames/*.png`` an image sequence; a name that ends like a picture's a
    photograph; anything else a video file.

    Args:
        wish: of cameras and of sequences of pictures.
        as_mask: levels are no colours, and stay as they are; where there is alpha it is the mask.

    Raises:
        InputError: it can't be read.
    """
    try:
        return _open(text, wish, as_mask)
    except OSError as error:  # the name is too long, a folder on the way is closed, ...
        raise InputError(f"{text}: it can't be read ({error.strerror}); check its name and permissions") from None


def camera_number(text: str) -> int | None:
    """Which camera a name stands for: ``0``, ``/dev/video0`` or a link to it, such as those in ``/dev/v4l/by-id``."""
    device = os.path.realpath(text) if text.startswith("/dev/") else text
    number = re.fullmatch(r"(?:/dev/video)?(\d+)", device)
    if number is None or (not text.startswith("/") and Path(text).exists()):  # folders of pictures may be called 2024
        return None
    return int(number[1])


def _open(text: str, wish: Wish, as_mask: bool) -> Source:
    # Each kind is imported when it is asked for: PyAV must not be loaded unless a video file is read (an OpenCV
    # window that opens after it freezes).
    if not text:
        raise InputError("source: no name; give a video file, a picture, a folder of pictures or a camera's number")
    if address := re.match(r"(\w{2,}):/+(.*)", text):  # of which a path keeps one slash
        raise InputError(f"{address[1]}://{address[2]}: addresses are not read; download it first")
    if (camera := camera_number(text)) is not None:
        from video_harmonizer.sources.webcam import WebcamSource

        return WebcamSource(camera, wish.size, wish.rate or CAMERA_RATE, mirrored=wish.mirrored)
    if text == "demo" and not Path(text).exists():
        from video_harmonizer.sources.demo import DemoSource

        return DemoSource()
    if text == "pattern" or text.startswith("pattern:"):
        from video_harmonizer.sources.pattern import PatternSource

        return PatternSource.parse(text)

    from video_harmonizer.sources.image import READABLE, ImageSequenceSource, PhotographSource, is_sequence

    path = Path(text)
    if is_sequence(path):
        return ImageSequenceSource(path, Fraction(wish.rate or PICTURES_RATE).limit_denominator(1001), as_mask)
    if path.suffix.lower() in READABLE:
        return PhotographSource(path, as_mask)
    from video_harmonizer.sources.video_file import VideoFileSource

    return VideoFileSource(path, as_mask)
