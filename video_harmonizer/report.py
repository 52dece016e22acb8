"""What a run did, for the `--report` file: read by people and by programs."""

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # they bring the networks' packages, and the command line is to answer before those are loaded
    from video_harmonizer.engine import Engine
    from video_harmonizer.pipeline import Pipeline, Run


class WarningList(logging.Handler):
    """Keeps the text of every warning that is logged."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@dataclass(frozen=True)
class Report:
    """The contents of the file; a key a field."""

    output: str | None  # the file or folder that was written
    frames_in: int
    frames_out: int
    seconds: float
    fps: float  # frames out a second
    stages_ms: dict[str, float]  # of a frame; they run beside each other
    estimates: int  # how often curves were asked for: when the light changed, and now and then
    matting: str
    harmonizer: str
    device: str
    engine: str
    precision: str
    kept_up_by: list[str]  # what live video's frame budget made cheaper, and when
    warnings: list[str]
    interrupted: bool  # by Ctrl-C
    failure: str | None  # of a camera, which ended the recording

    @classmethod
    def of(
        cls,
        run: "Run",
        pipeline: "Pipeline",
        engine: "Engine",
        output: Path | None,
        warnings: list[str],
        kept_up_by: list[str],
    ) -> "Report":
        frames = max(run.frames_out, 1)
        return cls(
            output=None if output is None else str(output),
            frames_in=run.frames_in,
            frames_out=run.frames_out,
            seconds=round(run.seconds, 3),
            fps=round(run.frames_out / run.seconds, 2) if run.seconds else 0.0,
            stages_ms={name: round(1e3 * seconds / frames, 3) for name, seconds in pipeline.timer.seconds.items()},
            estimates=pipeline.estimator.asked,
            matting=pipeline.matting.name,
            harmonizer=pipeline.estimator.name,
            device=engine.device,
            engine=engine.name,
            precision=engine.precision,
            kept_up_by=kept_up_by,
            warnings=warnings,
            interrupted=run.interrupted,
            failure=str(run.failure) if run.failure else None,
        )

    def to_json(self) -> str:
        """The file's text."""
        return json.dumps(asdict(self), indent=2) + "\n"
