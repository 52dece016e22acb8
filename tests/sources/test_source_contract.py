"""What every source promises, tried on every source."""

import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import make_clip, moving_picture
from fake_camera import FakeCamera
from threads import left_running

from video_harmonizer.errors import InputError
from video_harmonizer.sources import Source, open_source
from video_harmonizer.sources.image import ImageSequenceSource, PhotographSource
from video_harmonizer.sources.pattern import PatternSource
from video_harmonizer.sources.prefetch import PrefetchSource
from video_harmonizer.sources.video_file import VideoFileSource
from video_harmonizer.sources.webcam import WebcamSource


def photograph(folder: Path) -> Source:
    cv2.imwrite(str(folder / "a.png"), moving_picture(0, 64, 48))
    return PhotographSource(folder / "a.png")


def sequence(folder: Path) -> Source:
    for index in range(5):
        cv2.imwrite(str(folder / f"{index}.png"), moving_picture(index, 64, 48))
    return ImageSequenceSource(folder)


KINDS: dict[str, Callable[[Path], Source]] = {
    "demo": lambda folder: open_source("demo"),
    "video file": lambda folder: VideoFileSource(make_clip(folder / "a.mp4")),
    "photograph": photograph,
    "sequence": sequence,
    "pattern": lambda folder: PatternSource(64, 48, seconds=0.5),
    "webcam": lambda folder: WebcamSource(0, size=(64, 48), open_capture=lambda _: FakeCamera(64, 48)),
    "prefetched": lambda folder: PrefetchSource(VideoFileSource(make_clip(folder / "b.mp4"))),
}


@pytest.fixture(params=KINDS)
def source(request, tmp_path):
    opened = KINDS[request.param](tmp_path)
    yield opened
    opened.close()


def some(source: Source, count: int = 5) -> list:
    frames = []
    for frame in source:
        frames.append(frame)
        if len(frames) == count:
            break
    return frames


def test_frames_are_rgb_of_the_size_in_info(source):
    for frame in some(source):
        assert frame.rgb.shape == (source.info.height, source.info.width, 3)
        assert frame.rgb.dtype == (np.uint8 if source.info.bits <= 8 else np.uint16)
        assert frame.rgb.flags.c_contiguous


def test_time_and_numbers_start_at_zero_and_grow(source):
    frames = some(source)
    assert (frames[0].index, frames[0].seconds) == (0, 0.0)
    for before, after in itertools.pairwise(frames):
        assert after.seconds > before.seconds
        assert after.index > before.index


def test_frames_do_not_share_memory(source):
    frames = some(source)
    for before, after in itertools.pairwise(frames):
        assert not np.shares_memory(before.rgb, after.rgb)


def test_the_number_of_frames_is_the_one_announced(source):
    if not source.info.live:
        assert len(list(source)) == source.info.frames


def test_close_ends_the_iteration_and_may_be_called_twice(source):
    frames = iter(source)
    next(frames)
    source.close()
    source.close()
    assert list(frames) == []


def test_close_from_another_thread_ends_the_iteration(source):
    frames = iter(source)
    next(frames)
    closed = threading.Event()

    def close() -> None:
        source.close()
        closed.set()

    threading.Timer(0.02, close).start()
    late = 0
    for _ in frames:
        late += closed.is_set()
        time.sleep(0.03)  # or short ones would have ended by themselves before
    assert late <= 1
    assert closed.wait(5)


def test_nothing_is_left_running(source):
    next(iter(source))
    source.close()
    assert left_running() == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("pattern", PatternSource),
        ("pattern:64x48", PatternSource),
        ("photo.JPG", PhotographSource),
        ("frames", ImageSequenceSource),
        ("frames/%02d.png", ImageSequenceSource),
        ("frames/*.png", ImageSequenceSource),
        ("clip.mkv", VideoFileSource),
        ("clip", VideoFileSource),
    ],
)
def test_a_name_opens_the_right_kind(tmp_path, monkeypatch, text, kind):
    monkeypatch.chdir(tmp_path)
    Path("frames").mkdir()
    cv2.imwrite("frames/01.png", moving_picture(0, 64, 48))
    cv2.imwrite("photo.JPG", moving_picture(0, 64, 48))
    make_clip(tmp_path / "clip.mkv").rename("clip")
    make_clip(tmp_path / "clip.mkv")
    source = open_source(text)
    assert isinstance(source, kind)
    source.close()


@pytest.mark.parametrize("text", ["", "missing.mp4", "missing.png", "missing/%04d.png", "pattern:big", "long" * 100])
def test_a_name_that_is_nothing_is_refused(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError):
        open_source(text)


@pytest.mark.parametrize("text", ["rtsp://10.0.0.5/stream1", "https:/example.org/talk.mp4"])
def test_an_address_is_said_to_be_one(text):
    with pytest.raises(InputError, match=r"^\w+://\w.*: addresses are not read; download it first"):
        open_source(text)


def test_pyav_is_not_loaded_unless_a_video_file_is_opened(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), moving_picture(0, 64, 48))
    program = (
        "import sys; from video_harmonizer.sources import open_source; import video_harmonizer.sources.prefetch;"
        f"open_source('pattern'); open_source({str(tmp_path / 'a.png')!r}); open_source({str(tmp_path)!r});"
        "sys.exit('av' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0
