"""What live video does after each frame, on a clock and with a pipeline of the tests' own."""

from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from video_harmonizer import live
from video_harmonizer.frame import Views
from video_harmonizer.pipeline import Pipeline


class Clock:
    """Shows what it is told."""

    now = 100.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(live.time, "monotonic", lambda: clock.now)
    return clock


class FakeTimer:
    """A thread that takes as many seconds a frame as are given."""

    def __init__(self, busy: float) -> None:
        self.busy = busy

    def busiest(self) -> float:
        return self.busy


@pytest.mark.parametrize(("busy", "patience", "scales"), [(0.02, 1.0, []), (0.2, 4.0, [1.0, 0.8, 0.65])])
def test_live_video_that_is_too_slow_is_made_cheaper(busy: float, patience: float, scales: list[float], clock: Clock):
    asked: list[float] = []
    pipeline = fake_pipeline(busy, asked)
    watch = live.LiveWatch(pipeline, 25, None, None)
    for index in range(80):
        clock.now += 1 / 25
        assert watch.after_frame(Views({}, index, index / 25))
    assert (pipeline.estimator.patience, asked) == (patience, scales)
    assert len(watch.budget.changes) == len(scales)


def test_no_effort_is_lowered_while_a_lower_one_is_being_made_nor_where_it_makes_no_difference(clock: Clock):
    asked: list[float] = []
    making, key = fake_pipeline(0.2, asked, is_rescaling=lambda: bool(asked)), fake_pipeline(0.2, asked, scalable=False)
    for pipeline, scales in ((making, [1.0]), (key, [1.0])):
        asked.clear()
        watch = live.LiveWatch(pipeline, 25, None, None)
        for index in range(200):
            clock.now += 1 / 25
            watch.after_frame(Views({}, index, index / 25))
        assert asked == scales


def fake_pipeline(busy: float, asked: list[float], latency: float = 0, **matting: object) -> Any:
    given = {"rescale": asked.append, "is_rescaling": lambda: False, "scalable": True} | matting
    timer, estimator = FakeTimer(busy), SimpleNamespace(patience=1.0)
    pipeline: Any = SimpleNamespace(timer=timer, estimator=estimator, latency=latency, matting=SimpleNamespace(**given))
    pipeline.take = partial(Pipeline.take, pipeline)
    return pipeline


def test_a_file_slower_than_its_clock_is_made_cheaper_after_as_long_a_wait(clock: Clock):
    asked: list[float] = []
    watch = live.LiveWatch(fake_pipeline(0.2, asked), 25, None, None)
    for index in range(20):  # 0.8 seconds of film in four of those that pass
        clock.now += 0.2
        watch.after_frame(Views({}, index, index / 25))
    assert len(asked) >= 2


class FakeWindow:
    """Shows nothing; a key is pressed at a time."""

    status = ""

    def __init__(self, clock: Clock, key: str = "", at: float = 0) -> None:
        self.clock, self.key, self.at = clock, key, at

    def poll(self) -> str | None:
        key, now = self.key, self.clock.now - Clock.now
        if not key or now < self.at:
            return None
        self.key = ""
        return key


def test_pictures_of_a_file_are_shown_when_they_are_due(clock: Clock, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(live.time, "sleep", lambda seconds: setattr(clock, "now", clock.now + seconds))
    window: Any = FakeWindow(clock, key="h", at=0.5)
    watch = live.LiveWatch(fake_pipeline(0.01, [], latency=0.02), 25, window, live.Pace())
    shown, told = [], []
    for index, seconds in enumerate((0, 0.04, 0.08, 1.58, 1.62)):
        clock.now += 0.01
        views = Views({}, index, seconds)
        assert watch.before_frame(views)
        shown.append(clock.now - Clock.now - 0.01)
        told.append(window.status)
        assert watch.after_frame(views)
    assert shown == pytest.approx([0, 0.04, 0.08, 1.58, 1.62])
    assert [bool(line) for line in told] == [True, True, True, False, False]  # h was heard while a still stood


def test_a_file_can_be_left_while_a_picture_is_not_due(clock: Clock, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(live.time, "sleep", lambda seconds: setattr(clock, "now", clock.now + seconds))
    window: Any = FakeWindow(clock, key=live.QUIT, at=0.5)
    watch = live.LiveWatch(fake_pipeline(0.01, [], latency=0.02), 25, window, live.Pace())
    assert watch.before_frame(Views({}, 0, 0))
    assert watch.after_frame(Views({}, 0, 0))
    assert not watch.before_frame(Views({}, 1, 60))
    assert clock.now - Clock.now < 1


def test_a_camera_that_gives_nothing_can_be_left(clock: Clock):
    window: Any = FakeWindow(clock, key=live.QUIT, at=0.5)
    watch = live.LiveWatch(fake_pipeline(0.01, [], latency=0.02), 25, window, None)
    assert watch.while_waiting()
    clock.now += 1
    assert not watch.while_waiting()
    assert live.LiveWatch(fake_pipeline(0.01, []), 25, None, None).while_waiting()


def test_file_is_shown_at_the_pace_at_which_it_was_filmed(clock: Clock):
    early: list[float] = []
    pace = live.Pace()
    for seconds, work in ((0, 0.01), (0.04, 0.01), (0.08, 0.1), (0.12, 0.0), (0.5, 2.0), (0.54, 0.0), (0.58, 0.0)):
        early.append(pace.early(seconds))
        clock.now += max(0.0, early[-1]) + work
    # what took a little too long is made up for; far behind, it goes on from where it is
    assert early == pytest.approx([0, 0.03, 0.03, -0.06, 0.32, 0, 0.04])
