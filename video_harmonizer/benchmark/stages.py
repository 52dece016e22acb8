"""Each stage alone, so that none slows another down: what the pipeline runs side by side is taken apart here."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from video_harmonizer.benchmark.clip import RATE
from video_harmonizer.benchmark.meters import Stopwatch
from video_harmonizer.benchmark.trial import VIEW, Trial
from video_harmonizer.frame import Frame
from video_harmonizer.rendering.renderer import CPURenderer
from video_harmonizer.temporal.steady import INTERVAL
from video_harmonizer.tone import toward_identity

IN_MEMORY = 8  # frames to take in turn, so that they do not lie ready in the processor's caches
REPEATS = 10  # of what is not done at every frame, or not by the pipeline at all
RENDERERS = {  # in this order: the first finds its inputs as matting left them, the others in the caches
    "render_harmonized_paste": (VIEW, "paste"),
    "render_harmonized": (VIEW,),
    "view_side_by_side": ("side-by-side",),
}


@dataclass(frozen=True)
class Shares:
    """How much of the matte is wholly person, and how much partly: rendering costs by these."""

    person: float
    edge: float


def measure_stages(trial: Trial, watch: Stopwatch, frames: int) -> tuple[Shares, int]:
    """Each stage alone, for that many frames; what was in memory for it is freed.

    Returns:
        The mattes' shares, and the bytes that rendering harmonized and paste must move, a frame: ``memcpy`` in
        ``watch`` is the time in which memory does so.
    """
    stages = Stages(trial)
    stages.measure(watch, frames)
    return stages.shares, stages.moved


class Stages:
    """The stages of a trial, with some of its frames in memory."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._renderers = {stage: CPURenderer(views) for stage, views in RENDERERS.items()}
        source = trial.open()
        self._info = source.info
        self._frames = list(islice(source, IN_MEMORY))
        source.close()
        self.shares = self._shares()
        alone, mixed = 1 + 3, 1 + 6  # bytes read: alpha, then the person or the scene, or both
        read = alone * (1 - self.shares.edge) + mixed * self.shares.edge
        written = 2 * 3
        self.moved = round(self._info.height * self._info.width * (read + written))

    def measure(self, watch: Stopwatch, frames: int) -> None:
        """One after the other."""
        self._decode(watch)
        pictures = self._process(frames, watch)
        self._encode(pictures, frames, watch)
        self._copy(watch)

    def _decode(self, watch: Stopwatch) -> None:
        """The whole clip, as FFmpeg's threads read ahead: single frames' times would say little."""
        source = self._trial.open()
        began = time.perf_counter()
        frames = sum(1 for _ in source)
        watch.seconds["decode"].append((time.perf_counter() - began) / frames)

    def _encode(self, pictures: Sequence[np.ndarray], frames: int, watch: Stopwatch) -> None:
        """A whole file, as x264 has threads too."""
        sink = self._trial.sink(self._info)
        began = time.perf_counter()
        for index in range(frames):
            sink.write(pictures[index % len(pictures)], float(index / RATE))
        sink.close()
        watch.seconds["encode"].append((time.perf_counter() - began) / frames)

    def _process(self, frames: int, watch: Stopwatch) -> list[np.ndarray]:
        """What happens to a frame between the two; some of the harmonized pictures."""
        pipeline = self._trial.pipeline
        pictures: list[np.ndarray] = []
        self._estimate(watch)
        estimating = 0.0
        for frame in self._in_turn(frames):
            seen = watch.call("look", pipeline.matting.look, frame)
            matte = watch.call("matte", pipeline.matting.matte, frame, seen)
            watch.seconds["matting"].append(watch.seconds["look"][-1] + watch.seconds["matte"][-1])
            backdrop = watch.call("background", pipeline.background.behind, frame, matte)
            began = time.perf_counter()
            estimate = pipeline.estimator.estimate(frame, matte, backdrop)
            estimating += time.perf_counter() - began
            curves = watch.call("smooth", pipeline.smoother.update, estimate, frame.seconds)
            curves = toward_identity(curves, pipeline.strength)
            for stage, renderer in self._renderers.items():
                views = watch.call(stage, renderer.render, frame, matte, backdrop, curves)
                if stage == "render_harmonized" and len(pictures) < IN_MEMORY:
                    pictures.append(views.images[VIEW].copy())
        watch.seconds["estimate_per_frame"].append(estimating / frames)
        return pictures

    def _estimate(self, watch: Stopwatch) -> None:
        """One frame again and again, so long after one another that the network is asked each time."""
        pipeline, frame = self._trial.pipeline, self._frames[0]
        matte = pipeline.matting.matte(frame)
        backdrop = pipeline.background.behind(frame, matte)
        for index in range(REPEATS):
            later = replace(frame, seconds=2 * INTERVAL * (index + 1))
            watch.call("estimate_once", pipeline.estimator.estimate, later, matte, backdrop)

    def _copy(self, watch: Stopwatch) -> None:
        """The floor, under rendering's conditions: other sources each time, the target the same.

        A copy of n bytes reads n and writes n, so half of what is to be moved is copied.
        """
        sources = np.ones((len(self._frames), self.moved // 2), np.uint8)
        target = np.ones_like(sources[0])
        for index in range(REPEATS):
            watch.call("memcpy", np.copyto, target, sources[index % len(sources)])

    def _shares(self) -> Shares:
        """Of the frames in memory, averaged."""
        alphas = [self._trial.pipeline.matting.matte(frame).alpha.copy() for frame in self._in_turn(len(self._frames))]
        person = np.mean([alpha == 255 for alpha in alphas])
        edge = np.mean([(alpha > 0) & (alpha < 255) for alpha in alphas])
        return Shares(round(float(person), 4), round(float(edge), 4))

    def _in_turn(self, count: int) -> list[Frame]:
        """The frames in memory, again and again, as a clip at the usual rate."""
        frames = self._frames
        return [replace(frames[i % len(frames)], index=i, seconds=float(i / RATE)) for i in range(count)]
