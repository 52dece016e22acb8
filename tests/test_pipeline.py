"""The journey of a frame with stand-ins for its parts, and the loop's ends: done, stopped, failed."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoints import curve_checkpoint

from video_harmonizer.ahead import Ahead
from video_harmonizer.background import SolidColor
from video_harmonizer.engine.eager import TorchEngine
from video_harmonizer.errors import InputError
from video_harmonizer.frame import Frame, Matte, SourceInfo, ToneCurves
from video_harmonizer.harmonizers.estimator import CurveEstimator
from video_harmonizer.harmonizers.s2crnet import S2CRNet
from video_harmonizer.matting import Matting
from video_harmonizer.pipeline import AHEAD, Pipeline, StageTimer, run
from video_harmonizer.rendering.renderer import CPURenderer
from video_harmonizer.temporal.smoother import CurveSmoother
from video_harmonizer.temporal.steady import SteadyEstimator
from video_harmonizer.thumbnails import SIZE, Thumbnails

HEIGHT, WIDTH = 24, 32


class FakeSource:
    """Frames of one level each, at 25 a second; then an error, if there is one."""

    def __init__(self, levels: list[int], error: BaseException | None = None, dtype: type = np.uint8) -> None:
        self.info = SourceInfo("fake", WIDTH, HEIGHT, Fraction(25), frames=len(levels))
        self.levels, self.error, self.dtype = levels, error, dtype
        self.closed = 0

    def __iter__(self) -> Iterator[Frame]:
        for index, level in enumerate(self.levels):
            yield Frame(np.full((HEIGHT, WIDTH, 3), level, self.dtype), index, index / 25)
        if self.error:
            raise self.error

    def close(self) -> None:
        self.closed += 1


class FakeMatting(Matting):
    """The upper half is the person, or, at the indices of ``empty``, nothing."""

    name = "fake"

    def __init__(self, empty: tuple[int, ...] = ()) -> None:
        self.empty = empty

    def matte(self, frame: Frame, seen: object = None) -> Matte:
        alpha = np.zeros(frame.size, np.uint8)
        alpha[: HEIGHT // 2] = 0 if frame.index in self.empty else 255
        return Matte(alpha)

    def reset(self) -> None: ...


class FakeEstimator:
    """Lifts every level to the given one; None in the list is no answer. Knows nothing without thumbnails."""

    name = "fake"
    side = SIZE
    close: int | None = None

    def __init__(self, lifts: Sequence[float | None]) -> None:
        self.lifts = iter(lifts)
        self.samples: list[int] = []

    def estimate(self, thumbnails: Thumbnails | None, samples: int) -> ToneCurves | None:
        self.samples.append(samples)
        lift = next(self.lifts)
        if thumbnails is None or lift is None:
            return None
        return ToneCurves(np.full((3, samples), lift, np.float32))


class FakeSink:
    """Keeps the first pixel's red and the time of each picture, and how it ended."""

    kept: Path | None = None

    def __init__(self, diary: list[str] | None = None, fails_at: str = "") -> None:
        self.pictures: list[tuple[int, float]] = []
        self.ends: list[str] = []
        self.diary = [] if diary is None else diary
        self.fails_at = fails_at

    def write(self, image: np.ndarray, seconds: float) -> None:
        self._do("write")
        self.pictures.append((int(image[0, 0, 0]), seconds))

    def close(self, whole: bool = True) -> None:
        self._do("close")
        self.ends.append("close" if whole else "close what there is")

    def abort(self) -> None:
        self._do("abort")
        self.ends.append("abort")

    def _do(self, what: str) -> None:
        self.diary.append(what)
        if what == self.fails_at:
            raise OSError("disk full")


def pipeline(
    estimator: FakeEstimator | CurveEstimator | None = None,
    matting: FakeMatting | None = None,
    views: tuple[str, ...] = ("harmonized",),
    smoothing: float = 0,
    strength: float = 1.0,
) -> Pipeline:
    return Pipeline(
        matting or FakeMatting(),
        SolidColor((9, 9, 9)),
        SteadyEstimator(estimator or FakeEstimator([1.0] * 100), interval=0),
        CurveSmoother(smoothing),
        CPURenderer(views),
        strength,
    )


# --- a frame's journey ----------------------------------------------------------------------------------------


def test_person_gets_the_estimated_colours():
    frame = next(iter(FakeSource([100])))
    views = pipeline(FakeEstimator([0.8]), views=("original", "paste", "harmonized")).process(frame)
    assert [int(picture[0, 0, 0]) for picture in views.images.values()] == [100, 100, 204]


