"""The generated clip, and the repair of times."""

import numpy as np
import pytest

from video_harmonizer.errors import InputError
from video_harmonizer.sources.clock import FrameClock
from video_harmonizer.sources.pattern import PatternSource


def test_the_pattern_is_ten_seconds_of_720p_and_the_same_every_time():
    source = PatternSource.parse("pattern")
    assert (source.info.width, source.info.height, source.info.frames, source.info.rate) == (1280, 720, 300, 30)
    first = next(iter(source)).rgb
    assert np.array_equal(first, next(iter(PatternSource())).rgb)


def test_the_figure_moves_and_the_bars_stay():
    frames = [frame.rgb for frame in PatternSource(320, 180, seconds=2)]
    assert (frames[0] != frames[20]).any(axis=2).mean() > 0.05
    assert (frames[0][:10] == frames[20][:10]).all()


@pytest.mark.parametrize("text", ["pattern:", "pattern:640", "pattern:0x0", "pattern:1x1"])
def test_a_size_that_is_none_is_refused(text):
    with pytest.raises(InputError, match="pattern"):
        PatternSource.parse(text)


def ticks(*pts: int | None) -> list[int]:
    clock = FrameClock(step=10, restart=1000)
    return [clock.ticks(time) for time in pts]


def test_growing_times_are_kept():
    assert ticks(5, 6, 100, 1000) == [0, 1, 95, 995]


def test_missing_times_follow_at_the_usual_step():
    assert ticks(None, None, None) == [0, 10, 20]
    assert ticks(7, None, 27) == [0, 10, 20]


def test_repeated_and_backward_times_move_by_a_tick_and_do_not_spread():
    assert ticks(0, 10, 10, 9, 20, 30) == [0, 10, 11, 12, 20, 30]


def test_a_clock_that_begins_anew_goes_on():
    assert ticks(5000, 5010, 0, 10, 20) == [0, 10, 20, 30, 40]


def test_a_clock_that_jumps_ahead_goes_on_where_clocks_may():
    clock = FrameClock(step=10, restart=1000, jump=3000)
    assert [clock.ticks(time) for time in (0, 10, 3010, 6011, 6021)] == [0, 10, 3010, 3020, 3030]
