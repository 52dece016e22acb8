"""Writing in a thread."""

import time

import numpy as np
import pytest
from threads import left_running

from video_harmonizer.sinks.writer import ThreadedWriter


class SlowSink:
    """Remembers what it was given, and fails at one picture if asked to."""

    kept = None

    def __init__(self, fails_at: int | None = None) -> None:
        self.fails_at = fails_at
        self.seen: list[tuple[int, float]] = []
        self.ended: list[str] = []

    def write(self, image: np.ndarray, seconds: float) -> None:
        time.sleep(0.005)
        if len(self.seen) == self.fails_at:
            raise OSError("disk full")
        self.seen.append((int(image[0, 0, 0]), seconds))

    def close(self, whole: bool = True) -> None:
        self.ended.append("closed")

    def abort(self) -> None:
        self.ended.append("aborted")


def test_pictures_come_in_order_though_the_array_is_reused():
    sink = SlowSink()
    writer = ThreadedWriter(sink)
    image = np.zeros((4, 4, 3), np.uint8)
    for index in range(30):
        image[:] = index
        writer.write(image, float(index))
    writer.close()
    assert sink.seen == [(index, float(index)) for index in range(30)]
    assert sink.ended == ["closed"]
    assert left_running() == []


def test_pictures_may_change_size_and_depth():
    sink = SlowSink()
    writer = ThreadedWriter(sink)
    for image in (np.full((4, 4, 3), 1, np.uint8), np.full((8, 2, 3), 2, np.uint16), np.full((4, 4, 3), 3, np.uint8)):
        writer.write(image, 0.0)
        time.sleep(0.02)
    writer.close()
    assert [value for value, _ in sink.seen] == [1, 2, 3]


def test_writing_waits_when_the_queue_is_full():
    writer = ThreadedWriter(SlowSink(), depth=2)
    began = time.perf_counter()
    for _ in range(12):
        writer.write(np.zeros((4, 4, 3), np.uint8), 0.0)
    assert time.perf_counter() - began > 8 * 0.005
    writer.abort()


def test_an_error_comes_home_with_the_next_write_and_ends_the_sink_by_abort():
    sink = SlowSink(fails_at=2)
    writer = ThreadedWriter(sink)
    for _ in range(3):
        writer.write(np.zeros((4, 4, 3), np.uint8), 0.0)
    time.sleep(0.1)
    with pytest.raises(OSError, match="disk full"):
        writer.write(np.zeros((4, 4, 3), np.uint8), 0.0)
    with pytest.raises(OSError, match="disk full"):
        writer.close()
    writer.close()
    assert "aborted" in sink.ended
    assert left_running() == []


def test_pictures_made_before_an_error_elsewhere_are_written():
    sink = SlowSink()
    writer = ThreadedWriter(sink)
    for index in range(4):
        writer.write(np.zeros((4, 4, 3), np.uint8), float(index))
    writer.abort()
    assert [seconds for _, seconds in sink.seen] == [0.0, 1.0, 2.0, 3.0]
    assert sink.ended == ["aborted"]


def test_an_error_in_the_last_picture_comes_home_with_close():
    sink = SlowSink(fails_at=1)
    writer = ThreadedWriter(sink)
    writer.write(np.zeros((4, 4, 3), np.uint8), 0.0)
    writer.write(np.zeros((4, 4, 3), np.uint8), 0.1)
    with pytest.raises(OSError, match="disk full"):
        writer.close()
    assert sink.ended == ["aborted"]