@pytest.mark.parametrize(("strength", "level"), [(0, 100), (0.25, 126), (1, 204)])
def test_strength_takes_a_part_of_the_change(strength: float, level: int):
    frame = next(iter(FakeSource([100])))
    views = pipeline(FakeEstimator([0.8]), strength=strength).process(frame)
    assert views.images["harmonized"][0, 0, 0] == level


def test_curves_are_smoothed_in_time():
    subject = pipeline(FakeEstimator([0.2] + [1.0] * 9), smoothing=0.2)
    levels = [int(subject.process(frame).images["harmonized"][0, 0, 0]) for frame in FakeSource([100] * 10)]
    expected = [255 * (1 - 0.8 * np.exp(-index / 25 / 0.2)) for index in range(10)]
    np.testing.assert_allclose(levels, expected, atol=0.6)


def test_another_shot_has_its_own_curves_at_once():
    room, street = np.zeros((2, HEIGHT, WIDTH, 3), np.uint8)
    room[:, : WIDTH // 2] = street[HEIGHT // 2 :] = 100
    subject = pipeline(FakeEstimator([0.2] * 3 + [1.0] * 3), smoothing=5)
    frames = [Frame(rgb, n, n / 25) for n, rgb in enumerate([room] * 3 + [street] * 3)]
    levels = [int(subject.process(frame).images["harmonized"][0, 0, 0]) for frame in frames]
    assert levels == [51, 51, 51, 255, 255, 255]


def test_another_source_begins_without_memory():
    subject = pipeline(FakeEstimator([0.2, 1.0]), smoothing=5)
    sinks = FakeSink(), FakeSink()
    for sink in sinks:
        run(FakeSource([100]), subject, [("harmonized", sink)])
    assert [sink.pictures[0][0] for sink in sinks] == [51, 255]


def test_deep_frames_keep_their_depth():
    estimator = FakeEstimator([0.5])
    frame = next(iter(FakeSource([1000], dtype=np.uint16)))
    picture = pipeline(estimator).process(frame).images["harmonized"]
    assert (picture.dtype, int(picture[0, 0, 0])) == (np.uint16, 32768)
    assert estimator.samples == [65536]


def test_curves_hold_while_nobody_is_in_view():
    subject = pipeline(FakeEstimator([0.8, 0.1, 0.1, None]), FakeMatting(empty=(1, 2)))
    levels = [int(subject.process(frame).images["harmonized"][0, 0, 0]) for frame in FakeSource([100] * 4)]
    assert levels == [204, 9, 9, 204]


class FailingNetwork(torch.nn.Module):
    """Curves that double the light, but NaN in the calls that are named."""

    knots = staticmethod(S2CRNet.knots)

    def __init__(self, failures: tuple[int, ...]) -> None:
        super().__init__()
        self.failures = failures
        self.calls = 0

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        pieces = torch.zeros(1, 1, 3, 2)
        pieces[..., 0] = torch.nan if self.calls in self.failures else 1
        self.calls += 1
        return pieces


def test_frame_without_a_finite_answer_keeps_the_last_good_curves(caplog: pytest.LogCaptureFixture):
    network = FailingNetwork(failures=(0, 2, 3))
    estimator = CurveEstimator(curve_checkpoint(network), TorchEngine("cpu"))
    subject = pipeline(estimator)
    levels = [int(subject.process(frame).images["harmonized"][0, 0, 0]) for frame in FakeSource([100] * 5)]
    assert levels == [100, 200, 200, 200, 200]
    assert network.calls == 5
    assert [record.getMessage() for record in caplog.records] == [
        "fake: got curves that are not finite; frames keep the last good ones"
    ]


# --- the loop -------------------------------------------------------------------------------------------------


def test_every_frame_is_written_in_order_with_its_time():
    source, sinks = FakeSource([10, 20, 30]), (FakeSink(), FakeSink())
    done = run(source, pipeline(views=("original", "harmonized")), [("original", sinks[0]), ("harmonized", sinks[1])])
    assert sinks[0].pictures == [(10, 0.0), (20, 0.04), (30, 0.08)]
    assert sinks[1].pictures == [(255, 0.0), (255, 0.04), (255, 0.08)]
    assert sinks[0].ends == sinks[1].ends == ["close"]
    assert (done.frames_in, done.frames_out, done.interrupted) == (3, 3, False)
    assert done.seconds > 0
    assert source.closed == 1


@pytest.mark.parametrize(("live", "ahead"), [(False, AHEAD), (True, 1)])
def test_matting_runs_ahead_of_rendering_but_no_farther_than_it_may(live: bool, ahead: int):
    matted, rendered = threading.Semaphore(0), threading.Event()

    class Counting(FakeMatting):
        count = 0

        def matte(self, frame: Frame, seen: object = None) -> Matte:
            self.count += 1
            matted.release()
            return super().matte(frame)

    class Waiting(FakeSink):
        def write(self, image: np.ndarray, seconds: float) -> None:
            if not self.pictures:
                for _ in range(ahead + 1):  # this frame and those that wait
                    assert matted.acquire(timeout=10)
                rendered.set()
                assert not matted.acquire(timeout=0.1)
            super().write(image, seconds)

    matting, sink = Counting(), Waiting()
    source = FakeSource([1] * 9)
    source.info = replace(source.info, live=live)
    run(source, pipeline(matting=matting), [("harmonized", sink)])
    assert rendered.is_set()
    assert matting.count == len(sink.pictures) == 9


def test_what_was_seen_of_a_frame_comes_to_its_matte():
    class Looking(FakeMatting):
        def look(self, frame: Frame) -> int:
            return 10 * frame.index

        def matte(self, frame: Frame, seen: object = None) -> Matte:
            assert seen == 10 * frame.index
            return super().matte(frame)

    assert run(FakeSource([1, 2, 3, 4]), pipeline(matting=Looking()), []).frames_out == 4


def test_no_thread_is_left():
    before = threading.active_count()
    run(FakeSource([1, 2, 3]), pipeline(), [])
    with pytest.raises(OSError, match="disk full"):
        run(FakeSource([1, 2, 3]), pipeline(), [("harmonized", FakeSink(fails_at="write"))])
    assert threading.active_count() == before


def test_no_thread_runs_before_its_items_are_asked_for():
    before = threading.active_count()
    ahead = Ahead(iter([1, 2, 3]), "numbers", 2)
    assert threading.active_count() == before
    assert list(ahead) == [1, 2, 3]
    never = Ahead(iter([1, 2, 3]), "numbers", 2)
    never.stop()
    never.join()


def test_frames_of_a_run_that_ended_early_are_forgotten():
    subject = pipeline()
    run(FakeSource([1, 2, 3, 4, 5, 6]), subject, [], after_frame=lambda views: False)
    run(FakeSource([1]), subject, [])
    assert not subject._read_at


def test_dropped_live_frames_count_as_seen():
    class Dropping(FakeSource):
        def __iter__(self) -> Iterator[Frame]:
            for frame in super().__iter__():
                yield Frame(frame.rgb, 4 * frame.index, frame.seconds)

    done = run(Dropping([1, 2, 3]), pipeline(), [])
    assert (done.frames_in, done.frames_out) == (9, 3)


def test_time_of_every_stage_is_told():
    class Slow(FakeMatting):
        def matte(self, frame: Frame, seen: object = None) -> Matte:
            time.sleep(0.01)
            return super().matte(frame)

    subject = pipeline(matting=Slow())
    done = run(FakeSource([1, 2, 3]), subject, [("harmonized", FakeSink())])
    stages = subject.timer.seconds
    assert set(stages) == {"read", "cuts", "look", "matting", "background", "estimate", "smooth", "render", "write"}
    assert 0.03 <= stages["matting"] <= done.seconds


def test_the_busiest_thread_is_told_frame_by_frame():
    timer = StageTimer()
    timer.seconds = {"read": 9.0, "look": 0.1, "matting": 0.3, "estimate": 0.15, "render": 0.2}
    assert timer.busiest() == pytest.approx(0.35)
    timer.seconds["matting"] += 0.4
    assert timer.busiest() == pytest.approx(0.4)


def test_latency_is_from_reading_to_finished_pictures():
    class Slow(FakeMatting):
        def matte(self, frame: Frame, seen: object = None) -> Matte:
            time.sleep(0.02)
            return super().matte(frame)

    subject = pipeline(matting=Slow())
    for frame in FakeSource([1, 2]):
        subject.process(frame)
        assert 0.02 <= subject.latency < 1
    assert not subject._read_at


def test_time_of_a_stage_that_fails_counts():
    timer = StageTimer()
    with pytest.raises(ZeroDivisionError):
        timer.call("divide", lambda: 1 / 0)
    assert timer.seconds["divide"] > 0


def test_run_ends_when_it_is_told_to():
    source, sink = FakeSource([1, 2, 3]), FakeSink()
    done = run(source, pipeline(), [("harmonized", sink)], after_frame=lambda views: views.index < 1)
    assert (done.frames_out, done.interrupted, sink.ends, source.closed) == (2, False, ["close what there is"], 1)
    source, sink = FakeSource([1, 2, 3]), FakeSink()
    done = run(source, pipeline(), [("harmonized", sink)], before_frame=lambda views: views.index < 1)
    assert (done.frames_out, len(sink.pictures), sink.ends) == (1, 1, ["close what there is"])


def test_run_can_be_ended_while_no_frame_comes():
    class Hanging(FakeSource):
        hangs = threading.Event()

        def __iter__(self) -> Iterator[Frame]:
            yield from super().__iter__()
            self.hangs.wait(30)

        def close(self) -> None:
            super().close()
            self.hangs.set()

    asked: list[int] = []
    sink = FakeSink()

    def meanwhile() -> bool:
        asked.append(len(sink.pictures))
        return len(sink.pictures) < 2 or asked.count(2) < 3

    done = run(Hanging([1, 2]), pipeline(), [("harmonized", sink)], meanwhile=meanwhile)
    assert (done.frames_out, asked.count(2)) == (2, 3)
    assert sink.ends == ["close what there is"]


def test_run_that_is_ended_after_the_last_frame_is_whole():
    source, sink = FakeSource([1, 2, 3]), FakeSink()
    run(source, pipeline(), [("harmonized", sink)], after_frame=lambda views: views.index < 2)
    assert sink.ends == ["close"]


def test_ctrl_c_finishes_what_was_made():
    source, sink = FakeSource([1, 2], KeyboardInterrupt()), FakeSink()
    done = run(source, pipeline(), [("harmonized", sink)])
    assert (done.frames_out, done.interrupted, sink.ends, source.closed) == (2, True, ["close what there is"], 1)


class Scenes(SolidColor):
    """Another photograph from the third frame on."""

    pictures = np.random.default_rng(0).integers(0, 256, (2, HEIGHT, WIDTH, 3), np.uint8)

    def behind(self, frame: Frame, matte: Matte) -> np.ndarray:
        return self.pictures[int(frame.index >= 2)].copy()


def test_shot_that_changes_before_and_behind_the_person_at_once_begins_once(monkeypatch: pytest.MonkeyPatch):
    sink, subject = FakeSink(), pipeline(FakeEstimator([0.0, 0.0, 1.0, 0.0]), smoothing=100)
    subject.background = Scenes((0, 0, 0))
    monkeypatch.setattr(subject.cuts, "marked", lambda frame: replace(frame, cut=frame.index == 2))
    run(FakeSource([50] * 4), subject, [("harmonized", sink)])
    assert [level > 200 for level, _ in sink.pictures] == [False, False, True, True]


def test_cut_before_the_person_counts_though_the_scene_goes_on(monkeypatch: pytest.MonkeyPatch):
    class Moving(SolidColor):
        def behind(self, frame: Frame, matte: Matte) -> np.ndarray:
            return np.full((HEIGHT, WIDTH, 3), 9 + frame.index, np.uint8)

    sink, subject = FakeSink(), pipeline(FakeEstimator([0.0, 0.0, 1.0, 1.0]), smoothing=100)
    subject.background = Moving((0, 0, 0))
    monkeypatch.setattr(subject.cuts, "marked", lambda frame: replace(frame, cut=frame.index == 2))
    run(FakeSource([50] * 4), subject, [("harmonized", sink)])
    assert [level > 200 for level, _ in sink.pictures] == [False, False, True, True]


def test_another_shot_behind_the_person_begins_with_its_own_curves():
    lifts = [0.0, 0.0, 1.0, 1.0]
    sink, subject = FakeSink(), pipeline(FakeEstimator(lifts), smoothing=100)
    subject.background = Scenes((0, 0, 0))
    run(FakeSource([50] * 4), subject, [("harmonized", sink)])
    assert [level for level, _ in sink.pictures] == [0, 0, 255, 255]


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals there")
@pytest.mark.parametrize("first", [None, KeyboardInterrupt()])
@pytest.mark.parametrize("again", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_while_all_is_finished_disturbs_nothing(first: BaseException | None, again: signal.Signals):
    class Interrupted(FakeSource):
        def close(self) -> None:
            signal.raise_signal(again)
            super().close()

    class Slow(FakeSink):
        def close(self, whole: bool = True) -> None:
            signal.raise_signal(again)
            super().close(whole)

    threads, before = threading.active_count(), signal.signal(again, signal.default_int_handler)
    try:
        source, sink = Interrupted([1, 2], first), Slow()
        done = run(source, pipeline(), [("harmonized", sink)])
        assert (done.frames_out, done.interrupted, sink.ends, source.closed) == (
            2,
            True,
            ["close" if first is None else "close what there is"],
            1,
        )
        assert threading.active_count() == threads
        assert signal.getsignal(again) is signal.default_int_handler
    finally:
        signal.signal(again, before)


def test_ctrl_c_while_an_error_is_cleaned_up_hides_nothing():
    class Slow(FakeSink):
        def abort(self) -> None:
            signal.raise_signal(signal.SIGINT)
            super().abort()

    sink = Slow()
    with pytest.raises(InputError, match="damaged"):
        run(FakeSource([1, 2], InputError("damaged")), pipeline(), [("harmonized", sink)])
    assert sink.ends == ["abort"]


def test_ctrl_c_before_the_first_frame_leaves_nothing():
    source, sink = FakeSource([], KeyboardInterrupt()), FakeSink()
    with pytest.raises(KeyboardInterrupt):
        run(source, pipeline(), [("harmonized", sink)])
    assert (sink.ends, source.closed) == (["abort"], 1)


def failing_source() -> tuple[FakeSource, Pipeline, FakeSink]:
    return FakeSource([1, 2], InputError("a.mp4: its data ends early")), pipeline(), FakeSink()


def failing_stage() -> tuple[FakeSource, Pipeline, FakeSink]:
    class Failing(FakeEstimator):
        def estimate(self, thumbnails: Thumbnails | None, samples: int) -> ToneCurves | None:
            raise RuntimeError("out of memory")

    return FakeSource([1, 2]), pipeline(Failing([])), FakeSink()


def failing_write() -> tuple[FakeSource, Pipeline, FakeSink]:
    return FakeSource([1, 2]), pipeline(), FakeSink(fails_at="write")


def failing_close() -> tuple[FakeSource, Pipeline, FakeSink]:
    return FakeSource([1, 2]), pipeline(), FakeSink(fails_at="close")


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        (failing_source, InputError),
        (failing_stage, RuntimeError),
        (failing_write, OSError),
        (failing_close, OSError),
    ],
)
def test_error_aborts_every_sink_and_is_raised(
    parts: Callable[[], tuple[FakeSource, Pipeline, FakeSink]], error: type[Exception]
):
    source, subject, sink = parts()
    other = FakeSink()
    with pytest.raises(error):
        run(source, subject, [("harmonized", sink), ("harmonized", other)])
    assert sink.ends == ["abort"]
    assert other.ends == ["abort"]
    assert source.closed == 1


