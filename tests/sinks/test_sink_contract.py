"""What every sink of files promises, tried on every one. The window has a test of its own."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import moving_picture
from threads import left_running

from video_harmonizer.errors import InputError
from video_harmonizer.frame import SourceInfo
from video_harmonizer.sinks import Sink
from video_harmonizer.sinks.image_files import ImageFileSink, ImageSequenceSink
from video_harmonizer.sinks.video_file import VideoFileSink
from video_harmonizer.sinks.writer import ThreadedWriter

INFO = SourceInfo("test", 64, 48, Fraction(25), frames=1, time_base=Fraction(1, 25))


def video(name: str) -> Callable[[Path], tuple[Sink, Path]]:
    return lambda folder: (VideoFileSink(folder / name, 64, 48, INFO, preset="ultrafast"), folder / name)


def threaded(folder: Path) -> tuple[Sink, Path]:
    sink, path = video("c.mp4")(folder)
    return ThreadedWriter(sink), path


KINDS: dict[str, Callable[[Path], tuple[Sink, Path]]] = {
    "mp4": video("a.mp4"),
    "mov": video("a.mov"),
    "mkv": video("a.mkv"),
    "picture": lambda folder: (ImageFileSink(folder / "a.png", INFO), folder / "a.png"),
    "sequence": lambda folder: (ImageSequenceSink(folder / "new" / "%03d.png"), folder / "new" / "000.png"),
    "threaded": threaded,
}


@pytest.fixture(params=KINDS)
def opened(request, tmp_path):
    sink, path = KINDS[request.param](tmp_path)
    yield sink, path
    sink.abort()


def test_the_final_name_comes_with_close(opened):
    sink, path = opened
    sink.write(moving_picture(0, 64, 48), 0.0)
    assert not path.exists()
    sink.close()
    assert path.stat().st_size > 100
    assert sink.kept is None


def test_close_and_abort_may_be_called_twice_in_any_order(opened):
    sink, path = opened
    sink.write(moving_picture(0, 64, 48), 0.0)
    sink.close()
    sink.abort()
    sink.close()
    assert path.exists()


def test_abort_keeps_the_final_name_free(opened):
    sink, path = opened
    sink.write(moving_picture(0, 64, 48), 0.0)
    sink.abort()
    sink.close()
    sink.abort()
    assert not path.exists()
    assert sink.kept is None or sink.kept.exists()


def test_abort_before_the_first_picture_leaves_nothing(opened, tmp_path):
    opened[0].abort()
    assert list(tmp_path.iterdir()) == []


def test_close_before_the_first_picture_is_an_error_and_leaves_nothing(opened, tmp_path):
    with pytest.raises(InputError, match="no picture came"):
        opened[0].close()
    assert list(tmp_path.iterdir()) == []


def test_the_array_may_be_used_again_after_write(opened, tmp_path):
    sink, path = opened
    image = moving_picture(0, 64, 48)
    sink.write(image, 0.0)
    image[:] = 0
    sink.close()
    with av.open(str(path)) as container:
        seen = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert np.abs(seen.astype(float) - moving_picture(0, 64, 48)).mean() < 6


def test_sixteen_bit_pictures_are_taken_too(opened):
    sink, path = opened
    sink.write(moving_picture(0, 64, 48).astype(np.uint16) * 257, 0.0)
    sink.close()
    assert path.exists()


def test_nothing_is_left_running(opened):
    sink, _ = opened
    sink.write(moving_picture(0, 64, 48), 0.0)
    sink.close()
    assert left_running() == []
