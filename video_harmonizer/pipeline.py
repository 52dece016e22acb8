"""The journey of a frame, and the loop that sends every frame of a source on it.

Threads share the work, each some frames ahead of the next: reading, looking, matting, what follows it, writing.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import starmap
from typing import Any, ParamSpec, TypeVar

import numpy as np

from video_harmonizer.ahead import Ahead
from video_harmonizer.background import Background
from video_harmonizer.errors import InputError
from video_harmonizer.frame import Frame, Matte, Views
from video_harmonizer.matting import Matting
from video_harmonizer.rendering.renderer import CPURenderer
from video_harmonizer.sinks import Sink
from video_harmonizer.sources import Source
from video_harmonizer.temporal.budget import Effort
from video_harmonizer.temporal.cuts import CutDetector
from video_harmonizer.temporal.smoother import CurveSmoother
from video_harmonizer.temporal.steady import SteadyEstimator
from video_harmonizer.tone import toward_identity
from video_harmonizer.undisturbed import Undisturbed

PATIENCE = 0.1  # seconds without a frame after which others get their turn
AHEAD = 3  # frames queued between two threads; one of live video, as queued frames add delay
# Stages that one thread does
TOGETHER = (("cuts", "look"), ("matting",), ("background", "estimate", "smooth", "render", "write"))

P = ParamSpec("P")
T = TypeVar("T")


class StageTimer:
    """Adds up the time that each stage takes. A stage belongs to one thread."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._told = [0.0] * len(TOGETHER)

    def call(self, stage: str, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do the work and count its time for the stage."""
        began = time.perf_counter()
        try:
            return work(*args, **kwargs)
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - began

    def busiest(self) -> float:
        """Seconds that the busiest thread has worked since the last call."""
        before, self._told = self._told, [sum(self.seconds.get(stage, 0.0) for stage in part) for part in TOGETHER]
        return max(now - then for now, then in zip(self._told, before, strict=True))


@dataclass
class Pipeline:
    """What happens to every frame. Chosen once, then called; each part owns its own memory."""

    matting: Matting
    background: Background
    estimator: SteadyEstimator
    smoother: CurveSmoother
    renderer: CPURenderer
    strength: float = 1.0  # 0 leaves the person as filmed, 1 takes the curves wholly
    cuts: CutDetector = field(default_factory=CutDetector)
    scene_cuts: CutDetector = field(default_factory=CutDetector)  # of the video behind the person
    timer: StageTimer = field(default_factory=StageTimer)
    latency: float = 0.0  # seconds from the last frame's reading to its finished pictures
    _backdrop: np.ndarray | None = None  # the latest
    _read_at: dict[int, float] = field(default_factory=dict)  # by the index of frames that are under way

    def reset(self) -> None:
        """Before another source."""
        self._backdrop = None
        self._read_at.clear()
        for part in (self.cuts, self.scene_cuts, self.matting, self.estimator, self.smoother):
            part.reset()

    def take(self, effort: Effort) -> None:
        """Do so much for every frame from soon on."""
        self.estimator.patience = effort.patience
        self.matting.rescale(effort.scale)

    def process(self, frame: Frame) -> Views:
        """Make the renderer's views of one frame; frames come in order."""
        return self.compose(*self.matte(*self.look(frame)))

    def look(self, frame: Frame) -> tuple[Frame, Any]:
        """The first part of the journey: needs no earlier frame's matte."""
        self._read_at[frame.index] = time.perf_counter()
        frame = self.timer.call("cuts", self.cuts.marked, frame)
        return frame, self.timer.call("look", self.matting.look, frame)

    def matte(self, frame: Frame, seen: Any) -> tuple[Frame, Matte]:
        """The second part: needs what the earlier frames left in the matting's memory."""
        return frame, self.timer.call("matting", self.matting.matte, frame, seen)

    def compose(self, frame: Frame, matte: Matte) -> Views:
        """The rest of it."""
        timed = self.timer.call
        backdrop = timed("background", self.background.behind, frame, matte)
        # another picture; most scenes are one, and a room out of focus calls for no curves
        if self.strength and self._backdrop is not backdrop:
            self._backdrop = backdrop
            scene = replace(frame, rgb=backdrop, cut=False)
            scene_cut = timed("background", self.scene_cuts.marked, scene).cut  # it has to see every scene
            frame = replace(frame, cut=frame.cut or scene_cut)
        estimate = timed("estimate", self.estimator.estimate, frame, matte, backdrop)
        if frame.cut:
            self.smoother.reset()
        curves = timed("smooth", self.smoother.update, estimate, frame.seconds, frame.levels)
        curves = toward_identity(curves, self.strength)
        views = timed("render", self.renderer.render, frame, matte, backdrop, curves)
        self.latency = time.perf_counter() - self._read_at.pop(frame.index)
        return views


@dataclass
class Run:
    """What a run did."""

    frames_in: int = 0  # that the source gave, dropped live frames included
    frames_out: int = 0
    seconds: float = 0.0  # on the clock on the wall
    interrupted: bool = False  # by Ctrl-C
    failure: InputError | None = None  # of a camera, which ended its film


def run(
    source: Source,
    pipeline: Pipeline,
    outputs: Sequence[tuple[str, Sink]],
    before_frame: Callable[[Views], bool] = lambda views: True,
    after_frame: Callable[[Views], bool] = lambda views: True,
    meanwhile: Callable[[], bool] = lambda: True,
    ending: Undisturbed | None = None,
) -> Run:
    """Process the source to its end and write each view to its sink.

    On Ctrl-C the sinks are finished, so that what was made stays, whether or not another one comes meanwhile, and so
    they are when a camera fails, which is told in what is returned; on any other error, and on Ctrl-C before the first
    frame is out, they are aborted.

    Args:
        outputs: (view, sink) pairs.
        before_frame: called with each frame's views before they are written; False ends the run without them.
        after_frame: called with them when they are written; False ends the run.
        meanwhile: called now and then while no frame comes; False ends the run.
        ending: of the caller, whose further work is not to be disturbed either; begun when this returns.
    """
    done = Run()
    stopped = False
    began = time.perf_counter()
    pipeline.reset()
    depth = 1 if source.info.live else AHEAD
    looked = Ahead(map(pipeline.look, _timed(source, pipeline.timer)), "look", depth)
    matted = Ahead(starmap(pipeline.matte, looked), "matting", depth)

    def wanted() -> bool:
        nonlocal stopped
        stopped = not meanwhile()
        return not stopped

    with Undisturbed() if ending is None else contextlib.nullcontext(ending) as ending:
        try:
            try:
                for frame, matte in matted.with_breaks(PATIENCE, wanted):
                    done.frames_in = frame.index + 1
                    views = pipeline.compose(frame, matte)
                    if not before_frame(views):
                        stopped = True
                        break
                    for view, sink in outputs:
                        pipeline.timer.call("write", sink.write, views.images[view], frame.seconds)
                    done.frames_out += 1
                    if not after_frame(views):
                        stopped = done.frames_out != source.info.frames
                        break
            except KeyboardInterrupt:
                ending.begin()
                if not done.frames_out:
                    raise  # nothing to finish
                done.interrupted = True
            except InputError as error:
                ending.begin()
                if not (source.info.live and done.frames_out):
                    raise
                done.failure = error
            ending.begin()
            ended = not (done.interrupted or done.failure or stopped)
            for _, sink in outputs:
                pipeline.timer.call("write", sink.close, ended)
        except BaseException:
            ending.begin()
            for _, sink in outputs:
                with contextlib.suppress(Exception):  # the first error is the one to tell
                    sink.abort()
            raise
        finally:
            ending.begin()
            matted.stop()
            looked.stop()
            source.close()
            matted.join()  # first, as it starts the other
            looked.join()
            pipeline.matting.close()
            pipeline.background.close()
    done.interrupted = done.interrupted or ending.disturbed
    done.seconds = time.perf_counter() - began
    return done


def _timed(source: Source, timer: StageTimer) -> Iterator[Frame]:
    """The source's frames; waiting for one counts as reading."""
    frames = iter(source)
    while (frame := timer.call("read", next, frames, None)) is not None:
        yield frame
