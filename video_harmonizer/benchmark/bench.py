"""All measurements of one size, ours and the textbook's in turn."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch

from video_harmonizer import assemble, weights
from video_harmonizer.background import Picture
from video_harmonizer.benchmark.clip import make_clip, scene
from video_harmonizer.benchmark.meters import PeakMemory, Stopwatch
from video_harmonizer.benchmark.results import SizeResult, Summary
from video_harmonizer.benchmark.stages import measure_stages
from video_harmonizer.benchmark.textbook import AnyMatting, Textbook, WholeNetwork, load_s2crnet
from video_harmonizer.benchmark.trial import Speed, Trial
from video_harmonizer.engine import Engine
from video_harmonizer.frame import SourceInfo
from video_harmonizer.matting.network import load_network
from video_harmonizer.options import Options
from video_harmonizer.sources import open_source
from video_harmonizer.weights.load import read_state

ROUNDS = 3  # in which everything is measured in turn, so that a busy moment of the machine hits all alike
TEXTBOOK_SECONDS = 6.0  # in a round, after which the textbook begins no further frame


@dataclass(frozen=True)
class Bench:
    """What is the same at every size."""

    parts: Options  # of the pipeline; s2crnet is its harmonizer, as it is the textbook's
    engine: Engine
    source: str | None  # to make clips of, see `make_clip`
    frames: int
    preset: str  # of x264
    folder: Path  # for clips and what is made of them
    memory: PeakMemory

    def measure(self, side: int, after_round: Callable[[], object]) -> SizeResult:
        """Everything, at pictures of that shorter side. Raises InputError where the source can't be read."""
        with ExitStack() as cleanup:
            trial, info = self._trial(side, cleanup)
            textbook = self._textbook(info, cleanup)
            ours, theirs = Stopwatch(), Stopwatch()
            files: list[Speed] = []
            lives: list[Speed] = []
            textbooks: list[Speed] = []
            # first calls are slower than those after, and not what is asked about
            shares, moved = measure_stages(trial, Stopwatch(), frames=2)
            trial.textbook(textbook, Stopwatch(), budget=0)
            for _ in range(ROUNDS):
                measure_stages(trial, ours, self.frames)
                textbooks.append(trial.textbook(textbook, theirs, TEXTBOOK_SECONDS))
                files.append(trial.end_to_end(to_file=True))
                lives.append(trial.end_to_end(to_file=False))
                after_round()
        stages = ours.milliseconds()
        floor_ms = stages.pop("memcpy")
        return SizeResult(
            name=f"{side}p",
            width=info.width,
            height=info.height,
            matte=shares,
            stages_ms=stages,
            file=Summary.of(files),
            live=Summary.of(lives),
            textbook=Summary.of(textbooks),
            textbook_frames=len(theirs.seconds["render"]),
            textbook_stages_ms=theirs.milliseconds(),
            floor_bytes=moved,
            floor_ms=floor_ms,
        )

    def _trial(self, side: int, cleanup: ExitStack) -> tuple[Trial, SourceInfo]:
        clip = make_clip(self.folder / f"{side}p.mp4", side, self.frames, self.source)
        opened = open_source(str(clip))
        opened.close()
        info = opened.info
        backdrop = scene(info.height, info.width)
        matting = assemble.make_matting(self.parts, self.engine, info, cleanup)
        pipeline = assemble.make_pipeline(self.parts, matting, Picture("scene", backdrop), self.engine)
        return Trial(clip, self.frames, pipeline, backdrop, self.preset, self.memory), info

    def _textbook(self, info: SourceInfo, cleanup: ExitStack) -> Textbook:
        """With networks of its own, from the same checkpoints."""
        path, ratio, device = self.parts.matting_weights, self.parts.downsample_ratio, torch.device(self.engine.device)
        matting: WholeNetwork | AnyMatting
        if path is not None and ratio is not None:
            matting = WholeNetwork(load_network(read_state(path), str(path)), ratio, device)
        else:
            matting = AnyMatting(assemble.make_matting(self.parts, self.engine, info, cleanup))
        return Textbook(matting, load_s2crnet(weights.path(self.parts.harmonizer)), device)
