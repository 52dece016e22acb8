"""The included clip."""

import numpy as np

from video_harmonizer.background import open_background
from video_harmonizer.sources import open_source
from video_harmonizer.sources.demo import DemoSource, demo_background


def test_demo_is_eight_seconds_of_720p_that_move_and_come_round():
    source = open_source("demo")
    assert isinstance(source, DemoSource)
    frames = [frame.rgb[::16, ::16].astype(int) for frame in source]
    assert source.info.frames == len(frames) == 240
    assert frames[0].shape == (45, 80, 3)

    def change(one: int, other: int) -> float:
        return float(np.abs(frames[one] - frames[other]).mean())

    assert change(0, 1) > 0
    assert change(239, 0) < 0.25 * change(0, 40)  # played again and again, it does not jump


def test_light_becomes_a_lamps_and_daylight_again():
    frames = {frame.index: frame.rgb for frame in DemoSource() if frame.index in (60, 180)}
    day, lamp = (frames[index].mean((0, 1)) for index in (60, 180))
    assert lamp.mean() < 0.9 * day.mean()
    assert lamp[0] / lamp[2] > 1.1 * day[0] / day[2]


def test_background_comes_along_and_is_another_picture():
    frame = next(iter(DemoSource()))
    behind = open_background("demo").behind(frame, None)  # type: ignore[arg-type]
    assert behind.shape == frame.rgb.shape
    red, _, blue = demo_background().mean((0, 1))
    assert red > 2 * blue  # a warm place


def test_closed_demo_ends():
    source = DemoSource()
    frames = iter(source)
    next(frames)
    source.close()
    assert next(frames, None) is None
