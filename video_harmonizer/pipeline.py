"""The journey of a frame, and the loop that sends every frame of a source on it.

Four threads share the work, each some frames ahead of the next: reading, matting, what follows it, writing.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from video_harmonizer.ahead import Ahead
from video_harmonizer.background import Background
from video_harmonizer.frame import Frame, Matte, Views
from video_harmonizer.harmonizers.curves import toward_identity
from video_harmonizer.matting import Matting
from video_harmonizer.rendering.renderer import CPURenderer
from video_harmonizer.sinks import Sink
from video_harmonizer.sources import Source
from video_harmonizer.temporal.smoother import CurveSmoother
from video_harmonizer.temporal.steady import SteadyEstimator

MATTED_AHEAD = 1  # frames that wait with their mattes

P = ParamSpec("P")
T = TypeVar("T")


class StageTimer:
    """Adds up the time that each stage takes. A stage belongs to one thread."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def call(self, stage: str, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do the work and count its time for the stage."""
        began = time.perf_counter()
        try:
            return work(*args, **kwargs)
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - began


@dataclass
class Pipeline:
    """What happens to every frame. Chosen once, then called; each part owns its own memory."""

    matting: Matting
    background: Background
    estimator: SteadyEstimator
    smoother: CurveSmoother
    renderer: CPURenderer
    strength: float = 1.0  # 0 leaves the person as filmed, 1 takes the curves wholly
    timer: StageTimer = field(default_factory=StageTimer)

    def process(self, frame: Frame) -> Views:
        """Make the renderer's views of one frame; frames come in order."""
        return self.compose(*self.matted(frame))

    def matted(self, frame: Frame) -> tuple[Frame, Matte]:
        """The first part of the journey: nothing after it has to be done for it to go on with the next frame."""
        return frame, self.timer.call("matting", self.matting.matte, frame)

    def compose(self, frame: Frame, matte: Matte) -> Views:
        """The rest of it."""
        timed = self.timer.call
        levels = 1 << 8 * frame.rgb.itemsize
        backdrop = timed("background", self.background.behind, frame, matte)
        estimate = timed("estimate", self.estimator.estimate, frame, matte, backdrop)
        curves = timed("smooth", self.smoother.update, estimate, frame.seconds, levels)
        curves = toward_identity(curves, self.strength)
        return timed("render", self.renderer.render, frame, matte, backdrop, curves)


@dataclass
class Run:
    """What a run did."""

    frames_in: int = 0  # that the source gave, dropped live frames included
    frames_out: int = 0
    seconds: float = 0.0  # on the clock on the wall
    interrupted: bool = False  # by Ctrl-C


def run(
    source: Source,
    pipeline: Pipeline,
    outputs: Sequence[tuple[str, Sink]],
    after_frame: Callable[[Views], bool] = lambda views: True,
) -> Run:
    """Process the source to its end and write each view to its sink.

    On Ctrl-C the sinks are finished, so that what was made stays; on an error, and on Ctrl-C before the first frame
    is out, they are aborted.

    Args:
        outputs: (view, sink) pairs.
        after_frame: called with each frame's views; False ends the run.
    """
    done = Run()
    began = time.perf_counter()
    matted = Ahead(map(pipeline.matted, _timed(source, pipeline.timer)), "matting", MATTED_AHEAD)
    try:
        try:
            for frame, matte in matted:
                done.frames_in = frame.index + 1
                views = pipeline.compose(frame, matte)
                for view, sink in outputs:
                    pipeline.timer.call("write", sink.write, views.images[view], frame.seconds)
                done.frames_out += 1
                if not after_frame(views):
                    break
        except KeyboardInterrupt:
            if not done.frames_out:
                raise  # nothing to finish
            done.interrupted = True
        for _, sink in outputs:
            pipeline.timer.call("write", sink.close)
    except BaseException:
        for _, sink in outputs:
            with contextlib.suppress(Exception):  # the first error is the one to tell
                sink.abort()
        raise
    finally:
        matted.stop()
        source.close()
        matted.join()
        pipeline.background.close()
    done.seconds = time.perf_counter() - began
    return done


def _timed(source: Source, timer: StageTimer) -> Iterator[Frame]:
    """The source's frames; waiting for one counts as reading."""
    frames = iter(source)
    while (frame := timer.call("read", next, frames, None)) is not None:
        yield frame
