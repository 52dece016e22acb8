"""The nouns that travel through the pipeline. Nothing here computes."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

# Across a longer gap (a cut, a seek, a camera that stalled) people and light have moved further than a memory of
# neighbouring frames can follow: an old silhouette would haunt the new picture.
MAX_GAP_SECONDS = 1.0


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of the source, upright."""

    rgb: np.ndarray  # (H, W, 3) uint8, or uint16, 0..65535 whatever the file's depth; RGB, display-referred
    index: int  # numbered by the source from 0; a gap means live frames were dropped
    seconds: float  # presentation time since the first frame, strictly increasing
    cut: bool = False  # another shot begins here, as far as `temporal.cuts` can tell

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.rgb.shape[0], self.rgb.shape[1]

    @property
    def levels(self) -> int:
        """How many levels a channel can have: 256 or 65536."""
        return 1 << 8 * self.rgb.itemsize


@dataclass(frozen=True, eq=False)
class Matte:
    """Who is in the frame, and how much of each pixel is theirs."""

    alpha: np.ndarray  # (H, W) uint8, 0 background .. 255 person
    foreground: np.ndarray | None = None  # (H, W, 3), the frame's dtype: colour without the old background's spill


@dataclass(frozen=True, eq=False)
class ToneCurves:
    """What is estimated, smoothed and rendered: one monotone curve a channel."""

    table: np.ndarray  # (3, K) float32 in 0..1: the whole cascade sampled at K equal steps of the input

    @classmethod
    def identity(cls, samples: int = 256) -> "ToneCurves":
        """Curves that change nothing."""
        return cls(np.tile(np.linspace(0, 1, samples, dtype=np.float32), (3, 1)))


@dataclass(frozen=True, eq=False)
class Views:
    """The pictures made of one frame, by name: ``original``, ``paste``, ``harmonized``, ..."""

    images: dict[str, np.ndarray]  # name -> (H, W, 3), the frame's dtype
    index: int
    seconds: float


BT709, UNSPECIFIED = 1, 2  # as primaries, transfer characteristics and matrix alike (ITU-T H.273)


@dataclass(frozen=True)
class VideoColor:
    """How the source's code values become colour; the sink writes the same back.

    Values are FFmpeg's enumeration numbers (AVColorPrimaries and so on), which are those of ITU-T H.273.
    """

    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    matrix: int = UNSPECIFIED
    full_range: bool = False


@dataclass(frozen=True)
class SourceInfo:
    """What a source knows of itself before its first frame."""

    name: str  # for messages: a path, "webcam 0", "test pattern"
    width: int  # upright
    height: int
    rate: Fraction | None  # nominal frames a second; None where there is none (a photograph)
    frames: int | None = None  # how many will come, as far as is known
    live: bool = False  # frames come at their own pace and are dropped, not queued
    time_base: Fraction = Fraction(1, 90000)  # of `Frame.seconds`: round(seconds / time_base) is exact
    start: Fraction = Fraction(0)  # the first frame's presentation time in its file, seconds
    bits: int = 8  # depth that the pixels had in the file
    color: VideoColor = VideoColor()
    file: Path | None = None  # the video file, whose sound can be copied
