"""The clip to measure on, encoded anew at every size so that all sizes show the same."""

from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from itertools import count, islice
from pathlib import Path

import cv2
import numpy as np
from skimage import data

from video_harmonizer.background import crop_to_fill
from video_harmonizer.errors import InputError
from video_harmonizer.frame import SourceInfo
from video_harmonizer.pixels import to_depth
from video_harmonizer.sinks.video_file import VideoFileSink
from video_harmonizer.sources import open_source

RATE = Fraction(30)
ASPECT = Fraction(16, 9)
SIDES = range(32, 4321)  # of a size, the shorter one: less is no picture, more is beyond H.264's levels
LENS = 270  # of the portrait's 512 pixels, how many the own clip's height shows; its width shows 480
GRAIN = 2.0  # standard deviation of a camera's noise, levels
ROAM = 64  # pixels by which a field of noise is larger than a frame, so that every frame gets other noise


def parse_sizes(text: str) -> list[int]:
    """The shorter sides that ``480p,720p`` names, in pixels; raises InputError."""
    sides = []
    for name in text.split(","):
        number = name.strip().removesuffix("p")
        if not (name.strip().endswith("p") and number.isdecimal() and int(number) in SIDES):
            raise InputError(
                f"--sizes {text}: got {name.strip()!r}; give sizes from {SIDES[0]}p to {SIDES[-1]}p, such as 480p,1080p"
            )
        sides.append(int(number))
    return list(dict.fromkeys(sides))


def make_clip(path: Path, side: int, frames: int, source: str | None = None) -> Path:
    """Encode a clip with x264, 8 bits, 30 frames a second.

    Args:
        side: the shorter one, in pixels; the other as the source's shape says, both made even.
        frames: how many; a source that has fewer is repeated.
        source: a file, as `open_source` takes it; None for the own clip.

    Raises:
        InputError: for a source that can't be read, or is a camera.
    """
    pictures = portrait(side) if source is None else repeated(source, side)
    first = next(pictures)
    height, width = first.shape[:2]
    sink = VideoFileSink(path, width, height, SourceInfo(path.name, width, height, RATE), preset="veryfast")
    with ExitStack() as cleanup:
        cleanup.callback(sink.abort)  # does nothing once the sink is closed
        sink.write(first, 0)
        for index, picture in enumerate(islice(pictures, frames - 1), start=1):
            sink.write(picture, float(index / RATE))
        sink.close()
    return path


def portrait(side: int) -> Iterator[np.ndarray]:
    """The own clip: a portrait filmed by a hand-held camera with some noise. (H, W, 3) uint8, without end.

    The same at every call, and the same scene at every size. A real face, because a drawn one is none to a
    matting network. Eileen Collins, photographed by NASA, in the public domain; it comes with scikit-image.
    """
    photograph = data.astronaut()  # (512, 512, 3)
    height, width = even(side), even(side * ASPECT)
    random = np.random.default_rng(0)
    noise = random.normal(0, GRAIN, (height + ROAM, width + ROAM, 3)).round().astype(np.int16)
    scale = LENS / height
    for index in count():
        seconds = float(index / RATE)
        left = 16 + 15 * np.sin(2 * np.pi * seconds / 4)
        top = 6 + 5 * np.sin(2 * np.pi * seconds / 3)
        view = np.array([[scale, 0, left], [0, scale, top]])
        how = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        picture = cv2.warpAffine(photograph, view, (width, height), flags=how)
        y, x = random.integers(0, ROAM, 2)
        yield cv2.add(picture, noise[y : y + height, x : x + width], dtype=cv2.CV_8U)


def repeated(source: str, side: int) -> Iterator[np.ndarray]:
    """A file's frames, scaled, (H, W, 3) uint8, from its start again after its end."""
    while True:
        opened = open_source(source)
        try:
            if opened.info.live:
                raise InputError(f"--source {source}: a camera; give a file, which is the same at every measurement")
            scale = Fraction(side, min(opened.info.width, opened.info.height))
            width, height = even(opened.info.width * scale), even(opened.info.height * scale)
            for frame in opened:
                yield to_depth(crop_to_fill(frame.rgb, height, width), np.uint8)
        finally:
            opened.close()


def scene(height: int, width: int) -> np.ndarray:
    """(H, W, 3) uint8, what goes behind the person: a cup of coffee, by Rachel Michetti, CC0."""
    return crop_to_fill(data.coffee(), height, width)


def even(length: float | Fraction) -> int:
    """The nearest length that x264 can halve, as 4:2:0 asks."""
    return 2 * round(length / 2)
