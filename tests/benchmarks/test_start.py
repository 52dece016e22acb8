"""The benchmark of a start: it times the first composed frame of a process, and says why there was none."""

from pathlib import Path

import pytest
from red_person import make_person_clip, save_weights

from benchmarks.start import start
from video_harmonizer.errors import InputError


def test_a_start_is_timed_to_its_first_frame(tmp_path: Path):
    clip, weights = make_person_clip(tmp_path / "clip.mp4"), save_weights(tmp_path / "red.pth")
    options = ["--matting-weights", str(weights), "--engine", "torch", "--harmonizer", "none"]
    seconds, torch = start(clip, tmp_path / "cache", options)
    assert 0.1 < seconds < 120
    assert torch
    assert (tmp_path / "start.mp4").is_file()


def test_a_start_that_fails_says_why(tmp_path: Path):
    clip = make_person_clip(tmp_path / "clip.mp4")
    with pytest.raises(InputError, match=r"(?s)the start failed.*absent.pth"):
        start(clip, tmp_path / "cache", ["--matting-weights", str(tmp_path / "absent.pth")])
