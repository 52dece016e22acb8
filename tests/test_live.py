"""What live video does after each frame, on a clock and with a pipeline of the tests' own."""

from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from video_harmonizer import live
from video_harmonizer.frame import Views
from video_harmonizer.pipeline import Pipeline


class FakeTimer:
    """A thread that takes as many seconds a frame as are given."""

    def __init__(self, busy: float) -> None:
        self.busy = busy

    def busiest(self) -> float:
        return self.busy


@pytest.mark.parametrize(("busy", "patience", "scales"), [(0.02, 1.0, []), (0.2, 4.0, [1.0, 0.8, 0.65])])
def test_live_video_that_is_too_slow_is_made_cheaper(busy: float, patience: float, scales: list[float]):
    asked: list[float] = []
    pipeline = fake_pipeline(busy, asked)
    watch = live.LiveWatch(pipeline, 25, None, None)
    for index in range(80):
        assert watch.after_frame(Views({}, index, index / 25))
    assert (pipeline.estimator.patience, asked) == (patience, scales)
    assert len(watch.budget.changes) == len(scales)


def test_no_effort_is_lowered_while_a_lower_one_is_being_made_nor_where_it_makes_no_difference():
    asked: list[float] = []
    making, key = fake_pipeline(0.2, asked, is_rescaling=lambda: bool(asked)), fake_pipeline(0.2, asked, scalable=False)
    for pipeline, scales in ((making, [1.0]), (key, [1.0])):
        asked.clear()
        watch = live.LiveWatch(pipeline, 25, None, None)
        for index in range(200):
            watch.after_frame(Views({}, index, index / 25))
        assert asked == scales


def fake_pipeline(busy: float, asked: list[float], **matting: object) -> Any:
    given = {"rescale": asked.append, "is_rescaling": lambda: False, "scalable": True} | matting
    timer, estimator = FakeTimer(busy), SimpleNamespace(patience=1.0)
    pipeline: Any = SimpleNamespace(timer=timer, estimator=estimator, matting=SimpleNamespace(**given))
    pipeline.take = partial(Pipeline.take, pipeline)
    return pipeline


def test_file_is_shown_at_the_pace_at_which_it_was_filmed(monkeypatch: pytest.MonkeyPatch):
    now, early = 100.0, []
    monkeypatch.setattr(live.time, "monotonic", lambda: now)
    pace = live.Pace()
    for seconds, work in ((0, 0.01), (0.04, 0.01), (0.08, 0.1), (0.12, 0.0), (0.5, 0.0)):
        early.append(pace.early(seconds))
        now += max(0.0, early[-1]) + work
    # what took too long is made up for
    assert early == pytest.approx([0, 0.03, 0.03, -0.06, 0.32])