def test_camera_that_fails_has_ended_its_film():
    source, sink = FakeSource([1, 2], unplugged := InputError("webcam 0: plug it in again")), FakeSink()
    source.info = replace(source.info, live=True, frames=None)
    done = run(source, pipeline(), [("harmonized", sink)])
    assert done.failure is unplugged
    assert (done.frames_out, done.interrupted) == (2, False)
    assert sink.ends == ["close what there is"]


def test_camera_that_fails_before_its_first_frame_leaves_nothing():
    source, sink = FakeSource([], InputError("webcam 0: plug it in again")), FakeSink()
    source.info = replace(source.info, live=True, frames=None)
    with pytest.raises(InputError, match="plug it in"):
        run(source, pipeline(), [("harmonized", sink)])
    assert sink.ends == ["abort"]


def test_first_error_is_the_one_that_is_told():
    other = FakeSink()
    with pytest.raises(InputError, match="ends early"):
        run(failing_source()[0], pipeline(), [("harmonized", FakeSink(fails_at="abort")), ("harmonized", other)])
    assert other.ends == ["abort"]


def test_background_and_matting_are_closed_with_the_source():
    class Scene(SolidColor):
        closed = 0

        def close(self) -> None:
            self.closed += 1

    class Closing(FakeMatting):
        closed = 0

        def close(self) -> None:
            self.closed += 1

    for error in (None, RuntimeError()):
        scene, matting = Scene((0, 0, 0)), Closing()
        subject = pipeline(matting=matting)
        subject.background = scene
        if error is None:
            run(FakeSource([1]), subject, [])
        else:
            with pytest.raises(RuntimeError):
                run(FakeSource([1], error), subject, [])
        assert scene.closed == matting.closed == 1
