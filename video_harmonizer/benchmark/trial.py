"""What is measured at one size from end to end: file to file, live, and the textbook's way."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from video_harmonizer.benchmark.meters import PeakMemory, Stopwatch
from video_harmonizer.benchmark.textbook import Textbook
from video_harmonizer.frame import SourceInfo, Views
from video_harmonizer.pipeline import Pipeline, run
from video_harmonizer.sinks.video_file import VideoFileSink
from video_harmonizer.sinks.writer import ThreadedWriter
from video_harmonizer.sources import Source, open_source
from video_harmonizer.sources.prefetch import PrefetchSource

VIEW = "harmonized"
STEADY = 8  # frames out after which queues hold what they hold on a long run


@dataclass(frozen=True)
class Speed:
    """How fast frames went through, and what it took."""

    fps: float
    core_ms: float  # of processor time a frame, over all threads
    peak_mib: float | None  # of the process's memory, see `PeakMemory`


@dataclass(frozen=True)
class Trial:
    """A clip of one size and what to send it through. All can be measured again and again."""

    clip: Path  # beside which outputs are written
    frames: int  # of the clip, 2 or more
    pipeline: Pipeline  # which renders `VIEW`
    backdrop: np.ndarray  # (H, W, 3) uint8, what its background shows
    preset: str  # of x264
    memory: PeakMemory

    def open(self) -> Source:
        return open_source(str(self.clip))

    def sink(self, info: SourceInfo) -> VideoFileSink:
        return VideoFileSink(self.clip.with_name("out.mp4"), info.width, info.height, info, preset=self.preset)

    def end_to_end(self, to_file: bool) -> Speed:
        """From a file to a file, or as live video to the picture only; on a long run: the first frames don't count."""
        self.memory.start()
        source = PrefetchSource(self.open())
        outputs = [(VIEW, ThreadedWriter(self.sink(source.info)))] if to_file else []
        if not to_file:  # as a camera, which reads in a thread of its own, too
            source.info = replace(source.info, live=True)
        skipped = min(STEADY, (self.frames - 1) // 2)
        began = _now()

        def start(views: Views) -> bool:
            nonlocal began
            if views.index == skipped:
                began = _now()
            return True

        done = run(source, self.pipeline, outputs, start)
        if done.interrupted:
            raise KeyboardInterrupt
        return self._speed(began, done.frames_out - 1 - skipped)

    def textbook(self, textbook: Textbook, watch: Stopwatch, budget: float) -> Speed:
        """Decode, process and encode one frame after the other, until the clip ends or ``budget`` seconds are
        over, and close the file."""
        self.memory.start()
        textbook.reset()
        source = self.open()
        sink = self.sink(source.info)
        frames, done = iter(source), 0
        began = _now()
        while done == 0 or (done < self.frames and _now()[0] - began[0] < budget):
            frame = watch.call("decode", next, frames)
            picture = textbook.process(frame, self.backdrop, watch)
            watch.call("encode", sink.write, picture, frame.seconds)
            done += 1
        sink.close()
        source.close()
        return self._speed(began, done)

    def _speed(self, began: tuple[float, float], frames: int) -> Speed:
        wall, cpu = (now - then for now, then in zip(_now(), began, strict=True))
        return Speed(round(frames / wall, 3), round(1e3 * cpu / frames, 2), self.memory.mib())


def _now() -> tuple[float, float]:
    """Seconds on the wall, and of the process's threads on all cores together."""
    return time.perf_counter(), time.process_time()
