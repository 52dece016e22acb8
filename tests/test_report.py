"""The report: its keys and types are a contract with whoever reads it."""

import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from video_harmonizer.engine.eager import TorchEngine
from video_harmonizer.pipeline import Run, StageTimer
from video_harmonizer.report import Report, WarningList


def pipeline(**seconds: float) -> Any:
    timer = StageTimer()
    timer.seconds = seconds
    return SimpleNamespace(
        timer=timer, matting=SimpleNamespace(name="rvm_x"), estimator=SimpleNamespace(name="s2crnet", asked=3)
    )


def written(run: Run, pipe: Any, warnings: list[str]) -> dict[str, Any]:
    return json.loads(Report.of(run, pipe, TorchEngine("cpu"), Path("out.mp4"), warnings, ["0.5 s: slow"]).to_json())


def test_report_says_what_was_done():
    run = Run(frames_in=12, frames_out=10, seconds=2.5, interrupted=True)
    report = written(run, pipeline(matting=0.2, render=0.0512345), ["room.png: cropped", "größer"])
    assert report == {
        "output": "out.mp4",
        "frames_in": 12,
        "frames_out": 10,
        "seconds": 2.5,
        "fps": 4.0,
        "stages_ms": {"matting": 20.0, "render": 5.123},
        "estimates": 3,
        "matting": "rvm_x",
        "harmonizer": "s2crnet",
        "device": "cpu",
        "engine": "torch",
        "precision": "fp32",
        "kept_up_by": ["0.5 s: slow"],
        "warnings": ["room.png: cropped", "größer"],
        "interrupted": True,
        "failure": None,
    }
    assert [type(report[key]) for key in ("frames_in", "frames_out", "seconds", "fps")] == [int, int, float, float]


def test_run_without_a_frame_has_a_report_too():
    report = written(Run(), pipeline(read=0.01), [])
    assert (report["frames_out"], report["fps"], report["stages_ms"]) == (0, 0.0, {"read": 10.0})


def test_warnings_are_kept_as_a_person_sees_them():
    warnings = WarningList()
    logger = logging.getLogger("test of the report")
    logger.addHandler(warnings)
    logger.setLevel(logging.INFO)
    logger.info("all is well")
    logger.warning("%s: cropped to %dx%d", "room.png", 4, 3)
    logger.error("worse")
    assert warnings.texts == ["room.png: cropped to 4x3", "worse"]
