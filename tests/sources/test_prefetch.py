"""Reading ahead."""

import time
from collections.abc import Iterator

import numpy as np
import pytest

from video_harmonizer.errors import InputError
from video_harmonizer.frame import Frame, SourceInfo
from video_harmonizer.sources.prefetch import PrefetchSource


class Counting:
    """A source of numbered frames that can fail."""

    def __init__(self, frames: int, fails: bool = False) -> None:
        self.info = SourceInfo("counting", 2, 2, None, frames)
        self.fails = fails
        self.read = 0
        self.closed = False

    def __iter__(self) -> Iterator[Frame]:
        for index in range(self.info.frames or 0):
            self.read += 1
            yield Frame(np.zeros((2, 2, 3), np.uint8), index, float(index))
        if self.fails:
            raise InputError("counting: broken")

    def close(self) -> None:
        self.closed = True


def test_order_is_kept_and_no_more_is_read_than_fits():
    inner = Counting(100)
    source = PrefetchSource(inner, depth=3)
    frames = iter(source)
    next(frames)
    time.sleep(0.1)
    assert inner.read <= 1 + 3 + 1  # taken, held, and in the thread's hand
    assert [frame.index for frame in frames] == list(range(1, 100))
    source.close()
    assert inner.closed


def test_an_error_comes_after_the_frames_before_it():
    source = PrefetchSource(Counting(5, fails=True))
    seen: list[int] = []
    with pytest.raises(InputError, match="counting: broken"):
        seen.extend(frame.index for frame in source)
    source.close()


def test_frames_before_an_error_are_all_given():
    source = PrefetchSource(Counting(5, fails=True), depth=10)
    time.sleep(0.05)
    frames = iter(source)
    assert [next(frames).index for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(InputError):
        next(frames)
    source.close()
